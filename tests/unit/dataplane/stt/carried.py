"""STT's packets made by hand, as Open vSwitch 2.17 sent them, and the C functions that read and write them.

The builder shares nothing with what it judges: it follows the draft (draft-davie-stt-08) and what is known of that
Open vSwitch.
"""

import ctypes
import struct
from collections.abc import Iterable, Mapping
from ipaddress import ip_address

from netweft.dataplane.stt import built, native
from netweft.dataplane.stt.native import Address

IS_BUILT = built.library() is not None
SOURCE_PORT = 0xD431
VERIFIED, PARTIAL, IPV4, TCP = 1, 2, 4, 8
WAITS, WHOLE = 0, 1
NOT_OURS, MALFORMED, BAD_CHECKSUM, OVERLAP, NO_MEMORY, OTHER_VERSION, CE_DROPPED = range(-1, -8, -1)


class Segment(ctypes.Structure):
    _fields_ = (
        ("source", Address),
        ("destination", Address),
        ("frame_id", ctypes.c_uint32),
        ("total", ctypes.c_uint16),
        ("offset", ctypes.c_uint16),
        ("length", ctypes.c_uint16),
        ("source_port", ctypes.c_uint16),
        ("ecn", ctypes.c_uint8),
        ("payload", ctypes.c_void_p),
    )


class Frame(ctypes.Structure):
    _fields_ = (
        ("key", ctypes.c_uint64),
        ("mss", ctypes.c_uint16),
        ("vlan", ctypes.c_uint16),
        ("flags", ctypes.c_uint8),
        ("l4_offset", ctypes.c_uint8),
        ("ecn", ctypes.c_uint8),
        ("length", ctypes.c_uint32),
        ("data", ctypes.c_void_p),
    )


def checksum(data: bytes) -> int:
    """RFC 1071, not complemented."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    return total % 0xFFFF or 0xFFFF if total else 0


def header(key: int, *, flags: int = 0, l4_offset: int = 0, mss: int = 0, vlan: int = 0, version: int = 0) -> bytes:
    return struct.pack("!BBBBHHQxx", version, flags, l4_offset, 0, mss, vlan, key)


def packet(
    payload: bytes,
    *,
    total: int = 0,
    offset: int = 0,
    frame_id: int = 1,
    src: str = "192.0.2.2",
    dst: str = "192.0.2.1",
    tos: int = 0,
    port: int = 7471,
    flags: int = 0x18,
    sport: int = SOURCE_PORT,
) -> bytes:
    """From the IP header on, with both checksums.  payload: this segment's, with STT's header in the first one."""
    ends = ip_address(src).packed + ip_address(dst).packed
    sequence = (total or len(payload)) << 16 | offset
    tcp = struct.pack("!HHIIBBHHH", sport, port, sequence, frame_id, 5 << 4, flags, 0xFFFF, 0, 0)
    length = 20 + len(payload)
    pseudo = ends + (struct.pack("!IHH", length, 0, 6) if ":" in src else struct.pack("!HH", 6, length))
    tcp = tcp[:16] + struct.pack("!H", ~checksum(pseudo + tcp + payload) & 0xFFFF) + tcp[18:]
    if ":" in src:
        return struct.pack("!IHBB", 6 << 28 | tos << 20, 20 + len(payload), 6, 64) + ends + tcp + payload
    ip = struct.pack("!BBHHHBBH", 0x45, tos, 40 + len(payload), 0, 0x4000, 64, 6, 0) + ends
    return ip[:10] + struct.pack("!H", ~checksum(ip) & 0xFFFF) + ip[12:] + tcp + payload


def cut(whole: bytes, mss: int, **more: int) -> list[bytes]:
    """A frame with its header as packets, in order."""
    return [packet(whole[at : at + mss], total=len(whole), offset=at, **more) for at in range(0, len(whole), mss)]  # type: ignore[arg-type]


class Reader:
    """What receives packets, but for the sockets."""

    def __init__(self, most_bytes: int = 2**20, expire_ms: int = 1000) -> None:
        self._c = c = native.library()
        c.stt_reassembly_new.restype = c.stt_reassembly_bytes.restype = ctypes.c_void_p
        c.stt_reassembly_new.argtypes = (ctypes.c_size_t, ctypes.c_uint32, ctypes.c_void_p)
        c.stt_parse.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_void_p)
        c.stt_reassemble.argtypes = (
            ctypes.c_void_p,
            ctypes.c_void_p,
            ctypes.c_uint64,
            ctypes.c_void_p,
            ctypes.c_void_p,
        )
        c.stt_parse_frame.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint8, ctypes.c_void_p)
        for release in (c.stt_release, c.stt_reassembly_free, c.stt_reassembly_bytes):
            release.argtypes = (ctypes.c_void_p,)
        self.counters = native.Counters()
        self._all = c.stt_reassembly_new(most_bytes, expire_ms, ctypes.addressof(self.counters))

    def take(self, data: bytes, *, now_ms: int = 0, checked: bool = False) -> tuple[int, Frame | None, bytes]:
        """The verdict; of a whole frame what its header says, and itself."""
        segment, frame, start, ecn = Segment(), Frame(), ctypes.c_void_p(), ctypes.c_uint8()
        verdict = self._c.stt_parse(data, len(data), checked, ctypes.byref(segment))
        if verdict == WHOLE:
            verdict = self._c.stt_reassemble(
                self._all, ctypes.byref(segment), now_ms, ctypes.byref(start), ctypes.byref(ecn)
            )
        if verdict == WHOLE:
            verdict = self._c.stt_parse_frame(start, segment.total, ecn, ctypes.byref(frame))
        inside = ctypes.string_at(frame.data, frame.length) if verdict == WHOLE else b""
        self._c.stt_release(self._all)
        return verdict, frame if verdict == WHOLE else None, inside

    def take_all(self, packets: Iterable[bytes], *, now_ms: int = 0) -> list[bytes]:
        """The frames that became whole."""
        return [inside for _, frame, inside in (self.take(one, now_ms=now_ms) for one in packets) if frame]

    @property
    def waiting_bytes(self) -> int:
        return int(self._c.stt_reassembly_bytes(self._all) or 0)

    def close(self) -> None:
        self._c.stt_reassembly_free(self._all)


def written(
    frame: bytes, key: int, ends: tuple[str, str], said: Mapping[str, int], *, tos: int = 0, frame_id: int = 1
) -> bytes:
    """What is sent: all in one packet.  Its TCP-like checksum is of the pseudo header only, as for a NIC.  said: of
    STT's header, as `header` has it."""
    c = native.library()
    c.stt_write_outer.restype = ctypes.c_size_t
    c.stt_write_outer.argtypes = (
        *(ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint16, ctypes.c_uint8, ctypes.c_uint32),
        ctypes.c_void_p,
    )
    head, room = Frame(key=key, length=len(frame), **said), ctypes.create_string_buffer(128)
    source, target = map(native.address, ends)
    found = ctypes.byref(source), ctypes.byref(target)
    length = c.stt_write_outer(room, *found, SOURCE_PORT, tos, frame_id, ctypes.byref(head))
    return room.raw[:length] + frame


def with_congestion(frame: bytes, outer: int) -> tuple[int, bytes]:
    """The inner frame once the outer header's ECN bits are taken off: RFC 6040."""
    c = native.library()
    c.stt_decapsulate_ecn.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint8)
    room = ctypes.create_string_buffer(frame, len(frame))
    return c.stt_decapsulate_ecn(room, len(frame), outer), room.raw
