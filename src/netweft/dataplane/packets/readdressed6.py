"""IPv6 packets, or their beginnings, with another destination: as `readdressed` does of IPv4.

Here the checksums of ICMPv6 hold the addresses, too (RFC 4443 2.3), and no header has one of its own.
"""

from ipaddress import IPv6Address
from typing import Final, NamedTuple

from netweft.dataplane.openflow.fields import PROTO_FRAGMENT, PROTO_ICMPV6, PROTO_TCP, PROTO_UDP
from netweft.dataplane.packets.readdressed import adjust

_NEXT, _DST, _END = 6, 24, 40  # of the header
_EXTENSIONS: Final = (0, 43, 60)  # hop-by-hop, routing, destination options
_SUMS: Final = {PROTO_TCP: 16, PROTO_UDP: 6, PROTO_ICMPV6: 2}


class _Upper(NamedTuple):
    protocol: int
    at: int


def with_destination(packet: bytes, dst: IPv6Address) -> bytes:
    """Unchanged where it has no whole header."""
    if len(packet) < _END or packet[0] >> 4 != 6:
        return packet
    changed, upper = bytearray(packet), _upper(packet)
    changed[_DST:_END] = dst.packed
    sum_at = upper.at + _SUMS[upper.protocol] if upper and upper.protocol in _SUMS else None
    if sum_at is not None and len(packet) >= sum_at + 2:
        adjust(changed, sum_at, packet[_DST:_END], dst.packed)
    return bytes(changed)


def _upper(packet: bytes) -> _Upper | None:
    """What is above IP.  None: it is not there, as in a later fragment."""
    protocol, at = packet[_NEXT], _END
    while protocol in (*_EXTENSIONS, PROTO_FRAGMENT):
        if len(packet) < at + 8:
            return None
        if protocol == PROTO_FRAGMENT and int.from_bytes(packet[at + 2 : at + 4], "big") >> 3:
            return None
        length = 8 if protocol == PROTO_FRAGMENT else 8 + packet[at + 1] * 8
        protocol, at = packet[at], at + length
    return _Upper(protocol, at)
