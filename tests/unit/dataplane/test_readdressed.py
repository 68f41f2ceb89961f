"""Other addresses outside and inside of ICMP errors: what was right stays right, what makes no sense is none."""

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netweft.dataplane.packets import icmp
from netweft.dataplane.packets.datagram import checksum, packet, upper_checksum
from netweft.dataplane.packets.readdressed import End, Ports, error, ports, readdressed, with_ends

OWN, THEIRS = bytes.fromhex("fa163e000001"), bytes.fromhex("fa163e000002")
VM, FLOATING, THERE, HOP = map(IPv4Address, ("10.0.0.5", "203.0.113.50", "198.51.100.7", "198.51.100.1"))
PORTS = bytes.fromhex("1388 0035")

addresses = st.integers(1, 2**32 - 1).map(IPv4Address)
optional = st.none() | addresses
ends = st.none() | st.builds(End, addresses, st.none() | st.integers(0, 65535))


def upper(protocol: int, src: IPv4Address, dst: IPv4Address, payload: bytes) -> bytes:
    """With a right checksum; of UDP and TCP, else as it is."""
    if protocol == 17:
        bare = PORTS + (8 + len(payload)).to_bytes(2, "big") + b"\0\0" + payload
        return bare[:6] + (upper_checksum(src, dst, 17, bare) or 0xFFFF).to_bytes(2, "big") + bare[8:]
    if protocol == 6:
        bare = PORTS + bytes(8) + bytes((5 << 4, 0x18, 32, 0, 0, 0, 0, 0)) + payload
        return bare[:16] + upper_checksum(src, dst, 6, bare).to_bytes(2, "big") + bare[18:]
    return payload


def about(src: IPv4Address, dst: IPv4Address, protocol: int = 17, payload: bytes = b"netweft!") -> bytes:
    return packet((OWN, THEIRS), (src, dst), protocol, upper(protocol, src, dst, payload))


def made(frame: bytes, sender: IPv4Address = HOP, kind: int = 3, rest: int = 0) -> bytes:
    found = icmp.offending(frame)
    assert found is not None
    return icmp.error((THEIRS, OWN), sender, found, kind, 4 if kind == 3 else 0, rest)


def all_right(frame: bytes, *, whole: bool) -> None:
    """All four checksums.  whole: what is quoted is all of it."""
    quoted = frame[42:]
    assert checksum(frame[14:34]) == 0
    assert checksum(frame[34:]) == 0
    assert checksum(quoted[:20]) == 0
    if whole and quoted[9] in (6, 17):
        ends = IPv4Address(quoted[12:16]), IPv4Address(quoted[16:20])
        assert upper_checksum(*ends, quoted[9], quoted[20:]) == 0


def test_in_by_a_floating_ip() -> None:
    found = error(made(about(FLOATING, THERE), kind=3, rest=1300))
    assert found is not None
    assert (found.src, found.dst, found.quoted_src, found.quoted_dst) == (HOP, FLOATING, FLOATING, THERE)
    frame = with_ends(found, dst=VM, quoted_src=End(VM))
    assert frame[:26] + frame[34:36] == found.frame[:24] + frame[24:26] + found.frame[34:36]
    assert frame[40:42] == (1300).to_bytes(2, "big"), "the MTU"
    again = error(frame)
    assert again is not None
    assert (again.src, again.dst, again.quoted_src, again.quoted_dst) == (HOP, VM, VM, THERE)
    assert frame[42:] == about(VM, THERE)[14:], "as the VM sent it"
    all_right(frame, whole=True)


@given(
    addresses,
    addresses,
    optional,
    optional,
    ends,
    ends,
    st.sampled_from([1, 6, 17, 47]),
    st.binary(max_size=700),
)
def test_what_was_right_stays_right(
    src: IPv4Address,
    dst: IPv4Address,
    new_src: IPv4Address | None,
    new_dst: IPv4Address | None,
    quoted_src: End | None,
    quoted_dst: End | None,
    protocol: int,
    payload: bytes,
) -> None:
    frame = packet((OWN, THEIRS), (src, dst), protocol, upper(protocol, src, dst, payload))
    quoted = frame[14 : 14 + 548]
    body = icmp.message((THEIRS, OWN), (HOP, src), 11, 0, 0, quoted)
    found = error(body)
    assert found is not None
    changed = with_ends(found, src=new_src, dst=new_dst, quoted_src=quoted_src, quoted_dst=quoted_dst)
    again = error(changed)
    assert again is not None
    assert again.src == (new_src or HOP)
    assert again.dst == (new_dst or src)
    assert again.quoted_src == (quoted_src.address if quoted_src else src)
    assert again.quoted_dst == (quoted_dst.address if quoted_dst else dst)
    assert len(changed) == len(body)
    all_right(changed, whole=len(frame) - 14 <= 548)


