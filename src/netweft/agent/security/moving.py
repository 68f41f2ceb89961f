"""Connections of ports that move (services.security.moving): listed where they leave, restored where they arrive.

leaving     in the turn in which it is known, before what has ended is forgotten (agent.endings); best effort: what
            an agent that is killed before it reports it is lost
arriving    beside the loop, a few times within the minute that a list is valid: the VM may not run yet, and kernels
            limit their answers
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from itertools import islice
from pathlib import Path

import structlog

from netweft.agent.desired import Desired
from netweft.agent.security.endings import RESTS
from netweft.agent.sync import Changes
from netweft.dataplane.openflow.errors import OpenFlowError
from netweft.dataplane.unixctl.client import CommandFailed, command
from netweft.dataplane.unixctl.conntrack import LISTING, Connection, connections
from netweft.model import MovedConnections, NodeView, Peer, Port, Tracked
from netweft.model.connections import FRESH_SECONDS
from netweft.services.l2.announce import Packet
from netweft.services.security.moving import Addresses, leaving, missing, provoked, remembered
from netweft.services.values import LocalPort

log = structlog.get_logger(__name__)

AT_ONCE = 16  # packets, and these done before the next: the userspace datapath forwards in between
PAUSES = (0.0, 0.1, 0.4, 0.6, 1.0, 2.0, 4.0, 8.0, 16.0)  # seconds before each attempt

Ask = Callable[..., Awaitable[str]]


class Departures:
    """tell: what a port was connected to."""

    def __init__(self, run_dir: Path, tell: Callable[[str, tuple[Tracked, ...]], None]) -> None:
        self.ask: Ask = partial(command, run_dir)
        self._tell = tell
        self._left: dict[str, tuple[int, Addresses]] = {}

    def see(self, before: NodeView, changes: Changes, vlans: Mapping[str, int]) -> None:
        """vlans: of networks, those that are about to be given up, too."""
        for kind, id in changes.upserts | changes.deletes:
            was = before.ports.get(id) if kind == "port" else None
            if was and was.active and was.port_security_enabled and _has_moved(was, changes.view):
                others = (other for other in _in_network(before, was.network_id) if other.id != id)
                self._left[id] = vlans.get(was.network_id, 0), Addresses(was, others)
            elif kind == "port":
                self._left.pop(id, None)

    async def carry_out(self) -> None:
        left, self._left = self._left, {}
        zones = {zone for zone, _ in left.values() if zone}
        if not zones:
            return
        try:
            tracked = await _listed(self.ask, zones)
        except CommandFailed as error:
            log.warning("connections of ports that moved are not known", problem=str(error))
            return
        for id, (zone, mine) in left.items():
            if found := leaving(tracked[zone], mine):
                log.info("connections go along", port=id, connections=len(found))
                self._tell(id, found)


class Arrivals:
    """done: called with the list of a port that was taken up."""

    def __init__(
        self,
        run_dir: Path,
        desired: Desired,
        send: Callable[[Packet], Awaitable[None]],
        done: Callable[[str, float], None],
    ) -> None:
        self.ask: Ask = partial(command, run_dir)
        self._desired, self._send, self._done = desired, send, done
        self._listing = asyncio.Lock()
        self._waiting: set[str] = set()
        self._begun: dict[str, float] = {}  # by port: which list
        self._over: dict[str, float] = {}
        self._arrived: asyncio.Queue[tuple[str, MovedConnections]] = asyncio.Queue()

    def see(self, changes: Changes) -> None:
        for kind, id in changes.upserts | changes.deletes:
            if kind != "port":
                continue
            port = changes.view.ports.get(id)
            if port and port.moved:
                self._waiting.add(id)
            else:
                self._begun.pop(id, None)
                self._over.pop(id, None)
                self._waiting.discard(id)

    def wired(self) -> None:
        """What is wanted is in place."""
        for id in sorted(self._waiting):
            here = self._desired.local_port(id)
            moved = here.port.moved if here and here.port.active else None
            if moved is None:
                continue
            self._waiting.discard(id)
            if self._begun.get(id) != moved.at:
                self._begun[id] = moved.at
                self._arrived.put_nowait((id, moved))
            elif self._over.get(id) == moved.at:  # the server did not hear of it
                self._done(id, moved.at)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                tasks.create_task(self._take_up(*await self._arrived.get()))

    async def _take_up(self, port_id: str, moved: MovedConnections) -> None:
        told, known = moved.connections, False
        for pause in PAUSES:
            await asyncio.sleep(pause)
            here = self._desired.local_port(port_id)
            if here is None or not here.port.active or here.port.moved != moved:
                return  # it has moved on, or there is a newer list
            if not told or abs(time.time() - moved.at) > FRESH_SECONDS:
                break
            try:
                told = await self._attempt(here, told, but_tcp=not known)
                known = True
            except (CommandFailed, OpenFlowError) as error:
                log.warning("connections not taken up", port=port_id, problem=str(error))
        if told:
            log.info("some connections did not go along", port=port_id, connections=len(told))
        self._over[port_id] = moved.at
        self._done(port_id, moved.at)

    async def _attempt(self, here: LocalPort, told: tuple[Tracked, ...], *, but_tcp: bool) -> tuple[Tracked, ...]:
        """What is left to be tried again."""
        others = (other for other in _in_network(self._desired.view, here.port.network_id) if other.id != here.port.id)
        mine, vlan = Addresses(here.port, others), here.network.vlan
        left = missing(told, ())
        if left:
            left = missing(told, await self._tracked(vlan))
        if but_tcp:
            await self._send_all(remembered(here, told, mine, self._desired.ends(vlan)))
        await self._send_all(provoked(here, left, mine))
        return left

    async def _tracked(self, vlan: int) -> list[Connection]:
        """Raises CommandFailed.  One listing after the other, and some rest, as for what ends: many may arrive."""
        async with self._listing:
            start = time.monotonic()
            found = await _listed(self.ask, {vlan})
            await asyncio.sleep(RESTS * (time.monotonic() - start))
            return found[vlan]

    async def _send_all(self, packets: Iterable[Packet]) -> None:
        rest = iter(packets)
        while some := list(islice(rest, AT_ONCE)):
            await asyncio.gather(*map(self._send, some))


def _has_moved(was: Port, view: NodeView) -> bool:
    """Or may have: where nothing of its network is here any more, who has it is not told."""
    now = view.ports.get(was.id)
    return not now.active if now else was.id in view.peers or was.network_id not in view.networks


async def _listed(ask: Ask, zones: set[int]) -> Mapping[int, list[Connection]]:
    """Raises CommandFailed."""
    words = [f"zone={zone}" for zone in zones] if len(zones) == 1 else []
    found: defaultdict[int, list[Connection]] = defaultdict(list)
    for connection in connections(await ask(LISTING, *words)):
        if connection.zone in zones:
            found[connection.zone].append(connection)
    return found


def _in_network(view: NodeView, network_id: str) -> Iterable[Port | Peer]:
    for all_ in (view.ports, view.peers):
        yield from (one for one in all_.values() if one.network_id == network_id)
