"""Word from the kernel that links, addresses or queueing disciplines have changed: of which interfaces.

Not what: who listens looks at what it needs.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from struct import Struct as Packer

LINKS, TRAFFIC_CONTROL, _IPV4_ADDRESS, _IPV6_ADDRESS = 0x1, 0x8, 0x10, 0x100
ADDRESSES = _IPV4_ADDRESS | _IPV6_ADDRESS
_BUFFER = 1 << 16
_HEADER = Packer("=IHHII")  # length, type, ...
_LINK_MESSAGE, _LINK_SIZE, _LINK_NAME = (16, 17), 16, 3  # RTM_NEWLINK, RTM_DELLINK; struct ifinfomsg; IFLA_IFNAME
_INDEXED_MESSAGE = (20, 21, 36, 37, 40, 41)  # RTM_NEWADDR, RTM_DELADDR; the same with QDISC, with TCLASS
_INDEX = Packer("=4xI")  # of struct ifaddrmsg, and of struct tcmsg
_ATTRIBUTE = Packer("=HH")


class HostMonitor:
    """Calls back from the event loop, once for all that has come in since the last time, with the interfaces' names;
    with None when some word was lost."""

    def __init__(self, on_change: Callable[[frozenset[str] | None], None], groups: int = LINKS | ADDRESSES) -> None:
        self._on_change = on_change
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
        self._socket.bind((0, groups))
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._readable)

    def close(self) -> None:
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def _readable(self) -> None:
        names: set[str] = set()
        try:
            while data := self._socket.recv(_BUFFER):
                names.update(changed(data))
        except BlockingIOError:
            self._on_change(frozenset(names))
        except OSError:  # ENOBUFS: we were too slow
            self._on_change(None)


def changed(data: bytes) -> Iterator[str]:
    """The interfaces that these netlink messages are about, as far as they are still there."""
    start = 0
    while start + _HEADER.size <= len(data):
        length, kind, *_ = _HEADER.unpack_from(data, start)
        body = start + _HEADER.size
        if kind in _LINK_MESSAGE:
            yield from _link_name(data, body + _LINK_SIZE, start + length)
        elif kind in _INDEXED_MESSAGE:
            with contextlib.suppress(OSError):
                yield socket.if_indextoname(*_INDEX.unpack_from(data, body))
        start += max(_aligned(length), _HEADER.size)


def _link_name(data: bytes, start: int, end: int) -> Iterator[str]:
    while start + _ATTRIBUTE.size <= end:
        length, kind = _ATTRIBUTE.unpack_from(data, start)
        if kind == _LINK_NAME:
            yield data[start + _ATTRIBUTE.size : start + length].rstrip(b"\0").decode(errors="replace")
            return
        start += max(_aligned(length), _ATTRIBUTE.size)


def _aligned(length: int) -> int:
    return (length + 3) & ~3
