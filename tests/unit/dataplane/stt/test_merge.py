"""What a carrier makes one of several packets of, and what it must not: merge.c, by packets made by hand."""

import ctypes
import random
import struct
from ipaddress import ip_address
from typing import Any

import pytest
from tests.unit.dataplane.stt.carried import IS_BUILT, checksum

from netweft.dataplane.stt import native

pytestmark = pytest.mark.skipif(not IS_BUILT, reason="STT's library is not built")
STAMPED = bytes.fromhex("0101080a 000003e8 000007d0")
LATER = bytes.fromhex("0101080a 000003e9 000007d1")
SELECTIVE = STAMPED + bytes.fromhex("0101050a 00001388 00001770")
MACS = bytes.fromhex("fa163e000002 fa163e000001")
FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))


def tcp(
    version: int = 4,
    payload: bytes = b"",
    *,
    sport: int = 40000,
    seq: int = 1,
    ack: int = 1,
    flags: int = ACK,
    window: int = 500,
    options: bytes = STAMPED,
    damage: int = 0,
    tos: int = 0,
    ttl: int = 64,
    fragment: int = 0x4000,
    last: int = 2,
    ip_damage: int = 0,
) -> bytes:
    """damage, ip_damage: what the checksums are wrong by.  last: byte of the destination's address."""
    ends = [ip_address(f"10.0.0.{one}" if version == 4 else f"fd::{one}").packed for one in (1, last)]
    size = 20 + len(options)
    head = struct.pack("!HHIIBBHHH", sport, 5201, seq, ack, size << 2, flags, window, 0, 0) + options
    length = len(head) + len(payload)
    pseudo = b"".join(ends) + struct.pack("!IHH", length, 0, 6)
    summed = (~checksum(pseudo + head + payload) & 0xFFFF) ^ damage
    segment = head[:16] + struct.pack("!H", summed) + head[18:] + payload
    if version == 6:
        return MACS + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28 | tos << 20, length, 6, ttl) + b"".join(ends) + segment
    below = struct.pack("!BBHHHBBH", 0x45, tos, 20 + length, 1, fragment, ttl, 6, 0) + b"".join(ends)
    summed = (~checksum(below) & 0xFFFF) ^ ip_damage
    return MACS + b"\x08\0" + below[:10] + struct.pack("!H", summed) + below[12:] + segment


class Layers(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_uint16) for name in ("l3", "l4", "type")),
        *((name, ctypes.c_uint8) for name in ("protocol", "tos")),
        ("hash", ctypes.c_uint32),
    )


class Part(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), ("length", ctypes.c_uint32))


class Sent(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_uint16) for name in ("slot", "local", "vlan", "header_length")),
        ("header", ctypes.c_uint8 * 192),
        *((name, ctypes.c_uint32) for name in ("length", "payload_each", "next_sequence")),
        *((name, ctypes.c_int) for name in ("parts", "closed", "pushed", "acks")),
        ("layers", Layers),
        ("part", Part * 64),
        *((name, ctypes.c_uint8) for name in ("flags", "gso_type")),
        *((name, ctypes.c_uint16) for name in ("hdr_len", "gso_size", "csum_start", "csum_offset")),
    )


class Merging:
    """As to_peers.c does it, with one flow."""

    def __init__(self) -> None:
        self._c = c = native.library()
        self._kept: list[Any] = []
        self.sent = Sent()
        c.stt_dissect.restype = None

    def dissect(self, frame: bytes) -> tuple[Any, Layers]:
        self._kept.append(room := ctypes.create_string_buffer(frame, len(frame)))
        layers = Layers()
        self._c.stt_dissect(room, ctypes.c_size_t(len(frame)), ctypes.byref(layers))
        return room, layers

    def ask(self, name: str, frame: bytes) -> bool:
        room, layers = self.dissect(frame)
        return bool(getattr(self._c, name)(room, ctypes.c_size_t(len(frame)), ctypes.byref(layers)))

    def begin(self, frame: bytes) -> None:
        room, layers = self.dissect(frame)
        length = ctypes.c_size_t(len(frame))
        if self.ask("stt_is_ack", frame):
            self._c.stt_begin_ack(ctypes.byref(self.sent), room, length, ctypes.byref(layers))
        else:
            self._c.stt_begin(ctypes.byref(self.sent), room, length, ctypes.byref(layers), 1)

    def joins(self, frame: bytes) -> bool:
        """Of the same flow, and merged with what waits."""
        room, layers = self.dissect(frame)
        if not self._c.stt_same_flow(ctypes.byref(self.sent), room, ctypes.byref(layers)):
            return False
        name = "stt_merge_ack" if self.sent.acks else "stt_merge"
        if not self.ask("stt_is_ack" if self.sent.acks else "stt_is_mergeable", frame):
            return False
        length = ctypes.c_size_t(len(frame))
        return bool(getattr(self._c, name)(ctypes.byref(self.sent), room, length, ctypes.byref(layers)))

    def frame(self) -> bytes:
        parts = (ctypes.string_at(one.data, one.length) for one in self.sent.part[: self.sent.parts] if one.length)
        return bytes(self.sent.header[: self.sent.header_length]) + b"".join(parts)


