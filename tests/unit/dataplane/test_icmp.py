"""What a router says: bytes as the RFCs have them, and silence where they ask for it."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netweft.dataplane.packets import icmp
from netweft.dataplane.packets.datagram import IpAddress, checksum, packet, upper_checksum

OWN, THEIRS = bytes.fromhex("fa163e000001"), bytes.fromhex("fa163e000002")
A4, B4, R4 = map(IPv4Address, ("10.0.0.5", "10.0.1.5", "10.0.0.1"))
A6, B6, R6 = map(IPv6Address, ("fd00::5", "fd00:1::5", "fd00::1"))
UDP = bytes.fromhex("1000 2000 0010 0000") + b"payload."


def sent(src: IpAddress, dst: IpAddress, protocol: int = 17, body: bytes = UDP) -> bytes:
    return packet((THEIRS, OWN), (src, dst), protocol, body)


def test_an_error_quotes_what_it_is_about() -> None:
    about = icmp.offending(sent(A4, B4))
    assert about is not None
    assert about[:3] == (A4, B4, 17)
    frame = icmp.error((OWN, THEIRS), R4, about, 11, 0)
    assert (frame[:6], frame[6:12]) == (THEIRS, OWN)
    assert (frame[26:30], frame[30:34]) == (R4.packed, A4.packed)
    assert frame[34:36] == bytes((11, 0))
    assert frame[42:] == sent(A4, B4)[14:]
    assert checksum(frame[34:]) == 0, "a right checksum makes the sum 0"


def test_an_error_in_ipv6() -> None:
    about = icmp.offending(sent(A6, B6))
    assert about is not None
    frame = icmp.error((OWN, THEIRS), R6, about, 2, 0, rest=1280)
    assert frame[54:56] == bytes((2, 0))
    assert frame[58:62] == (1280).to_bytes(4, "big")
    assert frame[62:] == sent(A6, B6)[14:]
    assert upper_checksum(R6, A6, 58, frame[54:]) == 0


@pytest.mark.parametrize(("ends", "most"), [((A4, B4, R4), 576), ((A6, B6, R6), 1280)])
def test_an_error_is_never_long(ends: tuple[IpAddress, IpAddress, IpAddress], most: int) -> None:
    about = icmp.offending(sent(ends[0], ends[1], body=bytes(3000)))
    assert about is not None
    assert len(icmp.error((OWN, THEIRS), ends[2], about, 1, 0)) == 14 + most


@pytest.mark.parametrize(
    "frame",
    [
        sent(A4, B4, 1, bytes((11, 0))),  # about an error
        sent(A4, B4, 1, bytes((3, 3))),
        sent(A6, B6, 58, bytes((1, 0))),
        sent(A6, B6, 58, bytes((127, 0))),
        sent(A6, B6, 0, bytes((58, 0, 0, 0, 0, 0, 0, 0, 1, 0))),  # behind hop-by-hop options
        sent(A6, B6, 44, bytes((17, 0, 0, 8, 0, 0, 0, 1)) + UDP),  # a later fragment
        sent(A4, IPv4Address("224.0.0.5")),
        sent(A6, IPv6Address("ff02::1")),
        sent(IPv4Address("0.0.0.0"), B4),
        sent(IPv4Address("224.0.0.1"), B4),
        sent(IPv4Address("255.255.255.255"), B4),
        sent(IPv4Address("127.0.0.1"), B4),
        sent(IPv6Address("::"), B6),
        sent(IPv6Address("ff02::1"), B6),
        sent(A4, B4)[:30],
        sent(A6, B6, 0, b"")[:54],
        b"",
    ],
)
def test_nothing_is_said_about(frame: bytes) -> None:
    assert icmp.offending(frame) is None


@pytest.mark.parametrize(
    "frame",
    [
        sent(A4, B4, 1, bytes((8, 0))),
        sent(A6, B6, 58, bytes((128, 0))),
        sent(A6, B6, 44, bytes((17, 0, 0, 1, 0, 0, 0, 1)) + UDP),  # a first fragment
        sent(A6, B6, 60, bytes((17, 0, 0, 0, 0, 0, 0, 0)) + UDP),
    ],
)
def test_something_is_said_about(frame: bytes) -> None:
    assert icmp.offending(frame) is not None


def solicitation(src: str, target: str = "fd00::1", hops: int = 255, kind: int = 135, code: int = 0) -> bytes:
    body = bytes((kind, code)) + bytes(6) + IPv6Address(target).packed + bytes((1, 1)) + THEIRS
    return packet((THEIRS, OWN), (IPv6Address(src), R6), 58, body, hops)


def test_an_advertisement_answers_a_solicitation() -> None:
    asked = icmp.solicitation(solicitation("fd00::5"))
    assert asked is not None
    said = icmp.advertisement(OWN, asked)
    assert (said[:6], said[6:12]) == (THEIRS, OWN)
    assert (said[22:38], said[38:54]) == (R6.packed, A6.packed)
    assert said[21] == 255
    assert said[54:56] == bytes((136, 0))
    assert said[58] == 0xE0, "router, solicited, override"
    assert said[62:78] == R6.packed
    assert said[78:] == bytes((2, 1)) + OWN
    assert upper_checksum(R6, A6, 58, said[54:]) == 0


def test_duplicate_address_detection_is_answered_to_all() -> None:
    asked = icmp.solicitation(solicitation("::"))
    assert asked is not None
    said = icmp.advertisement(OWN, asked)
    assert said[:6] == bytes.fromhex("333300000001")
    assert said[38:54] == IPv6Address("ff02::1").packed
    assert said[58] == 0xA0, "not solicited"


@pytest.mark.parametrize(
    "frame",
    [
        solicitation("fd00::5", hops=64),
        solicitation("fd00::5", kind=136),
        solicitation("fd00::5", code=1),
        solicitation("fd00::5")[:70],
        sent(A4, B4, body=bytes(100)),
        b"",
    ],
)
def test_what_is_no_solicitation(frame: bytes) -> None:
    assert icmp.solicitation(frame) is None


@given(st.binary(max_size=120), st.sampled_from([b"\x08\x00", b"\x86\xdd"]), st.binary(max_size=1))
def test_nothing_that_a_vm_sends_is_an_error_of_ours(rest: bytes, eth_type: bytes, first: bytes) -> None:
    frame = OWN + THEIRS + eth_type + (first and bytes((first[0] & 15 | (0x40 if eth_type[0] == 8 else 0x60),))) + rest
    icmp.offending(frame)
    icmp.solicitation(frame)
