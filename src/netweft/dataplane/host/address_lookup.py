"""Which interface of this host has an address.  Blocking, no state."""

import contextlib
import fcntl
import socket
import struct
from ipaddress import ip_address
from pathlib import Path
from typing import Final

_SIOCGIFADDR: Final = 0x8915
_SIX: Final = Path("/proc/net/if_inet6")  # address, index, prefix length, scope, flags, name


def having(address: str) -> str:
    """Empty: none, or it is no address.  Of IPv4 an interface's first one counts."""
    try:
        wanted = ip_address(address)
    except ValueError:
        return ""
    if wanted.version == 6:
        with contextlib.suppress(OSError):
            for line in _SIX.read_text().splitlines():
                packed, *_, name = line.split()
                if bytes.fromhex(packed) == wanted.packed:
                    return name
        return ""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asks:
        return next((name for _, name in socket.if_nameindex() if _has(asks, name, wanted.packed)), "")


def _has(asks: socket.socket, name: str, packed: bytes) -> bool:
    with contextlib.suppress(OSError):
        return fcntl.ioctl(asks, _SIOCGIFADDR, struct.pack("256s", name.encode()))[20:24] == packed
    return False
