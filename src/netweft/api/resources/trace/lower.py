"""The layers below the API, for one trace: nodes are queried, there and back at once, and compared with the rows.

Bounded: so many traces ask at once in all, and of one user; the others are told what the rows say, and that no more was
looked at.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

from netweft.api.resources.explain.node_answers import Asks
from netweft.api.resources.trace import nodes, vms
from netweft.api.resources.trace.compared import OVERHEAD, Layered, compared
from netweft.api.resources.trace.nodes import Followed, Goal, HostsAt, follow, goal_of
from netweft.api.resources.trace.probing import Probed, finding, is_lost_in_a_node, probe
from netweft.control.explain.examine import Finding
from netweft.control.explain.snapshot import Row, Snapshot
from netweft.control.l2.hosts import HOST
from netweft.control.trace import codes
from netweft.control.trace.ends import Begun
from netweft.control.trace.walker import Start
from netweft.control.trace.way import PORT, Way
from netweft.wire.queries import Answer

Owners = Callable[[str, Sequence[str]], Awaitable[vms.Known]]  # network, addresses on it -> those of ports
MOST: Final = 32
MOST_OF_ONE: Final = 4
SETTLE: Final = 0.3  # seconds until nodes are queried once more, where they do not do what the rows say
RISES: Final = (0.6, 0.6)  # and again, where a BFD session alone is down: one comes up a second after both are heard


class Lower(NamedTuple):
    """findings: with layer and direction.  asked: whether any node was.  probed: None: no packet was sent."""

    there: Followed
    back: Followed
    findings: tuple[tuple[str, Layered], ...] = ()
    asked: bool = True
    probed: Probed | None = None


NOT_ASKED = Lower(Followed(), Followed(), asked=False)


class Nodes:
    """asks: None where there is nobody to ask."""

    def __init__(self, asks: Asks | None, hosts_at: HostsAt, owners: Owners) -> None:
        self._asks, self._hosts_at, self._owners = asks, hosts_at, owners
        self._running: Counter[str] = Counter()

    async def look(
        self, user: str, seen: Snapshot, begun: Begun, there: Way, back: Way | None, *, probes: bool = False
    ) -> Lower:
        """probes: a packet may be sent, where all else lets it pass."""
        if self._asks is None or begun.start is None:
            return NOT_ASKED
        if self._running.total() >= MOST or self._running[user] >= MOST_OF_ONE:
            unseen = Followed(unseen=["nodes: too much is traced at once, try again"])
            return Lower(unseen, Followed())
        ends = [
            port for port in (begun.start.port, there.at if there.end == PORT else begun.target) if port is not None
        ]
        also = tuple(port["id"] for port in ends)
        with self._counted(user):
            probed = None
            ways = await self._both(seen, begun, there, back, also)
            if any(_disagrees(*each) for each in ((there, ways[0]), (back, ways[1]))) or any(map(_is_silent, ways)):
                await asyncio.sleep(SETTLE)
                ways = await self._both(seen, begun, there, back, also)
            for seconds in RISES:
                if not any(map(_may_rise, ways)):
                    break
                await asyncio.sleep(seconds)
                ways = await self._both(seen, begun, there, back, also)
            said: list[Layered] = []
            if probes and begun.start.port is not None and ways[0].arrived and not there.blocked:
                probed, said = await self._tried(self._asks, seen, there, back, ways[0], begun.start.port)
            elif begun.start.port is not None and ways[0].arrived and not there.blocked:
                said = list(_remembered(seen, there, back, ways, begun.start.port))
        found = [
            (direction, one)
            for direction, followed, way in (("forward", ways[0], there), ("return", ways[1], back))
            if way is not None and (direction == "forward" or (ways[0].arrived and not there.blocked))
            for one in compared(seen, followed, way, _about(way, ends), ends)
        ]
        found += [("forward", one) for one in said]
        return Lower(ways[0], ways[1], tuple(found), probed=probed)

    async def _tried(
        self, asks: Asks, seen: Snapshot, there: Way, back: Way | None, followed: Followed, start: Row
    ) -> tuple[Probed, list[Layered]]:
        """By packets: the way there, and what the VMs at its ends answer.  All at once."""
        at_ends = [vm for vm in vms.ends(seen, there, back, start) if vm.port.get(HOST)]
        sizes = [network.get("mtu") or 0 for network in seen.many("networks", there.networks)]
        size = there.steps[0].packet.size or min(sizes, default=0)
        probing = asyncio.create_task(probe(asks, followed, size))
        answers = await asyncio.gather(*(asks.ask(*vms.question(vm)) for vm in at_ends))
        probed = await probing
        kind = str((seen.get("networks", start["network_id"]) or {}).get("provider:network_type"))
        lost = finding(probed, start, OVERHEAD.get(kind, 0))
        found: list[Layered] = []
        for vm, said in zip(at_ends, answers, strict=True):
            if isinstance(said, Answer):
                known = await self._owners(vm.port["network_id"], vms.asked_for(seen, vm, said))
                of_vm = vms.compared(seen, vm, vm.port[HOST], said, known, arrived=probed.arrived)
                found += [("vm", one) for one in of_vm]
        return probed, causes(probed, lost, found)

    async def _both(
        self, seen: Snapshot, begun: Begun, there: Way, back: Way | None, also: tuple[str, ...]
    ) -> tuple[Followed, Followed]:
        assert begun.start is not None
        forth = self._way(seen, begun.start, there, goal_of(seen, there, begun.target), also, reply=False)
        return await asyncio.gather(forth, self._back(seen, begun.start, there, back, also))

    async def _back(
        self, seen: Snapshot, start: Start, there: Way, back: Way | None, also: tuple[str, ...]
    ) -> Followed:
        if back is None or there.network is None or there.end != PORT or there.at is None:
            return Followed()  # what answers from outside, or is a router's, is seen by nobody here
        if there.balanced is not None:
            return Followed()  # which member answers is not known
        if any(nat.side == "src" and not _is_floating(seen, nat.now[0]) for nat in there.nats):
            return Followed()  # what conntrack would make of it, it does for a connection only that is there
        goal = goal_of(seen, back, start.port)
        return await self._way(seen, Start(there.at, there.network), back, goal, also, reply=True)

    async def _way(
        self, seen: Snapshot, start: Start, way: Way, goal: Goal, also: tuple[str, ...], *, reply: bool
    ) -> Followed:
        begin = nodes.first(seen, start, way, reply=reply, also=also)
        if isinstance(begin, str):
            return Followed() if way.blocked else Followed(unseen=[begin])
        assert self._asks is not None
        return await follow(self._asks, seen, self._hosts_at, begin, goal)

    @contextmanager
    def _counted(self, user: str) -> Iterator[None]:
        self._running[user] += 1
        try:
            yield
        finally:
            self._running[user] -= 1
            if not self._running[user]:
                del self._running[user]


def _remembered(
    seen: Snapshot, there: Way, back: Way | None, ways: tuple[Followed, Followed], start: Row
) -> Iterator[Layered]:
    """What the VMs at the ends have sent of late, by the first node of each way."""
    for vm in vms.ends(seen, there, back, start):
        looked = ways[0 if vm.sends else 1].looked
        if looked and looked[0].host == vm.port.get(HOST):
            yield from (("vm", one) for one in vms.remembered(seen, vm, looked[0].answer))


def _disagrees(way: Way | None, followed: Followed) -> bool:
    """Perhaps since what has just changed is on its way to the node."""
    return way is not None and followed.arrived is not None and followed.arrived == way.blocked


def _is_silent(followed: Followed) -> bool:
    """Perhaps since somebody was too busy to answer; not where a node hangs, which is not waited for again."""
    return not followed.unseen and any(
        looked.answer.silent or any(out.asked for out in looked.answer.exits) for looked in followed.looked
    )


def _may_rise(followed: Followed) -> bool:
    """Its node answers the server, and its host the underlay: no more than the session is down."""
    silent = [one for looked in followed.looked for one in looked.answer.silent]
    return bool(followed.arrived and silent) and all(one.heard for one in silent)


def _is_floating(seen: Snapshot, address: str) -> bool:
    return any(seen.all("floatingips", floating_ip_address=address))


def _about(way: Way, ends: list[Row]) -> Row:
    """The port that a fault is said of where no object is to blame."""
    first = next((step.row for step in way.steps if step.kind == "ports" and step.row is not None), None)
    return first if first is not None else (ends or [{}])[0]


def causes(probed: Probed, lost: Finding | None, of_vms: list[Layered]) -> list[Layered]:
    """Without what comes of a limit that drops: a large packet that is lost in a node is not lost by a hop between."""
    limited = any(one.code is codes.LIMIT_DROPS for _, one in of_vms) and is_lost_in_a_node(probed)
    if lost is None or (limited and lost.code is codes.LOST_LARGE):
        return of_vms
    return [("probe", lost), *of_vms]
