"""A switch that evaluates flows on packets, and a region of them: hypervisors joined by an overlay.

It answers what a test wants to know ("who receives a broadcast from p1, and how often?") without a switch.  Packets are
mappings of the fields of `dataplane.openflow.fields`; a field that a packet does not have matches nothing.  Fragments
are those of `testing.packets.fragments`; `length` is a frame's, its Ethernet header counted.  What Open vSwitch does is
kept to: nothing leaves where it came in unless sent to IN_PORT, registers, tunnel fields and what the
conntrack said end at a patch port, a frame that no flow matches is dropped.
"""

import zlib
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from netweft.dataplane.openflow.fields import ETH_IPV6, PROTO_FRAGMENT
from netweft.dataplane.openflow.flow import (
    OFPP_IN_PORT,
    OFPP_LOCAL,
    OFPP_NORMAL,
    Action,
    Apart,
    CheckLarger,
    Clone,
    Conjunction,
    Controller,
    Ct,
    CtClear,
    DecTtl,
    Flow,
    Goto,
    Move,
    Multipath,
    Output,
    PopVlan,
    PushVlan,
    Resubmit,
    SetField,
)
from netweft.testing.classifier import Flows, matches, value_of
from netweft.testing.classifier import Packet as Packet  # for whoever sends one here
from netweft.testing.conntrack import SOURCE_TRANSLATED, TARGET_TRANSLATED, Conntrack

MAX_DEPTH = 64  # tables below each other, as in Open vSwitch: more is a loop
LATER = 2  # the bit of ip_frag that all fragments but the first have
_UPPER_LAYER = frozenset(
    [f"{name}_{end}" for name in ("tcp", "udp", "sctp") for end in ("src", "dst")]
    + [f"icmpv{version}_{part}" for version in (4, 6) for part in ("type", "code")]
)
PER_BRIDGE = ("reg", "tun_", "ct_", "in_port", "metadata")


class LoopError(AssertionError):
    """A frame goes round and round."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A frame came out at a port that leads nowhere further: a VIF."""

    bridge: str
    ofport: int
    packet: Packet


