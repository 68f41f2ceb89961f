"""Listening sockets of server and agent: bound by us, so that what is wrong with one can be said in a sentence.

`127.0.0.1:9696`, `[::1]:9696` or `unix:/run/netweft/api.sock`.
"""

import errno
import socket
import stat
from collections.abc import Iterable
from pathlib import Path

BACKLOG = 2048
UNIX_MODE = 0o660


class ListenError(Exception):
    """Cannot listen there; the message names the address and the reason."""


def bind(addresses: Iterable[str]) -> list[socket.socket]:
    """Listening sockets, for all of the addresses or for none.  Raises ListenError."""
    bound: list[socket.socket] = []
    try:
        for address in addresses:
            try:
                bound += _unix(Path(address[5:])) if address.startswith("unix:") else _tcp(address)
            except OSError as error:
                raise ListenError(f"cannot listen on {address}: {error.strerror or error}") from None
    except ListenError:
        for sock in bound:
            sock.close()
        raise
    return bound


def _tcp(address: str) -> list[socket.socket]:
    host, _, port = address.rpartition(":")
    if int(port) > 65535:  # getaddrinfo would take the remainder
        raise OSError(errno.EINVAL, "there is no such port")
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets = []
    for family, kind, protocol, _, target in found:
        sock = socket.socket(family, kind, protocol)
        sockets.append(sock)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(target)
            sock.listen(BACKLOG)
        except OSError:
            for each in sockets:
                each.close()
            raise
    return sockets


def _unix(path: Path) -> list[socket.socket]:
    _remove_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(str(path))
        path.chmod(UNIX_MODE)
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return [sock]


def _remove_stale(path: Path) -> None:
    """A server that was killed leaves its socket's file; one that runs answers."""
    try:
        if not stat.S_ISSOCK(path.stat().st_mode):
            raise OSError(errno.EEXIST, "there is a file that is not a socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        else:
            raise OSError(errno.EADDRINUSE, "Address already in use")
