"""What is to be watched for a trace, and on which nodes: out of the way by the rows, as its caller sees them.  Pure."""

from collections.abc import Container, Iterator, Mapping
from ipaddress import ip_address
from typing import NamedTuple

from netweft.api.resources.trace.nodes import first, goal_of
from netweft.control.explain.snapshot import Row, Snapshot
from netweft.control.l2.hosts import HOST
from netweft.control.trace.ends import SOMEBODY, Begun
from netweft.control.trace.packet import Packet
from netweft.control.trace.way import OUTSIDE, PORT, Way
from netweft.wire.captures import MOST_MATCHES, MOST_SEGMENTS, Match, Of

MOST_NODES = 6
_TYPE, _PHYSICAL, _KEY = "provider:network_type", "provider:physical_network", "provider:segmentation_id"
_ANY = frozenset(SOMEBODY.values())


class Plan(NamedTuple):
    """start, goal: ports; empty where that is none, or one whose packets are not the caller's.  outside: it ends
    outside, and so leaves by a wire, as `last`.  hosts: of the start, between, and of the goal."""

    start: str
    goal: str
    outside: bool
    matches: tuple[Match, ...]
    last: Match
    of: tuple[Of, ...]
    hosts: tuple[str, ...]

    @property
    def ports(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.start, self.goal)))


def plan(seen: Snapshot, begun: Begun, there: Way, mine: Container[str], sport: int) -> Plan | None:
    """mine: ports whose packets the caller may see.  sport: 0: any.  None: there is no way that a packet could take."""
    if begun.packet is None or begun.start is None:
        return None
    start = begun.start.port
    goal = goal_of(seen, there, begun.target)
    packets = dict.fromkeys([begun.packet, *(step.packet for step in there.steps), there.packet])
    matches = tuple(dict.fromkeys(_match(one, begun.packet, sport) for one in packets))
    return Plan(
        start["id"] if start is not None and start["id"] in mine else "",
        goal.port_id if goal.end == PORT and goal.port_id in mine else "",
        goal.end == OUTSIDE,
        matches[:MOST_MATCHES],
        _match(there.packet, begun.packet, sport),
        tuple(dict.fromkeys(_segments(seen, there, begun.target)))[:MOST_SEGMENTS],
        hosts(seen, begun, there),
    )


def hosts(seen: Snapshot, begun: Begun, there: Way) -> tuple[str, ...]:
    if begun.start is None:
        return ()
    begins = first(seen, begun.start, there, reply=False, also=())
    start = begun.start.port.get(HOST) if begun.start.port is not None else "" if isinstance(begins, str) else begins[0]
    goal = goal_of(seen, there, begun.target)
    end = seen.get("ports", goal.port_id)
    found = [start, *goal.gateways, end.get(HOST) if end is not None else ""]
    return tuple(dict.fromkeys(str(one) for one in found if one))[:MOST_NODES]


def _match(packet: Packet, begins: Packet, sport: int) -> Match:
    """What NAT has made of the source is its own choice of a port."""
    its_port = sport if packet.src == begins.src else 0
    kind = packet.icmp_type or 0
    return Match(
        src="" if packet.src in _ANY else str(ip_address(packet.src)),
        dst="" if packet.dst in _ANY else str(ip_address(packet.dst)),
        protocol=packet.protocol,
        sport=kind or (its_port if packet.has_ports else 0),
        dport=packet.dport if packet.has_ports else 0,
    )


def _segments(seen: Snapshot, there: Way, target: Row | None) -> Iterator[Of]:
    """Of the networks on its way that the caller sees."""
    last = target.get("network_id") if target is not None else None
    for network in seen.many("networks", [*there.networks, *filter(None, [last])]):
        segments: list[Mapping[str, object]] = list(network.get("segments") or [network])
        yield from map(_of, segments)


def _of(segment: Row) -> Of:
    key, physical = segment.get(_KEY), segment.get(_PHYSICAL)
    return Of(network_type=str(segment.get(_TYPE)), physical_network=str(physical or ""), key=int(key or 0))
