"""Frames by hand, for what no decent VM would send."""

import os
import struct
from ipaddress import IPv4Address, IPv6Address

from tests.netns.inside.pings import checksum

from netweft.lab.guest import Nic

BROADCAST = "ff:ff:ff:ff:ff:ff"
NOBODY = "02:00:00:00:00:01"


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def ethernet(destination: str, source: str, kind: int, payload: bytes) -> bytes:
    return mac(destination) + mac(source) + struct.pack("!H", kind) + payload


def udp4(macs: tuple[str, str], addresses: tuple[str, str], payload: bytes, ports: tuple[int, int] = (9, 9)) -> bytes:
    """macs, addresses and ports: (source, destination)."""
    datagram = struct.pack("!HHHH", *ports, 8 + len(payload), 0) + payload
    return _ipv4(macs, addresses, 17, datagram)


def _ipv4(
    macs: tuple[str, str], addresses: tuple[str, str], protocol: int, body: bytes, ident: int = 0, fragment: int = 0
) -> bytes:
    """fragment: the field of flags and offset."""
    ends = b"".join(IPv4Address(address).packed for address in addresses)
    start = struct.pack("!BBHHHBB", 0x45, 0, 20 + len(body), ident, fragment, 64, protocol)
    return ethernet(macs[1], macs[0], 0x0800, start + struct.pack("!H", checksum(start + b"\0\0" + ends)) + ends + body)


def sctp4(macs: tuple[str, str], addresses: tuple[str, str], packet: bytes) -> bytes:
    return _ipv4(macs, addresses, 132, packet)


SYN, RST, PSH, ACK = 0x02, 0x04, 0x08, 0x10


def syn4(macs: tuple[str, str], addresses: tuple[str, str], ports: tuple[int, int], payload: bytes) -> bytes:
    """payload: of even length; who does not know TCP Fast Open asks for it again."""
    return segment4(macs, addresses, ports, (1, 0), SYN, payload)


def segment4(
    macs: tuple[str, str],
    addresses: tuple[str, str],
    ports: tuple[int, int],
    numbers: tuple[int, int],
    flags: int,
    payload: bytes = b"",
) -> bytes:
    """numbers: its own place in the stream, and what it acknowledges.  payload: of even length."""
    header = struct.pack("!HHIIBBH", *ports, *numbers, 5 << 4, flags, 65535)
    ends = b"".join(IPv4Address(address).packed for address in addresses)
    total = checksum(ends + struct.pack("!HH", 6, 20 + len(payload)) + header + bytes(4) + payload)
    return _ipv4(macs, addresses, 6, header + struct.pack("!HH", total, 0) + payload)


def _ipv6(macs: tuple[str, str], addresses: tuple[str, str], protocol: int, body: bytes) -> bytes:
    source, destination = (IPv6Address(address).packed for address in addresses)
    header = struct.pack("!IHBB", 6 << 28, len(body), protocol, 255) + source + destination
    return ethernet(macs[1], macs[0], 0x86DD, header + body)


def _pseudo_header(addresses: tuple[str, str], length: int, protocol: int) -> bytes:
    source, destination = (IPv6Address(address).packed for address in addresses)
    return source + destination + struct.pack("!II", length, protocol)


def udp6(macs: tuple[str, str], addresses: tuple[str, str], payload: bytes, ports: tuple[int, int] = (9, 9)) -> bytes:
    body = struct.pack("!HHHH", *ports, 8 + len(payload), 0) + payload
    total = checksum(_pseudo_header(addresses, len(body), 17) + body + b"\0" * (len(body) % 2))
    return _ipv6(macs, addresses, 17, body[:6] + struct.pack("!H", total) + body[8:])


def neighbour_advertisement(macs: tuple[str, str], addresses: tuple[str, str], target: str, target_mac: str) -> bytes:
    return icmp6(macs, addresses, 136, b"\x20\0\0\0" + IPv6Address(target).packed + b"\x02\x01" + mac(target_mac))


def icmp6(macs: tuple[str, str], addresses: tuple[str, str], kind: int, content: bytes) -> bytes:
    """content: what comes after the checksum."""
    message = struct.pack("!BBH", kind, 0, 0) + content
    total = checksum(_pseudo_header(addresses, len(message), 58) + message + b"\0" * (len(message) % 2))
    return _ipv6(macs, addresses, 58, message[:2] + struct.pack("!H", total) + message[4:])


