"""A conntrack for the fake switch: what is new, what is established, what is the answer.

Nothing times out, and it looks at no flags: a connection is established once it is committed.  It sees datagrams whole:
fragments are kept until all of them are there.  The userspace datapath's gives the fragments back, the kernel's the
datagram, which is cut again where it leaves.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from netweft.dataplane.openflow.fields import ETH_IPV4, ETH_IPV6, PROTO_ICMP, PROTO_ICMPV6
from netweft.dataplane.openflow.flow import Nat

NEW, ESTABLISHED, REPLY, TRACKED = 0x01, 0x02, 0x08, 0x20
SOURCE_TRANSLATED, TARGET_TRANSLATED = 0x40, 0x80

Ends = tuple[int, int, int]  # IP protocol, or ICMP's kind of question; address, port
Key = tuple[int, int, Ends, Ends]  # zone, eth_type, from, to

_ENDS = {ETH_IPV4: ("ct_nw_src", "ct_nw_dst"), ETH_IPV6: ("ct_ipv6_src", "ct_ipv6_dst")}
_VERSIONS = {ETH_IPV4: 4, ETH_IPV6: 6}
_PORTS = ("tcp", "udp", "sctp")
_ANSWERS = {0: 8, 129: 128}  # ICMP type of an answer -> that of the question


@dataclass(slots=True)
class Connection:
    mark: int = 0
    label: int = 0
    nat: Nat | None = None  # what an end has become


@dataclass(slots=True)
class Conntrack:
    """gives_whole: as the kernel's does.  loses: what it says first of an echo's answer, which a flow has made of the
    request, is lost, as where vswitchd executes that for the kernel's."""

    connections: dict[Key, Connection] = field(default_factory=dict)
    kept: dict[Hashable, list[dict[str, int]]] = field(default_factory=dict)  # zone, datagram, from -> fragments
    gives_whole: bool = False
    loses: bool = False
    _lost: set[Key] = field(default_factory=set)
    _first: dict[Hashable, dict[str, int]] = field(default_factory=dict)  # of datagrams that were whole

    def whole(self, zone: int, packet: dict[str, int]) -> list[dict[str, int]]:
        """All fragments of the datagram, in order, once the last of them is there, or it as one; nothing before.  What
        is no fragment is all by itself."""
        if not packet.get("ip_frag"):
            return [packet]
        key = _datagram(zone, packet)
        kept = self.kept.setdefault(key, [])
        kept.append(packet)
        if len({piece["piece"] for piece in kept}) < packet["pieces"]:
            return []
        pieces = sorted(self.kept.pop(key), key=lambda piece: piece["piece"])
        self._first[key] = pieces[0]
        return [{**pieces[0], "ip_frag": 0}] if self.gives_whole else pieces

    def translate(self, zone: int, packet: dict[str, int], nat: Nat | None) -> dict[str, int]:
        """As it was decided when the connection was committed; nat: what becomes of one that is new.  Of a later
        fragment nobody sees the ports."""
        whole = self._first.get(_datagram(zone, packet), packet)
        there, _ = _keys(zone, whole)
        original = self._asked(there)
        if original is not None:
            (_, source, source_port), (_, target, target_port) = original[2:]
            if (known := self.connections[original]).nat is None:
                return packet
            if known.nat.dst is None:
                return _changed(packet, "dst", source, source_port)
            return _changed(packet, "src", target, target_port)
        if there not in self.connections and nat is not None:
            self.connections[there] = Connection(nat=nat if (nat.src, nat.dst) != (None, None) else None)
        found = self.connections.get(there)
        if found is None or found.nat is None:
            return packet
        side, address = ("dst", found.nat.dst) if found.nat.dst is not None else ("src", found.nat.src)
        return _changed(packet, side, address, found.nat.port)

    def _asked(self, there: Key) -> Key | None:
        """The connection that this packet is an answer of."""
        return next((key for key, one in self.connections.items() if there == _answer(key, one.nat) != key), None)

    def look(self, zone: int, packet: Mapping[str, int]) -> dict[str, int]:
        """What the packet's fields are after conntrack has seen it."""
        there, _ = _keys(zone, packet)
        answers = packet.get("icmpv4_type") == 0 or packet.get("icmpv6_type") == 129
        if self.loses and answers and there not in self._lost:
            self._lost.add(there)
            return {"ct_state": 0, "ct_zone": 0, "ct_mark": 0}
        original = self._asked(there)
        if original is not None:
            state, key = TRACKED | ESTABLISHED | REPLY, original
        else:
            state, key = TRACKED | (ESTABLISHED if there in self.connections else NEW), there
        known = self.connections.get(key)
        (_, source, source_port), (_, target, target_port) = key[2:]
        began = {"ct_nw_proto": packet.get("ip_proto", 0), "ct_tp_src": source_port, "ct_tp_dst": target_port}
        began |= dict(zip(_ENDS[key[1]], (source, target), strict=True))
        said = {"ct_mark": known.mark, "ct_label": known.label} if known else {"ct_mark": 0}
        return {"ct_state": state, "ct_zone": zone} | said | began

    def commit(self, zone: int, packet: Mapping[str, int], mark: int = 0, mask: int = 0) -> None:
        """mark: these bits of it."""
        there, _ = _keys(zone, packet)
        key = self._asked(there) or there
        connection = self.connections.setdefault(key, Connection())
        connection.mark = connection.mark & ~mask | mark

    def name(self, zone: int, packet: Mapping[str, int], label: int) -> None:
        """Of a connection that is committed."""
        there, _ = _keys(zone, packet)
        self.connections[self._asked(there) or there].label = label


def _answer(key: Key, nat: Nat | None) -> Key:
    """How an answer to it begins."""
    zone, eth_type, (kind, source, source_port), (_, target, target_port) = key
    if nat is not None and nat.src is not None:
        source, source_port = nat.src, nat.port or source_port
    if nat is not None and nat.dst is not None:
        target, target_port = nat.dst, nat.port or target_port
    return zone, eth_type, (kind, target, target_port), (kind, source, source_port)


def _changed(packet: dict[str, int], side: str, address: int | None, port: int | None) -> dict[str, int]:
    name = f"ipv{_VERSIONS[packet['eth_type']]}_{side}"
    changed = packet if address is None else {**packet, name: address}
    names = [f"{name}_{side}" for name in _PORTS if f"{name}_{side}" in packet]
    seen = packet.get("ip_frag", 0) != 3
    return {**changed, **dict.fromkeys(names, port)} if port and seen else changed


def _datagram(zone: int, packet: Mapping[str, int]) -> Hashable:
    return zone, packet.get("datagram"), packet.get("ipv4_src"), packet.get("ipv6_src")


def _keys(zone: int, packet: Mapping[str, int]) -> tuple[Key, Key]:
    """The packet's way, and the way back.  An ICMP answer goes the way back of its question."""
    version = _VERSIONS[packet["eth_type"]]
    protocol = packet.get("ip_proto", 0)
    ports = (0, 0)
    for name in _PORTS:
        if f"{name}_src" in packet:
            ports = (packet[f"{name}_src"], packet[f"{name}_dst"])
    kind = protocol
    if protocol in (PROTO_ICMP, PROTO_ICMPV6):
        icmp = packet.get(f"icmpv{version}_type", 0)
        kind = protocol << 8 | _ANSWERS.get(icmp, icmp)
    source = (kind, packet[f"ipv{version}_src"], ports[0])
    target = (kind, packet[f"ipv{version}_dst"], ports[1])
    there, back = (zone, packet["eth_type"], source, target), (zone, packet["eth_type"], target, source)
    return there, back
