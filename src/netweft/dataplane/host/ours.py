"""Which network interfaces carry our mark, without the netlink library: it takes long to import."""

import contextlib
import socket
from pathlib import Path

ALIAS = "netweft"  # on every interface that we made
ADDRESS_PROTOCOL = 0x4E  # on every address that we made: who made it, as the kernel remembers


def our_interfaces() -> set[str]:
    """In this network namespace."""
    return {name for _, name in socket.if_nameindex() if _alias(name) == ALIAS}


def _alias(name: str) -> str:
    with contextlib.suppress(OSError):  # gone meanwhile
        return Path(f"/sys/class/net/{name}/ifalias").read_text().strip()
    return ""
