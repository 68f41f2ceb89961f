"""One member that is watched: probed periodically, one probe at a time."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Final

import structlog
from msgspec.structs import replace

from netweft.agent.health.ground import Ground
from netweft.agent.health.probes import ask
from netweft.agent.health.verdict import Verdict
from netweft.model.health import MOST_WHY, MemberHealth
from netweft.services.health import ends
from netweft.services.health.watched import Watched

log = structlog.get_logger(__name__)

_PORTS: Final = ~ends.PORTS_MASK & 0xFFFF


class Watch:
    """tell: its status has changed.  asked: counts probes, `well` and `failed`."""

    def __init__(
        self, watched: Watched, ground: Ground, tell: Callable[[MemberHealth], None], asked: Counter[str]
    ) -> None:
        self.watched = watched
        self.verdict = Verdict(watched.known)
        self._asked = asked
        self._ground, self._tell = ground, tell
        self._ports = _ports()
        self._task: asyncio.Task[None] | None = None
        self._begin()

    @property
    def health(self) -> MemberHealth | None:
        """None: nothing is known yet."""
        status = self.verdict.status
        if status is None:
            return None
        return MemberHealth(member_id=self.watched.member_id, status=status, why=self.verdict.why[:MOST_WHY])

    def change(self, watched: Watched) -> None:
        """The last status holds for a changed probe, until that is answered."""
        before, self.watched = self.watched, watched
        if replace(before, known="") != replace(watched, known=""):
            self.stop()
            self._begin()
        if watched.known != before.known:
            self._say_unless_known()

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _begin(self) -> None:
        if self.watched.problem:
            self.verdict.condemn(self.watched.problem)
            self._say_unless_known()
        else:
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        """A member of unknown status is probed at once; all others are spread over the delay."""
        clock = asyncio.get_running_loop().time
        if self.verdict.status is not None:
            await asyncio.sleep(random.random() * self.watched.check.delay)
        while True:
            watched, started = self.watched, clock()
            await self._ask(watched)
            due = started + self.verdict.pause(watched.check, clock() - started)
            await asyncio.sleep(due - clock())

    async def _ask(self, watched: Watched) -> None:
        try:
            heard = await ask(self._ground, watched, next(self._ports))
        except Exception:  # a fault of ours says nothing about the member
            log.exception("a member could not be asked", member=watched.member_id)
            return
        if heard is None:
            return
        self._asked["well" if heard.well else "failed"] += 1
        if self.verdict.hear(watched.check, well=heard.well, why=heard.why):
            self._say()

    def _say_unless_known(self) -> None:
        """The server says otherwise: it has received nothing, or has begun anew."""
        health, known = self.health, self.watched.known
        if health is not None and health.status != ("ONLINE" if known == "DRAINING" else known):
            self._say()

    def _say(self) -> None:
        health = self.health
        if health is not None:
            log.info("member", id=health.member_id, status=health.status, why=health.why)
            self._tell(health)


def _ports() -> Iterator[int]:
    """A connection that has just ended is not the next one's."""
    first = random.randrange(_PORTS + 1)
    return cycle([ends.PORTS + (first + step) % (_PORTS + 1) for step in range(_PORTS + 1)])
