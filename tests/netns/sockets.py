"""Sockets in other network namespaces, held by the test itself: no process in each of them."""

import ctypes
import os
import socket
import threading
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")
_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000


def within(namespace: str, make: Callable[[], _T]) -> _T:
    """Done by a thread that is in the namespace; a socket stays where it was made."""
    found: list[_T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
            try:
                if _LIBC.setns(there, _CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
            finally:
                os.close(there)
            found.append(make())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return found[0]


def udp(namespace: str, version: int, port: int = 0) -> socket.socket:
    return within(namespace, lambda: _made(version, socket.SOCK_DGRAM, port))


def tcp(namespace: str, version: int, port: int = 0) -> socket.socket:
    return within(namespace, lambda: _made(version, socket.SOCK_STREAM, port))


def _made(version: int, kind: int, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if version == 6 else socket.AF_INET, kind)
    made.setblocking(False)
    if version == 6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.setsockopt(socket.IPPROTO_IPV6, 25, 1)  # IPV6_RECVERR: errors are told
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if port:
        made.bind(("::" if version == 6 else "0.0.0.0", port))
    if port and kind == socket.SOCK_STREAM:
        made.listen(64)
    return made
