"""ICMP errors (RFC 792, RFC 4443) and neighbour discovery (RFC 4861), as a router sends and receives them."""

from ipaddress import IPv4Address, IPv6Address
from struct import Struct as Packer
from struct import error as StructError
from typing import Final, NamedTuple

from msgspec import Struct

from netweft.dataplane.openflow.fields import (
    ETH_IPV4,
    ETH_IPV6,
    ND_ADVERT,
    ND_SOLICIT,
    PROTO_FRAGMENT,
    PROTO_ICMP,
    PROTO_ICMPV6,
)
from netweft.dataplane.packets.arp import Said
from netweft.dataplane.packets.datagram import IpAddress, checksum, packet, upper_checksum

_ETHERNET = 14
_IPV4 = Packer("!BBHHHBBH4s4s")
_IPV6 = Packer("!IHBB16s16s")
_ICMP = Packer("!BBHI")
_FRAGMENT_OFFSET = 0x1FFF
_EXTENSIONS = {0, 43, 60}  # hop-by-hop, routing, destination options
# RFC 1122 3.2.2, RFC 4443 2.4 (e): nothing is said about errors
_ERRORS_4 = {3, 4, 5, 11, 12}
_MOST: Final = {4: 576, 6: 1280}  # bytes of an error in all: RFC 1812 4.3.2.3, RFC 4443 2.4 (c)
_HEADERS: Final = {4: 28, 6: 48}  # of the error itself
SOLICITED, OVERRIDE, ROUTER = 0x40000000, 0x20000000, 0x80000000
SOURCE_LINK, TARGET_LINK = 1, 2
HOPS: Final = 255  # neighbour discovery is never routed

ICMP: Final = {4: PROTO_ICMP, 6: PROTO_ICMPV6}


class Offending(NamedTuple):
    """A packet that an error may be said about.  protocol: above IP; quoted: from its IP header on."""

    src: IpAddress
    dst: IpAddress
    protocol: int
    quoted: bytes


def offending(frame: bytes) -> Offending | None:
    """None: nothing may be said about it, or it makes no sense."""
    try:
        found = _offending_4(frame) if frame[12:14] == ETH_IPV4.to_bytes(2, "big") else _offending_6(frame)
    except (StructError, IndexError):
        return None
    return found if found and _one_host(found.src) and not found.dst.is_multicast else None


def _one_host(src: IpAddress) -> bool:
    limited = isinstance(src, IPv4Address) and src == IPv4Address("255.255.255.255")
    return not (src.is_unspecified or src.is_loopback or src.is_multicast or limited)


def _offending_4(frame: bytes) -> Offending | None:
    first, _, _, _, fragment, _, protocol, _, src, dst = _IPV4.unpack_from(frame, _ETHERNET)
    start = _ETHERNET + (first & 15) * 4
    if first >> 4 != 4 or first & 15 < 5 or fragment & _FRAGMENT_OFFSET:
        return None
    if protocol == PROTO_ICMP and frame[start] in _ERRORS_4:
        return None
    return Offending(IPv4Address(src), IPv4Address(dst), protocol, frame[_ETHERNET:])


def _offending_6(frame: bytes) -> Offending | None:
    first, _, protocol, _, src, dst = _IPV6.unpack_from(frame, _ETHERNET)
    at = _ETHERNET + _IPV6.size
    while protocol in _EXTENSIONS:
        protocol, at = frame[at], at + 8 + frame[at + 1] * 8
    if protocol == PROTO_FRAGMENT:
        if int.from_bytes(frame[at + 2 : at + 4], "big") >> 3:
            return None
        protocol, at = frame[at], at + 8
    if first >> 28 != 6 or (protocol == PROTO_ICMPV6 and frame[at] < 128):
        return None
    return Offending(IPv6Address(src), IPv6Address(dst), protocol, frame[_ETHERNET:])


def error(macs: tuple[bytes, bytes], src: IpAddress, about: Offending, kind: int, code: int, rest: int = 0) -> bytes:
    """A frame to whoever sent the packet.  macs: from, to.  rest: the four bytes before what is quoted, as the MTU."""
    version = src.version
    quoted = about.quoted[: _MOST[version] - _HEADERS[version]]
    return message(macs, (src, about.src), kind, code, rest, quoted, hops=64)


