"""What a firewall says of a packet that it rejects, as bytes."""

from ipaddress import ip_address
from struct import pack, unpack_from

import pytest

from netweft.dataplane.packets.datagram import Datagram, IpAddress, checksum, encode, packet
from netweft.services.security.rejections import rejection

MACS = (bytes.fromhex("fa163e000001"), bytes.fromhex("fa163e000002"))
ENDS: dict[int, tuple[IpAddress, IpAddress]] = {
    4: (ip_address("10.0.0.1"), ip_address("10.0.0.2")),
    6: (ip_address("fd00::1"), ip_address("fd00::2")),
}
START = {4: 34, 6: 54}
SYN, ACK, RST, FIN = 2, 16, 4, 1


def segment(version: int, flags: int, data: bytes = b"", *, to: bytes = MACS[1]) -> bytes:
    header = pack("!HHIIBBHHH", 1000, 80, 0xFFFFFFFF, 77, 5 << 4, flags, 1000, 0, 0)
    return packet((MACS[0], to), ENDS[version], 6, header + data)


@pytest.mark.parametrize("version", [4, 6])
def test_a_syn_is_reset_as_if_nobody_listened(version: int) -> None:
    said = rejection(segment(version, SYN))
    assert said is not None
    assert (said[:6], said[6:12]) == MACS
    assert said[26:30] == ENDS[4][1].packed if version == 4 else said[22:38] == ENDS[6][1].packed
    sport, dport, sequence, acknowledged, _, flags = unpack_from("!HHIIBB", said, START[version])
    assert (sport, dport, sequence, acknowledged, flags) == (80, 1000, 0, 0, RST | ACK)


@pytest.mark.parametrize(("data", "flags", "then"), [(b"", ACK, 77), (b"xyz", ACK | FIN, 77)])
def test_what_acknowledges_is_reset_where_it_expects_it(data: bytes, flags: int, then: int) -> None:
    said = rejection(segment(4, flags, data))
    assert said is not None
    assert unpack_from("!HHIIBB", said, START[4])[2:] == (then, 0, 5 << 4, RST)


@pytest.mark.parametrize(("version", "kind", "code"), [(4, 3, 13), (6, 1, 1)])
def test_anything_else_is_prohibited(version: int, kind: int, code: int) -> None:
    src, dst = ENDS[version]
    asks = encode(Datagram(eth_src=MACS[0], eth_dst=MACS[1], src=src, dst=dst, sport=1, dport=2, payload=b"x"))
    said = rejection(asks)
    assert said is not None
    assert said[START[version] : START[version] + 2] == bytes((kind, code))
    assert said.endswith(asks[14:])
    assert version == 6 or checksum(said[START[4] :]) == 0


def test_nothing_is_said_about_resets_errors_groups_or_nonsense() -> None:
    assert rejection(segment(4, RST)) is None
    assert rejection(segment(4, RST | ACK)) is None
    assert rejection(segment(4, SYN, to=bytes.fromhex("01005e000001"))) is None
    error = packet(MACS, ENDS[4], 1, bytes((3, 1)) + bytes(6))
    assert rejection(error) is None
    assert rejection(segment(4, SYN)[:40]) is None
    assert rejection(MACS[0] * 2 + b"\x08\x00") is None
    later = bytearray(segment(4, SYN))
    later[20:22] = b"\x00\x10"
    assert rejection(bytes(later)) is None
