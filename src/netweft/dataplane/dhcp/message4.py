"""DHCPv4 messages (RFC 2131) as bytes, and back.  Options stay bytes, by their code; what they mean is options.py's."""

from collections.abc import Iterator, Mapping
from enum import IntEnum
from struct import Struct as Packer

from msgspec import Struct

_FIXED = Packer("!BBBBIHH4s4s4s4s16s64s128s4s")
_COOKIE = b"\x63\x82\x53\x63"
_ETHERNET = 1
_PAD, _END = 0, 255
_SHORTEST = 300  # of BOOTP, which old clients insist on
_MOST_IN_ONE = 255  # bytes of an option; a longer one is several of its code (RFC 3396)
NONE = bytes(4)  # as an address

BOOT_REQUEST, BOOT_REPLY = 1, 2
BROADCAST_FLAG = 0x8000
OVERHEAD = _FIXED.size + 1  # bytes of a message besides its options


class Type(IntEnum):
    DISCOVER = 1
    OFFER = 2
    REQUEST = 3
    DECLINE = 4
    ACK = 5
    NAK = 6
    RELEASE = 7
    INFORM = 8


class Option(IntEnum):
    """Those that decide over an exchange; all others have names in options.py."""

    NETMASK = 1
    ROUTER = 3
    DNS_SERVER = 6
    HOSTNAME = 12
    DOMAIN_NAME = 15
    MTU = 26
    BROADCAST = 28
    REQUESTED_ADDRESS = 50
    LEASE_TIME = 51
    OVERLOAD = 52
    MESSAGE_TYPE = 53
    SERVER_ID = 54
    WANTED = 55
    MESSAGE = 56
    MAX_MESSAGE_SIZE = 57
    RENEWAL_TIME = 58
    REBINDING_TIME = 59
    CLIENT_ID = 61
    RAPID_COMMIT = 80
    STATIC_ROUTES = 121
    MICROSOFT_STATIC_ROUTES = 249


class Message(Struct, frozen=True, kw_only=True):
    """Addresses are 4 bytes.  chaddr: the client's MAC.  options: in the order in which they are sent."""

    op: int
    xid: int
    chaddr: bytes
    secs: int = 0
    flags: int = 0
    ciaddr: bytes = NONE
    yiaddr: bytes = NONE
    giaddr: bytes = NONE
    options: Mapping[int, bytes] = {}


def decode(data: bytes) -> Message | None:
    """None: it is no DHCP message for Ethernet."""
    if len(data) < _FIXED.size:
        return None
    op, kind, length, _, xid, secs, flags, ciaddr, yiaddr, _, giaddr, chaddr, sname, file, cookie = _FIXED.unpack_from(
        data
    )
    if cookie != _COOKIE or (kind, length) != (_ETHERNET, 6):
        return None
    options: dict[int, bytes] = {}
    _read_options(data[_FIXED.size :], options)
    overload = options.get(Option.OVERLOAD, b"\0")[:1]
    for field, bit in ((file, 1), (sname, 2)):
        if overload and overload[0] & bit:
            _read_options(field, options)
    return Message(
        op=op, xid=xid, secs=secs, flags=flags, ciaddr=ciaddr, yiaddr=yiaddr, giaddr=giaddr, chaddr=chaddr[:6],
        options=options,
    )  # fmt: skip


def _read_options(data: bytes, options: dict[int, bytes]) -> None:
    """Up to the end, or to where it makes no sense any more."""
    at = 0
    while at < len(data) and data[at] != _END:
        if data[at] == _PAD:
            at += 1
            continue
        if at + 2 > len(data) or at + 2 + data[at + 1] > len(data):
            return
        after = at + 2 + data[at + 1]
        options[data[at]] = options.get(data[at], b"") + data[at + 2 : after]
        at = after


def encode(message: Message) -> bytes:
    head = _FIXED.pack(
        message.op, _ETHERNET, 6, 0, message.xid, message.secs, message.flags, message.ciaddr, message.yiaddr, NONE,
        message.giaddr, message.chaddr, b"", b"", _COOKIE,
    )  # fmt: skip
    options = b"".join(encode_option(code, value) for code, value in message.options.items())
    return (head + options + bytes((_END,))).ljust(_SHORTEST, b"\0")


def encode_option(code: int, value: bytes) -> bytes:
    return b"".join(bytes((code, len(part))) + part for part in _parts(value))


def _parts(value: bytes) -> Iterator[bytes]:
    yield value[:_MOST_IN_ONE]
    for start in range(_MOST_IN_ONE, len(value), _MOST_IN_ONE):
        yield value[start : start + _MOST_IN_ONE]