@pytest.mark.parametrize("version", [4, 6])
def test_of_acknowledgements_the_last_one_is_sent_as_it_came(version: int) -> None:
    merging, last = Merging(), tcp(version, ack=9001, window=400, options=LATER)
    merging.begin(tcp(version, ack=3001))
    assert merging.joins(tcp(version, ack=6001)) and merging.joins(last)
    assert (merging.frame(), merging.sent.acks) == (last, 3)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    "next_one",
    [
        {"ack": 1001},  # the same once more: fast retransmit counts them
        {"ack": 999},
        {"ack": 2**31 + 1001},  # so far ahead is behind
        {"ack": 2001, "seq": 2},
        *({"ack": 2001, "flags": ACK | flag} for flag in (FIN, SYN, RST, PSH, URG, ECE, CWR)),
        {"ack": 2001, "flags": 0},
        {"ack": 2001, "options": SELECTIVE},
        {"ack": 2001, "options": b""},
        {"ack": 2001, "payload": b"x"},
        {"ack": 2001, "sport": 40001},
        {"ack": 2001, "damage": 1},
        {"ack": 2001, "tos": 3},
        {"ack": 2001, "ttl": 63},
        {"ack": 2001, "last": 3},
    ],
    ids=str,
)
def test_what_says_something_else_is_sent_too(version: int, next_one: dict[str, Any]) -> None:
    merging, first = Merging(), tcp(version, ack=1001)
    merging.begin(first)
    assert not merging.joins(tcp(version, **next_one))
    assert (merging.frame(), merging.sent.acks) == (first, 1)


@pytest.mark.parametrize("next_one", [{"fragment": 0x2000}, {"fragment": 0}, {"ip_damage": 1}], ids=str)
def test_what_is_not_right_of_ipv4_is_sent_too(next_one: dict[str, Any]) -> None:
    merging = Merging()
    merging.begin(tcp(ack=1001))
    assert not merging.joins(tcp(ack=2001, **next_one))


def test_acknowledgements_go_round() -> None:
    merging = Merging()
    merging.begin(tcp(ack=2**32 - 10))
    assert merging.joins(tcp(ack=500))


def test_one_stands_for_a_few_at_most() -> None:
    merging = Merging()
    merging.begin(tcp(ack=1))
    assert [merging.joins(tcp(ack=1 + 1000 * number)) for number in range(1, 18)] == [True] * 15 + [False] * 2


@pytest.mark.parametrize("version", [4, 6])
def test_segments_in_order_become_one_that_is_cut_into_the_same(version: int) -> None:
    merging, size = Merging(), 1000
    said = bytes(random.Random(1).randbytes(3 * size - 300))
    merging.begin(tcp(version, said[:size], seq=7))
    assert merging.joins(tcp(version, said[size : 2 * size], seq=7 + size))
    assert not merging.joins(tcp(version, said[size : 2 * size], seq=7 + size))  # a duplicate
    assert not merging.joins(tcp(version, said[2 * size :], seq=7 + 2 * size, ack=2))
    assert merging.joins(tcp(version, said[2 * size :], seq=7 + 2 * size))
    assert not merging.joins(tcp(version, b"x", seq=7 + len(said)))  # one shorter than the others is the last
    merging._c.stt_finish(ctypes.byref(merging.sent))
    whole, at = merging.frame(), 34 if version == 4 else 54
    assert whole[at + 32 :] == said
    assert (whole[at + 4 : at + 8], merging.sent.gso_size, merging.sent.csum_offset) == (struct.pack("!I", 7), size, 16)
    if version == 4:
        assert struct.unpack("!H", whole[16:18]) == (20 + 32 + len(said),)
        assert checksum(whole[14:34]) == 0xFFFF
    else:
        assert struct.unpack("!H", whole[18:20]) == (32 + len(said),)


@pytest.mark.parametrize("version", [4, 6])
def test_what_was_pushed_is_merged_with_what_follows(version: int) -> None:
    """PSH is no border of a record (RFC 9293, 3.9.1.2): the last segment has it if any had."""
    merging, size = Merging(), 1000
    merging.begin(tcp(version, bytes(size), flags=ACK | PSH))
    assert merging.joins(tcp(version, bytes(size), seq=1 + size)) and not merging.sent.pushed
    assert merging.joins(tcp(version, bytes(size), seq=1 + 2 * size, flags=ACK | PSH)) and merging.sent.pushed
    assert merging.joins(tcp(version, bytes(size), seq=1 + 3 * size))
    merging._c.stt_finish(ctypes.byref(merging.sent))
    assert merging.frame()[(34 if version == 4 else 54) + 13] == ACK | PSH
    assert len(merging.frame()) == len(tcp(version)) + 4 * size


def test_what_is_no_plain_tcp_is_never_touched() -> None:
    merging = Merging()
    for frame in (b"", bytes(13), bytes(64), tcp()[:23] + b"\x11" + tcp()[24:], tcp()[:-5], tcp() + b"\0"):
        assert not merging.ask("stt_is_ack", frame) and not merging.ask("stt_is_mergeable", frame)


def test_garbage_is_looked_at_within_its_bounds() -> None:
    """Any byte of it may be anything, and any length: nothing is read behind it."""
    merging, some = Merging(), random.Random(2)
    for start in (tcp(), tcp(6), tcp(payload=b"x" * 40), tcp(options=SELECTIVE)):
        for _ in range(500):
            frame = bytearray(start)
            for _ in range(some.randint(1, 4)):
                frame[some.randrange(12, len(frame))] = some.randrange(256)
            cut = bytes(frame[: some.randint(14, len(frame))])
            merging.begin(start)
            merging.joins(cut)
