"""Whether links and addresses are as wanted, read from the kernel without the netlink library: it takes as long to
import as everything else that an agent loads, and after a restart there is mostly nothing to change.  Changes nothing.
Blocks, for microseconds.
"""

import errno
import socket
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from struct import Struct as Packer
from typing import Final, NamedTuple

from netweft.dataplane.host.errors import HostError
from netweft.dataplane.host.ownership import ADDRESS_PROTOCOL, ALIAS
from netweft.dataplane.host.values import Address, VethPair

_BUFFER: Final = 1 << 16
_HEADER: Final = Packer("=IHHII")  # struct nlmsghdr: length, type, flags, sequence, port
_ERRNO: Final = Packer("=i")  # of struct nlmsgerr
_LINK: Final = Packer("=BxHiII")  # struct ifinfomsg: family, device type, index, flags, change
_ADDRESS: Final = Packer("=BBBBI")  # struct ifaddrmsg: family, prefix length, flags, scope, interface
_ATTRIBUTE: Final = Packer("=HH")
_NUMBER: Final = Packer("=I")
_ERROR, _DONE, _NEW_LINK, _GET_LINK, _NEW_ADDRESS, _GET_ADDRESS = 2, 3, 16, 18, 20, 22
_REQUEST, _DUMP = 0x1, 0x300
_NAME, _MTU, _OTHER, _STATE, _INFO, _ALIAS, _KIND = 3, 4, 5, 16, 18, 20, 1  # IFLA_*, IFLA_INFO_KIND
_FAR_END, _LOCAL, _MADE_BY = 1, 2, 11  # IFA_ADDRESS, IFA_LOCAL, IFA_PROTO
_IFF_UP, _OPERATES = 0x1, 6


class HostLink(NamedTuple):
    """number: the kernel's.  other: the number of a veth's other end.  operates: the kernel sends what it is given.
    kind: "tun" is a tap."""

    number: int
    up: bool
    operates: bool
    mtu: int
    other: int
    alias: str
    kind: str


class HostAddress(NamedTuple):
    """interface: its number.  ours: made by us, as kernels from 5.18 on remember."""

    ip: str
    prefix_length: int
    interface: int
    ours: bool


def link(name: str) -> HostLink | None:
    """None: there is no such interface.  Raises HostError."""
    attribute = _ATTRIBUTE.pack(_ATTRIBUTE.size + len(name) + 1, _NAME) + name.encode() + b"\0"
    body = _LINK.pack(0, 0, 0, 0, 0) + attribute + bytes(-len(attribute) % 4)
    try:
        (message,) = _asked(_GET_LINK, _REQUEST, body, _NEW_LINK)
    except OSError as error:
        if error.errno == errno.ENODEV:
            return None
        raise HostError(f"{name}: {error.strerror}") from error
    _, _, number, flags, _ = _LINK.unpack_from(message)
    said = dict(_attributes(message[_LINK.size :]))
    return HostLink(
        number=number,
        up=bool(flags & _IFF_UP),
        operates=said.get(_STATE) == bytes([_OPERATES]),
        mtu=_number(said.get(_MTU)),
        other=_number(said.get(_OTHER)),
        alias=_text(said.get(_ALIAS)),
        kind=_text(dict(_attributes(said.get(_INFO, b""))).get(_KIND)),
    )


def ours() -> set[str]:
    """The interfaces that carry our mark, in this network namespace.  Raises HostError."""
    mark, found = ALIAS.encode() + b"\0", set[str]()
    try:
        messages = _asked(_GET_LINK, _REQUEST | _DUMP, _LINK.pack(0, 0, 0, 0, 0), _NEW_LINK)
    except OSError as error:
        raise HostError(f"interfaces: {error.strerror}") from error
    for message in messages:
        if mark in message:  # VMs' are a thousand, and none of ours
            said = dict(_attributes(message[_LINK.size :]))
            if said.get(_ALIAS) == mark:
                found.add(_text(said.get(_NAME)))
    return found


def addresses() -> list[HostAddress]:
    """All of this network namespace.  Raises HostError."""
    try:
        return [_address(message) for message in _asked(_GET_ADDRESS, _REQUEST | _DUMP, bytes(8), _NEW_ADDRESS)]
    except OSError as error:
        raise HostError(f"addresses: {error.strerror}") from error


def has(address: Address, among: Iterable[HostAddress]) -> bool:
    """The interface is up and has it.  Raises HostError."""
    there, wanted = link(address.interface), (canonical(address.ip), address.prefix_length)
    return there is not None and there.up and any(one[:3] == (*wanted, there.number) for one in among)


def canonical(ip: str) -> str:
    """As `HostAddress` writes it."""
    return str(ip_address(ip))


def is_joined(pair: VethPair) -> bool:
    """Both ends are there, each other's, ours, up and of that MTU.  Raises HostError."""
    one, other = link(pair.name), link(pair.peer)
    if one is None or other is None or one.other != other.number:
        return False
    return all(end.alias == ALIAS and end.up and end.operates and end.mtu == pair.mtu for end in (one, other))


def _asked(question: int, flags: int, body: bytes, answer: int) -> list[bytes]:
    """The messages' bodies.  Raises OSError."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.sendto(_HEADER.pack(_HEADER.size + len(body), question, flags, 1, 0) + body, (0, 0))
        found: list[bytes] = []
        while True:
            for kind, message in _messages(kernel.recv(_BUFFER)):
                if kind == _ERROR:
                    code = -_ERRNO.unpack_from(message)[0]
                    raise OSError(code, errno.errorcode.get(code, str(code)))
                if kind == _DONE:
                    return found
                if kind == answer:
                    found.append(message)
            if not flags & _DUMP:
                return found


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    start = 0
    while start + _HEADER.size <= len(data):
        length, kind, *_ = _HEADER.unpack_from(data, start)
        yield kind, data[start + _HEADER.size : start + length]
        start += max(_aligned(length), _HEADER.size)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    start = 0
    while start + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, start)
        yield kind & 0x3FFF, data[start + _ATTRIBUTE.size : start + length]
        start += max(_aligned(length), _ATTRIBUTE.size)


def _address(message: bytes) -> HostAddress:
    """Of a point-to-point address IFA_ADDRESS is the far end."""
    family, prefix_length, _, _, interface = _ADDRESS.unpack_from(message)
    said = dict(_attributes(message[_ADDRESS.size :]))
    ip = str(ip_address(said.get(_LOCAL) or said[_FAR_END])) if family in (socket.AF_INET, socket.AF_INET6) else ""
    return HostAddress(ip, prefix_length, interface, said.get(_MADE_BY) == bytes([ADDRESS_PROTOCOL]))


def _aligned(length: int) -> int:
    return (length + 3) & ~3


def _number(value: bytes | None) -> int:
    return int(_NUMBER.unpack(value)[0]) if value else 0


def _text(value: bytes | None) -> str:
    return value.rstrip(b"\0").decode(errors="replace") if value else ""
