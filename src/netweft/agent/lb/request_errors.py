"""Reads from each HAProxy of this node, periodically, how many requests it rejected, and reports it to the server.

A worker counts from its start on, and a reload starts another one: which one it was is the life of its numbers, and the
server adds up the lives' reports.  What a worker counts between the last look and its end is lost.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from netweft.dataplane.haproxy.runtime import Counters, NotThere, counters
from netweft.dataplane.haproxy.values import WORKER
from netweft.model.counting import ERRORS, Counted


class RequestErrors:
    """folders: of the HAProxies that run here, by balancer.  tell: sends totals to the server, as soon as there is
    one."""

    def __init__(
        self,
        seconds: float,
        folders: Callable[[], Mapping[str, Path]],
        tell: Callable[[Iterable[Counted]], None],
    ) -> None:
        self._seconds, self._folders, self._tell = seconds, folders, tell
        self._told: dict[str, Counted] = {}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(self._seconds)
            await self.look()

    def begin_session(self) -> None:
        """Whatever the server has heard, or not."""
        self._told.clear()

    async def look(self) -> None:
        found: dict[str, Counted] = {}
        for folder in self._folders().values():
            try:
                found |= {one.id: one for one in _counted(await counters(folder / WORKER))}
            except (NotThere, OSError, ValueError):  # it starts, or ends
                continue
        news = [one for id, one in found.items() if one != self._told.get(id)]
        self._told |= found
        if news:
            self._tell(news)


def _counted(said: Counters) -> Iterator[Counted]:
    """Raises OSError, ValueError."""
    begun = int(Path(f"/proc/{said.pid}/stat").read_text().rpartition(")")[2].split()[19])  # proc(5), field 22
    life = said.pid << 32 | begun & 0xFFFFFFFF
    for id, errors in said.request_errors.items():
        if errors:
            yield Counted(kind=ERRORS, id=id, life=life, packets_in=errors)
