"""DHCPv6 messages between client and server (RFC 8415) as bytes, and back.  Options stay bytes; some occur twice."""

from collections.abc import Iterator
from enum import IntEnum
from struct import Struct as Packer

from msgspec import Struct

_HEAD = Packer("!B3s")
_OPTION = Packer("!HH")
_ASSOCIATION = Packer("!4sII")
_ADDRESS = Packer("!16sII")
_DUID_LINK_LAYER, _ETHERNET = 3, 1


class Type(IntEnum):
    SOLICIT = 1
    ADVERTISE = 2
    REQUEST = 3
    CONFIRM = 4
    RENEW = 5
    REBIND = 6
    REPLY = 7
    RELEASE = 8
    DECLINE = 9
    INFORMATION_REQUEST = 11


class Option(IntEnum):
    CLIENT_ID = 1
    SERVER_ID = 2
    ASSOCIATION = 3  # IA_NA: a set of addresses
    ADDRESS = 5
    WANTED = 6
    STATUS = 13
    RAPID_COMMIT = 14
    DNS_SERVER = 23
    DOMAIN_SEARCH = 24


class Status(IntEnum):
    SUCCESS = 0
    NO_ADDRESSES = 2
    NOT_ON_LINK = 4


Options = tuple[tuple[int, bytes], ...]


class Message(Struct, frozen=True):
    """xid: 3 bytes."""

    kind: int
    xid: bytes
    options: Options = ()

    def first(self, option: Option) -> bytes | None:
        return next(self.all(option), None)

    def all(self, option: Option) -> Iterator[bytes]:
        return (value for code, value in self.options if code == option)


class Association(Struct, frozen=True):
    """addresses: 16 bytes each."""

    id: bytes
    addresses: tuple[bytes, ...] = ()


def decode(data: bytes) -> Message | None:
    """None: it makes no sense."""
    if len(data) < _HEAD.size:
        return None
    kind, xid = _HEAD.unpack_from(data)
    options = _options(data[_HEAD.size :])
    return None if options is None else Message(kind, xid, options)


def encode(message: Message) -> bytes:
    return _HEAD.pack(message.kind, message.xid) + encode_options(message.options)


def encode_options(options: Options) -> bytes:
    return b"".join(_OPTION.pack(code, len(value)) + value for code, value in options)


def decode_association(data: bytes) -> Association | None:
    if len(data) < _ASSOCIATION.size:
        return None
    id, _, _ = _ASSOCIATION.unpack_from(data)
    inside = _options(data[_ASSOCIATION.size :]) or ()
    found = (value[:16] for code, value in inside if code == Option.ADDRESS and len(value) >= _ADDRESS.size)
    return Association(id, tuple(found))


def encode_association(id: bytes, renew: int, rebind: int, inside: Options) -> bytes:
    return _ASSOCIATION.pack(id, renew, rebind) + encode_options(inside)


def encode_address(address: bytes, seconds: int) -> bytes:
    return _ADDRESS.pack(address, seconds, seconds)


def encode_status(status: Status, text: str = "") -> bytes:
    return status.to_bytes(2, "big") + text.encode()


def duid(mac: bytes) -> bytes:
    """Who one is, by the address of the link layer."""
    return _DUID_LINK_LAYER.to_bytes(2, "big") + _ETHERNET.to_bytes(2, "big") + mac


def _options(data: bytes) -> Options | None:
    found: list[tuple[int, bytes]] = []
    at = 0
    while at < len(data):
        if at + _OPTION.size > len(data):
            return None
        code, length = _OPTION.unpack_from(data, at)
        at += _OPTION.size + length
        if at > len(data):
            return None
        found.append((code, data[at - length : at]))
    return tuple(found)
