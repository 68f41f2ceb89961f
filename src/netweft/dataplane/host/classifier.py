"""Which class of traffic a frame is in, by its source MAC: a small program that the kernel runs for each frame.

Classic BPF, which every kernel has.  The program is the one place that says who has which class: a changed one replaces
the old one between two frames, and who remembers nothing reads it back.
"""

import struct
from collections.abc import Mapping
from typing import TypeAlias

from netweft.dataplane.host import tc

Sender: TypeAlias = tuple[int, int]  # MAC, and where it stands in the frame

_OP = struct.Struct("=HBBI")
_LOAD, _LOAD_HALF, _IF_EQUAL, _RETURN = 0x20, 0x28, 0x15, 0x06
_NOBODY = _OP.pack(_RETURN, 0, 0, 0)
_A_SENDER = 5  # operations
MOST = 4096 // _A_SENDER - 1

_OPS_LENGTH, _OPS = 4, 5  # in a filter's options
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
    options = tc.attribute(_OPS_LENGTH, struct.pack("=H", len(program) // _OP.size)) + tc.attribute(_OPS, program)
    body = tc.MESSAGE.pack(0, index, _HANDLE, parent, _PRIORITY | _EVERY_PROTOCOL)
    body += tc.attribute(tc.KIND, b"bpf\0") + tc.attribute(tc.OPTIONS, options)
    for _ in tc.ask(tc.NEW_FILTER, tc.REQUEST | tc.ACK | tc.CREATE, body):
        pass


def get(index: int, parent: int) -> bytes:
    """Empty when there is none.  Raises OSError."""
    for message in tc.ask(tc.GET_FILTER, tc.REQUEST | tc.DUMP, tc.MESSAGE.pack(0, index, 0, parent, 0)):
        _, _, handle, _, _ = tc.MESSAGE.unpack_from(message)
        if handle == _HANDLE:
            options = dict(tc.attributes(message[tc.MESSAGE.size :])).get(tc.OPTIONS, b"")
            return dict(tc.attributes(options)).get(_OPS, b"")
    return b""
