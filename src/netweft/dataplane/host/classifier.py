"""Which class of traffic a frame is in, by its source MAC: a small program that the kernel runs for each frame.

Classic BPF, which every kernel has.  The program is the one place that says who has which class: a changed one replaces
the old one between two frames, and who remembers nothing reads it back.  The netlink library does not speak of such
programs, so the two messages that it takes are written out here.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterator, Mapping
from typing import TypeAlias

Sender: TypeAlias = tuple[int, int]  # MAC, and where it stands in the frame

_OP = struct.Struct("=HBBI")
_LOAD, _LOAD_HALF, _IF_EQUAL, _RETURN = 0x20, 0x28, 0x15, 0x06
_NOBODY = _OP.pack(_RETURN, 0, 0, 0)
_A_SENDER = 5  # operations
MOST = 4096 // _A_SENDER - 1

_HEADER, _TCMSG, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=BxxxiIII"), struct.Struct("=HH")
_NEW_FILTER, _GET_FILTER, _DONE, _ERROR = 44, 46, 3, 2
_REQUEST, _ACK, _DUMP, _CREATE = 1, 4, 0x300, 0x400
_KIND, _OPTIONS, _OPS_LENGTH, _OPS = 1, 2, 4, 5
_EVERY_PROTOCOL, _PRIORITY = 0x0300, 1 << 16
_HANDLE = 1


def program(senders: Mapping[Sender, int]) -> bytes:
    """senders: the class of each.  A load beyond a frame's end ends the program, so what is further in comes later."""
    return b"".join(_ask(*sender, senders[sender]) for sender in sorted(senders, key=lambda each: each[::-1])) + _NOBODY


def _ask(mac: int, offset: int, target: int) -> bytes:
    return (
        _OP.pack(_LOAD, 0, 0, offset + 2)
        + _OP.pack(_IF_EQUAL, 0, 3, mac & 0xFFFFFFFF)
        + _OP.pack(_LOAD_HALF, 0, 0, offset)
        + _OP.pack(_IF_EQUAL, 0, 1, mac >> 32)
        + _OP.pack(_RETURN, 0, 0, target)
    )


def senders(program: bytes) -> dict[Sender, int]:
    """What a program of ours says."""
    operands = [k for _, _, _, k in _OP.iter_unpack(program[: len(program) // _OP.size * _OP.size])]
    groups = (operands[at : at + _A_SENDER] for at in range(0, len(operands) - _A_SENDER, _A_SENDER))
    return {(high << 32 | low, offset): target for _, low, offset, high, target in groups}


def put(index: int, parent: int, program: bytes) -> None:
    """For all frames that the queueing discipline `parent` gets.  Raises OSError."""
    options = _attribute(_OPS_LENGTH, struct.pack("=H", len(program) // _OP.size)) + _attribute(_OPS, program)
    body = _TCMSG.pack(0, index, _HANDLE, parent, _PRIORITY | _EVERY_PROTOCOL)
    body += _attribute(_KIND, b"bpf\0") + _attribute(_OPTIONS, options)
    for kind, answer in _ask_kernel(_NEW_FILTER, _REQUEST | _ACK | _CREATE, body):
        if kind == _ERROR:
            _raise(answer)


def get(index: int, parent: int) -> bytes:
    """Empty when there is none.  Raises OSError."""
    body = _TCMSG.pack(0, index, 0, parent, 0)
    for kind, answer in _ask_kernel(_GET_FILTER, _REQUEST | _DUMP, body):
        if kind == _ERROR:
            _raise(answer)
        handle = _TCMSG.unpack_from(answer)[2] if kind == _NEW_FILTER else 0
        if handle == _HANDLE:
            options = dict(_attributes(dict(_attributes(answer[_TCMSG.size :])).get(_OPTIONS, b"")))
            return options.get(_OPS, b"")
    return b""


def _ask_kernel(kind: int, flags: int, body: bytes) -> Iterator[tuple[int, bytes]]:
    """(type, body) of each message of the answer."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        netlink.settimeout(5.0)
        netlink.sendto(_HEADER.pack(_HEADER.size + len(body), kind, flags, 1, 0) + body, (0, 0))
        while True:
            data, at = netlink.recv(1 << 18), 0
            while at + _HEADER.size <= len(data):
                length, kind, *_ = _HEADER.unpack_from(data, at)
                if kind == _DONE:
                    return
                yield kind, data[at + _HEADER.size : at + length]
                if kind == _ERROR:
                    return
                at += length + -length % 4


def _raise(answer: bytes) -> None:
    (number,) = struct.unpack_from("=i", answer)
    if number and -number != errno.ENOENT:
        raise OSError(-number, os.strerror(-number))


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size:
            return
        yield kind & 0x3FFF, data[at + _ATTRIBUTE.size : at + length]
        at += length + -length % 4
