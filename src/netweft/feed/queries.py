"""Queries to nodes, and who waits for the answers.

    answer = await queries.ask("hv1", Ask(...))      # an Answer, or a Silence that says why there is none

Bounded: so many at once for one node and in all, and none waits longer than its seconds.  A node whose session another
server has is queried by way of the database (`store.server_messages`), where there can be another server.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, NamedTuple, TypeAlias

from msgspec.structs import replace
from starlette.websockets import WebSocketDisconnect

from netweft.wire.queries import SECONDS, Answer, Ask

AT_ONCE: Final = 4  # of one node: each is work for its vswitchd, which has packets to forward
WAITING: Final = 32  # of one node
MOST: Final = 256  # in all

Send: TypeAlias = Callable[[Ask], Awaitable[None]]


class Silence(NamedTuple):
    """Why a node has not answered, for a person."""

    why: str


class Elsewhere:
    """Asks a node that is not connected here."""

    async def ask(self, node: str, question: Ask) -> Answer | None:
        """None: nobody has it, or there is no other server."""
        return None

    async def settled(self, topic: str, id: str, revision: int) -> None:
        """Until other servers' nodes that follow it have it as it was at that revision."""


class Queries:
    def __init__(self, seconds: float = SECONDS) -> None:
        self.elsewhere = Elsewhere()
        self._seconds = seconds
        self._here: dict[str, Send] = {}
        self._waiting: dict[tuple[str, str], asyncio.Future[Answer]] = {}
        self._gates: dict[str, asyncio.Semaphore] = {}
        self._asked: Counter[str] = Counter()  # by node, with those whose turn is to come

    # -- for sessions

    def join(self, node: str, send: Send) -> None:
        """A node that answers queries.  A later session's takes the place of an earlier one's."""
        self._here[node] = send

    def leave(self, node: str, send: Send) -> None:
        if self._here.get(node) == send:
            del self._here[node]
            for (of, _), future in self._waiting.items():
                if of == node and not future.done():
                    future.set_exception(ConnectionError())

    def answered(self, node: str, answer: Answer) -> None:
        """Answers that nobody waits for any more, or to no query of that node, are ignored."""
        future = self._waiting.get((node, answer.id))
        if future is not None and not future.done():
            future.set_result(answer)

    # -- for callers

    def is_here(self, node: str) -> bool:
        return node in self._here

    @property
    def asked(self) -> int:
        return self._asked.total()

    async def ask(self, node: str, question: Ask) -> Answer | Silence:
        if self._asked[node] >= WAITING or self._asked.total() >= MOST:
            return Silence("too much is asked of it at once")
        self._asked[node] += 1
        try:
            async with asyncio.timeout(self._seconds):
                return await self._in_turn(node, replace(question, id=secrets.token_hex(8)))
        except TimeoutError:
            return Silence(f"its agent does not answer within {self._seconds:g} s")
        finally:
            self._asked[node] -= 1
            if not self._asked[node]:
                del self._asked[node]
                self._gates.pop(node, None)

    async def _in_turn(self, node: str, question: Ask) -> Answer | Silence:
        async with self._gates.setdefault(node, asyncio.Semaphore(AT_ONCE)):
            if node in self._here:
                answer = await self.ask_here(node, question)
            else:
                answer = await self.elsewhere.ask(node, question)
            return answer or Silence("its agent is not connected, or is too old to be asked")

    async def ask_here(self, node: str, question: Ask) -> Answer | None:
        """Of a node that is connected here.  None: it is not, any more.  Waits for as long as its caller does."""
        send = self._here.get(node)
        if send is None:
            return None
        key = (node, question.id)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[key] = future
        try:
            with suppress(OSError, RuntimeError, WebSocketDisconnect):  # the session has just ended
                await send(question)
                return await future
            return None
        finally:
            del self._waiting[key]
