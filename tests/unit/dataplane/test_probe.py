"""Probes: packets of each protocol that a stack takes for what they are, with their mark in them."""

from ipaddress import IPv4Address, IPv6Address
from struct import unpack_from

import pytest

from netweft.dataplane.openflow.fields import PROTO_ICMP, PROTO_ICMPV6, PROTO_TCP, PROTO_UDP
from netweft.dataplane.packets.datagram import IpAddress, checksum, decode, upper_checksum
from netweft.dataplane.packets.probe import probe, reset

MARK = bytes(range(64))
MACS = (bytes.fromhex("fa163e000001"), bytes.fromhex("fa163e000002"))
FOUR: tuple[IpAddress, IpAddress] = (IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2"))
SIX: tuple[IpAddress, IpAddress] = (IPv6Address("fd00::1"), IPv6Address("fd00::2"))


@pytest.mark.parametrize("ends", [FOUR, SIX], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("protocol", [PROTO_TCP, PROTO_UDP, PROTO_ICMP, PROTO_ICMPV6])
def test_its_checksum_is_right(ends: tuple[IpAddress, IpAddress], protocol: int) -> None:
    if (protocol, ends[0].version) in ((PROTO_ICMP, 6), (PROTO_ICMPV6, 4)):
        return
    ports = (8 if protocol == PROTO_ICMP else 128, 0) if protocol in (PROTO_ICMP, PROTO_ICMPV6) else (49152, 443)
    frame = probe(MACS, ends, protocol, ports, MARK)
    assert frame.endswith(MARK)
    assert frame[:12] == MACS[1] + MACS[0]
    body = frame[34 if ends[0].version == 4 else 54 :]
    assert (checksum(body) if protocol == PROTO_ICMP else upper_checksum(*ends, protocol, body)) == 0
    if protocol == PROTO_UDP:
        datagram = decode(frame)
        assert datagram is not None
        assert (datagram.sport, datagram.dport, datagram.payload) == (49152, 443, MARK)
    if protocol == PROTO_TCP:
        assert unpack_from("!HH", body) == (49152, 443)
        assert body[13] == 0x02, "SYN and nothing else"


@pytest.mark.parametrize("ends", [FOUR, SIX], ids=["IPv4", "IPv6"])
def test_a_connection_that_it_began_is_ended(ends: tuple[IpAddress, IpAddress]) -> None:
    began, frame = (
        probe(MACS, ends, PROTO_TCP, (49152, 443), b"\xff" * 64),
        reset(MACS, ends, (49152, 443), b"\xff" * 64),
    )
    body, before = (one[34 if ends[0].version == 4 else 54 :] for one in (frame, began))
    assert (unpack_from("!I", before, 4)[0], unpack_from("!I", body, 4)[0]) == (2**32 - 1, 64), "behind its data"
    assert (body[13], upper_checksum(*ends, PROTO_TCP, body)) == (0x04, 0)
