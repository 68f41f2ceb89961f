"""Requests to the kernel's routing netlink, many at once: bytes of `linux/rtnetlink.h`.

    with Kernel() as kernel:                # of the network namespace that this thread is in
        kernel.ask(link(name="eth0", up=True), ...)

pyroute2 has an event loop and a thread for each socket, which cost some milliseconds of processor each; where a
namespace is wired while somebody waits for it, that is most of what it takes.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Final, NamedTuple, Self, TypeAlias

IpAddress: TypeAlias = IPv4Address | IPv6Address

_NEWLINK, _DELLINK, _NEWADDR, _DELADDR, _GETADDR, _NEWROUTE = 16, 17, 20, 21, 22, 24
_ERROR, _DONE = 2, 3
_REQUEST, _ACK, _DUMP, _REPLACE, _EXCL, _CREATE = 1, 4, 0x300, 0x100, 0x200, 0x400
_UP: Final = 1
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINKINFO, _IFLA_NET_NS_PID, _IFLA_IFALIAS = 1, 3, 4, 18, 19, 20
_INFO_KIND, _INFO_DATA, _VETH_PEER = 1, 2, 1
_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS, _NODAD = 1, 2, 8, 0x02
_RTA_OIF, _RTA_GATEWAY = 4, 5
_UNIVERSE, _MAIN, _STATIC, _UNICAST = 0, 254, 4, 1
_FAMILIES: Final = {4: socket.AF_INET, 6: socket.AF_INET6}
_HEADER, _ATTRIBUTE, _LINK, _ADDRESS, _ROUTE = (
    struct.Struct(f"={one}") for one in ("IHHII", "HH", "BxHiII", "BBBBI", "8BI")
)
_MOST: Final = 2**20  # bytes of answers at a time


class Request(NamedTuple):
    """type, flags: of a message; body: what follows its header."""

    type: int
    flags: int
    body: bytes


class Refused(OSError):
    """What the kernel says to a request; `errno` is its."""


class Kernel:
    """Blocking.  All of this raises OSError."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()

    def ask(self, *requests: Request) -> None:
        """All of them, in this order, in one message; each is done, or the first problem is raised once all are."""
        first = self._number + 1
        self._send(Request(type, flags | _ACK, body) for type, flags, body in requests)
        problem = 0
        while first <= self._number:
            for type, number, body in self._answers():
                if type == _ERROR and number >= first:
                    first = number + 1
                    problem = problem or -struct.unpack_from("=i", body)[0]
        if problem:
            raise Refused(problem, os.strerror(problem))

    def addresses(self, index: int) -> set[tuple[IpAddress, int]]:
        """Of an interface, with the lengths of their prefixes."""
        self._send([Request(_GETADDR, _DUMP, _ADDRESS.pack(0, 0, 0, 0, 0))])
        found: set[tuple[IpAddress, int]] = set()
        while True:
            for type, _, body in self._answers():
                if type == _DONE:
                    return found
                family, length, _, _, at = _ADDRESS.unpack_from(body)
                if type != _NEWADDR or at != index or family not in _FAMILIES.values():
                    continue
                told = dict(_attributes(body[_ADDRESS.size :]))
                value = told.get(_IFA_LOCAL) or told[_IFA_ADDRESS]
                found.add((IPv4Address(value) if family == socket.AF_INET else IPv6Address(value), length))

    def _send(self, requests: "Iterator[Request] | list[Request]") -> None:
        data = b""
        for type, flags, body in requests:
            self._number += 1
            data += _HEADER.pack(_HEADER.size + len(body), type, flags | _REQUEST, self._number, 0) + body
        self._socket.send(data)

    def _answers(self) -> Iterator[tuple[int, int, bytes]]:
        data = self._socket.recv(_MOST)
        while data:
            size, type, _, number, _ = _HEADER.unpack_from(data)
            yield type, number, data[_HEADER.size : size]
            data = data[size + -size % 4 :]


def link(index: int = 0, *, name: str = "", mac: str = "", mtu: int = 0, alias: str = "") -> Request:
    """One that is there, by its number or its name; up from then on."""
    more = _bytes(_IFLA_ADDRESS, _octets(mac)) + _bytes(_IFLA_IFALIAS, alias.encode())
    return Request(_NEWLINK, 0, _LINK.pack(0, 0, index, _UP, _UP) + _named(name, mtu) + more)


def veth(name: str, mtu: int, peer: str, peer_mac: str, pid: int) -> Request:
    """A new pair.  The peer is in the network namespace of that process."""
    inner = _LINK.pack(0, 0, 0, 0, 0) + _named(peer, mtu) + _bytes(_IFLA_ADDRESS, _octets(peer_mac))
    inner += _bytes(_IFLA_NET_NS_PID, struct.pack("=I", pid))
    info = _bytes(_INFO_KIND, b"veth") + _bytes(_INFO_DATA, _bytes(_VETH_PEER, inner))
    body = _LINK.pack(0, 0, 0, 0, 0) + _named(name, mtu) + _bytes(_IFLA_LINKINFO, info)
    return Request(_NEWLINK, _CREATE | _EXCL, body)


def no_link(index: int) -> Request:
    return Request(_DELLINK, 0, _LINK.pack(0, 0, index, 0, 0))


def address(index: int, ip: IpAddress, length: int) -> Request:
    """Without duplicate address detection."""
    more = _bytes(_IFA_FLAGS, struct.pack("=I", _NODAD)) if ip.version == 6 else b""
    return Request(_NEWADDR, _CREATE | _REPLACE, _address(index, ip, length) + more)


def no_address(index: int, ip: IpAddress, length: int) -> Request:
    return Request(_DELADDR, 0, _address(index, ip, length))


def default_route(index: int, gateway: IpAddress) -> Request:
    head = _ROUTE.pack(_FAMILIES[gateway.version], 0, 0, 0, _MAIN, _STATIC, _UNIVERSE, _UNICAST, 0)
    more = _bytes(_RTA_GATEWAY, gateway.packed) + _bytes(_RTA_OIF, struct.pack("=I", index))
    return Request(_NEWROUTE, _CREATE | _REPLACE, head + more)


def is_gone(problem: OSError) -> bool:
    return problem.errno == errno.ENODEV


def _named(name: str, mtu: int) -> bytes:
    told = _bytes(_IFLA_IFNAME, name.encode() + b"\0") if name else b""
    return told + (_bytes(_IFLA_MTU, struct.pack("=I", mtu)) if mtu else b"")


def _address(index: int, ip: IpAddress, length: int) -> bytes:
    head = _ADDRESS.pack(_FAMILIES[ip.version], length, 0, _UNIVERSE, index)
    return head + _bytes(_IFA_LOCAL, ip.packed) + _bytes(_IFA_ADDRESS, ip.packed)


def _octets(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def _bytes(type: int, value: bytes) -> bytes:
    """An attribute; an empty one is none."""
    if not value:
        return b""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), type) + value + bytes(-len(value) % 4)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _ATTRIBUTE.size:
        size, type = _ATTRIBUTE.unpack_from(data)
        yield type, data[_ATTRIBUTE.size : size]
        data = data[size + -size % 4 :]
