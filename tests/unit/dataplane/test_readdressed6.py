"""Another destination in an IPv6 packet that is quoted: what was right stays right."""

from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netweft.dataplane.packets import icmp
from netweft.dataplane.packets.datagram import packet, upper_checksum
from netweft.dataplane.packets.readdressed6 import End, error, readdressed, unfragmented, with_ends

MACS = bytes.fromhex("fa163e000001"), bytes.fromhex("fa163e000002")
THERE, VM, GATEWAY, HOP = map(IPv6Address, ("2001:db8:9::1", "fd00:50::5", "2001:db8::20", "2001:db8:8::1"))
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
    assert readdressed(quoted(protocol, bare), dst=End(GATEWAY)) == quoted(protocol, bare, GATEWAY)


def test_behind_other_headers() -> None:
    whole = quoted(17, UDP)
    options = bytes((FRAGMENT, 0)) + bytes(6)
    first = bytes((17, 0, 0, 1)) + bytes(4)
    at = whole[:6] + b"\0" + whole[7:HEADER] + options + first + whole[HEADER:]
    changed = readdressed(at, dst=End(GATEWAY))
    assert changed[HEADER + 16 :] == quoted(17, UDP, GATEWAY)[HEADER:]
    assert changed[24:HEADER] == GATEWAY.packed


def test_of_a_later_fragment_only_the_address() -> None:
    whole = quoted(17, UDP)
    later = whole[:6] + bytes((FRAGMENT,)) + whole[7:HEADER] + bytes((17, 0, 0, 8)) + bytes(4) + whole[HEADER:]
    assert readdressed(later, End(VM, 7), End(GATEWAY, 9))[HEADER:] == later[HEADER:]


def made(about: bytes, rest: int = 1300) -> bytes:
    """A "packet too big" of HOP's, to the gateway."""
    return icmp.message(MACS, (HOP, GATEWAY), 2, 0, rest, about)


def ends(frame: bytes) -> list[str]:
    found = error(frame)
    assert found is not None
    assert upper_checksum(found.src, found.dst, 58, frame[54:]) == 0
    return [str(one) for one in (found.src, found.dst, found.quoted_src, found.quoted_dst)]


@pytest.mark.parametrize(("protocol", "bare"), [(17, UDP), (6, TCP), (58, ECHO)])
@pytest.mark.parametrize("cut", [None, 45])
def test_an_error_finds_back(protocol: int, bare: bytes, cut: int | None) -> None:
    """As much of what is quoted as there is; the MTU is what it was."""
    asked, translated = (_quoted_from(protocol, bare, one)[:cut] for one in (VM, GATEWAY))
    found = error(made(translated))
    assert found is not None
    frame = with_ends(found, dst=VM, quoted_src=End(VM))
    assert ends(frame) == [str(HOP), str(VM), str(VM), str(THERE)]
    assert frame[62:] == asked
    assert frame[58:62] == (1300).to_bytes(4, "big")


def _quoted_from(protocol: int, bare: bytes, src: IPv6Address) -> bytes:
    at = SUMS[protocol]
    right = upper_checksum(src, THERE, protocol, bare) or 0xFFFF
    return packet(MACS, (src, THERE), protocol, bare[:at] + right.to_bytes(2, "big") + bare[at + 2 :])[14:]


@pytest.mark.parametrize("payload", [b"netweft!", b"netweft"])
@pytest.mark.parametrize("options", [b"", bytes((FRAGMENT, 0)) + bytes(6)])
def test_about_a_fragment_as_about_the_whole(payload: bytes, options: bytes) -> None:
    whole = quoted(17, UDP[:8] + payload)
    first = bytes((17, 0, 0, 1)) + bytes(4)
    kind = b"\0" if options else bytes((FRAGMENT,))
    found = error(made(whole[:6] + kind + whole[7:HEADER] + options + first + whole[HEADER:]))
    assert found is not None
    frame = unfragmented(found)
    assert frame is not None
    assert ends(frame)[2:] == [str(THERE), str(VM)]
    left = bytes((17,)) + options[1:] if options else b""
    assert frame[62:] == whole[:6] + (b"\0" if options else b"\x11") + whole[7:HEADER] + left + whole[HEADER:]
    again = error(frame)
    assert again is not None
    assert unfragmented(again) is None


def test_what_was_wrong_stays_wrong() -> None:
    frame = bytearray(made(quoted(17, UDP)))
    frame[56] ^= 1
    found = error(bytes(frame))
    assert found is not None
    changed = with_ends(found, src=THERE, quoted_src=End(VM))
    assert upper_checksum(THERE, GATEWAY, 58, changed[54:]) != 0


WHOLE = made(quoted(17, UDP))


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        WHOLE[:101],  # what is quoted has no whole header
        WHOLE[:12] + b"\x08\x00" + WHOLE[14:],
        WHOLE[:14] + b"\x45" + WHOLE[15:],
        WHOLE[:18] + b"\xff\xff" + WHOLE[20:],  # it says that it is longer
        WHOLE[:18] + b"\x00\x2f" + WHOLE[20:],
        WHOLE[:20] + b"\x11" + WHOLE[21:],
        WHOLE[:54] + b"\x80" + WHOLE[55:],  # an echo
        WHOLE[:62] + b"\x45" + WHOLE[63:],
    ],
)
def test_what_makes_no_sense(frame: bytes) -> None:
    assert error(frame) is None


@given(st.binary(max_size=120), st.integers(0, len(WHOLE)), st.integers(0, 255), st.integers(0, len(WHOLE) - 1))
def test_no_hostile_error_breaks_it(noise: bytes, cut: int, byte: int, at: int) -> None:
    bent = WHOLE[:at] + bytes((byte,)) + WHOLE[at + 1 :]
    for frame in (noise, WHOLE[:14] + noise, WHOLE[:62] + noise, WHOLE[:cut], bent, bent[:cut]):
        found = error(frame)
        if found is not None:
            changed = with_ends(found, src=VM, dst=VM, quoted_src=End(VM, 7), quoted_dst=End(VM, 8))
            again = error(changed)
            assert again is not None
            assert (len(changed), changed[:22]) == (len(frame), frame[:22])
            assert {again.src, again.dst, again.quoted_src, again.quoted_dst} == {VM}
            assert len(unfragmented(found) or frame) in (len(frame), len(frame) - 8)


@given(st.binary(max_size=90), st.integers(0, 60))
def test_nothing_hostile_breaks_it(noise: bytes, cut: int) -> None:
    whole = quoted(6, TCP)
    for one in (noise, b"\x60" + noise, whole[:cut], whole[:HEADER] + noise, whole[:6] + noise):
        assert len(readdressed(one, End(VM, 7), End(GATEWAY, 9))) == len(one)
