"""What the connection tracker knows, as ovs-vswitchd lists it.  Values; whoever wants them asks for `LISTING`."""

import re
from collections.abc import Iterator

from msgspec import Struct

LISTING = "dpctl/dump-conntrack"

_UDP = re.compile(
    r"^udp,orig=\(src=([^,]+),dst=([^,]+),sport=(\d+),dport=(\d+)\),reply=\([^)]*\)(?:,zone=(\d+))?(?:,mark=(\d+))?",
    re.MULTILINE,
)


class Connection(Struct, frozen=True, kw_only=True):
    """As its first packet went."""

    zone: int
    src: str
    dst: str
    sport: int
    dport: int
    mark: int = 0


def udp_connections(listing: str) -> Iterator[Connection]:
    for src, dst, sport, dport, zone, mark in _UDP.findall(listing):
        ports = {"sport": int(sport), "dport": int(dport)}
        yield Connection(zone=int(zone or 0), src=src, dst=dst, mark=int(mark or 0), **ports)
