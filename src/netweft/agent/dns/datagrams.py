"""UDP on an interface with many addresses: each answer leaves from the address that its query was sent to."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeAlias

# linux/in.h, linux/in6.h: Python has no names for them
IP_PKTINFO: Final = 8
IPV6_FREEBIND: Final = 78  # answers may leave from what is this host's by its routes alone
_AT_ONCE: Final = 32  # datagrams read before others have their turn
_MOST: Final = 4096  # bytes of a query
_ANCILLARY: Final = 128

Reply: TypeAlias = Callable[[bytes], None]


class Datagrams:
    """take: hears who has sent what, and how to answer."""

    def __init__(self, one: socket.socket, take: Callable[[str, bytes, Reply], None]) -> None:
        self._socket, self._take = one, take
        if one.family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            one.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
        else:
            one.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        asyncio.get_running_loop().add_reader(one.fileno(), self._read)

    def close(self) -> None:
        if self._socket.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()

    def _read(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                data, ancillary, _flags, peer = self._socket.recvmsg(_MOST, _ANCILLARY)
            except OSError:  # nothing more, or the interface has gone
                return
            to = [(level, kind, _source(level, value)) for level, kind, value in ancillary]
            self._take(peer[0], data, partial(self._reply, to, peer))

    def _reply(self, to: list[tuple[int, int, bytes]], peer: Any, wire: bytes) -> None:
        with contextlib.suppress(OSError):  # a client without an answer queries again
            self._socket.sendmsg([wire], to, 0, peer)


def _source(level: int, info: bytes) -> bytes:
    """Where it came in, as where an answer goes out.  struct in_pktinfo: interface, source to use, destination."""
    return info if level == socket.IPPROTO_IPV6 else info[:4] + info[8:12] + info[8:12]
