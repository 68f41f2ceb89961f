"""STT's packets as they are on the wire: read and written by the functions that carry them."""

import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.dataplane.stt.carried import (
    BAD_CHECKSUM,
    CE_DROPPED,
    IPV4,
    IS_BUILT,
    MALFORMED,
    NO_MEMORY,
    NOT_OURS,
    OTHER_VERSION,
    OVERLAP,
    PARTIAL,
    TCP,
    WAITS,
    WHOLE,
    Reader,
    checksum,
    cut,
    header,
    packet,
    with_congestion,
    written,
)

is_built = pytest.mark.skipif(not IS_BUILT, reason="STT's library is not built")
MACS = bytes.fromhex("fa163e000002fa163e000001")
KEY = 0x0123456789ABCDEF


def ip(protocol: int, payload: bytes, *, ecn: int = 0) -> bytes:
    bare = struct.pack("!BBHHHBBH8s", 0x45, ecn, 20 + len(payload), 7, 0x4000, 64, protocol, 0, bytes(range(8)))
    return bare[:10] + struct.pack("!H", ~checksum(bare) & 0xFFFF) + bare[12:] + payload


PING = MACS + b"\x08\x00" + ip(1, b"\x08\0\xf7\xff\0\0\0\0" + bytes(60))
LARGE = (
    MACS + b"\x08\x00" + ip(6, struct.pack("!HHIIBBHHH", 1024, 80, 9, 5, 0x50, 0x10, 512, 0x1234, 0) + bytes(30_000))
)
OFFLOADED = {"flags": PARTIAL | IPV4 | TCP, "l4_offset": 34, "mss": 1374, "vlan": 0x1005}


def test_it_is_built_where_there_is_a_compiler() -> None:
    if not shutil.which("gcc"):
        pytest.skip("there is no compiler")
    assert IS_BUILT, "run scripts/install.sh test"


@is_built
@pytest.mark.parametrize("ends", [{}, {"src": "2001:db8::2", "dst": "2001:db8::1"}], ids=["IPv4", "IPv6"])
def test_what_open_vswitch_sent_is_read(ends: dict[str, str]) -> None:
    reader = Reader()
    verdict, frame, inside = reader.take(packet(header(KEY) + PING, **ends))  # type: ignore[arg-type]
    assert (verdict, inside) == (WHOLE, PING)
    assert frame is not None and (frame.key, frame.flags, frame.mss, frame.vlan) == (KEY, 0, 0, 0)
    offloaded = header(KEY, flags=PARTIAL | IPV4 | TCP, l4_offset=34, mss=1374, vlan=0x1005) + LARGE
    *first, last = [reader.take(one) for one in cut(offloaded, 1406)]
    assert {one[0] for one in first} == {WAITS}
    verdict, frame, inside = last
    assert (verdict, inside) == (WHOLE, LARGE)
    assert frame is not None
    assert (frame.flags, frame.l4_offset, frame.mss, frame.vlan) == (PARTIAL | IPV4 | TCP, 34, 1374, 0x1005)
    assert reader.waiting_bytes == 0
    reader.close()


@is_built
@pytest.mark.parametrize("ends", [("192.0.2.2", "192.0.2.1"), ("2001:db8::2", "2001:db8::1")], ids=["IPv4", "IPv6"])
def test_what_is_sent_is_what_open_vswitch_would_send(ends: tuple[str, str]) -> None:
    """But for what a NIC fills in: the checksum of what looks like TCP, and IPv6's flow label."""
    for frame, said in ((PING, dict[str, int]()), (LARGE, OFFLOADED)):
        ours = bytearray(written(frame, KEY, ends, said, tos=0x28, frame_id=77))
        theirs = bytearray(packet(header(KEY, **said) + frame, src=ends[0], dst=ends[1], tos=0x28, frame_id=77))
        at = 20 if ":" not in ends[0] else 40
        for one in (ours, theirs):
            one[at + 16 : at + 18] = b"\0\0"
            if at == 40:
                one[1:4] = bytes([one[1] & 0xF0, 0, 0])
        assert ours == theirs


