"""The interface by which VMs reach the agent: sockets on it, made anew whenever it is, as when vswitchd starts."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Final, Protocol

from netweft.dataplane.host.monitor import LINKS, HostMonitor
from netweft.services.metadata import ends

AGAIN_SECONDS: Final = 0.5  # after sockets that could not be had


class Listener(Protocol):
    def close(self) -> None: ...


class InterfaceWatch:
    """The kernel says when the interface comes and goes: once, to all who listen there."""

    def __init__(self) -> None:
        self._told: list[asyncio.Event] = []
        self._monitor: HostMonitor | None = None

    @contextlib.contextmanager
    def told(self) -> Iterator[asyncio.Event]:
        """Set whenever it may be another one."""
        if self._monitor is None:
            self._monitor = HostMonitor(self._heard, LINKS)
        mine = asyncio.Event()
        self._told.append(mine)
        try:
            yield mine
        finally:
            self._told.remove(mine)
            if not self._told:
                self._monitor.close()
                self._monitor = None

    def _heard(self, names: frozenset[str] | None) -> None:
        if names is None or ends.INTERFACE in names:
            for one in self._told:
                one.set()


async def keep_listening(
    watch: InterfaceWatch, listen: Callable[[], Awaitable[Iterable[Listener]]], becomes: Callable[[str], None]
) -> None:
    """Until cancelled.  listen: raises OSError.  becomes: hears why nobody is listened to; empty: all are."""
    with watch.told() as told:
        await _keep_listening(told, listen, becomes)


async def _keep_listening(
    told: asyncio.Event, listen: Callable[[], Awaitable[Iterable[Listener]]], becomes: Callable[[str], None]
) -> None:
    index = 0
    listeners: list[Listener] = []
    try:
        while True:
            told.clear()
            patience = None
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
                    patience = AGAIN_SECONDS
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await told.wait()
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
