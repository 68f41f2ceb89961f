"""The interface by which VMs reach the agent: sockets on it, made anew whenever it is, as when vswitchd starts."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, Protocol

from netweft.services.metadata import ends

LOOK_SECONDS: Final = 0.5


class Listener(Protocol):
    def close(self) -> None: ...


async def keep_listening(listen: Callable[[], Awaitable[Iterable[Listener]]], becomes: Callable[[str], None]) -> None:
    """Until cancelled.  listen: raises OSError.  becomes: hears why nobody is listened to; empty: all are."""
    index = 0
    listeners: list[Listener] = []
    try:
        while True:
            now = _index()
            if now != index:
                for listener in listeners:
                    listener.close()
                index, listeners = 0, []
                try:
                    listeners = list(await listen()) if now else []
                    index = now
                    becomes("")
                except OSError as error:
                    becomes(str(error))
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        for listener in listeners:
            listener.close()


def bound(family: socket.AddressFamily, kind: socket.SocketKind, port: int) -> socket.socket:
    """Only what comes by our interface: there the flows vouch for who it is.  Raises OSError."""
    found = socket.socket(family, kind | socket.SOCK_NONBLOCK)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, ends.INTERFACE.encode())
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        found.bind(("", port))
    except BaseException:
        found.close()
        raise
    return found


def _index() -> int:
    """Of the interface; 0: there is none."""
    try:
        return socket.if_nametoindex(ends.INTERFACE)
    except OSError:
        return 0
