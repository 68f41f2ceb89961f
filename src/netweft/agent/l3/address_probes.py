"""Asks whether somebody answers for an address on an external network, before this node does: never two nodes at once.

By ARP probes (RFC 5227), which move nothing in switches and in others' tables.  As long as somebody answers it waits;
who has the address may also say that it has just let it go.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import NamedTuple

from netweft.services.l2.announce import Packet

WAIT = 0.03  # seconds, for the answer to a question
IN_A_HURRY, MOST_PAUSE = 1.0, 0.5  # seconds without a pause; between two questions then, while somebody does
FOR_EVER = float("inf")

Questions = Callable[[], Iterable[Packet] | None]


class Silence(NamedTuple):
    """Questions one after the other that nobody answers: first, where nobody ever has; then, where somebody has."""

    first: int = 2
    then: int = 2


SOON = Silence()


class Asking:
    """say: a packet-out on the integration bridge.

    is_deaf: whether it has to be thought that somebody answers, for nobody would be heard."""

    def __init__(self, say: Callable[[Packet], None]) -> None:
        self._say = say
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._answered: set[str] = set()
        self._let_go: dict[str, asyncio.Event] = {}
        self.is_deaf: Callable[[str], bool] = lambda id: False

    @property
    def ids(self) -> list[str]:
        """Addresses that are being probed."""
        return [id for id, task in self._tasks.items() if not task.done()]

    def begin(
        self,
        id: str,
        questions: Questions,
        is_free: Callable[[], None],
        most: float = FOR_EVER,
        silence: Silence = SOON,
    ) -> None:
        """Unless it is being probed already.  questions: None as long as they cannot be sent.  is_free: called once.
        most: seconds to wait for one who answers to release it.  silence: how many unanswered probes in a row make
        it free."""
        task = self._tasks.get(id)
        if task is None or task.done():  # done: it has failed
            self._tasks[id] = asyncio.create_task(self._ask(id, questions, is_free, most, silence))

    def stop(self, id: str) -> None:
        if task := self._tasks.pop(id, None):
            task.cancel()

    def answered(self, id: str) -> None:
        """Somebody has it, or is to have it before this node."""
        self._answered.add(id)

    def let_go(self, id: str) -> None:
        """Who had it says that it has it no more."""
        if event := self._let_go.get(id):
            event.set()

    async def _ask(
        self, id: str, questions: Questions, is_free: Callable[[], None], most: float, silence: Silence
    ) -> None:
        unanswered, enough, pause, begun = 0, silence.first, 0.0, _now()
        let_go = self._let_go[id] = asyncio.Event()
        while unanswered < enough and not let_go.is_set() and _now() - begun < most:
            self._answered.discard(id)
            asked = questions()
            if asked is None:
                await asyncio.sleep(MOST_PAUSE)
                continue
            for packet in asked:
                self._say(packet)
            await _unless(let_go, WAIT)
            unanswered = 0 if id in self._answered or self.is_deaf(id) else unanswered + 1
            if not unanswered:
                enough = silence.then
                await _unless(let_go, pause)
                pause = 0.0 if _now() - begun < IN_A_HURRY else MOST_PAUSE
        del self._tasks[id], self._let_go[id]
        is_free()


async def _unless(told: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await told.wait()


def _now() -> float:
    return asyncio.get_running_loop().time()
