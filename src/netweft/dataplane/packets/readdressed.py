"""IPv4 packets, and ICMP errors about them, with other addresses and ports: for who stands between two ends (RFC 5508).

Checksums are changed by what has changed (RFC 1624), outside and inside: what was right stays right, and what was not
does not become so.
"""

from ipaddress import IPv4Address
from typing import Final, NamedTuple

from netweft.dataplane.openflow.fields import ETH_IPV4, PROTO_ICMP, PROTO_SCTP, PROTO_TCP, PROTO_UDP

_ETHERNET: Final = 14
_HEADER: Final = 20
_SUM, _SRC, _DST, _END = 10, 12, 16, 20  # of the header
_FRAGMENT: Final = 0x3FFF  # more to come, or not the first
_LATER: Final = 0x1FFF
_UPPER_SUMS: Final = {PROTO_TCP: 16, PROTO_UDP: 6}
_WITH_PORTS: Final = (PROTO_TCP, PROTO_UDP, PROTO_SCTP)
ERRORS: Final = (3, 11, 12)  # unreachable, time exceeded, parameter problem (RFC 792)
_ICMP: Final = 8


class Ports(NamedTuple):
    """protocol: which has them."""

    protocol: int
    source: int
    target: int


def ports(packet: bytes) -> Ports | None:
    """Of one from its IP header on.  None: it has none, or they are not there."""
    start = _length(packet)
    if not start or packet[9] not in _WITH_PORTS or _is_later(packet) or len(packet) < start + 4:
        return None
    source, target = (int.from_bytes(packet[at : at + 2], "big") for at in (start, start + 2))
    return Ports(packet[9], source, target)


def sequence(segment: bytes) -> int:
    """Where a TCP segment, from its IP header on, is in its stream."""
    start = _length(segment) + 4
    return int.from_bytes(segment[start : start + 4], "big")


class Error(NamedTuple):
    """An ICMP error.  quoted: the packet that it is about, from its IP header on, as much as there is of it."""

    frame: bytes
    at: int  # where its ICMP header begins
    quoted: bytes

    @property
    def src(self) -> IPv4Address:
        return IPv4Address(self.frame[_ETHERNET + _SRC : _ETHERNET + _DST])

    @property
    def dst(self) -> IPv4Address:
        return IPv4Address(self.frame[_ETHERNET + _DST : _ETHERNET + _END])

    @property
    def quoted_src(self) -> IPv4Address:
        return IPv4Address(self.quoted[_SRC:_DST])

    @property
    def quoted_dst(self) -> IPv4Address:
        return IPv4Address(self.quoted[_DST:_END])


def error(frame: bytes) -> Error | None:
    """None: it is none, or does not quote a whole header."""
    if frame[12:14] != ETH_IPV4.to_bytes(2, "big"):
        return None
    start = _length(frame[_ETHERNET:])
    total = int.from_bytes(frame[16:18], "big")
    fragment = int.from_bytes(frame[20:22], "big") & _FRAGMENT
    if not start or fragment or frame[23] != PROTO_ICMP or total > len(frame) - _ETHERNET:
        return None
    at = _ETHERNET + start
    quoted = frame[at + _ICMP : _ETHERNET + total]
    if frame[at] not in ERRORS or total < start + _ICMP or not _length(quoted):
        return None
    return Error(frame, at, quoted)


def _length(packet: bytes) -> int:
    """Of its IPv4 header; 0 when it is not whole, or none."""
    length = (packet[0] & 15) * 4 if packet else 0
    return length if len(packet) >= length >= _HEADER and packet[0] >> 4 == 4 else 0


class End(NamedTuple):
    """port: None where it stays as it is."""

    address: IPv4Address
    port: int | None = None


def readdressed(packet: bytes, src: End | None = None, dst: End | None = None) -> bytes:
    """From its header on; whole, or only its beginning.  None: that end stays."""
    changed = bytearray(packet)
    has_ports = ports(packet) is not None
    for at, at_port, end in ((_SRC, 0, src), (_DST, 2, dst)):
        if end is not None:
            _adjust_upper(changed, _write(changed, at, end.address.packed, _SUM))
            if end.port is not None and has_ports:
                place = _length(packet) + at_port
                _adjust_upper(changed, _write(changed, place, end.port.to_bytes(2, "big")))
    return bytes(changed)


def _write(packet: bytearray, at: int, new: bytes, sum_at: int | None = None) -> tuple[bytes, bytes]:
    """What was there, and what is."""
    old = bytes(packet[at : at + len(new)])
    packet[at : at + len(new)] = new
    if sum_at is not None:
        adjust(packet, sum_at, old, new)
    return old, new


def with_ends(
    one: Error,
    *,
    src: IPv4Address | None = None,
    dst: IPv4Address | None = None,
    quoted_src: End | None = None,
    quoted_dst: End | None = None,
) -> bytes:
    """The frame, between others.  None: that end stays."""
    quoted = readdressed(one.quoted, quoted_src, quoted_dst)
    changed = bytearray(one.frame)
    inside = one.at + _ICMP
    changed[inside : inside + len(quoted)] = quoted
    odd = b"\0" * (len(quoted) % 2)
    adjust(changed, one.at + 2, one.quoted + odd, quoted + odd)
    outer = (End(address) if address else None for address in (src, dst))
    changed[_ETHERNET : one.at] = readdressed(bytes(changed[_ETHERNET : one.at]), *outer)
    return bytes(changed)


def _adjust_upper(packet: bytearray, change: tuple[bytes, bytes]) -> None:
    """Of TCP and UDP, whose checksums hold addresses and ports; where that is there, and one was made.  SCTP's holds
    its ports, too: of what is quoted nobody can look at it (RFC 9260 10 goes by the verification tag)."""
    at = _UPPER_SUMS.get(packet[9])
    if at is None or _is_later(packet):
        return
    at += (packet[0] & 15) * 4
    if len(packet) < at + 2 or (packet[9] == PROTO_UDP and packet[at : at + 2] == b"\0\0"):
        return
    adjust(packet, at, *change)
    if packet[9] == PROTO_UDP and packet[at : at + 2] == b"\0\0":
        packet[at : at + 2] = b"\xff\xff"


def _is_later(packet: bytes | bytearray) -> bool:
    return bool(int.from_bytes(packet[6:8], "big") & _LATER)


def adjust(packet: bytearray, at: int, old: bytes, new: bytes) -> None:
    """The checksum there, which is over what was `old` and is `new`."""
    total = 0xFFFF - int.from_bytes(packet[at : at + 2], "big")
    for start in range(0, len(old), 2):
        was, now = (int.from_bytes(part[start : start + 2], "big") for part in (old, new))
        total += (0xFFFF - was) + now if was != now else 0
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    packet[at : at + 2] = (0xFFFF - total).to_bytes(2, "big")
