"""What a frame is that was caught somewhere: its packet, plain, tagged or within a tunnel, and how it is known again.

What is the same of it wherever it is seen: routers and NAT change addresses, ports, TTL, checksums and the id of an
echo; offloads join and split TCP segments.  So of TCP with data it is where that begins, and how much there is; of all
else what it carries, and of TCP without data its numbers."""

import hashlib
from ipaddress import IPv4Address, IPv6Address
from struct import error as StructError
from struct import unpack_from
from typing import Final, NamedTuple

from netweft.dataplane.openflow.fields import ETH_IPV4, ETH_IPV6, PROTO_ICMP, PROTO_ICMPV6, PROTO_TCP, PROTO_UDP

_ETH_VLAN: Final = (0x8100, 0x88A8)
_GRE, _SCTP = 47, 132
_ETHERNET_IN_GRE, _GRE_KEY, _GRE_SUM, _GRE_NUMBER = 0x6558, 0x2000, 0x8000, 0x1000
_VXLAN_PORT, _GENEVE_PORT, _STT_PORT = 4789, 6081, 7471
_FLAGS: Final = "FSRPAUEC"
_PRINTED: Final = 48  # bytes of what it carries


class Known(NamedTuple):
    """tunnel: its type; key: its key, or of a plain frame its VLAN, 0 for none.  start: where the Ethernet frame
    begins.  Of ICMP sport is the type, dport the code."""

    tunnel: str
    key: int
    start: int
    src: str
    dst: str
    protocol: int
    sport: int
    dport: int
    ttl: int
    number: int
    payload: int
    flags: str
    print: str


class _Ip(NamedTuple):
    src: str
    dst: str
    protocol: int
    ttl: int
    at: int  # where begins what it carries
    length: int  # of that
    id: int
    later: bool  # a fragment that is not the first


def dissect(frame: bytes, tag: int | None, *, tunnels: bool) -> Known | None:
    """tag: of the VLAN, where it is not in the frame any more.  None: no IP packet."""
    try:
        vlan, ip = _ethernet(frame, 0)
        inner = _tunnel(frame, ip) if tunnels and ip is not None and not ip.later else None
        if inner is not None:
            kind, key, start = inner
            _, within = _ethernet(frame, start)
            return _known(frame, within, kind, key, start) if within is not None else None
        return _known(frame, ip, "", vlan or tag or 0, 0) if ip is not None else None
    except StructError:
        return None  # cut off


def _ethernet(frame: bytes, start: int) -> tuple[int, _Ip | None]:
    kind, at, vlan = unpack_from("!H", frame, start + 12)[0], start + 14, 0
    if kind in _ETH_VLAN:
        tci, kind = unpack_from("!HH", frame, at)
        at, vlan = at + 4, tci & 0xFFF
    if kind == ETH_IPV4:
        first, _, length, id, fragment, ttl, protocol, _, src, dst = unpack_from("!BBHHHBBH4s4s", frame, at)
        header = (first & 15) * 4
        ends = (str(IPv4Address(src)), str(IPv4Address(dst)))
        return vlan, _Ip(*ends, protocol, ttl, at + header, length - header, id, bool(fragment & 0x1FFF))
    if kind == ETH_IPV6:
        _, length, protocol, ttl, src, dst = unpack_from("!IHBB16s16s", frame, at)
        return vlan, _Ip(str(IPv6Address(src)), str(IPv6Address(dst)), protocol, ttl, at + 40, length, 0, False)
    return vlan, None


def _tunnel(frame: bytes, ip: _Ip) -> tuple[str, int, int] | None:
    """Its type, its key, where the inner frame begins."""
    if ip.protocol == _GRE:
        flags, kind = unpack_from("!HH", frame, ip.at)
        if kind != _ETHERNET_IN_GRE or not flags & _GRE_KEY:
            return None
        at = ip.at + 4 + (4 if flags & _GRE_SUM else 0)
        key = unpack_from("!I", frame, at)[0]
        return "gre", key, at + 4 + (4 if flags & _GRE_NUMBER else 0)
    if ip.protocol == PROTO_TCP:
        return _stt(frame, ip)
    if ip.protocol != PROTO_UDP:
        return None
    port, options, key = (
        unpack_from("!H", frame, ip.at + 2)[0],
        frame[ip.at + 8] & 0x3F if len(frame) > ip.at + 8 else 0,
        unpack_from("!I", frame, ip.at + 12)[0] >> 8 if len(frame) >= ip.at + 16 else 0,
    )
    if port == _VXLAN_PORT:
        return "vxlan", key, ip.at + 16
    return ("geneve", key, ip.at + 16 + options * 4) if port == _GENEVE_PORT else None


def _stt(frame: bytes, ip: _Ip) -> tuple[str, int, int] | None:
    """Of the first packet of a frame: no other one says whose it is."""
    if len(frame) < ip.at + 36:
        return None
    port, offset, key = (unpack_from(form, frame, ip.at + at)[0] for form, at in (("!H", 2), ("!H", 6), ("!Q", 28)))
    return ("stt", key, ip.at + 38) if port == _STT_PORT and not offset else None


def _known(frame: bytes, ip: _Ip, tunnel: str, key: int, start: int) -> Known:
    sport = dport = number = 0
    flags, header, mark = "", 0, b""
    if ip.later:
        pass
    elif ip.protocol == PROTO_TCP:
        sport, dport, number, _, offset, bits = unpack_from("!HHIIBB", frame, ip.at)
        header, flags = (offset >> 4) * 4, "".join(name for at, name in enumerate(_FLAGS) if bits >> at & 1)
    elif ip.protocol in (PROTO_UDP, _SCTP):
        sport, dport = unpack_from("!HH", frame, ip.at)
        header = 8
    elif ip.protocol in (PROTO_ICMP, PROTO_ICMPV6):
        sport, dport, _, _, sequence = unpack_from("!BBHHH", frame, ip.at)
        header, mark = 8, sequence.to_bytes(2, "big")
    payload = max(0, ip.length - header)
    if ip.protocol == PROTO_TCP:  # ports, which NAT changes, left out
        said = b"" if payload or ip.later else frame[ip.at + 4 : ip.at + 16]
    else:
        said = b"%d %d %d " % (ip.protocol, ip.id, payload) + mark + frame[ip.at + header :][: min(_PRINTED, payload)]
    its = hashlib.blake2s(said, digest_size=8).hexdigest() if said else ""
    return Known(tunnel, key, start, ip.src, ip.dst, ip.protocol, sport, dport, ip.ttl, number, payload, flags, its)