@dataclass(slots=True)
class Bridge:
    name: str
    flows: Flows = field(default_factory=Flows)
    patches: dict[int, tuple["Bridge", int]] = field(default_factory=dict)
    overlays: "dict[int, Overlay]" = field(default_factory=dict)  # by the port that leads into it
    wire: "tuple[Wire, int] | None" = (
        None  # a physical network's bridge, and its NIC's port: what we do not say is NORMAL
    )

    conntrack: Conntrack = field(default_factory=Conntrack)
    shows_first_fragments: bool = True  # their ports and types: `nx-match`, not `normal`
    punted: list[Packet] = field(default_factory=list)  # to the agent
    counted: deque[Flow] = field(default_factory=lambda: deque(maxlen=1000))  # the flows that packets met last

    def join(self, ofport: int, other: "Bridge", other_ofport: int) -> None:
        """A patch cable."""
        self.patches[ofport] = (other, other_ofport)
        other.patches[other_ofport] = (self, ofport)

    def receive(self, packet: Packet, in_port: int) -> Iterator[Delivery]:
        """Where a frame that enters here comes out, through any number of bridges and tunnels."""
        clean = {name: value for name, value in packet.items() if not name.startswith(("reg", "in_port", "metadata"))}
        seen = without_upper_layer(clean, first=not self.shows_first_fragments)
        frame = _Frame({"vlan_vid": 0, **seen, "in_port": in_port}, in_port)
        self._table(0, frame)
        yield from self._leaves(frame)

    def packet_out(self, packet: Packet, actions: Iterable[Action]) -> Iterator[Delivery]:
        """Where a packet of the agent's comes out."""
        frame = _Frame({"vlan_vid": 0, **packet}, OFPP_LOCAL)
        for action in actions:
            self._act(action, frame, 1)
        yield from self._leaves(frame)

    def _leaves(self, frame: "_Frame") -> Iterator[Delivery]:
        self.punted += frame.punted
        for ofport, out in frame.out:
            for to in self._normal(frame.in_port) if ofport == OFPP_NORMAL else (ofport,):
                yield from self._leave(to, out)

    def _normal(self, in_port: int) -> list[int]:
        """It has learned nothing: everywhere."""
        ports = [*self.patches, *((self.wire[1],) if self.wire else ())]
        return [port for port in ports if port != in_port]

    def _leave(self, ofport: int, packet: Packet) -> Iterator[Delivery]:
        if ofport in self.patches:
            other, in_port = self.patches[ofport]
            yield from other.receive(_without_what_is_the_bridges(packet), in_port)
            return
        for piece in cut(packet) if "datagram" in packet and not packet["ip_frag"] else (packet,):
            yield from self._send(ofport, piece)

    def _send(self, ofport: int, packet: Packet) -> Iterator[Delivery]:
        bare = _without_what_is_the_bridges(packet)
        if ofport in self.overlays:
            yield from self.overlays[ofport].carry(self, packet, ofport)
        elif self.wire is not None and self.wire[1] == ofport:
            yield from self.wire[0].carry(self, bare)
        else:
            yield Delivery(self.name, ofport, bare)

    def _table(self, table: int, frame: "_Frame", depth: int = 1) -> None:
        if depth > MAX_DEPTH:
            raise LoopError(f"{self.name}: {frame.packet}")
        flow = self._lookup(table, frame.packet)
        if flow is None and self.wire is not None and table == 0:
            frame.act(Output(OFPP_NORMAL))
        if flow is not None:
            self.counted.append(flow)
        for action in flow.actions if flow else ():
            self._act(action, frame, depth)

    def _act(self, action: Action, frame: "_Frame", depth: int) -> None:
        if isinstance(action, Goto | Resubmit | Apart):
            self._table(action.table, frame, depth + 1)
        elif isinstance(action, Ct):
            self._track(action, frame, depth)
        elif isinstance(action, Clone):
            copy = _Frame(dict(frame.packet), frame.in_port)
            for inside in action.actions:
                self._act(inside, copy, depth)
            frame.out += copy.out
            frame.punted += copy.punted
        else:
            frame.act(action)

    def _track(self, action: Ct, frame: "_Frame", depth: int) -> None:
        zone = action.zone if isinstance(action.zone, int) else frame.packet[action.zone] & 0xFFFF
        if action.commit and not action.nat:
            whole = self.conntrack.whole(zone, frame.packet)[:1]
            marks = [change for change in action.exec if isinstance(change, SetField) and change.field == "ct_mark"]
            moves = [change for change in action.exec if isinstance(change, Move) and change.dst == "ct_label"]
            for packet in whole:
                for change in marks:
                    self.conntrack.commit(zone, packet, change.value, -1 if change.mask is None else change.mask)
                if not marks:
                    self.conntrack.commit(zone, packet)
                if moves:
                    named = _Frame(dict(packet), frame.in_port)
                    for move in moves:
                        named.act(move)
                    self.conntrack.name(zone, packet, named.packet["ct_label"])
        if action.table is not None:
            pieces = self.conntrack.whole(zone, frame.packet)
            marked = [one for one in action.exec if isinstance(one, Move) and one.dst == "ct_mark" and action.nat]
            for piece in pieces:
                nat = action.nat
                seen = self.conntrack.translate(zone, piece, nat if action.commit else None) if nat else piece
                for move in marked:
                    self.conntrack.commit(zone, pieces[0], frame.packet[move.src], (1 << move.bits) - 1)
                said = self.conntrack.look(zone, pieces[0])
                if piece.get("ip_frag", 0) & LATER == LATER:  # as it has no ports, it is shown none
                    said = {name: value for name, value in said.items() if not name.startswith("ct_tp_")}
                for end, bit in (("src", SOURCE_TRANSLATED), ("dst", TARGET_TRANSLATED)):
                    changed = any(seen.get(name) != piece.get(name) for name in (f"ipv4_{end}", f"ipv6_{end}"))
                    said["ct_state"] |= bit if changed else 0
                tracked = _Frame({**seen, **said}, frame.in_port)
                self._table(action.table, tracked, depth + 1)
                frame.out += tracked.out
                frame.punted += tracked.punted

    def _lookup(self, table: int, packet: Packet) -> Flow | None:
        """Priority by priority: a flow that matches, or one whose conjunction does."""
        for matching in self.flows.matching(table, packet):
            plain = [flow for flow in matching if not isinstance(next(iter(flow.actions), None), Conjunction)]
            for number in _complete(matching) if len(plain) < len(matching) else ():
                met = {**packet, "conj_id": number}
                all_met = chain.from_iterable(self.flows.matching(table, met))
                plain += [flow for flow in all_met if not matches(flow, packet)]
            if plain:
                return self._only(plain)
        return None

    def _only(self, found: list[Flow]) -> Flow:
        """Two flows of one priority that both match are a fault of the pipeline: which one wins is not defined."""
        for flow in found:
            if flow.actions != found[0].actions:
                raise AssertionError(f"{self.name}: ambiguous:\n{found[0]}\n{flow}")
        return found[0]


def _complete(flows: Iterable[Flow]) -> list[int]:
    """The conjunctions all of whose clauses are among these flows."""
    met: defaultdict[tuple[int, int], set[int]] = defaultdict(set)
    for flow in flows:
        for action in flow.actions:
            if isinstance(action, Conjunction):
                met[action.id, action.clauses].add(action.clause)
    return sorted(number for (number, clauses), seen in met.items() if len(seen) == clauses)


def _without_what_is_the_bridges(packet: Packet) -> Packet:
    return {name: value for name, value in packet.items() if not name.startswith(PER_BRIDGE)}


def cut(packet: Packet, *, hidden: bool = False) -> list[Packet]:
    """A datagram into its fragments.  hidden: the first one ends before ports and types, which then read 0."""
    fragments = ({**packet, "ip_frag": 3 if piece else 1, "piece": piece} for piece in range(packet["pieces"]))
    return [without_upper_layer(piece, first=hidden) for piece in fragments]


