"""Which interfaces we shape, without the netlink library: it takes long to import."""

import socket

from netweft.dataplane.host import tc

ROOT = 0x4E57 << 16  # the handle of our queueing discipline, which is our mark


def our_shaped_interfaces() -> set[str]:
    """In this network namespace.  Raises OSError."""
    names = dict(socket.if_nameindex())
    return {names[index] for index in tc.interfaces_with(ROOT) if index in names}
