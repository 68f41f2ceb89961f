"""The C library of this folder, by ctypes: the interpreter's lock is let go during each call."""

import ctypes
import ipaddress
from collections.abc import Iterable
from typing import Any, Final

from netweft.dataplane.stt import built
from netweft.dataplane.stt.values import DROPS, SttNetwork

_VLANS: Final = 4096
COUNTERS: Final = (
    *(
        "sent_frames",
        "sent_bytes",
        "merged_segments",
        "merged_acks",
        "received_frames",
        "received_bytes",
        "received_segments",
    ),
    *DROPS,
)


class NotBuilt(Exception):
    """There is no library; the message says why."""


class Address(ctypes.Structure):
    _fields_ = (("bytes", ctypes.c_uint8 * 16),)


class Peer(ctypes.Structure):
    _fields_ = (
        ("address", Address),
        ("own", Address),
        ("mac", ctypes.c_uint8 * 6),
        ("own_mac", ctypes.c_uint8 * 6),
        ("tag", ctypes.c_uint16),
        ("mtu", ctypes.c_uint16),
        ("interface", ctypes.c_int32),
        ("next", ctypes.c_int32),
    )


class Counters(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in COUNTERS)

    def values(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in COUNTERS}


class Link(ctypes.Structure):
    _fields_ = (
        ("inner", ctypes.c_int),
        ("outer", ctypes.c_int),
        ("tables", ctypes.c_void_p),
        ("counters", ctypes.POINTER(Counters)),
        ("own", Address),
        ("dscp", ctypes.c_int32),
        ("stop", ctypes.c_int32),
        ("most_bytes", ctypes.c_uint64),
        ("expire_ms", ctypes.c_uint32),
        ("overlay", ctypes.c_int32),
    )


def library() -> ctypes.CDLL:
    """Raises NotBuilt."""
    found = built.library()
    if found is None:
        raise NotBuilt(built.MISSING)
    try:
        loaded = ctypes.CDLL(str(found))
    except OSError as error:
        raise NotBuilt(f"STT's library cannot be loaded: {error}") from None
    loaded.stt_tables_new.restype = ctypes.c_void_p
    loaded.stt_tables_free.argtypes = (ctypes.c_void_p,)
    loaded.stt_tables_put.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int32)
    for loop in (loaded.stt_to_peers, loaded.stt_from_peers):
        loop.argtypes = (ctypes.POINTER(Link),)
    return loaded


def address(text: str) -> Address:
    """Raises ValueError."""
    found = ipaddress.ip_address(text)
    packed = found.packed if found.version == 6 else b"\0" * 10 + b"\xff\xff" + found.packed
    return Address((ctypes.c_uint8 * 16)(*packed))


class Tables:
    """Networks and peers, as both loops read them."""

    def __init__(self, loaded: ctypes.CDLL) -> None:
        self._library = loaded
        self.pointer = loaded.stt_tables_new()
        if not self.pointer:
            raise MemoryError

    def put(self, networks: Iterable[SttNetwork], peers: Iterable[Peer]) -> None:
        keys: Any = (ctypes.c_uint64 * _VLANS)()
        for network in networks:
            keys[network.vlan] = network.key
        listed = list(peers)
        array = (Peer * len(listed))(*listed)
        if self._library.stt_tables_put(self.pointer, keys, array, len(listed)):
            raise MemoryError