def without_upper_layer(packet: Packet, *, first: bool) -> Packet:
    """What is seen of a fragment: ports and types of a later one read 0, and in IPv6 its protocol is that of fragments.
    first: ports and types of a first one, too."""
    frag = packet.get("ip_frag", 0)
    if not frag & LATER and not (frag and first):
        return packet
    seen = {name: 0 if name in _UPPER_LAYER else value for name, value in packet.items()}
    return {**seen, "ip_proto": PROTO_FRAGMENT} if frag & LATER and seen["eth_type"] == ETH_IPV6 else seen


class _Frame:
    """One frame on its way through one bridge."""

    def __init__(self, packet: dict[str, int], in_port: int) -> None:
        self.packet = packet
        self.in_port = in_port
        self.out: list[tuple[int, Packet]] = []
        self.punted: list[Packet] = []

    def act(self, action: Action) -> None:
        packet = self.packet
        match action:
            case Output(port=port):
                if port != self.in_port:
                    self.out.append((self.in_port if port == OFPP_IN_PORT else port, dict(packet)))
            case CtClear():
                for name in [name for name in packet if name.startswith("ct_")]:
                    del packet[name]
            case Controller():
                self.punted.append(dict(packet))
            case DecTtl():
                packet["ip_ttl"] -= 1
            case CheckLarger(length=length, field=name, bit=bit):
                packet[name] = packet.get(name, 0) & ~(1 << bit) | (packet.get("length", 0) > length) << bit
            case Multipath(field=name, bits=bits, links=links):
                ones = (1 << bits) - 1
                packet[name] = packet.get(name, 0) & ~ones | _hashed(packet, action) % links
            case SetField(field="nxm_in_port", value=value):
                packet["in_port"] = self.in_port = value
            case SetField(field=name, value=value, mask=mask):
                packet[name] = value if mask is None else packet.get(name, 0) & ~mask | value
                if name == "nd_options_type" and value == 2:
                    packet["nd_tll"] = packet.pop("nd_sll", 0)
            case Move(src=src, dst=dst, bits=bits, src_start=src_start, dst_start=dst_start):
                ones = (1 << bits) - 1
                moved = (value_of(packet, src) or 0) >> src_start & ones
                packet[dst] = packet.get(dst, 0) & ~(ones << dst_start) | moved << dst_start
            case PushVlan():
                if packet["vlan_vid"]:
                    packet["inner_vid"] = packet["vlan_vid"]
                packet["vlan_vid"] = 0x1000
            case PopVlan():
                packet["vlan_vid"] = packet.pop("inner_vid", 0)


def _hashed(packet: Packet, action: Multipath) -> int:
    """The same for a flow's answers, as `symmetric_l3l4+udp` and `symmetric_l3` are."""
    version = 4 if "ipv4_src" in packet else 6
    if action.source:
        return zlib.crc32(f"{action.basis} {packet[f'ipv{version}_src']}".encode())
    names = [f"ipv{version}", *(("tcp", "udp", "sctp") if action.ports else ())]
    ends = sorted([packet.get(f"{name}_{end}", 0) for name in names] for end in ("src", "dst"))
    return zlib.crc32(f"{action.basis} {packet.get('ip_proto') if action.ports else 0} {ends}".encode())


@dataclass(slots=True)
class Overlay:
    """The tunnels between nodes: whoever has the address gets the frame, with the key, at the port of the same type,
    which has the same number everywhere."""

    ends: dict[int, Bridge] = field(default_factory=dict)
    carried: defaultdict[tuple[int, int], int] = field(default_factory=lambda: defaultdict(int))

    def attach(self, bridge: Bridge, ofports: Iterable[int], tunnel_ip: int) -> None:
        bridge.overlays.update((ofport, self) for ofport in ofports)
        self.ends[tunnel_ip] = bridge

    def carry(self, frm: Bridge, packet: Packet, ofport: int) -> Iterable[Delivery]:
        """Frames to nobody get lost, as in a real network."""
        source = next(ip for ip, bridge in self.ends.items() if bridge is frm)
        to, key = packet["tun_ipv4_dst"], packet["tun_id"]
        self.carried[source, to] += 1
        if to not in self.ends:
            return ()
        bare = {name: value for name, value in packet.items() if not name.startswith(PER_BRIDGE)}
        ends = {"tun_id": key, "tun_ipv4_src": source, "tun_ipv4_dst": to}
        return self.ends[to].receive({**bare, **ends}, ofport)


@dataclass(slots=True)
class Wire:
    """A physical network: what one bridge sends gets to all others, and to plain hosts as a delivery from `wire`."""

    bridges: list[Bridge] = field(default_factory=list)
    heard: list[Packet] = field(default_factory=list)

    def attach(self, bridge: Bridge, ofport: int) -> None:
        bridge.wire = (self, ofport)
        self.bridges.append(bridge)

    def carry(self, frm: Bridge | None, packet: Packet) -> Iterator[Delivery]:
        """frm: None when a plain host sends."""
        self.heard.append(packet)
        for bridge in self.bridges:
            if bridge is not frm and bridge.wire is not None:
                yield from bridge.receive(packet, bridge.wire[1])
