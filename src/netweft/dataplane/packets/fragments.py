"""A whole datagram cut into fragments, as its sender had: for who has to send one that conntrack has put together."""

import secrets
from collections.abc import Iterator
from typing import Final

from netweft.dataplane.openflow.fields import ETH_IPV4, ETH_IPV6, PROTO_FRAGMENT, PROTO_ICMPV6
from netweft.dataplane.packets.datagram import checksum

_ETHERNET, _IPV4, _IPV6, _FRAGMENT = 14, 20, 40, 8
_MORE_4: Final = 0x2000
_MORE_6: Final = 1


def cut(frame: bytes, mtu: int) -> Iterator[bytes]:
    """mtu: the most that a fragment may have, from its IP header on.  What fits stays as it is.  Nothing, if it has
    options or extension headers: nobody pings with such."""
    eth_type = int.from_bytes(frame[12:14], "big")
    if len(frame) <= _ETHERNET + mtu:
        yield frame
    elif eth_type == ETH_IPV4 and frame[14] == 0x45:
        yield from _ipv4(frame, mtu)
    elif eth_type == ETH_IPV6 and frame[20] == PROTO_ICMPV6:
        yield from _ipv6(frame, mtu)


def _ipv4(frame: bytes, mtu: int) -> Iterator[bytes]:
    whole = frame[_ETHERNET + _IPV4 : _ETHERNET + int.from_bytes(frame[16:18], "big")]
    for at, part, more in _parts(whole, mtu - _IPV4):
        header = bytearray(frame[_ETHERNET : _ETHERNET + _IPV4])
        header[2:4] = (_IPV4 + len(part)).to_bytes(2, "big")
        header[6:8] = (at // 8 | (_MORE_4 if more else 0)).to_bytes(2, "big")
        header[10:12] = bytes(2)
        header[10:12] = checksum(bytes(header)).to_bytes(2, "big")
        yield frame[:_ETHERNET] + bytes(header) + part


def _ipv6(frame: bytes, mtu: int) -> Iterator[bytes]:
    end, id = _ETHERNET + _IPV6 + int.from_bytes(frame[18:20], "big"), secrets.token_bytes(4)
    for at, part, more in _parts(frame[_ETHERNET + _IPV6 : end], mtu - _IPV6 - _FRAGMENT):
        header = bytearray(frame[_ETHERNET : _ETHERNET + _IPV6])
        header[4:6] = (_FRAGMENT + len(part)).to_bytes(2, "big")
        header[6] = PROTO_FRAGMENT
        which = (at | (_MORE_6 if more else 0)).to_bytes(2, "big")
        yield frame[:_ETHERNET] + bytes(header) + bytes((PROTO_ICMPV6, 0)) + which + id + part


def _parts(whole: bytes, most: int) -> Iterator[tuple[int, bytes, bool]]:
    """Where each begins, and whether there are more."""
    step = most // 8 * 8
    for at in range(0, len(whole), step):
        yield at, whole[at : at + step], at + step < len(whole)
