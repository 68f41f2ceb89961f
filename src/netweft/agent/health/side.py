"""All members that this node probes: follows what is wanted, once its flows are in place."""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from netweft.agent.desired import Part
from netweft.agent.health.ground import ANYWHERE, Ground, Opening
from netweft.agent.health.watch import Watch
from netweft.agent.metadata.guests import room
from netweft.model.health import MemberHealth
from netweft.services.health.watched import Watched


class HealthSide:
    """tell: the server.  within: makes a socket in the namespace of a balancer's HAProxy; raises CannotAsk."""

    def __init__(
        self,
        tell: Callable[[Iterable[MemberHealth]], None],
        ground: Ground | None = None,
        within: Callable[[str, Opening], socket.socket] = lambda _, opening: opening(),
    ) -> None:
        self._tell, self._ground, self._within = tell, ground or Ground(), within
        self._waiting: dict[str, Watched] = {}  # for their flows
        self._watches: dict[str, Watch] = {}
        self.asked: Counter[str] = Counter()  # `well`, `failed`

    async def run(self) -> None:
        """Until cancelled."""
        room()
        try:
            await asyncio.Event().wait()
        finally:
            for watch in self._watches.values():
                watch.stop()

    def change(self, part: Part[Any, Any]) -> None:
        """A member that is not watched any more gets no more probes: its flows may be others' soon."""
        for id in part.deletes:
            self._waiting.pop(id, None)
            if watch := self._watches.pop(id, None):
                watch.stop()
        for watched in part.upserts:
            watch = self._watches.get(watched.member_id)
            if watch and _way(watch.watched) != _way(watched):
                watch.stop()
                if watch.watched.within != watched.within:  # it stands on other ground
                    del self._watches[watched.member_id]
            self._waiting[watched.member_id] = watched

    def wired(self) -> None:
        """What was wanted is in place."""
        waiting, self._waiting = self._waiting, {}
        for id, watched in waiting.items():
            if watch := self._watches.get(id):
                watch.change(watched)
            else:
                self._watches[id] = Watch(watched, self._ground_of(watched), self._say, self.asked)

    def _ground_of(self, watched: Watched) -> Ground:
        if not watched.within:
            return self._ground
        return Ground(interface="", own=ANYWHERE, within=partial(self._within, watched.within))

    def begin_session(self) -> None:
        """Whatever the server has received, or not."""
        self._tell([health for watch in self._watches.values() if (health := watch.health)])

    @property
    def watches(self) -> Iterable[Watch]:
        return self._watches.values()

    def _say(self, health: MemberHealth) -> None:
        self._tell((health,))


def _way(watched: Watched) -> tuple[str, int, str, str]:
    return watched.to, watched.port, watched.within, watched.problem
