"""A table of the kernel's firewall, made anew in one transaction: nfnetlink without a library and without `nft`.

Only as much of it as we need: base chains, and rules that compare fields of a packet.  Blocks, for microseconds.
"""

import errno
import socket
from collections.abc import Iterable
from struct import Struct as Packer
from struct import pack
from typing import Final

from msgspec import Struct

_HEADER: Final = Packer("=IHHII")  # struct nlmsghdr: length, type, flags, sequence, port
_NETFILTER, _TABLES = 12, 10  # the protocol of netlink, and the subsystem in it
_BEGIN, _END = 16, 17
_NEW_TABLE, _GET_TABLE, _DELETE_TABLE, _NEW_CHAIN, _NEW_RULE = (_TABLES << 8 | kind for kind in (0, 1, 2, 3, 6))
_REQUEST, _ACK, _CREATE, _APPEND = 0x1, 0x4, 0x400, 0x800
_ERROR, _NESTED = 2, 0x8000
REGISTER: Final = pack(">I", 1)
IP, IP6 = 2, 10  # families of tables
PREROUTING, OUTPUT = 0, 3
RAW: Final = -300  # the priority of what goes before connection tracking

Expression = bytes


class Chain(Struct, frozen=True):
    """A base chain.  rules: of each what has to be so, and then what is done."""

    name: str
    hook: int
    priority: int
    rules: tuple[tuple[Expression, ...], ...]


def protocol_is(number: int) -> tuple[Expression, ...]:
    """Of what IP carries."""
    return expression("meta", (1, REGISTER), (2, pack(">I", 16))), _equals(bytes([number]))


def network_is(offset: int, value: bytes) -> tuple[Expression, ...]:
    """These bytes of the IP header."""
    return _load(1, offset, len(value)), _equals(value)


def transport_is(offset: int, value: bytes) -> tuple[Expression, ...]:
    """These bytes of what IP carries."""
    return _load(2, offset, len(value)), _equals(value)


def untracked() -> Expression:
    return expression("notrack")


def is_there(family: int, table: str) -> bool:
    """Raises OSError."""
    try:
        _ask((_message(_GET_TABLE, family, _text(1, table)),))
    except OSError as error:
        if error.errno == errno.ENOENT:
            return False
        raise
    return True


def replace(family: int, table: str, chains: Iterable[Chain]) -> None:
    """Whatever was in it goes; at no moment is it not there.  Without chains it is gone.  Raises OSError."""
    named = _text(1, table)
    messages = [_message(_NEW_TABLE, family, named, _CREATE), _message(_DELETE_TABLE, family, named)]
    for chain in chains:
        if len(messages) == 2:
            messages.append(_message(_NEW_TABLE, family, named, _CREATE))
        hook = _nested(4, _attribute(1, pack(">I", chain.hook)) + _attribute(2, pack(">i", chain.priority)))
        messages.append(_message(_NEW_CHAIN, family, named + _text(3, chain.name) + hook + _text(7, "filter"), _CREATE))
        for rule in chain.rules:
            listed = _nested(4, b"".join(_nested(1, one) for one in rule))
            messages.append(_message(_NEW_RULE, family, named + _text(2, chain.name) + listed, _CREATE | _APPEND))
    _ask((_message(_BEGIN, 0), *messages, _message(_END, 0)))


def _ask(messages: Iterable[bytes]) -> None:
    """Raises OSError: what the kernel refuses first."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER) as netlink:
        netlink.settimeout(5.0)
        netlink.bind((0, 0))
        sent = list(messages)
        netlink.send(b"".join(_numbered(one, at) for at, one in enumerate(sent)))
        awaited = {at for at, one in enumerate(sent) if _HEADER.unpack_from(one)[2] & _ACK}
        while awaited:
            said = netlink.recv(1 << 16)
            while said:
                length, kind, _, number, _ = _HEADER.unpack_from(said)
                if kind == _ERROR and (code := int.from_bytes(said[16:20], "little", signed=True)):
                    raise OSError(-code, f"nftables: {errno.errorcode.get(-code, -code)}")
                if kind == _ERROR:
                    awaited.discard(number)
                said = said[length + 3 & ~3 :]


def _numbered(message: bytes, number: int) -> bytes:
    return message[:8] + number.to_bytes(4, "little") + message[12:]


def _message(kind: int, family: int, body: bytes = b"", flags: int = 0) -> bytes:
    """Those around a transaction are not acknowledged."""
    around = kind in (_BEGIN, _END)
    whole = pack(">BBH", family, 0, _TABLES if around else 0) + body
    flags |= _REQUEST if around else _REQUEST | _ACK
    return _HEADER.pack(_HEADER.size + len(whole), kind, flags, 0, 0) + whole


def _attribute(kind: int, value: bytes) -> bytes:
    return pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _nested(kind: int, value: bytes) -> bytes:
    return _attribute(kind | _NESTED, value)


def _text(kind: int, value: str) -> bytes:
    return _attribute(kind, value.encode() + b"\0")


def expression(name: str, *attributes: tuple[int, bytes]) -> Expression:
    """attributes: kind and value, as linux/netfilter/nf_tables.h has them."""
    body = b"".join(_attribute(kind, value) for kind, value in attributes)
    return _text(1, name) + (_nested(2, body) if body else b"")


def _load(base: int, offset: int, length: int) -> Expression:
    """base: 1 for the header of IP, 2 for the one after it."""
    return expression("payload", (1, REGISTER), (2, pack(">I", base)), (3, pack(">I", offset)), (4, pack(">I", length)))


def _equals(value: bytes) -> Expression:
    return expression("cmp", (1, REGISTER), (2, pack(">I", 0)), (3 | _NESTED, _attribute(1, value)))
