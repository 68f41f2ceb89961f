"""What conntrack knows, as ovs-vswitchd lists it.  Values; the command is `LISTING`."""

import re
from collections.abc import Iterator

from msgspec import Struct

LISTING = "dpctl/dump-conntrack"

_ENTRY = re.compile(
    r"^(\w+),orig=\(src=([^,]+),dst=([^,]+),(?:sport=(\d+),dport=(\d+)|id=(\d+),type=(\d+),code=(\d+))\)"
    r",reply=\(src=([^,]+),dst=[^,]+(?:,sport=(\d+))?[^)]*\)(?:,zone=(\d+))?(?:,mark=(\d+))?(?:[^\n]*,protoinfo=\(state=(\w+))?",
    re.MULTILINE,
)
_PROTOCOLS = {"icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "dccp": 33, "icmpv6": 58, "sctp": 132, "udplite": 136}
UDP = _PROTOCOLS["udp"]


class Connection(Struct, frozen=True, kw_only=True):
    """As its first packet went.  icmp: identifier, type and code, of what is ICMP.  state: of TCP.
    answers_from, answering_port: where its answers are said: not where it went, if that was translated."""

    zone: int
    src: str
    dst: str
    protocol: int = UDP
    sport: int = 0
    dport: int = 0
    icmp: tuple[int, int, int] | None = None
    mark: int = 0
    state: str = ""
    answers_from: str = ""
    answering_port: int = 0


def connections(listing: str) -> Iterator[Connection]:
    """Those of protocols that it has no name for come with their number."""
    for entry in _ENTRY.finditer(listing):
        protocol, src, dst, sport, dport, id, kind, code, answers, port, zone, mark, state = entry.groups()
        number = int(protocol) if protocol.isdigit() else _PROTOCOLS.get(protocol)
        if number is not None:
            yield Connection(
                zone=int(zone or 0),
                src=src,
                dst=dst,
                protocol=number,
                sport=int(sport or 0),
                dport=int(dport or 0),
                icmp=None if id is None else (int(id), int(kind), int(code)),
                mark=int(mark or 0),
                state=state or "",
                answers_from=answers,
                answering_port=int(port or 0),
            )


def udp_connections(listing: str) -> Iterator[Connection]:
    return (connection for connection in connections(listing) if connection.protocol == UDP)