@is_built
def test_wireshark_reads_what_is_sent(tmp_path: Path) -> None:
    if not (tshark := shutil.which("tshark")):
        pytest.skip("there is no tshark")
    said = {"flags": PARTIAL | IPV4 | TCP, "l4_offset": 34, "mss": 1374}
    four, six = ("192.0.2.2", "192.0.2.1"), ("2001:db8::2", "2001:db8::1")
    frames = [written(PING, KEY, four, {}), written(PING, 5, six, {}), written(LARGE[:1400], 7, four, said)]
    capture = tmp_path / "stt.pcap"
    records = (struct.pack("=IIII", 0, 0, len(one), len(one)) + one for one in frames)
    capture.write_bytes(struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101) + b"".join(records))
    fields = ("context_id", "flags", "mss", "seg_off", "pkt_len", "version")
    names = (*(f"stt.{field}" for field in fields), "eth.dst", "icmp.type")
    words = [word for name in names for word in ("-e", name)]
    first_of_all = ("-o", "ip.try_heuristic_first:TRUE", "-o", "ipv6.try_heuristic_first:TRUE")  # before TCP
    said_of_them = subprocess.run(
        (tshark, "-r", str(capture), *first_of_all, "-T", "fields", *words), capture_output=True, text=True, check=True
    ).stdout
    first, second, third = (line.split("\t") for line in said_of_them.splitlines())
    assert [int(first[0], 0), int(second[0], 0), int(third[0], 0)] == [KEY, 5, 7]
    for one in (first, second):
        assert [*map(int, one[3:6], (10, 10, 10)), *one[6:]] == [0, 18 + len(PING), 0, "fa:16:3e:00:00:02", "8"]
    assert (int(third[1], 0), third[2], third[6]) == (said["flags"], "1374", "fa:16:3e:00:00:02")


@is_built
@pytest.mark.parametrize(
    ("wrong", "verdict"),
    [
        (packet(header(1) + PING, port=7472), NOT_OURS),
        (packet(header(1) + PING, flags=0x02), NOT_OURS),
        (packet(header(1) + PING, flags=0x14), NOT_OURS),
        (packet(header(1) + PING)[:-1] + b"\xff", BAD_CHECKSUM),
        (packet(header(1) + PING)[:-1], MALFORMED),
        (packet(header(1, version=1) + PING), OTHER_VERSION),
        (packet(header(1) + PING[:13]), MALFORMED),
        (packet(header(1) + PING, total=100, offset=90), MALFORMED),
        (packet(header(1, flags=PARTIAL | TCP, l4_offset=255) + PING), MALFORMED),
        (packet(header(1, flags=PARTIAL | TCP, l4_offset=10) + PING), MALFORMED),
        (packet(header(1, flags=PARTIAL | TCP | IPV4, l4_offset=34, mss=1) + LARGE), MALFORMED),
        (packet(header(1) + PING)[:20], NOT_OURS),
        (b"", NOT_OURS),
    ],
)
def test_what_is_wrong_is_dropped_for_what_it_is(wrong: bytes, verdict: int) -> None:
    reader = Reader()
    assert reader.take(wrong)[0] == verdict
    reader.close()


@is_built
def test_padding_of_short_packets_is_not_the_frames() -> None:
    reader = Reader()
    assert reader.take(packet(header(1) + PING) + bytes(6))[2] == PING
    reader.close()


WHOLE_FRAME = header(3) + LARGE[:9000]


@is_built
@given(
    mss=st.integers(64, 9000),
    order=st.randoms(use_true_random=False),
    lost=st.booleans(),
    again=st.integers(0, 3),
    shift=st.integers(-63, 63),
)
def test_segments_become_the_frame_in_any_order(mss: int, order: object, lost: bool, again: int, shift: int) -> None:
    """Duplicates, and what overlaps with other bytes, change nothing; what is lost keeps it from being whole."""
    packets = cut(WHOLE_FRAME, mss)
    gone = packets.pop(len(packets) // 2) if lost else None
    order.shuffle(packets)  # type: ignore[attr-defined]
    reader = Reader()
    at = max(1, (len(WHOLE_FRAME) // 3) + shift)
    hostile = packet(b"x" * 100, total=len(WHOLE_FRAME), offset=min(at, len(WHOLE_FRAME) - 100))
    frames = reader.take_all(packets[:1])
    if not (lost or len(packets) == 1) and frames == []:
        repeated = packets[:1] * again
        assert {reader.take(one)[0] for one in repeated} <= {OVERLAP}
    frames += reader.take_all(packets[1:])
    assert frames == ([] if (lost and len(packets) > 0) or not packets else [WHOLE_FRAME[18:]])
    if gone is not None and packets:
        whole = reader.take_all([gone])
        assert whole == [WHOLE_FRAME[18:]]
        assert reader.waiting_bytes == 0
    reader.take(hostile)
    reader.close()


@is_built
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 40), st.binary(min_size=1, max_size=1)), max_size=40))
def test_whatever_overlaps_each_byte_is_the_first_that_came(pieces: list[tuple[int, int, bytes]]) -> None:
    """total: 80, of which all but the last byte of each piece may be there already."""
    total, reader = 80, Reader()
    have: dict[int, bytes] = {}
    for offset, length, fill in pieces:
        end = min(offset + length, total)
        data = fill * (end - offset)
        verdict, _, inside = reader.take(packet(data, total=total, offset=offset))
        if any(at in have for at in range(offset, end)):
            assert verdict == OVERLAP
            continue
        have |= dict.fromkeys(range(offset, end), fill)
        if len(have) == total:
            expected = b"".join(have[at] for at in range(total))
            assert inside == (expected[18:] if verdict == WHOLE else b"")
            have.clear()
            break
    reader.close()


