"""Another destination in an IPv6 packet that is quoted: what was right stays right."""

from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netweft.dataplane.packets.datagram import packet, upper_checksum
from netweft.dataplane.packets.readdressed6 import with_destination

MACS = bytes.fromhex("fa163e000001"), bytes.fromhex("fa163e000002")
THERE, VM, GATEWAY = map(IPv6Address, ("2001:db8:9::1", "fd00:50::5", "2001:db8::20"))
HEADER = 40
FRAGMENT = 44
UDP = bytes.fromhex("0035 1388 0010 0000") + b"netweft!"
TCP = bytes.fromhex("0035 1388") + bytes(8) + bytes((5 << 4, 0x18, 32, 0, 0, 0, 0, 0)) + b"netweft!"
ECHO = bytes.fromhex("8100 0000 1234 0001") + b"netweft!"
SUMS = {17: 6, 6: 16, 58: 2}


def quoted(protocol: int, bare: bytes, dst: IPv6Address = VM) -> bytes:
    at = SUMS[protocol]
    right = upper_checksum(THERE, dst, protocol, bare) or 0xFFFF
    return packet(MACS, (THERE, dst), protocol, bare[:at] + right.to_bytes(2, "big") + bare[at + 2 :])[14:]


@pytest.mark.parametrize(("protocol", "bare"), [(17, UDP), (6, TCP), (58, ECHO)])
def test_as_it_was_sent(protocol: int, bare: bytes) -> None:
    assert with_destination(quoted(protocol, bare), GATEWAY) == quoted(protocol, bare, GATEWAY)


def test_behind_other_headers() -> None:
    whole = quoted(17, UDP)
    options = bytes((FRAGMENT, 0)) + bytes(6)
    first = bytes((17, 0, 0, 1)) + bytes(4)
    at = whole[:6] + b"\0" + whole[7:HEADER] + options + first + whole[HEADER:]
    changed = with_destination(at, GATEWAY)
    assert changed[HEADER + 16 :] == quoted(17, UDP, GATEWAY)[HEADER:]
    assert changed[24:HEADER] == GATEWAY.packed


def test_of_a_later_fragment_only_the_address() -> None:
    whole = quoted(17, UDP)
    later = whole[:6] + bytes((FRAGMENT,)) + whole[7:HEADER] + bytes((17, 0, 0, 8)) + bytes(4) + whole[HEADER:]
    assert with_destination(later, GATEWAY)[HEADER:] == later[HEADER:]


@given(st.binary(max_size=90), st.integers(0, 60))
def test_nothing_hostile_breaks_it(noise: bytes, cut: int) -> None:
    whole = quoted(6, TCP)
    for one in (noise, b"\x60" + noise, whole[:cut], whole[:HEADER] + noise, whole[:6] + noise):
        assert len(with_destination(one, GATEWAY)) == len(one)
