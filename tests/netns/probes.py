"""Packets to try a firewall with: TCP, UDP, SCTP, ICMP, any other protocol, on IPv4 and IPv6, checksums right."""

import struct
from dataclasses import dataclass
from ipaddress import ip_address

from tests.netns.frames import ethernet
from tests.netns.inside.pings import checksum
from tests.netns.l3.sctp import crc32c

from netweft.lab.guest import Nic

TCP, UDP, ICMP, ICMPV6, SCTP = 6, 17, 1, 58, 132
SYN, SYN_ACK = 0x02, 0x12
_ECHO_REPLY = {ICMP: 0, ICMPV6: 129}


@dataclass(frozen=True)
class Probe:
    """protocol: its number, ICMP on IPv6 as well as on IPv4.  a, b: destination port, or ICMP's type and code."""

    protocol: int
    a: int = 0
    b: int = 0

    def frame(self, source: Nic, target: Nic, version: int, serial: int) -> bytes:
        """serial: tells it from all others, also as a connection."""
        return self._frame(source, target, version, serial, answer=False)

    def answer(self, source: Nic, target: Nic, version: int, serial: int) -> bytes:
        """To such a frame; of TCP, UDP and ICMP's echo."""
        return self._frame(source, target, version, serial, answer=True)

    def _frame(self, source: Nic, target: Nic, version: int, serial: int, *, answer: bool) -> bytes:
        protocol = ICMPV6 if (self.protocol, version) == (ICMP, 6) else self.protocol
        body = self._answer(protocol, serial) if answer else self._body(protocol, serial)
        return _packet(source, target, version, protocol, body, serial)

    def _answer(self, protocol: int, serial: int) -> bytes:
        to_port, payload = 20000 + serial % 40000, struct.pack("!II", 0, serial)
        match protocol:
            case 6:
                return struct.pack("!HHIIBBHHH", self.a, to_port, 1, serial + 1, 5 << 4, SYN_ACK, 8192, 0, 0)
            case 17:
                return struct.pack("!HHHH", self.a, to_port, 8 + len(payload), 0) + payload
        return struct.pack("!BBHHH", _ECHO_REPLY[protocol], 0, 0, serial & 0xFFFF, 1) + payload

    def _body(self, protocol: int, serial: int) -> bytes:
        from_port, payload = 20000 + serial % 40000, struct.pack("!II", 0, serial)
        match protocol:
            case 6:
                return struct.pack("!HHIIBBHHH", from_port, self.a, serial, 0, 5 << 4, SYN, 8192, 0, 0)
            case 17:
                return struct.pack("!HHHH", from_port, self.a, 8 + len(payload), 0) + payload
            case 132:
                return struct.pack("!HHII", from_port, self.a, 0, 0) + struct.pack("!BBHIIHHI", 1, 0, 20, 1, 9, 1, 1, 1)
            case 1 | 58:
                return struct.pack("!BBHHH", self.a, self.b, 0, serial & 0xFFFF, 1) + payload
        return payload


def _packet(source: Nic, target: Nic, version: int, protocol: int, body: bytes, serial: int) -> bytes:
    ends = tuple(ip_address(address_of(nic, version)).packed for nic in (source, target))
    body = _with_checksum(body, protocol, ends, version)
    if version == 4:
        start = struct.pack("!BBHHHBB", 0x45, 0, 20 + len(body), serial & 0xFFFF, 0, 64, protocol)
        header = start + struct.pack("!H", checksum(start + b"\0\0" + ends[0] + ends[1])) + ends[0] + ends[1]
        return ethernet(target.mac, source.mac, 0x0800, header + body)
    header = struct.pack("!IHBB", 6 << 28, len(body), protocol, 64) + ends[0] + ends[1]
    return ethernet(target.mac, source.mac, 0x86DD, header + body)


def segment(ends: tuple[Nic, Nic], version: int, ports: tuple[int, int], numbers: tuple[int, int], flags: int) -> bytes:
    """Of TCP, without data.  ends, ports: from, to.  numbers: sequence, acknowledgement."""
    body = struct.pack("!HHIIBBHHH", *ports, *(number % 2**32 for number in numbers), 5 << 4, flags, 8192, 0, 0)
    return _packet(*ends, version, TCP, body, 0)


_CHECKSUM_AT = {TCP: 16, UDP: 6, ICMP: 2, ICMPV6: 2}


def _with_checksum(body: bytes, protocol: int, ends: tuple[bytes, ...], version: int) -> bytes:
    at = _CHECKSUM_AT.get(protocol)
    if protocol == SCTP:
        return body[:8] + struct.pack("<I", crc32c(body)) + body[12:]
    if at is None:
        return body
    pseudo = b""
    if protocol != ICMP:
        tail = struct.pack("!BBH", 0, protocol, len(body)) if version == 4 else struct.pack("!II", len(body), protocol)
        pseudo = b"".join(ends) + tail
    total = checksum(pseudo + body + b"\0" * (len(body) % 2))
    return body[:at] + struct.pack("!H", total) + body[at + 2 :]


def address_of(nic: Nic, version: int) -> str:
    """The NIC's first address of this IP version."""
    return next(a.partition("/")[0] for a in nic.addresses if (":" in a) == (version == 6))