@is_built
@given(st.binary(max_size=200), st.integers(0, 150), st.binary(max_size=60))
def test_whatever_comes_nothing_breaks(noise: bytes, at: int, more: bytes) -> None:
    reader = Reader(most_bytes=2**18)
    good = packet(header(KEY, flags=PARTIAL | IPV4 | TCP, l4_offset=34, mss=1374) + LARGE[:1400])
    for wrong in (noise, good[:at] + more + good[at + len(more) :], good[:at]):
        for checked in (False, True):
            reader.take(wrong, checked=checked)
    assert reader.waiting_bytes <= 2**18
    reader.close()


@is_built
def test_who_sends_first_segments_only_loses_its_own() -> None:
    reader = Reader(most_bytes=2**20)
    mine = cut(WHOLE_FRAME, 1400, frame_id=1)
    assert reader.take_all(mine[:-1]) == []
    for number in range(2000):
        verdict, *_ = reader.take(packet(bytes(1400), total=65_000, frame_id=number, src="192.0.2.66"))
        assert verdict in (WAITS, NO_MEMORY)
        assert reader.waiting_bytes <= 2**20
    assert reader.waiting_bytes <= 2**18 + 2**15  # a quarter, and mine
    assert reader.counters.no_memory > 1900
    assert reader.take_all(mine[-1:]) == [WHOLE_FRAME[18:]]
    reader.close()


@is_built
def test_beginnings_of_many_small_frames_are_few() -> None:
    """Each packet may have to walk by all of them."""
    reader = Reader(most_bytes=2**20)
    for number in range(1000):
        reader.take(packet(bytes(33), total=40, frame_id=number, src="192.0.2.66"))
    assert reader.counters.no_memory == 1000 - 2**20 // 4 // 2048
    reader.close()


@is_built
def test_a_frame_of_many_holes_is_given_up() -> None:
    reader = Reader()
    verdicts = {reader.take(packet(b"x", total=60_000, offset=at * 2))[0] for at in range(100)}
    assert verdicts == {WAITS, NO_MEMORY}
    reader.close()


@is_built
def test_the_rest_that_does_not_come_is_not_waited_for() -> None:
    reader = Reader(expire_ms=1000)
    first, *rest = cut(WHOLE_FRAME, 1400)
    assert reader.take(first, now_ms=5000)[0] == WAITS
    assert reader.take(packet(header(1) + PING, frame_id=9), now_ms=6001)[0] == WHOLE
    assert (reader.counters.expired, reader.waiting_bytes) == (1, 0)
    assert reader.take_all(rest, now_ms=6001) == []
    reader.close()


@is_built
def test_congestion_on_the_underlay_is_passed_on() -> None:
    """RFC 6040, by the marks of any segment; IPv4's checksum stays right."""
    reader = Reader()
    packets = [packet(one[40:], total=9018, offset=at * 1400, tos=3 if at == 2 else 2) for at, one in
               enumerate(cut(WHOLE_FRAME, 1400))]  # fmt: skip
    frames = [frame for _, frame, _ in map(reader.take, packets) if frame]
    assert [frame.ecn for frame in frames] == [3]
    reader.close()
    able = MACS + b"\x08\x00" + ip(17, bytes(8), ecn=2)
    verdict, told = with_congestion(able, 3)
    assert (verdict, told[15], checksum(told[14:34])) == (WHOLE, 3, 0xFFFF)
    assert with_congestion(PING, 3)[0] == CE_DROPPED
    assert with_congestion(PING, 2) == (WHOLE, PING)
    six = MACS + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28 | 1 << 20, 8, 17, 64) + bytes(40)
    assert with_congestion(six, 3)[1][14:16] == struct.pack("!H", 0x6030)
    assert with_congestion(MACS + b"\x08\x06" + bytes(28), 3)[0] == WHOLE
