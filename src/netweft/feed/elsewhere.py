"""Asks nodes whose sessions other servers have, by letters between the servers (`store.letters`).

ask SERVER NODE QUESTION        to all; who has the node's session asks it
answer SERVER ID ANSWER         to all; SERVER has asked
"""

import asyncio
import base64
import secrets
import zlib
from contextlib import suppress
from typing import Final

import structlog

from netweft.feed.questions import Elsewhere, Questions
from netweft.store.letters import Letters
from netweft.wire import messages as wire
from netweft.wire.questions import MAX_ANSWER_BYTES, SECONDS, Answer, Ask

AT_ONCE: Final = 32  # questions of other servers that are asked here; further ones are not answered

log = structlog.get_logger(__name__)


class ByLetters(Elsewhere):
    """Used in one event loop; letters come in another thread."""

    def __init__(self, letters: Letters, questions: Questions) -> None:
        self._letters, self._questions = letters, questions
        self._loop = asyncio.get_running_loop()
        self._own = secrets.token_hex(8)
        self._waiting: dict[str, asyncio.Future[Answer]] = {}
        self._asking: set[asyncio.Task[None]] = set()
        letters.on_letter = self._heard

    def close(self) -> None:
        self._letters.on_letter = lambda _: None
        for task in self._asking:
            task.cancel()

    async def ask(self, node: str, question: Ask) -> Answer | None:
        future: asyncio.Future[Answer] = self._loop.create_future()
        self._waiting[question.id] = future
        try:
            await self._send("ask", self._own, node, _packed(wire.encode(question)))
            return await future
        finally:
            del self._waiting[question.id]

    def _heard(self, letter: str) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._take, letter)

    def _take(self, letter: str) -> None:
        """What nobody can read is nothing."""
        words = letter.split(" ")
        with suppress(wire.BadMessage, ValueError, zlib.error):
            match words:
                case ["ask", server, node, packed]:
                    self._asked(server, node, _unpacked(packed))
                case ["answer", self._own, id, packed] if id in self._waiting:
                    answer = wire.decode_upward(_unpacked(packed))
                    if isinstance(answer, Answer) and not self._waiting[id].done():
                        self._waiting[id].set_result(answer)

    def _asked(self, server: str, node: str, frame: bytes) -> None:
        question = wire.decode_downward(frame)
        if not isinstance(question, Ask) or not self._questions.is_here(node) or len(self._asking) >= AT_ONCE:
            return
        task = self._loop.create_task(self._pass_on(server, node, question))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _pass_on(self, server: str, node: str, question: Ask) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(SECONDS):
                answer = await self._questions.ask_here(node, question)
                if answer is not None:
                    await self._send("answer", server, question.id, _packed(wire.encode(answer)))

    async def _send(self, *words: str) -> None:
        try:
            await asyncio.to_thread(self._letters.send, " ".join(words))
        except (ValueError, OSError) as error:
            log.warning("other servers not reached", problem=str(error))


def _packed(frame: bytes) -> str:
    return base64.b64encode(zlib.compress(frame)).decode()


def _unpacked(text: str) -> bytes:
    """Not more than an answer may be, whatever it says."""
    packed = zlib.decompressobj()
    return packed.decompress(base64.b64decode(text, validate=True), MAX_ANSWER_BYTES + 1)[: MAX_ANSWER_BYTES + 1]
