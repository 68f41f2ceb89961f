"""An agent that is stopped before everything it changes outside itself, and packets to see what each state lets pass.

rows │ zones │ flows of one bridge       each of them is a step; those that the agent has under way at the same time are
                                         let through in any order the test wants
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import NamedTuple, cast

from msgspec.structs import replace
from tests.convergence.agent_world import AgentWorld, FakeSwitch

from netweft.dataplane.openflow.conntrack import Connections
from netweft.dataplane.openflow.fields import ETH_IPV4, PROTO_TCP, PROTO_UDP
from netweft.dataplane.openflow.flow import Ct, Flow, FlowKey
from netweft.model import NodeView, Object
from netweft.services.l2.bridges import overlay_port, physical_link, tunnel_link
from netweft.services.pipeline import INT, TUN, physical_role
from netweft.services.values import BY_OVS
from netweft.testing.classifier import Flows, Packet
from netweft.testing.conntrack import Connection, Conntrack, Key
from netweft.testing.region import MAPPINGS
from netweft.testing.switch import Bridge, Delivery, Overlay, Wire

NIC = 99  # on a physical network's bridge
QUIET = 30  # passes of the event loop in which an agent that has something to do gets to the next gate

Tables = Mapping[str, Flows]
# where: bridge, port and tag; or overlay and wire with their keys.  And its addresses, as they have become
Outcome = frozenset[tuple[str, int, int, str]]
# what was found with these ports and connections, by the tables that it was found with: most steps change one bridge's
Looked = tuple[object, dict[tuple[int, ...], tuple[Tables, Mapping[str, Outcome]]]]


class Probe(NamedTuple):
    """A packet that comes in somewhere: from a port's VM, from the overlay, from a wire.
    answers: the probe to which it is the answer."""

    name: str
    role: str
    at: str  # a port's id, or the name of an interface of ours, or `nic`
    packet: Packet
    answers: str = ""


@dataclass
class Situation:
    """What a node should have, and what is plugged in there."""

    objects: Sequence[Object]
    plugged: Sequence[str]


class Killed(Exception):
    """At this step."""


class SteppedWorld(AgentWorld):
    """choose: which of the steps under way is next.  checked: called after each step."""

    def __init__(self, folder: Path, local_vlans: str) -> None:
        self.choose: Callable[[list[str]], str] = min
        self.checked: Callable[[], None] = lambda: None
        self.steps = 0
        self.last_step: int | None = None
        self._waiting: dict[str, asyncio.Future[None]] = {}
        super().__init__(folder)
        self.settings = replace(self.settings, local_vlans=local_vlans)
        self.conntracks = {role: Conntrack() for role in self.switches}
        self.cached: list[Tables] = []  # tables of which something may be in the cache
        self._looked: Looked = None, {}
        for switch in self.switches.values():
            switch.__class__ = _Cached
            switch.world = self  # type: ignore[attr-defined]
        self.switches[INT.role].flushed = self._flushed
        self.switches[INT.role].ended = self._ended

    async def gate(self, what: str) -> None:
        self._waiting[what] = asyncio.get_running_loop().create_future()
        await self._waiting[what]

    def _flushed(self, zone: int) -> None:
        connections = self.conntracks[INT.role].connections
        for key in [key for key in connections if key[0] == zone]:
            del connections[key]

    def _ended(self, which: Connections) -> None:
        connections = self.conntracks[INT.role].connections
        for key in [key for key in connections if key[0] == which.zone and _is_of(which, key)]:
            del connections[key]

    async def listing(self, *words: str) -> str:
        return "\n".join(map(_listed, self.conntracks[INT.role].connections))

    async def run(
        self, situation: Situation, on_disk: NodeView | None = None, *, new: bool = False, load: bool = False
    ) -> None:
        """Until nothing is left to do.  Raises Killed at the last step.  load: a new agent reads the disk."""
        if new:
            self.new_agent(on_disk)
            if load:
                self.agent.load_state()
        for port_id in self.ovs.plugged.keys() - set(situation.plugged):
            del self.ovs.plugged[port_id]
        for port_id in situation.plugged:
            self.plug(port_id)
        loop = asyncio.create_task(self.agent._turns())
        try:
            self.agent.wake()
            await self._until_quiet()
            if new:
                await self.attach()
                await self._until_quiet()
            self.see(self.desired.view, situation.objects)
            await self._until_quiet()
        finally:
            loop.cancel()
            with suppress(asyncio.CancelledError):
                await loop
            self._waiting.clear()
        assert not self.agent.retries.problem, self.agent.retries.problem

    async def _until_quiet(self) -> None:
        while True:
            for _ in range(QUIET):
                await asyncio.sleep(0)
            if not self._waiting:
                return
            if self.steps == self.last_step:
                raise Killed
            self.steps += 1
            self._waiting.pop(self.choose(sorted(self._waiting))).set_result(None)
            for _ in range(QUIET // 2):
                await asyncio.sleep(0)
            self.checked()
            self.agent.wake()  # as the database's and the switches' own word of it would

    # what passes

    def passes(self, probes: Iterable[Probe]) -> dict[str, Outcome]:
        """By the tables, or by what is cached of earlier ones."""
        if (beside := self._beside()) != self._looked[0]:
            self._looked = beside, {}
        looked, found = self._looked[1], defaultdict[str, Outcome](frozenset)
        for tables in (self.tables(), *self.cached):
            which = id(probes), *map(id, tables.values())
            if which not in looked:
                looked[which] = tables, self._through(tables, probes)
            for name, outcome in looked[which][1].items():
                found[name] |= outcome
        return dict(found)

    def _through(self, tables: Tables, probes: Iterable[Probe]) -> Mapping[str, Outcome]:
        node = Node(tables, self.conntracks, self.ovs.ofport)
        there = filter(self.is_there, probes)
        return {probe.name: self._named(node.outcome(probe, self._ofport(probe))) for probe in there}

    def _beside(self) -> object:
        """All but the tables that says what passes: ports and connections."""
        connections = [
            {key: (one.mark, one.label, one.nat) for key, one in conntrack.connections.items()}
            for conntrack in self.conntracks.values()
        ]
        return dict(self.ovs.plugged), [*self.ovs.rows], connections

    def tables(self) -> Tables:
        """As they are now."""
        return {role: cast(_Cached, switch).sorted_flows() for role, switch in self.switches.items()}

    def is_there(self, probe: Probe) -> bool:
        return probe.at in self.ovs.plugged or probe.at == "nic" or self.ovs.ofport(probe.at) is not None

    def _named(self, outcome: Outcome) -> Outcome:
        """Ports by what is plugged in there; where nothing is any more, nothing comes out."""
        names = {vif.ofport: port_id for port_id, vif in self.ovs.plugged.items()}
        at_ports = [one for one in outcome if one[0] == INT.role and one[1] in names]
        inside = {(names[ofport], 0, tag, addresses) for _, ofport, tag, addresses in at_ports}
        return frozenset({*inside, *(one for one in outcome if one[0] != INT.role)})

    def _ofport(self, probe: Probe) -> int:
        vif = self.ovs.plugged.get(probe.at)
        return (vif.ofport if vif else self.ovs.ofport(probe.at)) or NIC

    def send(self, probe: Probe) -> None:
        """For real: connections are remembered."""
        node = Node(self.tables(), self.conntracks, self.ovs.ofport)
        node.deliver(probe, self._ofport(probe))


class _Cached(FakeSwitch):
    """What it does away with stays in the cache, unless it begins another epoch on the way."""

    world: SteppedWorld
    _sorted: Flows | None = None

    def sorted_flows(self) -> Flows:
        """The same until something is changed: a switch is asked more often than it is changed."""
        if self._sorted is None:
            self._sorted = Flows(self.flows)
        return self._sorted

    async def apply(
        self, adds: Sequence[Flow], deletes: Iterable[FlowKey] = (), *, clear: tuple[int, int] | None = None
    ) -> None:
        deletes = list(deletes)
        before = self.world.tables()
        shorter = [flow for flow in adds if len(self.flows.get(flow.key, flow).actions) > len(flow.actions)]
        other = [flow for flow in adds if len(self.flows.get(flow.key, flow).actions) == len(flow.actions)]
        changed = [flow for flow in other if self.flows.get(flow.key, flow).actions != flow.actions]
        marks = self._marks()
        await super().apply(adds, deletes, clear=clear)
        self._sorted = None
        now = self._marks()
        if any(not now[table] & ~marks[table] for table in self._entries()) and (
            clear or deletes or shorter or changed
        ):
            self.world.cached.append(before)

    def _entries(self) -> set[int]:
        """Tables in which a packet begins, or goes on when it has been tracked."""
        tracks = (action for flow in self.flows.values() for action in flow.actions if isinstance(action, Ct))
        return {0, *(action.table for action in tracks if action.table is not None)}

    def _marks(self) -> Mapping[int, int]:
        """The bits of the epoch's field that each table looks at."""
        found: defaultdict[int, int] = defaultdict(int)
        for flow in self.flows.values():
            for name, _, mask in flow.match:
                found[flow.table] |= (mask or 0) if name in ("pkt_mark", "ct_label") else 0
        return found