def icmp4(macs: tuple[str, str], addresses: tuple[str, str], kind: int, content: bytes, code: int = 0) -> bytes:
    """content: what comes after the checksum."""
    message = struct.pack("!BBH", kind, code, 0) + content
    whole = message[:2] + struct.pack("!H", checksum(message + b"\0" * (len(message) % 2))) + message[4:]
    return _ipv4(macs, addresses, 1, whole)


def with_ttl(frame: bytes, ttl: int) -> bytes:
    """Of IPv4; its header's checksum made again."""
    header = frame[14:22] + bytes((ttl,)) + frame[23:24] + b"\0\0" + frame[26:34]
    return frame[:14] + header[:10] + struct.pack("!H", checksum(header)) + header[12:] + frame[34:]


def with_options(frame: bytes) -> bytes:
    """Of IPv4: four that say nothing."""
    length = int.from_bytes(frame[16:18], "big") + 4
    header = b"\x46" + frame[15:16] + length.to_bytes(2, "big") + frame[18:24] + b"\0\0" + frame[26:34] + b"\x01" * 4
    return frame[:14] + header[:10] + struct.pack("!H", checksum(header)) + header[12:] + frame[34:]


def pieces(frame: bytes, *cuts: int, ident: int = 1) -> list[bytes]:
    """The datagram in this frame as fragments that begin at 0 and at these offsets, which are multiples of 8."""
    build = _piece4 if frame[12:14] == b"\x08\x00" else _piece6
    body = frame[34:] if build is _piece4 else frame[54:]
    ends = (*cuts, len(body))
    return [
        build(frame, body[start:end], start, end < len(body), ident)
        for start, end in zip((0, *cuts), ends, strict=True)
    ]


def every(frame: bytes, size: int, ident: int = 1) -> list[bytes]:
    """In fragments of this size, a multiple of 8, without headers."""
    body = len(frame) - (34 if frame[12:14] == b"\x08\x00" else 54)
    return pieces(frame, *range(size, body, size), ident=ident)


def _piece4(frame: bytes, part: bytes, offset: int, more: bool, ident: int) -> bytes:
    macs, addresses = _macs(frame), (str(IPv4Address(frame[26:30])), str(IPv4Address(frame[30:34])))
    return _ipv4(macs, addresses, frame[23], part, ident, offset >> 3 | (0x2000 if more else 0))


def _piece6(frame: bytes, part: bytes, offset: int, more: bool, ident: int) -> bytes:
    addresses = str(IPv6Address(frame[22:38])), str(IPv6Address(frame[38:54]))
    header = struct.pack("!BBHI", frame[20], 0, offset | more, ident)
    return _ipv6(_macs(frame), addresses, 44, header + part)


def _macs(frame: bytes) -> tuple[str, str]:
    return frame[6:12].hex(":"), frame[:6].hex(":")


def with_destination_options(frame: bytes) -> bytes:
    """An IPv6 frame with 8 bytes of them before what it carries: they do nothing."""
    addresses = str(IPv6Address(frame[22:38])), str(IPv6Address(frame[38:54]))
    return _ipv6(_macs(frame), addresses, 60, bytes((frame[20], 0, 1, 4, 0, 0, 0, 0)) + frame[54:])


def neighbour_solicitation(source_mac: str, source: str, target: str) -> bytes:
    """To the target's group of multicast addresses."""
    last = IPv6Address(target).packed[-3:]
    group = str(IPv6Address(IPv6Address("ff02::1:ff00:0").packed[:-3] + last))
    content = bytes(4) + IPv6Address(target).packed + b"\x01\x01" + mac(source_mac)
    return icmp6((source_mac, f"33:33:ff:{last.hex(':')}"), (source, group), 135, content)


def tag(frame: bytes, control: int, kind: int = 0x8100) -> bytes:
    """control: VLAN, and priority in its upper bits."""
    return frame[:12] + struct.pack("!HH", kind, control) + frame[12:]


def arp(macs: tuple[str, str], operation: int, sender: tuple[str, str], target: tuple[str, str]) -> bytes:
    """macs: of the Ethernet header.  sender, target: (MAC, IP)."""
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation)
    for hardware, address in (sender, target):
        body += mac(hardware) + IPv4Address(address).packed
    return ethernet(macs[1], macs[0], 0x0806, body)


def fence(me: Nic, to: Nic) -> bytes:
    """A frame for which no rule is needed, and that nobody else sends: what comes before it has come.
    No two are alike: one that was given up may still come on a busy machine."""
    return arp((me.mac, to.mac), 2, (me.mac, me.address), (NOBODY, to.address)) + os.urandom(8)
