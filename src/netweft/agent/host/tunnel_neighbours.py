"""Has Open vSwitch resolve unknown neighbours of tunnels again, where it resolves them itself (the userspace datapath).

By itself it sends ARP or ND only for a packet that misses the megaflow cache, and learns only from such an answer.
When
that is lost, the megaflow that drops stays as long as packets use it, and no VM reaches the other node:
docs/decisions/0466.  A packet-out of ours is always looked up anew, and an answer is once its megaflow has expired.
Ours goes to key 0, which no network has, so the other end drops it.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

import structlog

from netweft.dataplane.unixctl import tunnels
from netweft.dataplane.unixctl.client import CommandFailed, command
from netweft.model import Node
from netweft.services.addresses import Prefix, endpoint, text
from netweft.services.l2.announce import Packet, rarp
from netweft.services.l2.switching import into_tunnels

log = structlog.get_logger(__name__)

PAUSE = 0.5  # seconds between looks
LONGEST_PAUSE = 2.0  # while somebody does not answer
_LONGER = 1.25  # each pause than the one before: a lost answer or two cost no second
ROUTE_SECONDS = 60.0  # for so long is believed by which next hop a node is reached
_NO_NETWORK = 0


class TunnelNeighbours:
    """say: sends a packet on the tunnel bridge, at once or never."""

    def __init__(self, run_dir: Path, say: Callable[[Packet], None]) -> None:
        self._command = partial(command, run_dir)
        self._say = say
        self._nodes: Mapping[str, Node] | None = None
        self._ends: dict[str, Prefix] = {}
        self._overlay: int | None = None
        self._next_hops: dict[str, tuple[float, str]] = {}  # tunnel end -> when it was resolved, its next hop
        self._changed = asyncio.Event()

    def want(self, nodes: Mapping[str, Node], own: str, overlays: Iterable[int | None]) -> None:
        """Called in each turn, so nodes are looked at only where one has changed.  nodes: those with which this one,
        whose end is `own`, shares a network."""
        overlay = next((ofport for ofport in overlays if ofport is not None and ofport > 0), None)
        if nodes is self._nodes and overlay == self._overlay:
            return
        here = endpoint(own)
        found = filter(None, (endpoint(node.tunnel_ip) for node in nodes.values()))
        self._ends = {text(end): end for end in found if here and end.version == here.version and end != here}
        self._nodes, self._overlay = nodes, overlay
        self._next_hops = {name: found for name, found in self._next_hops.items() if name in self._ends}
        self._changed.set()

    async def run(self) -> None:
        """Until cancelled."""
        pause = PAUSE
        while True:
            self._changed.clear()
            try:
                pause = min(_LONGER * pause, LONGEST_PAUSE) if await self._ask() else PAUSE
            except CommandFailed as error:  # vswitchd is away: tried again
                log.debug("neighbours of tunnels are not known", problem=str(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(pause if self._ends else None):
                    await self._changed.wait()

    async def _ask(self) -> bool:
        """Whether there was somebody to ask for."""
        if not self._ends or self._overlay is None:
            return False
        known = tunnels.neighbours(await self._command(tunnels.NEIGHBOURS))
        asked = {name: await self._next_hop(name) for name in self._ends.keys() - known}
        asked = {name: hop for name, hop in asked.items() if hop not in known and name in self._ends}
        for version in {self._ends[name].version for name in asked}:
            said = await self._command(*tunnels.ANSWERS[version])
            for flow in tunnels.answers_of(said, set(asked.values())):
                with suppress(CommandFailed):  # it has gone by itself
                    await self._command(tunnels.FORGET, flow)
        for name in asked.keys() & self._ends.keys():
            self._say(Packet(rarp(0), tuple(into_tunnels(_NO_NETWORK, (self._ends[name],), self._overlay))))
        return bool(asked)

    async def _next_hop(self, name: str) -> str:
        """Itself, while there is no route: tried again soon."""
        now = asyncio.get_running_loop().time()
        if name in self._next_hops and now - self._next_hops[name][0] < ROUTE_SECONDS:
            return self._next_hops[name][1]
        try:
            found = tunnels.next_hop(await self._command(tunnels.ROUTE, name), name)
        except CommandFailed:
            return name
        self._next_hops[name] = now, found
        return found
