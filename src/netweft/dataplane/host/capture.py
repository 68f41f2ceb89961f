"""Real packets as they pass interfaces, for a while, by packet sockets with a filter in the kernel.  Changes nothing.

Metered: so many a second are read; what is more waits in a small buffer, and is counted when that is full.  When the
process ends, whatever way, the kernel closes the sockets: there is nothing left to remove.
"""

import asyncio
import contextlib
import ctypes
import socket
import struct
import time
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

_ETH_P_ALL, _SO_ATTACH_FILTER, _SO_TIMESTAMPNS, _SOL_PACKET = 0x0003, 26, 35, 263
_STATISTICS, _AUXDATA, _OUTGOING = 6, 8, 4
_TAGGED: Final = 0x10  # TP_STATUS_VLAN_VALID
_AUX, _MOMENT = struct.Struct("IIIHHHH"), struct.Struct("qq")
_BUFFER: Final = 128 * 1024
PER_SECOND: Final = 200  # packets, of all its interfaces
TURN: Final = 0.1  # seconds
_AT_ONCE: Final = 16  # others have their turn
_ASIDE: Final = socket.CMSG_SPACE(_AUX.size) + socket.CMSG_SPACE(_MOMENT.size)


class Raw(NamedTuple):
    """outgoing: it is sent there.  tag: the VLAN that was taken off its data; None: none was.  length: of all of it.
    at: when the kernel saw it, in seconds since the epoch."""

    interface: str
    outgoing: bool
    tag: int | None
    length: int
    data: bytes
    at: float


class Capture:
    """filter: see `bpf.program`.  keep: bytes of a packet at most.  take: is given each packet."""

    def __init__(self, filter: bytes, keep: int, take: Callable[[Raw], None]) -> None:
        self._filter, self._keep, self._take = filter, keep, take
        self._loop = asyncio.get_running_loop()
        self._sockets: dict[str, socket.socket] = {}
        self._left, self._pause = PER_SECOND * TURN, self._loop.call_later(TURN, self._turn)
        self._lost = 0

    @property
    def interfaces(self) -> tuple[str, ...]:
        return tuple(self._sockets)

    def look_at(self, names: Iterable[str]) -> None:
        """At these and no others.  What is not there is left out.  Raises OSError where none may be opened."""
        wanted = dict.fromkeys(names)
        for name in self._sockets.keys() - wanted:
            self._close(name)
        for name in wanted:
            if name not in self._sockets and (found := self._opened(name)) is not None:
                self._sockets[name] = found
                self._loop.add_reader(found, self._read, name)

    def drain(self) -> None:
        """Takes what has passed by now, as far as the meter goes."""
        for name in list(self._sockets):
            if self._left > 0:
                self._read(name)

    def lost(self) -> int:
        """How many packets were not looked at, since it began."""
        self._lost += sum(map(_dropped, self._sockets.values()))
        return self._lost

    def close(self) -> None:
        self._pause.cancel()
        for name in list(self._sockets):
            self._close(name)

    def _opened(self, name: str) -> socket.socket | None:
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        try:
            code = ctypes.create_string_buffer(self._filter, len(self._filter))
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            raw.setsockopt(_SOL_PACKET, _AUXDATA, 1)
            raw.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            program = struct.pack("HL", len(self._filter) // 8, ctypes.addressof(code))
            raw.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
            raw.setblocking(False)
            raw.bind((name, _ETH_P_ALL))
        except (OSError, ValueError):  # nothing of that name, or no name
            raw.close()
            return None
        return raw

    def _close(self, name: str) -> None:
        found = self._sockets.pop(name)
        self._loop.remove_reader(found)
        self._lost += _dropped(found)
        found.close()

    def _turn(self) -> None:
        if self._left <= 0:
            for name, found in self._sockets.items():
                self._loop.add_reader(found, self._read, name)
        self._left = PER_SECOND * TURN
        self._pause = self._loop.call_later(TURN, self._turn)

    def _read(self, name: str) -> None:
        found = self._sockets[name]
        for _ in range(_AT_ONCE):
            try:
                data, ancillary, _, address = found.recvmsg(self._keep, _ASIDE)
            except BlockingIOError:
                return
            except OSError:  # the interface has gone; it may come again
                self._close(name)
                return
            self._left -= 1
            self._take(_raw(name, data, ancillary, outgoing=address[2] == _OUTGOING))
        if self._left <= 0:
            for each in self._sockets.values():
                self._loop.remove_reader(each)


def _raw(name: str, data: bytes, ancillary: Iterable[tuple[int, int, bytes]], *, outgoing: bool) -> Raw:
    length, tag, at = len(data), None, 0.0
    for level, kind, said in ancillary:
        if (level, kind) == (_SOL_PACKET, _AUXDATA) and len(said) >= _AUX.size:
            status, length, _, _, _, tci, _ = _AUX.unpack_from(said)
            tag = tci & 0xFFF if status & _TAGGED else None
        elif (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS) and len(said) >= _MOMENT.size:
            seconds, nanoseconds = _MOMENT.unpack_from(said)
            at = seconds + nanoseconds / 1e9
    return Raw(name, outgoing, tag, length, data, at or time.time())


def _dropped(raw: socket.socket) -> int:
    """Since the last call."""
    with contextlib.suppress(OSError):
        return int(struct.unpack("II", raw.getsockopt(_SOL_PACKET, _STATISTICS, 8))[1])
    return 0
