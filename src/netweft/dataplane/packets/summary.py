"""What a person wants to know of an IP packet: from whom to whom, of what."""

from ipaddress import IPv4Address, IPv6Address
from struct import Struct as Packer
from struct import error as StructError
from typing import Final

from netweft.dataplane.openflow.fields import ETH_IPV4, ETH_IPV6, PROTO_TCP, PROTO_UDP
from netweft.dataplane.packets.datagram import IpAddress

_ETHERNET: Final = 14
_IPV4: Final = Packer("!B5xHxB2x4s4s")
_IPV6: Final = Packer("!6xBx16s16s")
_PORTS: Final = Packer("!HH")
_OFFSET: Final = 0x1FFF  # of a fragment


def summary(frame: bytes) -> dict[str, object]:
    """src, dst, protocol (its number), and ports of TCP and UDP; as much of that as makes sense."""
    try:
        found = _ipv4(frame) if frame[12:14] == ETH_IPV4.to_bytes(2, "big") else _ipv6(frame)
        if found is None:
            return {}
        src, dst, protocol, start = found
        said: dict[str, object] = {"src": str(src), "dst": str(dst), "protocol": protocol}
        if protocol in (PROTO_TCP, PROTO_UDP) and start and len(frame) >= start + _PORTS.size:
            said |= zip(("sport", "dport"), _PORTS.unpack_from(frame, start), strict=True)
        return said
    except (StructError, IndexError):
        return {}


def _ipv4(frame: bytes) -> tuple[IpAddress, IpAddress, int, int]:
    """And where what is inside begins; 0: in another fragment."""
    first, fragment, protocol, src, dst = _IPV4.unpack_from(frame, _ETHERNET)
    start = 0 if fragment & _OFFSET else _ETHERNET + (first & 15) * 4
    return IPv4Address(src), IPv4Address(dst), protocol, start


def _ipv6(frame: bytes) -> tuple[IpAddress, IpAddress, int, int] | None:
    if frame[12:14] != ETH_IPV6.to_bytes(2, "big"):
        return None
    protocol, src, dst = _IPV6.unpack_from(frame, _ETHERNET)
    return IPv6Address(src), IPv6Address(dst), protocol, _ETHERNET + _IPV6.size
