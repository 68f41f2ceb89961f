"""What probes stand on: sockets that are bound to the agent's interface, from which flows lead to members only; for
members that no node has, sockets in the namespace of their balancer's HAProxy.

Each is non-blocking, sends from one of the ports that flows let pass, and is closed without a word: a connection of TCP
is reset, so that neither side keeps it.
"""

import errno
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from netweft.services.health import ends
from netweft.services.metadata.ends import INTERFACE

Opening = Callable[[], socket.socket]
ANYWHERE: Final = {4: "0.0.0.0", 6: "::"}
_FAMILY: Final = {4: socket.AF_INET, 6: socket.AF_INET6}
_AT_ONCE: Final = struct.pack("ii", 1, 0)
# no word about the member: what the host itself lacks
OURS: Final = frozenset(
    {errno.ENODEV, errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL, errno.EADDRINUSE, errno.EMFILE, errno.ENFILE}
    | {errno.ENOBUFS, errno.ENOMEM, errno.EPERM, errno.EACCES, errno.EINVAL, errno.EAFNOSUPPORT}
    | {errno.EPROTONOSUPPORT}
)


class CannotAsk(Exception):
    """No probe was sent, so that nothing is known: a fault of this host."""


@dataclass(frozen=True)
class Ground:
    """interface: empty: any.  own: by IP version, what is sent from.  within: has sockets made; raises CannotAsk."""

    interface: str = INTERFACE
    own: dict[int, str] = field(default_factory=lambda: dict(ends.OWN))
    within: Callable[[Opening], socket.socket] = lambda opening: opening()

    def open(self, version: int, kind: int, protocol: int = 0, port: int = 0) -> socket.socket:
        """port: that it is sent from; 0: none, or any.  Raises CannotAsk."""
        return self.within(lambda: self._open(version, kind, protocol, port))

    def _open(self, version: int, kind: int, protocol: int, port: int) -> socket.socket:
        try:
            found = socket.socket(_FAMILY[version], kind | socket.SOCK_NONBLOCK, protocol)
        except OSError as error:
            raise CannotAsk(str(error)) from None
        try:
            if self.interface:
                found.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self.interface.encode())
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if kind == socket.SOCK_STREAM:
                found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            found.bind(self._at(version, self.own[version], port))
        except OSError as error:
            found.close()
            raise CannotAsk(str(error)) from None
        return found

    def far(self, version: int, to: str, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
        return self._at(version, to, port)

    def _at(self, version: int, address: str, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
        if version == 4:
            return address, port
        scope = socket.if_nametoindex(self.interface) if self.interface else 0
        return address, port, 0, scope
