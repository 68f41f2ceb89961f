"""Traffic control by netlink, by hand: what the netlink library does not speak of, or reads too slowly.

Queueing disciplines can only be listed for all interfaces at once: with a thousand VMs that takes the library longer
than everything else here, so only those of the interface in question are looked into.
"""

import os
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

MESSAGE = struct.Struct("=BxxxiIII")  # struct tcmsg: family, interface, handle, parent, info
ROOT_PARENT = 0xFFFFFFFF
KIND, OPTIONS = 1, 2
REQUEST, ACK, DUMP, CREATE = 1, 4, 0x300, 0x400
NEW_QDISC, GET_QDISC, NEW_FILTER, GET_FILTER = 36, 38, 44, 46

_HEADER, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=HH")
_ERROR, _DONE = 2, 3
_STATISTICS, _WAITING = 3, struct.Struct("=28xI")  # struct tc_stats
_NUMBER = struct.Struct("=I")
_BUFFER = 1 << 18
_SECONDS = 5.0


class Qdisc(NamedTuple):
    """limit: of a pfifo, in frames; else 0.  waiting: how many frames are in it."""

    handle: int
    parent: int
    kind: str
    limit: int
    waiting: int


def qdiscs(index: int) -> Iterator[Qdisc]:
    """Of one interface.  Raises OSError."""
    for message in ask(GET_QDISC, REQUEST | DUMP, MESSAGE.pack(0, 0, 0, 0, 0)):
        _, its_index, handle, parent, _ = MESSAGE.unpack_from(message)
        if its_index == index:
            said = dict(attributes(message[MESSAGE.size :]))
            kind = said.get(KIND, b"").rstrip(b"\0").decode()
            limit = _first(_NUMBER, said.get(OPTIONS, b"")) if kind == "pfifo" else 0
            yield Qdisc(handle, parent, kind, limit, _first(_WAITING, said.get(_STATISTICS, b"")))


def interfaces_with(root: int) -> set[int]:
    """Whose root has this handle.  Raises OSError."""
    found = set()
    for message in ask(GET_QDISC, REQUEST | DUMP, MESSAGE.pack(0, 0, 0, 0, 0)):
        _, index, handle, parent, _ = MESSAGE.unpack_from(message)
        if (handle, parent) == (root, ROOT_PARENT):
            found.add(index)
    return found


def ask(kind: int, flags: int, body: bytes) -> Iterator[bytes]:
    """The body of each message of the answer; of an acknowledged request there is none.  Raises OSError."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        netlink.settimeout(_SECONDS)
        netlink.sendto(_HEADER.pack(_HEADER.size + len(body), kind, flags, 1, 0) + body, (0, 0))
        while True:
            data, at = netlink.recv(_BUFFER), 0
            while at + _HEADER.size <= len(data):
                length, its_kind, *_ = _HEADER.unpack_from(data, at)
                content = data[at + _HEADER.size : at + length]
                if its_kind == _DONE:
                    return
                if its_kind == _ERROR:
                    _raise(content)
                    return
                yield content
                at += length + -length % 4


def attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size:
            return
        yield kind & 0x3FFF, data[at + _ATTRIBUTE.size : at + length]
        at += length + -length % 4


def _raise(answer: bytes) -> None:
    (number,) = struct.unpack_from("=i", answer)
    if number:
        raise OSError(-number, os.strerror(-number))


def _first(packer: struct.Struct, data: bytes) -> int:
    return int(packer.unpack_from(data)[0]) if len(data) >= packer.size else 0
