"""What an interface takes, as the kernel says."""

import fcntl
import socket
import struct

_SIOCGIFMTU = 0x8921


def mtu_of(interface: str) -> int:
    """0: there is no such interface here."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            found = fcntl.ioctl(any_socket, _SIOCGIFMTU, struct.pack("16si", interface.encode()[:15], 0))
        except OSError:
            return 0
    return int(struct.unpack("16si", found)[1])
