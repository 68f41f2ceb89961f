"""Packets that probes send, and what is wrong with one that came out."""

from ipaddress import IPv4Address, ip_address
from typing import Final, NamedTuple

from netweft.dataplane.packets import datagram, icmp
from netweft.dataplane.packets.datagram import Datagram, IpAddress, checksum, packet, upper_checksum

ONE, TWO = bytes.fromhex("020000000a01"), bytes.fromhex("020000000a02")
_IP: Final = {4: 20, 6: 40}
_ENDS: Final = {4: (12, 16, 20), 6: (8, 24, 40)}


class Ends(NamedTuple):
    """Where a packet comes from and goes to, with its ports."""

    src: str
    sport: int
    dst: str
    dport: int

    @property
    def back(self) -> "Ends":
        return Ends(self.dst, self.dport, self.src, self.sport)

    @property
    def addresses(self) -> tuple[IpAddress, IpAddress]:
        return ip_address(self.src), ip_address(self.dst)


def udp(ends: Ends, payload: bytes = b"netweft!") -> bytes:
    src, dst = ends.addresses
    return datagram.encode(
        Datagram(eth_src=ONE, eth_dst=TWO, src=src, dst=dst, sport=ends.sport, dport=ends.dport, payload=payload)
    )


def tcp(ends: Ends, flags: int, sequence: int = 1, of: int = 1) -> bytes:
    fields = (ends.sport << 16 | ends.dport).to_bytes(4, "big") + sequence.to_bytes(4, "big") + of.to_bytes(4, "big")
    rest = bytes((5 << 4, flags, 0x20, 0, 0, 0, 0, 0))
    total = upper_checksum(*ends.addresses, 6, fields + rest)
    return packet((ONE, TWO), ends.addresses, 6, fields + rest[:4] + total.to_bytes(2, "big") + rest[6:])


def echo(src: str, dst: str, id: int, *, reply: bool = False) -> bytes:
    ends = ip_address(src), ip_address(dst)
    return packet((ONE, TWO), ends, 1, datagram.echo(ends, id, 0 if reply else 8))


def error(frm: str, about: bytes, *, least: bool = False) -> bytes:
    """ "Port unreachable" to whoever sent the frame.  least: it quotes no more than it must, 8 bytes above IP."""
    found = icmp.offending(about)
    assert found is not None
    if least:
        found = found._replace(quoted=found.quoted[: _IP[found.src.version] + 8])
    kind, code = (3, 3) if found.src.version == 4 else (1, 4)
    return icmp.error((ONE, TWO), ip_address(frm), found, kind, code)


def too_big(frm: str, about: bytes, mtu: int) -> bytes:
    """Likewise "packet too big", in IPv6."""
    found = icmp.offending(about)
    assert found is not None
    return icmp.error((ONE, TWO), ip_address(frm), found, 2, 0, mtu)


def mtu_of(frame: bytes) -> int:
    return int.from_bytes(frame[58:62], "big")


def ends_of(packet: bytes) -> Ends:
    """Of a packet from its IP header on; its ports, or ICMP's identifier as both."""
    version = packet[0] >> 4
    at, to, end = _ENDS[version]
    upper = packet[_IP[version] :]
    ports = [int.from_bytes(upper[place : place + 2], "big") for place in (0, 2)]
    if packet[9 if version == 4 else 6] in (1, 58):
        ports = [int.from_bytes(upper[4:6], "big")] * 2
    return Ends(str(ip_address(packet[at:to])), ports[0], str(ip_address(packet[to:end])), ports[1])


def faults_of_error(frame: bytes, outer: tuple[str, str], inner: Ends) -> list[str]:
    """What is wrong with this ICMP error: each thing in a few words."""
    whole = frame[14:]
    version = whole[0] >> 4
    body = whole[_IP[version] :]
    quoted = body[8:]
    there = ends_of(whole), ends_of(quoted)
    faults = [
        *(["the outer source"] if there[0].src != outer[0] else ()),
        *(["the outer destination"] if there[0].dst != outer[1] else ()),
        *(f"the inner {name}" for name, one, other in zip(_NAMES, there[1], inner, strict=True) if one != other),
    ]
    ends = there[0].addresses
    if (checksum(body) if version == 4 else upper_checksum(*ends, 58, body)) not in (0, 0xFFFF):
        faults.append("the ICMP checksum")
    if version == 4 and checksum(whole[:20]) not in (0, 0xFFFF):
        faults.append("the outer header's checksum")
    if version == 4 and checksum(quoted[:20]) not in (0, 0xFFFF):
        faults.append("the inner header's checksum")
    protocol, upper = quoted[9 if version == 4 else 6], quoted[_IP[version] :]
    if len(upper) > 8 and protocol != 1 and upper_checksum(*there[1].addresses, protocol, upper) not in (0, 0xFFFF):
        faults.append("the checksum of what is inside")
    return faults


_NAMES: Final = ("source", "source port", "destination", "destination port")


def address_of(frame: bytes) -> str:
    """Whom an IPv4 frame is for."""
    return str(IPv4Address(frame[30:34]))
