"""A connection tracker for the fake switch: what is new, what is established, what is the answer.

Nothing times out, and it looks at no flags: a connection is established once it is committed.  It sees datagrams whole:
fragments are kept until all of them are there.  The userspace datapath's gives the fragments back, the kernel's the
datagram, which is cut again where it leaves.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from netweft.dataplane.openflow.fields import ETH_IPV4, ETH_IPV6, PROTO_ICMP, PROTO_ICMPV6

NEW, ESTABLISHED, REPLY, TRACKED = 0x01, 0x02, 0x08, 0x20

Ends = tuple[int, int, int]  # IP protocol, or ICMP's kind of question; address, port
Key = tuple[int, int, Ends, Ends]  # zone, eth_type, from, to

_PORTS = ("tcp", "udp", "sctp")
_ANSWERS = {0: 8, 129: 128}  # ICMP type of an answer -> that of the question


@dataclass(slots=True)
class Connection:
    mark: int = 0
    label: int = 0
    nat: int | None = None  # what the source has become


@dataclass(slots=True)
class Tracker:
    """gives_whole: as the kernel's does."""

    connections: dict[Key, Connection] = field(default_factory=dict)
    kept: dict[Hashable, list[dict[str, int]]] = field(default_factory=dict)  # zone, datagram, from -> fragments
    gives_whole: bool = False

    def whole(self, zone: int, packet: dict[str, int]) -> list[dict[str, int]]:
        """All fragments of the datagram, in order, once the last of them is there, or it as one; nothing before.  What
        is no fragment is all by itself."""
        if not packet.get("ip_frag"):
            return [packet]
        key = zone, packet["datagram"], packet.get("ipv4_src"), packet.get("ipv6_src")
        kept = self.kept.setdefault(key, [])
        kept.append(packet)
        if len({piece["piece"] for piece in kept}) < packet["pieces"]:
            return []
        pieces = sorted(self.kept.pop(key), key=lambda piece: piece["piece"])
        return [{**pieces[0], "ip_frag": 0}] if self.gives_whole else pieces

    def translate(self, zone: int, packet: dict[str, int], nat: int | None) -> dict[str, int]:
        """IPv4, as it was decided when the connection was committed; nat: the source of one that is new."""
        there, back = _keys(zone, packet)
        translated = ((key, one.nat) for key, one in self.connections.items() if one.nat)
        original = next((key for key, to in translated if back == _answered(key, to)), None)
        if original is not None:
            return {**packet, "ipv4_dst": original[2][1]}
        known = self.connections.get(there)
        if known is None and nat is not None:
            known = self.connections.setdefault(there, Connection(nat=nat))
        return {**packet, "ipv4_src": known.nat} if known and known.nat else packet

    def look(self, zone: int, packet: Mapping[str, int]) -> dict[str, int]:
        """What the packet's fields are after the tracker has seen it."""
        there, back = _keys(zone, packet)
        for key, state in ((back, ESTABLISHED | REPLY), (there, ESTABLISHED)):
            known = self.connections.get(key)
            if known and (state == ESTABLISHED or back != there):
                said = {"ct_mark": known.mark, "ct_label": known.label}
                return {"ct_state": TRACKED | state, "ct_zone": zone, **said}
        return {"ct_state": TRACKED | NEW, "ct_mark": 0, "ct_zone": zone}

    def commit(self, zone: int, packet: Mapping[str, int], mark: int = 0, mask: int = 0) -> None:
        """mark: these bits of it."""
        there, back = _keys(zone, packet)
        connection = self.connections.get(back) or self.connections.setdefault(there, Connection())
        connection.mark = connection.mark & ~mask | mark

    def name(self, zone: int, packet: Mapping[str, int], label: int) -> None:
        """Of a connection that is committed."""
        there, back = _keys(zone, packet)
        (self.connections.get(back) or self.connections[there]).label = label


def _answered(key: Key, nat: int) -> Key:
    """The connection as whoever it goes to sees it."""
    zone, eth_type, (kind, _, port), target = key
    return zone, eth_type, (kind, nat, port), target


def _keys(zone: int, packet: Mapping[str, int]) -> tuple[Key, Key]:
    """The packet's way, and the way back.  An ICMP answer goes the way back of its question."""
    version = {ETH_IPV4: 4, ETH_IPV6: 6}[packet["eth_type"]]
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
