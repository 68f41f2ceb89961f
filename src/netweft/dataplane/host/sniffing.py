"""Which interfaces a frame with a certain mark in it passes, in or out, while one looks.  Changes nothing.

The kernel hands over frames of about that length only, so that a busy interface costs little."""

import asyncio
import contextlib
import ctypes
import socket
import struct
from collections.abc import Iterable, Iterator

_ETH_P_ALL, _SO_ATTACH_FILTER = 0x0003, 26
_LEN, _JGE, _JGT, _RET = 0x80, 0x35, 0x25, 0x06  # BPF: ld len, jumps, return
MORE = 128  # bytes that tunnels and tags put around it
_FRAME = 2048


class Sniffer:
    """A context manager.  seen: names, in the order in which the frame was first seen there."""

    def __init__(self, interfaces: Iterable[str], mark: bytes, length: int) -> None:
        self._names, self._mark, self._length = list(dict.fromkeys(interfaces)), mark, length
        self._sockets: dict[socket.socket, str] = {}
        self.seen: list[str] = []
        self._more = asyncio.Event()

    def __enter__(self) -> "Sniffer":
        """Raises OSError where that is not allowed; an interface that is not there is left out."""
        loop = asyncio.get_running_loop()
        for name in self._names:
            with self._opened(name) as found:
                if found is not None:
                    self._sockets[found] = name
                    loop.add_reader(found, self._read, found)
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._sockets:
            asyncio.get_running_loop().remove_reader(each)
            each.close()
        self._sockets.clear()

    async def until(self, interfaces: Iterable[str], seconds: float) -> None:
        """It was seen at all of these, or the time is over."""
        wanted = set(interfaces) & set(self._sockets.values())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not wanted or not wanted <= set(self.seen):
                    await self._more.wait()
                    self._more.clear()

    @contextlib.contextmanager
    def _opened(self, name: str) -> Iterator[socket.socket | None]:
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        try:
            _attach(raw, self._length, self._length + MORE)
            raw.setblocking(False)
            raw.bind((name, _ETH_P_ALL))
        except (OSError, ValueError):  # nothing of that name, or no name
            raw.close()
            yield None
            return
        yield raw

    def _read(self, raw: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            for _ in range(64):  # others have their turn
                if self._mark in raw.recv(_FRAME) and self._sockets[raw] not in self.seen:
                    self.seen.append(self._sockets[raw])
                    self._more.set()


def _attach(raw: socket.socket, least: int, most: int) -> None:
    """Frames of these lengths, and no others."""
    program = ((_LEN, 0, 0, 0), (_JGE, 0, 2, least), (_JGT, 1, 0, most), (_RET, 0, 0, _FRAME), (_RET, 0, 0, 0))
    code = b"".join(struct.pack("HBBI", *one) for one in program)
    buffer = ctypes.create_string_buffer(code)
    raw.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", len(program), ctypes.addressof(buffer)))