def message(
    macs: tuple[bytes, bytes],
    ends: tuple[IpAddress, IpAddress],
    kind: int,
    code: int,
    rest: int,
    body: bytes,
    hops: int = HOPS,
) -> bytes:
    bare = _ICMP.pack(kind, code, 0, rest) + body
    total = checksum(bare) if ends[0].version == 4 else upper_checksum(*ends, PROTO_ICMPV6, bare)
    return packet(macs, ends, ICMP[ends[0].version], _ICMP.pack(kind, code, total, rest) + body, hops)


class Solicitation(Struct, frozen=True):
    """Who looks for the MAC of `target`; src is unspecified where it looks for duplicates of its own address."""

    eth_src: bytes
    src: IPv6Address
    target: IPv6Address


def solicitation(frame: bytes) -> Solicitation | None:
    """None for what RFC 4861 7.1.1 has ignored."""
    if len(frame) < _ETHERNET + _IPV6.size + 24 or frame[12:14] != ETH_IPV6.to_bytes(2, "big"):
        return None
    _, length, protocol, hops, src, _ = _IPV6.unpack_from(frame, _ETHERNET)
    at = _ETHERNET + _IPV6.size
    kind, code = frame[at], frame[at + 1]
    if (protocol, hops, kind, code) != (PROTO_ICMPV6, HOPS, ND_SOLICIT, 0) or length < 24:
        return None
    return Solicitation(frame[6:12], IPv6Address(src), IPv6Address(frame[at + 8 : at + 24]))


ALL_NODES, ALL_NODES_MAC = IPv6Address("ff02::1"), bytes.fromhex("333300000001")


def advertisement(own: bytes, asked: Solicitation, *, router: bool = True) -> bytes:
    """The answer: solicited, or to everybody where duplicates are looked for (RFC 4861 7.2.4)."""
    option = bytes((TARGET_LINK, 1)) + own
    flags = (ROUTER if router else 0) | OVERRIDE | (0 if asked.src.is_unspecified else SOLICITED)
    to, mac = (ALL_NODES, ALL_NODES_MAC) if asked.src.is_unspecified else (asked.src, asked.eth_src)
    return message((own, mac), (asked.target, to), ND_ADVERT, 0, flags, asked.target.packed + option)


def announcement(own: bytes, address: IPv6Address) -> bytes:
    """To everybody, unasked (RFC 4861 7.2.6)."""
    return advertisement(own, Solicitation(own, IPv6Address("::"), address))


def question(own: bytes, src: IPv6Address, target: IPv6Address, *, to: bytes | None = None) -> bytes:
    """A neighbour solicitation for `target`, to its solicited-node group (RFC 4291 2.7.1).  to: by unicast to this
    MAC."""
    last = target.packed[-3:]
    group, mac = IPv6Address(_SOLICITED_NODE + last), bytes.fromhex("3333ff") + last
    option = bytes((SOURCE_LINK, 1)) + own
    ends = (src, group if to is None else target)
    return message((own, to or mac), ends, ND_SOLICIT, 0, 0, target.packed + option)


_SOLICITED_NODE = IPv6Address("ff02::1:ff00:0").packed[:13]


def advertised(frame: bytes) -> Said | None:
    """What a neighbour advertisement says; None for what RFC 4861 7.1.2 has ignored, and for a group's MAC."""
    at = _ETHERNET + _IPV6.size
    if len(frame) < at + 24 or frame[12:14] != ETH_IPV6.to_bytes(2, "big"):
        return None
    _, length, protocol, hops, _, _ = _IPV6.unpack_from(frame, _ETHERNET)
    if (protocol, hops, frame[at], frame[at + 1]) != (PROTO_ICMPV6, HOPS, ND_ADVERT, 0) or length < 24:
        return None
    option = frame[at + 24 : at + 32]
    mac = option[2:8] if option[:2] == bytes((TARGET_LINK, 1)) and len(option) == 8 else frame[6:12]
    return None if mac[0] & 1 or mac == bytes(6) else Said(mac, IPv6Address(frame[at + 8 : at + 24]))
