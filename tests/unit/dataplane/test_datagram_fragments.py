"""A datagram that is cut is the same when it is put together."""

import pytest

from netweft.dataplane.packets.datagram import checksum, packet
from netweft.dataplane.packets.fragments import cut
from netweft.services.addresses import parsed

MACS = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
ENDS = {4: ("10.0.0.1", "10.0.0.2"), 6: ("fd00::1", "fd00::2")}
HEADERS = {4: 20, 6: 48}
BODY = bytes(range(256)) * 20


def whole(version: int, body: bytes = BODY) -> bytes:
    src, dst = map(parsed, ENDS[version])
    return packet(MACS, (src, dst), 1 if version == 4 else 58, body)


@pytest.mark.parametrize("mtu", [1280, 1450, 1500, 5119])
def test_ipv4(mtu: int) -> None:
    frame, together = whole(4), b""
    for piece in cut(frame, mtu):
        header, more = piece[14:34], len(together) + len(piece) - 34 < len(BODY)
        assert (piece[:14], header[8:10], header[12:20]) == (frame[:14], frame[22:24], frame[26:34])
        assert int.from_bytes(header[6:8], "big") == len(together) // 8 | (0x2000 if more else 0)
        assert int.from_bytes(header[2:4], "big") == len(piece) - 14 <= mtu
        assert checksum(header) == 0
        together += piece[34:]
    assert together == BODY


@pytest.mark.parametrize("mtu", [1280, 1450, 1500, 5119])
def test_ipv6(mtu: int) -> None:
    frame, together, ids = whole(6), b"", set()
    for piece in cut(frame, mtu):
        more = len(together) + len(piece) - 62 < len(BODY)
        assert (piece[:18], piece[20:21], piece[21:54]) == (frame[:18], b"\x2c", frame[21:54])
        assert int.from_bytes(piece[18:20], "big") == len(piece) - 54 <= mtu - 40
        assert (piece[54], int.from_bytes(piece[56:58], "big")) == (58, len(together) | more)
        ids.add(piece[58:62])
        together += piece[62:]
    assert (together, len(ids)) == (BODY, 1)


@pytest.mark.parametrize("version", [4, 6])
def test_what_fits_stays_as_it_is(version: int) -> None:
    frame = whole(version, BODY[:1000])
    assert list(cut(frame, 1280)) == [frame]


def test_what_has_more_headers_is_not_cut() -> None:
    """Nor what says that it is longer than it is cut from beyond its end."""
    with_options = whole(4)[:14] + b"\x46" + whole(4)[15:]
    assert list(cut(with_options, 1500)) == []
    another = bytearray(whole(6))
    another[20] = 43
    assert list(cut(bytes(another), 1500)) == []
    assert list(cut(b"", 1500)) == [b""]