class Node:
    """Bridges with these flows, joined as the agent has them; what leaves the node is what comes out."""

    def __init__(self, tables: Tables, conntracks: dict[str, Conntrack], ofport: Callable[[str], int | None]) -> None:
        self.bridges = {role: Bridge(role, flows, conntrack=conntracks[role]) for role, flows in tables.items()}
        names = {TUN.role: tunnel_link("patch")}
        names |= {physical_role(name): physical_link("patch", bridge) for name, bridge in MAPPINGS.items()}
        for role, (near, far) in names.items():
            ends = ofport(near), ofport(far)
            if ends[0] is not None and ends[1] is not None:
                self.bridges[INT.role].join(ends[0], self.bridges[role], ends[1])
        for kind in BY_OVS:
            number = ofport(overlay_port(kind))
            if number is not None:
                self.bridges[TUN.role].overlays[number] = _Outside()
        for name in MAPPINGS:
            self.bridges[physical_role(name)].wire = (_Wire(name), NIC)

    def outcome(self, probe: Probe, ofport: int) -> Outcome:
        """Connections stay as they are."""
        bridge = self.bridges[INT.role]  # the only one that has any
        before, bridge.conntrack = bridge.conntrack, Conntrack(copy_of(bridge.conntrack.connections))
        try:
            return frozenset(self.deliver(probe, ofport))
        finally:
            bridge.conntrack = before

    def deliver(self, probe: Probe, ofport: int) -> list[tuple[str, int, int, str]]:
        got = self.bridges[probe.role].receive(probe.packet, ofport)
        return [(one.bridge, one.ofport, one.packet["vlan_vid"], _addresses(one.packet)) for one in got]


