"""Frames by hand, for what no decent VM would send."""

import struct
from ipaddress import IPv4Address, IPv6Address

from tests.netns.inside import checksum

from netweft.lab.guest import Nic

BROADCAST = "ff:ff:ff:ff:ff:ff"
NOBODY = "02:00:00:00:00:01"


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def ethernet(destination: str, source: str, kind: int, payload: bytes) -> bytes:
    return mac(destination) + mac(source) + struct.pack("!H", kind) + payload


def udp4(macs: tuple[str, str], addresses: tuple[str, str], payload: bytes) -> bytes:
    """macs and addresses: (source, destination)."""
    source, destination = (IPv4Address(address).packed for address in addresses)
    datagram = struct.pack("!HHHH", 9, 9, 8 + len(payload), 0) + payload
    start = struct.pack("!BBHHHBB", 0x45, 0, 20 + len(datagram), 0, 0, 64, 17)
    header = start + struct.pack("!H", checksum(start + b"\0\0" + source + destination)) + source + destination
    return ethernet(macs[1], macs[0], 0x0800, header + datagram)


def _ipv6(macs: tuple[str, str], addresses: tuple[str, str], protocol: int, body: bytes) -> bytes:
    source, destination = (IPv6Address(address).packed for address in addresses)
    header = struct.pack("!IHBB", 6 << 28, len(body), protocol, 255) + source + destination
    return ethernet(macs[1], macs[0], 0x86DD, header + body)


def _pseudo_header(addresses: tuple[str, str], length: int, protocol: int) -> bytes:
    source, destination = (IPv6Address(address).packed for address in addresses)
    return source + destination + struct.pack("!II", length, protocol)


def udp6(macs: tuple[str, str], addresses: tuple[str, str], payload: bytes) -> bytes:
    body = struct.pack("!HHHH", 9, 9, 8 + len(payload), 0) + payload
    total = checksum(_pseudo_header(addresses, len(body), 17) + body + b"\0" * (len(body) % 2))
    return _ipv6(macs, addresses, 17, body[:6] + struct.pack("!H", total) + body[8:])


def neighbour_advertisement(macs: tuple[str, str], addresses: tuple[str, str], target: str, target_mac: str) -> bytes:
    start = struct.pack("!BBHI", 136, 0, 0, 0x20000000) + IPv6Address(target).packed + b"\x02\x01" + mac(target_mac)
    total = checksum(_pseudo_header(addresses, len(start), 58) + start)
    return _ipv6(macs, addresses, 58, start[:2] + struct.pack("!H", total) + start[4:])


def neighbour_solicitation(source_mac: str, source: str, target: str) -> bytes:
    """To the target's group of multicast addresses."""
    last = IPv6Address(target).packed[-3:]
    group = str(IPv6Address(IPv6Address("ff02::1:ff00:0").packed[:-3] + last))
    start = struct.pack("!BBHI", 135, 0, 0, 0) + IPv6Address(target).packed + b"\x01\x01" + mac(source_mac)
    total = checksum(_pseudo_header((source, group), len(start), 58) + start)
    macs = (source_mac, f"33:33:ff:{last.hex(':')}")
    return _ipv6(macs, (source, group), 58, start[:2] + struct.pack("!H", total) + start[4:])


def arp(macs: tuple[str, str], operation: int, sender: tuple[str, str], target: tuple[str, str]) -> bytes:
    """macs: of the Ethernet header.  sender, target: (MAC, IP)."""
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation)
    for hardware, address in (sender, target):
        body += mac(hardware) + IPv4Address(address).packed
    return ethernet(macs[1], macs[0], 0x0806, body)


def fence(me: Nic, to: Nic) -> bytes:
    """A frame for which no rule is needed, and that nobody else sends: what comes before it has come."""
    return arp((me.mac, to.mac), 2, (me.mac, me.address), (NOBODY, to.address))
