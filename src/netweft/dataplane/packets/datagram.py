"""A UDP datagram in its Ethernet frame, as bytes, and back; IPv4 and IPv6.

Checksums are not looked at when a frame comes in: what a VM sends may have none yet, left to its NIC.
"""

from ipaddress import IPv4Address, IPv6Address
from struct import Struct as Packer
from struct import error as StructError
from typing import TypeAlias

from msgspec import Struct

from netweft.dataplane.openflow.fields import ETH_IPV4, ETH_IPV6, PROTO_ICMPV6, PROTO_TCP, PROTO_UDP

IpAddress: TypeAlias = IPv4Address | IPv6Address

_ETHERNET = Packer("!6s6sH")
_IPV4 = Packer("!BBHHHBBH4s4s")
_IPV6 = Packer("!IHBB16s16s")
_UDP = Packer("!HHHH")
_ECHO = Packer("!BBHHH")
_TCP = Packer("!HHIIBBHHH")
_FIN, _SYN, _RST, _ACK, _WINDOW = 0x01, 0x02, 0x04, 0x10, 0xFFFF
_TCP_FLAGS, _TCP_SUM = 13, 16  # where they are in its header
_FRAGMENT = 0x3FFF  # more to come, or not the first
_HOPS = 64


class Datagram(Struct, frozen=True, kw_only=True):
    """eth_*: MAC addresses as 6 bytes."""

    eth_src: bytes
    eth_dst: bytes
    src: IpAddress
    dst: IpAddress
    sport: int
    dport: int
    payload: bytes


def empty_between(frame: bytes, sport: int, dport: int) -> Datagram:
    """Without payload, from and to whom an IP packet's frame is."""
    src, dst = _ends(frame)
    return Datagram(eth_src=frame[6:12], eth_dst=frame[:6], src=src, dst=dst, sport=sport, dport=dport, payload=b"")


def begins_connection(segment: bytes) -> bool:
    """A TCP segment, or its beginning: it is a SYN."""
    return len(segment) > _TCP_FLAGS and segment[_TCP_FLAGS] & (_FIN | _SYN | _RST | _ACK) == _SYN


def header_alone(frame: bytes, segment: bytes) -> bytes | None:
    """The header of a TCP segment with its options, as a packet from and to whom its frame is.  None: it is cut."""
    length = (segment[12] >> 4) * 4 if len(segment) >= _TCP.size else 0
    if not _TCP.size <= length <= len(segment):
        return None
    ends, bare = _ends(frame), segment[:_TCP_SUM] + bytes(2) + segment[_TCP_SUM + 2 : length]
    total = upper_checksum(*ends, PROTO_TCP, bare)
    body = bare[:_TCP_SUM] + total.to_bytes(2, "big") + bare[_TCP_SUM + 2 :]
    return packet((frame[6:12], frame[:6]), ends, PROTO_TCP, body)


def _ends(frame: bytes) -> tuple[IpAddress, IpAddress]:
    if frame[12:14] == ETH_IPV4.to_bytes(2, "big"):
        return IPv4Address(frame[26:30]), IPv4Address(frame[30:34])
    return IPv6Address(frame[22:38]), IPv6Address(frame[38:54])


def decode(frame: bytes) -> Datagram | None:
    """None: it is no whole UDP datagram."""
    try:
        eth_dst, eth_src, eth_type = _ETHERNET.unpack_from(frame)
        header = _ipv4(frame) if eth_type == ETH_IPV4 else _ipv6(frame) if eth_type == ETH_IPV6 else None
        if header is None:
            return None
        src, dst, start = header
        sport, dport, length, _ = _UDP.unpack_from(frame, start)
    except StructError:
        return None
    payload = frame[start + _UDP.size : start + length]
    if length < _UDP.size or len(payload) != length - _UDP.size:
        return None
    return Datagram(eth_src=eth_src, eth_dst=eth_dst, src=src, dst=dst, sport=sport, dport=dport, payload=payload)


def _ipv4(frame: bytes) -> tuple[IpAddress, IpAddress, int] | None:
    """Source, destination, where what is inside begins."""
    first, _, _, _, fragment, _, protocol, _, src, dst = _IPV4.unpack_from(frame, _ETHERNET.size)
    if first >> 4 != 4 or first & 15 < 5 or fragment & _FRAGMENT or protocol != PROTO_UDP:
        return None
    return IPv4Address(src), IPv4Address(dst), _ETHERNET.size + (first & 15) * 4


def _ipv6(frame: bytes) -> tuple[IpAddress, IpAddress, int] | None:
    first, _, protocol, _, src, dst = _IPV6.unpack_from(frame, _ETHERNET.size)
    if first >> 28 != 6 or protocol != PROTO_UDP:
        return None
    return IPv6Address(src), IPv6Address(dst), _ETHERNET.size + _IPV6.size


def encode(datagram: Datagram) -> bytes:
    """Of at most 65,507 bytes."""
    length = _UDP.size + len(datagram.payload)
    bare = _UDP.pack(datagram.sport, datagram.dport, length, 0) + datagram.payload
    total = upper_checksum(datagram.src, datagram.dst, PROTO_UDP, bare) or 0xFFFF
    udp = _UDP.pack(datagram.sport, datagram.dport, length, total) + datagram.payload
    return packet((datagram.eth_src, datagram.eth_dst), (datagram.src, datagram.dst), PROTO_UDP, udp)


def packet(
    macs: tuple[bytes, bytes], ends: tuple[IpAddress, IpAddress], protocol: int, body: bytes, hops: int = _HOPS
) -> bytes:
    """Of any protocol above IP.  macs, ends: from, to.  hops: the TTL."""
    src, dst, length = ends[0].packed, ends[1].packed, len(body)
    if ends[0].version == 6:
        eth_type, header = ETH_IPV6, _IPV6.pack(6 << 28, length, protocol, hops, src, dst)
    else:
        fields = (0x45, 0, 20 + length, 0, 0, hops, protocol)
        eth_type = ETH_IPV4
        header = _IPV4.pack(*fields, checksum(_IPV4.pack(*fields, 0, src, dst)), src, dst)
    return _ETHERNET.pack(macs[1], macs[0], eth_type) + header + body


def echo(ends: tuple[IpAddress, IpAddress], id: int, kind: int, code: int = 0) -> bytes:
    """The body of an ICMP message with an identifier, or of ICMPv6 between such ends."""
    bare = _ECHO.pack(kind, code, 0, id, 0)
    total = checksum(bare) if ends[0].version == 4 else upper_checksum(*ends, PROTO_ICMPV6, bare)
    return _ECHO.pack(kind, code, total, id, 0)


def acknowledgement(ends: tuple[IpAddress, IpAddress], ports: tuple[int, int], sequence: int, of: int) -> bytes:
    """The body of a TCP segment that has no data, and acknowledges."""
    fields = (*ports, sequence, of, _TCP.size << 2, _ACK, _WINDOW)
    return _TCP.pack(*fields, upper_checksum(*ends, PROTO_TCP, _TCP.pack(*fields, 0, 0)), 0)


def upper_checksum(src: IpAddress, dst: IpAddress, protocol: int, body: bytes) -> int:
    """With the pseudo header."""
    return checksum(src.packed + dst.packed + protocol.to_bytes(4, "big") + len(body).to_bytes(4, "big") + body)


def checksum(data: bytes) -> int:
    """The Internet's (RFC 1071).  The sum of 16 bits each, carries added, is the whole as one number modulo 0xFFFF."""
    total = int.from_bytes(data + b"\0" * (len(data) % 2), "big")
    return 0xFFFF - (total % 0xFFFF or (0xFFFF if total else 0))