@given(st.binary(min_size=2, max_size=2).filter(any), addresses)
def test_what_was_wrong_stays_wrong(bits: bytes, new: IPv4Address) -> None:
    frame = bytearray(made(about(FLOATING, THERE)))
    frame[36:38] = (int.from_bytes(frame[36:38], "big") ^ int.from_bytes(bits, "big")).to_bytes(2, "big")
    before = checksum(bytes(frame[34:]))
    found = error(bytes(frame))
    assert found is not None
    after = checksum(with_ends(found, dst=new, quoted_src=End(new))[34:])
    assert (before in (0, 0xFFFF)) == (after in (0, 0xFFFF))


def test_a_datagram_without_a_checksum_has_none_after_it() -> None:
    frame = about(FLOATING, THERE)
    bare = frame[:40] + b"\0\0" + frame[42:]
    changed = readdressed(bare[14:], src=End(VM, 7))
    assert changed[26:28] == b"\0\0"


def test_of_a_later_fragment_only_the_header() -> None:
    frame = about(FLOATING, THERE)[14:]
    later = frame[:6] + (185).to_bytes(2, "big") + frame[8:]
    assert readdressed(later, src=End(VM, 7))[20:] == frame[20:]
    assert ports(later) is None


@given(st.sampled_from([1, 6, 17, 47, 132]), st.integers(0, 700), st.booleans())
def test_ports_of_what_has_them(protocol: int, cut: int, source: bool) -> None:
    """As much of it as there is."""
    frame = about(FLOATING, THERE, protocol, b"netweft!" if protocol in (6, 17) else PORTS + b"netweft!")
    quoted = frame[14 : 14 + cut]
    there = ports(quoted)
    has = protocol in (6, 17, 132) and len(quoted) >= 24
    assert there == (Ports(protocol, 5000, 53) if has else None)
    if len(quoted) >= 20:
        changed = readdressed(quoted, **{"src" if source else "dst": End(VM, 9999)})
        expected = Ports(protocol, 9999, 53) if source else Ports(protocol, 5000, 9999)
        assert ports(changed) == (expected if has else None)
        assert len(changed) == len(quoted)


WHOLE = made(about(FLOATING, THERE))


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        WHOLE[:33],
        WHOLE[:41],
        WHOLE[:42],
        WHOLE[:61],
        about(VM, THERE),
        WHOLE[:12] + b"\x86\xdd" + WHOLE[14:],
        WHOLE[:14] + b"\x65" + WHOLE[15:],  # version 6
        WHOLE[:14] + b"\x44" + WHOLE[15:],  # a header that is too short
        WHOLE[:14] + b"\x4f" + WHOLE[15:],  # one that is longer than what is there
        WHOLE[:16] + b"\xff\xff" + WHOLE[18:],  # it says that it is longer
        WHOLE[:16] + b"\x00\x00" + WHOLE[18:],  # and shorter
        WHOLE[:16] + b"\x00\x1c" + WHOLE[18:],  # nothing is quoted
        WHOLE[:16] + b"\x00\x2f" + WHOLE[18:],  # a header is quoted but for its last byte
        WHOLE[:20] + b"\x20\x00" + WHOLE[22:],  # a fragment
        WHOLE[:20] + b"\x00\x01" + WHOLE[22:],
        WHOLE[:23] + b"\x11" + WHOLE[24:],
        WHOLE[:34] + b"\x08" + WHOLE[35:],  # an echo
        WHOLE[:42] + b"\x65" + WHOLE[43:],  # about another version
        WHOLE[:42] + b"\x4f" + WHOLE[43:],
    ],
)
def test_what_makes_no_sense(frame: bytes) -> None:
    assert error(frame) is None


@given(st.binary(max_size=120), st.integers(0, len(WHOLE)), st.integers(0, 255), st.integers(0, len(WHOLE) - 1))
def test_nothing_hostile_breaks_it(noise: bytes, cut: int, byte: int, at: int) -> None:
    """Noise, ends cut off, bytes changed: none, or one that can be written anew with nothing else changed."""
    bent = WHOLE[:at] + bytes((byte,)) + WHOLE[at + 1 :]
    for frame in (noise, WHOLE[:14] + noise, WHOLE[:42] + noise, WHOLE[:cut], bent, bent[:cut]):
        found = error(frame)
        if found is not None:
            changed = with_ends(found, src=VM, dst=VM, quoted_src=End(VM, 7), quoted_dst=End(VM))
            assert len(changed) == len(frame)
            again = error(changed)
            assert again is not None
            assert (again.src, again.dst, again.quoted_src, again.quoted_dst) == (VM,) * 4
            assert (changed[:24], changed[34:36]) == (frame[:24], frame[34:36])
