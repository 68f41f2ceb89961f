"""Word from the kernel that links, addresses or queueing disciplines have changed.

Not what: who listens looks at what it needs.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable

LINKS, TRAFFIC_CONTROL, _IPV4_ADDRESS, _IPV6_ADDRESS = 0x1, 0x8, 0x10, 0x100
ADDRESSES = _IPV4_ADDRESS | _IPV6_ADDRESS
_BUFFER = 1 << 16


class HostMonitor:
    """Calls back from the event loop, once for all that has come in since the last time."""

    def __init__(self, on_change: Callable[[], None], groups: int = LINKS | ADDRESSES) -> None:
        self._on_change = on_change
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
        self._socket.bind((0, groups))
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._readable)

    def close(self) -> None:
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def _readable(self) -> None:
        # the kernel says ENOBUFS when we were too slow: something was lost, and that is a change as well
        with contextlib.suppress(OSError):
            while self._socket.recv(_BUFFER):
                pass
        self._on_change()
