"""Ends the connections of addresses that stand for another port now, or for none (services.security.endings).

After the flows: what is forgotten earlier could begin again.  What is owed is kept with the view on disk, so that an
agent that is killed in between leaves it to the next one.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

import structlog

from netweft.agent.host.bridge import BridgeSide
from netweft.agent.retries import Retries
from netweft.dataplane.openflow.errors import OpenFlowError
from netweft.dataplane.unixctl.client import CommandFailed, command
from netweft.dataplane.unixctl.conntrack import LISTING, Connection, connections
from netweft.model import Port
from netweft.services.security.endings import Ended, by_mark, by_tuple, chosen

log = structlog.get_logger(__name__)

AT_ONCE = 16  # and these done before the next: the userspace datapath forwards in between
RESTS = 4  # as long as a listing took, until the next


class Endings:
    """settled: called when nothing is owed any more.  wake: when it is time to try again."""

    def __init__(
        self, run_dir: Path, bridge: BridgeSide, settled: Callable[[], None], wake: Callable[[], None]
    ) -> None:
        self.ask: Callable[..., Awaitable[str]] = partial(command, run_dir)
        self._bridge, self._settled = bridge, settled
        self._retries = Retries(wake)
        self._wake = wake
        self._timer: asyncio.TimerHandle | None = None
        self._rested = 0.0
        self._told: frozenset[Ended] = frozenset()
        self._due: frozenset[Ended] = frozenset()
        self._looked = False

    @property
    def owed(self) -> frozenset[Ended]:
        """Also asked by the thread that writes it down."""
        return self._told | self._due

    def owe(self, ended: frozenset[Ended]) -> None:
        self._told |= ended

    def rendered(self, networks: Iterable[str], *, complete: bool) -> None:
        """What was told so far is due once what is wanted now is in place.  At first so is, in all networks here, what
        nobody here has a part in: the agent before may have known less than this one."""
        if not complete:
            return
        if not self._looked:
            self._looked = True
            self._told |= {Ended(id) for id in networks}
        self._due |= self._told
        self._told = frozenset()

    async def carry_out(self, vlans: Mapping[str, int], ports: Iterable[Port]) -> None:
        """vlans: what is a network's zone now; one that was given up is emptied before it is given out again.
        ports: those that are bound here.  What cannot be done is owed still, and holds up nobody."""
        if not self._due or not self._may_look():
            return
        try:
            await self._end(self._due, vlans, ports)
            self._retries.note("")
        except (OpenFlowError, CommandFailed) as error:
            self._retries.note(f"connections that have ended are tracked still: {error}")

    def _may_look(self) -> bool:
        """ovs-vswitchd forwards nothing, perhaps, while it lists: a fifth of its time at most."""
        loop = asyncio.get_running_loop()
        wait = self._rested - loop.time()
        if wait > 0 and self._timer is None:
            self._timer = loop.call_later(wait, self._wake)
        return wait <= 0

    async def _end(self, due: frozenset[Ended], vlans: Mapping[str, int], ports: Iterable[Port]) -> None:
        ends: defaultdict[int, list[Ended]] = defaultdict(list)
        for end in due:
            if end.network_id in vlans:
                ends[end.zone(vlans[end.network_id])].append(end)
        if ends and not await self._end_all(await self._listed(ends.keys()), ends, _by_zone(ports, vlans)):
            return
        self._due -= due
        if not self.owed:
            self._settled()

    async def _listed(self, zones: Collection[int]) -> Iterator[Connection]:
        self._timer = None
        loop = asyncio.get_running_loop()
        start = loop.time()
        try:
            words = [f"zone={zone}" for zone in zones] if len(zones) == 1 else []
            return connections(await self.ask(LISTING, *words))
        finally:
            self._rested = loop.time() + RESTS * (loop.time() - start)

    async def _end_all(
        self, tracked: Iterable[Connection], ends: Mapping[int, list[Ended]], ports: Mapping[int, list[Port]]
    ) -> bool:
        """False: the bridge is away."""
        over = list(chosen(tracked, ends, ports))
        if over:
            log.info("connections end", connections=len(over))
        for start in range(0, len(over), AT_ONCE):
            some = over[start : start + AT_ONCE]
            if not await self._bridge.end_connections(list(filter(None, map(by_tuple, some)))):
                return False
            await self._bridge.send_packets([by_mark(one) for one in some if not by_tuple(one)])
        return True


def _by_zone(ports: Iterable[Port], vlans: Mapping[str, int]) -> dict[int, list[Port]]:
    found: defaultdict[int, list[Port]] = defaultdict(list)
    for port in ports:
        if port.network_id in vlans:
            found[vlans[port.network_id]].append(port)
    return found
