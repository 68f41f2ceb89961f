"""Ends the connections of addresses that stand for another port now, or for none (services.security.endings).

After the flows: what is forgotten earlier could begin again.  What is owed is kept with the view on disk, so that an
agent that is killed in between leaves it to the next one.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path

import structlog
from msgspec import Struct

from netweft.agent.host.bridge import BridgeSide
from netweft.agent.retries import Retries
from netweft.dataplane.openflow.errors import OpenFlowError
from netweft.dataplane.unixctl.client import CommandFailed, command
from netweft.dataplane.unixctl.conntrack import LISTING, Connection, connections
from netweft.model import Port
from netweft.services.security.endings import Ended, by_mark, by_tuple, chosen

log = structlog.get_logger(__name__)

AT_ONCE = 16  # and these done before the next: the userspace datapath forwards in between
SLICE_SECONDS = 0.02  # then what else there is to do is done before the next of them
PAUSE_SECONDS = 0.02
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
        self._work: _Work | None = None

    @property
    def owed(self) -> frozenset[Ended]:
        """Also called by the thread that writes it down."""
        return self._told | self._due

    def owe(self, ended: frozenset[Ended]) -> None:
        self._told |= ended

    def rendered(self, networks: Iterable[str], *, complete: bool) -> None:
        """What was requested so far is due once what is wanted now is in place.  At first so is, in all networks here,
        what nobody here has a part in: the agent before may have known less than this one."""
        if not complete:
            return
        if not self._looked:
            self._looked = True
            self._told |= {Ended(id) for id in networks}
        self._due |= self._told
        self._told = frozenset()

    async def carry_out(self, vlans: Mapping[str, int], ports: Iterable[Port]) -> None:
        """vlans: what is a network's zone now; one that was given up is emptied before it is given out again.
        ports: those that are bound here.  What cannot be done is owed still, and holds up nobody: where many end, other
        work comes in between."""
        if not self._due:
            return
        try:
            if self._work is None or not self._work.is_of(vlans):
                if not self._may_look():
                    return
                self._work = await self._begun(self._due, vlans, ports)
            if await self._go_on(self._work):
                self._ended(self._work)
            self._retries.note("")
        except (OpenFlowError, CommandFailed) as error:
            self._work = None
            self._retries.note(f"connections that have ended are tracked still: {error}")

    def _may_look(self) -> bool:
        """ovs-vswitchd forwards nothing, perhaps, while it lists: a fifth of its time at most."""
        loop = asyncio.get_running_loop()
        wait = self._rested - loop.time()
        if wait > 0 and self._timer is None:
            self._timer = loop.call_later(wait, self._wake)
        return wait <= 0

    async def _begun(self, due: frozenset[Ended], vlans: Mapping[str, int], ports: Iterable[Port]) -> "_Work":
        ends: defaultdict[int, list[Ended]] = defaultdict(list)
        for end in due:
            if end.network_id in vlans:
                ends[end.zone(vlans[end.network_id])].append(end)
        tracked = await self._listed(ends.keys()) if ends else iter(())
        zones = {end.network_id: vlans.get(end.network_id) for end in due}
        return _Work(due, zones, chosen(tracked, ends, _by_zone(ports, vlans)))

    async def _listed(self, zones: Collection[int]) -> Iterator[Connection]:
        self._timer = None
        loop = asyncio.get_running_loop()
        start = loop.time()
        try:
            words = [f"zone={zone}" for zone in zones] if len(zones) == 1 else []
            return connections(await self.ask(LISTING, *words))
        finally:
            self._rested = loop.time() + RESTS * (loop.time() - start)

    async def _go_on(self, work: "_Work") -> bool:
        """False: there is more, or the bridge is away."""
        loop = asyncio.get_running_loop()
        end = loop.time() + SLICE_SECONDS
        while some := list(islice(work.over, AT_ONCE)):
            work.done += len(some)
            if not await self._bridge.end_connections(list(filter(None, map(by_tuple, some)))):
                self._work = None
                return False
            await self._bridge.send_packets([by_mark(one) for one in some if not by_tuple(one)])
            if len(some) < AT_ONCE:
                break
            if loop.time() > end:
                loop.call_later(PAUSE_SECONDS, self._wake)
                return False
        return True

    def _ended(self, work: "_Work") -> None:
        if work.done:
            log.info("connections end", connections=work.done)
        self._work = None
        self._due -= work.due
        if not self.owed:
            self._settled()
        elif self._due:
            self._wake()


class _Work(Struct):
    """zones: of the networks, when it was begun: by then others' connections were not in what was listed.
    over: what is still to end."""

    due: frozenset[Ended]
    zones: Mapping[str, int | None]
    over: Iterator[Connection]
    done: int = 0

    def is_of(self, vlans: Mapping[str, int]) -> bool:
        return all(vlans.get(network) == zone for network, zone in self.zones.items())


def _by_zone(ports: Iterable[Port], vlans: Mapping[str, int]) -> dict[int, list[Port]]:
    found: defaultdict[int, list[Port]] = defaultdict(list)
    for port in ports:
        if port.network_id in vlans:
            found[vlans[port.network_id]].append(port)
    return found