def _addresses(packet: Packet) -> str:
    found = (packet.get(f"{name}_{end}") for name in ("ipv4", "ipv6", "udp", "tcp") for end in ("src", "dst"))
    return " ".join(f"{value:x}" for value in found if value is not None)


def _is_of(which: Connections, key: Key) -> bool:
    _, _, (kind, src, sport), (_, dst, dport) = key
    said = ((which.protocol, kind), (which.src, src), (which.dst, dst), (which.sport, sport), (which.dport, dport))
    return all(asked in (0, found) for asked, found in said)


def _listed(key: Key) -> str:
    """As vswitchd does; of UDP and TCP."""
    zone, eth_type, (kind, src, sport), (_, dst, dport) = key
    shown = IPv4Address if eth_type == ETH_IPV4 else IPv6Address
    there = f"src={shown(src)},dst={shown(dst)},sport={sport},dport={dport}"
    back = f"src={shown(dst)},dst={shown(src)},sport={dport},dport={sport}"
    return f"{ {PROTO_TCP: 'tcp', PROTO_UDP: 'udp'}[kind] },orig=({there}),reply=({back}),zone={zone}"


def copy_of(connections: Mapping[Key, Connection]) -> dict[Key, Connection]:
    """Built, since `copy` takes ten times as long, and this is done for each packet."""
    return {key: Connection(one.mark, one.label, one.nat) for key, one in connections.items()}


class _Outside(Overlay):
    def carry(self, frm: Bridge, packet: Packet, ofport: int) -> Iterator[Delivery]:
        yield Delivery(f"overlay to {packet['tun_ipv4_dst']:x}", packet["tun_id"], packet)


class _Wire(Wire):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def carry(self, frm: Bridge | None, packet: Packet) -> Iterator[Delivery]:
        yield Delivery(f"wire of {self.name}", NIC, packet)
