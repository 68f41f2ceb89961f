"""Whether an interface has a carrier, as the kernel says."""

import fcntl
import socket
import struct
from typing import Final, Literal

_SIOCGIFFLAGS: Final = 0x8913
_RUNNING: Final = 0x40  # IFF_RUNNING: up, and something at the other end


def link_of(interface: str) -> Literal["up", "down", ""]:
    """Empty: there is no such interface here."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            found = fcntl.ioctl(any_socket, _SIOCGIFFLAGS, struct.pack("16sh14x", interface.encode()[:15], 0))
        except OSError:
            return ""
    (flags,) = struct.unpack_from("H", found, 16)
    return "up" if flags & _RUNNING else "down"
