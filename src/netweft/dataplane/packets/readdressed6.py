"""IPv6 packets, or their beginnings, and ICMPv6 errors about them, with other addresses: as `readdressed` of IPv4.

Here the checksum of ICMPv6 holds the addresses, too (RFC 4443 2.3), and no header has one of its own.
"""

from ipaddress import IPv6Address
from typing import Final, NamedTuple

from netweft.dataplane.openflow.fields import ETH_IPV6, PROTO_FRAGMENT, PROTO_ICMPV6, PROTO_TCP, PROTO_UDP
from netweft.dataplane.packets.readdressed import Ports, adjust

_ETHERNET: Final = 14
_LENGTH, _NEXT, _SRC, _DST, _END = 4, 6, 8, 24, 40  # of the header
_EXTENSIONS: Final = (0, 43, 60)  # hop-by-hop, routing, destination options
_SUMS: Final = {PROTO_TCP: 16, PROTO_UDP: 6, PROTO_ICMPV6: 2}
_WITH_PORTS: Final = (PROTO_TCP, PROTO_UDP)
_ICMP: Final = 8
_FRAGMENT: Final = 8  # that header
_OFFSET: Final = 0xFFF8
FIRST_BEGINS: Final = _ETHERNET + _END + _FRAGMENT  # in its frame, what a first fragment is of
_AT: Final = _ETHERNET + _END  # where an error's ICMPv6 header begins
_ERRORS: Final = range(1, 5)  # unreachable, too big, time exceeded, parameter problem (RFC 4443)


class End(NamedTuple):
    """port: of TCP and UDP; None where it stays as it is."""

    address: IPv6Address
    port: int | None = None


class Error(NamedTuple):
    """An ICMPv6 error.  quoted: the packet that it is about, from its IP header on, as much as there is of it."""

    frame: bytes
    quoted: bytes

    @property
    def src(self) -> IPv6Address:
        return IPv6Address(self.frame[_ETHERNET + _SRC : _ETHERNET + _DST])

    @property
    def dst(self) -> IPv6Address:
        return IPv6Address(self.frame[_ETHERNET + _DST : _ETHERNET + _END])

    @property
    def quoted_src(self) -> IPv6Address:
        return IPv6Address(self.quoted[_SRC:_DST])

    @property
    def quoted_dst(self) -> IPv6Address:
        return IPv6Address(self.quoted[_DST:_END])


def ports_of_first(packet: bytes) -> Ports | None:
    """Of a first fragment, from its IP header on.  None: it is none, it has no ports, or they are not there."""
    start = _END + _FRAGMENT
    if len(packet) < start + 4 or packet[_NEXT] != PROTO_FRAGMENT or packet[_END] not in _WITH_PORTS:
        return None
    if int.from_bytes(packet[_END + 2 : _END + 4], "big") & _OFFSET:
        return None
    source, target = (int.from_bytes(packet[at : at + 2], "big") for at in (start, start + 2))
    return Ports(packet[_END], source, target)


def error(frame: bytes) -> Error | None:
    """None: it is none, has other headers before, or does not quote a whole header."""
    if frame[12:14] != ETH_IPV6.to_bytes(2, "big") or not _is_whole(frame[_ETHERNET:]):
        return None
    end = _AT + int.from_bytes(frame[_ETHERNET + _LENGTH : _ETHERNET + _NEXT], "big")
    quoted = frame[_AT + _ICMP : end]
    if frame[_ETHERNET + _NEXT] != PROTO_ICMPV6 or end > len(frame) or not _is_whole(quoted):
        return None
    return Error(frame, quoted) if frame[_AT] in _ERRORS else None


def with_ends(
    one: Error,
    *,
    src: IPv6Address | None = None,
    dst: IPv6Address | None = None,
    quoted_src: End | None = None,
    quoted_dst: End | None = None,
) -> bytes:
    """The frame, between others.  None: that end stays."""
    changed, sum_at = bytearray(one.frame), _AT + _SUMS[PROTO_ICMPV6]
    quoted = readdressed(one.quoted, quoted_src, quoted_dst)
    changed[_AT + _ICMP : _AT + _ICMP + len(quoted)] = quoted
    odd = b"\0" * (len(quoted) % 2)
    adjust(changed, sum_at, one.quoted + odd, quoted + odd)
    for at, address in ((_SRC, src), (_DST, dst)):
        if address is not None:
            _write(changed, _ETHERNET + at, address.packed, sum_at)
    return bytes(changed)


def unfragmented(one: Error) -> bytes | None:
    """The frame, with what it quotes as if that were whole.  None: it is no first fragment."""
    quoted = one.quoted
    at, names = _END, _NEXT  # the next header, and where its kind is said
    while quoted[names] in _EXTENSIONS and len(quoted) >= at + 8:
        at, names = at + 8 + quoted[at + 1] * 8, at
    if quoted[names] != PROTO_FRAGMENT or len(quoted) < at + 8 or int.from_bytes(quoted[at + 2 : at + 4], "big") >> 3:
        return None
    whole = bytearray(quoted[:at] + quoted[at + 8 :])
    whole[names] = quoted[at]
    length = _ICMP + len(whole)
    head = bytearray(one.frame[: _AT + _ICMP])
    head[_ETHERNET + _LENGTH : _ETHERNET + _NEXT] = length.to_bytes(2, "big")
    changed, sum_at = head + whole, _AT + _SUMS[PROTO_ICMPV6]
    before, after = (bytes(part) + bytes(len(part) % 2) for part in (quoted, whole))
    adjust(changed, sum_at, before, after + bytes(len(before) - len(after)))
    adjust(changed, sum_at, (_ICMP + len(quoted)).to_bytes(2, "big"), length.to_bytes(2, "big"))
    return bytes(changed)


def readdressed(packet: bytes, src: End | None = None, dst: End | None = None) -> bytes:
    """From its header on; whole, or only its beginning.  None: that end stays."""
    if not _is_whole(packet):
        return packet
    changed, upper = bytearray(packet), _upper(packet)
    sum_at = upper.at + _SUMS[upper.protocol] if upper and upper.protocol in _SUMS else None
    for at, at_port, end in ((_SRC, 0, src), (_DST, 2, dst)):
        if end is None:
            continue
        _write(changed, at, end.address.packed, sum_at)
        if end.port is not None and upper and upper.protocol in _WITH_PORTS and len(packet) >= upper.at + at_port + 2:
            _write(changed, upper.at + at_port, end.port.to_bytes(2, "big"), sum_at)
    return bytes(changed)


def _write(packet: bytearray, at: int, new: bytes, sum_at: int | None) -> None:
    old = bytes(packet[at : at + len(new)])
    packet[at : at + len(new)] = new
    if sum_at is not None and len(packet) >= sum_at + 2:
        adjust(packet, sum_at, old, new)


def _is_whole(packet: bytes) -> bool:
    """Its header."""
    return len(packet) >= _END and packet[0] >> 4 == 6


class _Upper(NamedTuple):
    protocol: int
    at: int


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
