"""Queries nodes whose sessions other servers have, by messages between the servers (`store.server_messages`).

ask SERVER NODE QUESTION        to all; the server with the node's session queries it
answer SERVER ID ANSWER         to all; for SERVER
settle SERVER ID TOPIC OF REV   to all, again and again; each other one sees to its own nodes, and says so:
settled SERVER ID BY            to all; for SERVER
here SERVER                     to all, from time to time: who is waited for
"""

import asyncio
import base64
import secrets
import zlib
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, TypeAlias

import structlog

from netweft.feed.queries import Elsewhere, Queries
from netweft.store.server_messages import ServerMessages
from netweft.wire import messages as wire
from netweft.wire.queries import MAX_ANSWER_BYTES, SECONDS, Answer, Ask

AT_ONCE: Final = 32  # queries of other servers under way here; further ones are not answered
SETTLING_AT_ONCE: Final = 256
HERE_SECONDS: Final = 2.0
GONE_SECONDS: Final = 7.0  # a server that was not heard of for so long is not waited for
AGAIN_SECONDS: Final = 1.0  # a message is lost where a server has just lost its connection to PostgreSQL
Settle: TypeAlias = Callable[[str, int], Awaitable[None]]

log = structlog.get_logger(__name__)


class ByServerMessages(Elsewhere):
    """Used in one event loop; messages come in another thread."""

    def __init__(self, messages: ServerMessages, queries: Queries) -> None:
        self._server_messages, self._queries = messages, queries
        self._loop = asyncio.get_running_loop()
        self._own = secrets.token_hex(8)
        self._waiting: dict[str, asyncio.Future[Answer]] = {}
        self._asking: set[asyncio.Task[None]] = set()
        self._settling: set[asyncio.Task[None]] = set()
        self._settled_for: set[str] = set()  # questions of others that are being seen to
        self._servers: dict[str, float] = {}  # others -> when they were heard of
        self._serves: dict[str, Settle] = {}  # by topic
        self._unsettled: dict[str, set[str]] = {}  # by question: the servers that have not said so
        self._news = asyncio.Condition()
        messages.on_message = self._heard

    def close(self) -> None:
        self._server_messages.on_message = lambda _: None
        for task in (*self._asking, *self._settling):
            task.cancel()

    async def run(self) -> None:
        """Says that this server is here."""
        while True:
            await self._send("here", self._own)
            await asyncio.sleep(HERE_SECONDS)

    def serve(self, topic: str, settle: Settle) -> None:
        """settle: sees to it that this server's nodes have something of that topic as it was at a revision."""
        self._serves[topic] = settle

    async def ask(self, node: str, question: Ask) -> Answer | None:
        future: asyncio.Future[Answer] = self._loop.create_future()
        self._waiting[question.id] = future
        try:
            await self._send("ask", self._own, node, _packed(wire.encode(question)))
            return await future
        finally:
            del self._waiting[question.id]

    async def settled(self, topic: str, id: str, revision: int) -> None:
        """Waits for all others, for as long as they are there."""
        question = secrets.token_hex(8)
        self._unsettled[question] = others = self._there()

        def is_settled() -> bool:
            return not others

        try:
            while others:
                await self._send("settle", self._own, question, topic, id, str(revision))
                with suppress(TimeoutError):
                    async with asyncio.timeout(AGAIN_SECONDS), self._news:
                        await self._news.wait_for(is_settled)
                others &= self._there()
        finally:
            del self._unsettled[question]

    def _there(self) -> set[str]:
        now = self._loop.time()
        return {server for server, at in self._servers.items() if now - at < GONE_SECONDS}

    def _heard(self, message: str) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._take, message)

    def _take(self, message: str) -> None:
        """What nobody can read is nothing."""
        words = message.split(" ")
        with suppress(wire.BadMessage, ValueError, zlib.error):
            match words:
                case ["ask", server, node, packed]:
                    self._asked(server, node, _unpacked(packed))
                case ["here", server] if server != self._own:
                    self._servers[server] = self._loop.time()
                case ["settle", server, question, topic, id, revision] if server != self._own:
                    self._settle(server, question, topic, id, int(revision))
                case ["settled", self._own, question, server] if question in self._unsettled:
                    self._unsettled[question].discard(server)
                    self._begin(self._tell())
                case ["answer", self._own, id, packed] if id in self._waiting:
                    answer = wire.decode_upward(_unpacked(packed))
                    if isinstance(answer, Answer) and not self._waiting[id].done():
                        self._waiting[id].set_result(answer)

    def _asked(self, server: str, node: str, frame: bytes) -> None:
        question = wire.decode_downward(frame)
        if not isinstance(question, Ask) or not self._queries.is_here(node) or len(self._asking) >= AT_ONCE:
            return
        task = self._loop.create_task(self._pass_on(server, node, question))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    def _settle(self, server: str, question: str, topic: str, id: str, revision: int) -> None:
        settle = self._serves.get(topic)
        if settle is not None and len(self._settling) < SETTLING_AT_ONCE and question not in self._settled_for:
            self._settled_for.add(question)
            self._begin(self._settled_here(settle(id, revision), server, question))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    async def _settled_here(self, settled: Awaitable[None], server: str, question: str) -> None:
        try:
            await settled
        finally:
            self._settled_for.discard(question)
        await self._send("settled", server, question, self._own)

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def _pass_on(self, server: str, node: str, question: Ask) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(SECONDS):
                answer = await self._queries.ask_here(node, question)
                if answer is not None:
                    await self._send("answer", server, question.id, _packed(wire.encode(answer)))

    async def _send(self, *words: str) -> None:
        try:
            await asyncio.to_thread(self._server_messages.send, " ".join(words))
        except (ValueError, OSError) as error:
            log.warning("other servers not reached", problem=str(error))


def _packed(frame: bytes) -> str:
    return base64.b64encode(zlib.compress(frame)).decode()


def _unpacked(text: str) -> bytes:
    """Not more than an answer may be, whatever it says."""
    packed = zlib.decompressobj()
    return packed.decompress(base64.b64decode(text, validate=True), MAX_ANSWER_BYTES + 1)[: MAX_ANSWER_BYTES + 1]
