"""ARP over Ethernet (RFC 826): questions, and what is said in answer."""

from ipaddress import IPv4Address
from struct import Struct as Packer
from struct import error as StructError
from typing import Final, NamedTuple

from netweft.dataplane.openflow.fields import ETH_ARP
from netweft.dataplane.packets.datagram import IpAddress

_FRAME: Final = Packer("!6s6sHHHBBH6s4s6s4s")
_SHORTEST: Final = 60
_ETHERNET, _IPV4 = 1, 0x0800
_EVERYBODY: Final = b"\xff" * 6
REQUEST: Final = 1
REPLY: Final = 2


class Said(NamedTuple):
    """mac has address, its sender says."""

    mac: bytes
    address: IpAddress


def request(mac: bytes, own: IPv4Address, target: IPv4Address, *, to: bytes = _EVERYBODY) -> bytes:
    """Who has `target`?  Of one's own address it is an announcement (RFC 5227)."""
    head = (to, mac, ETH_ARP, _ETHERNET, _IPV4, 6, 4, REQUEST)
    return _FRAME.pack(*head, mac, own.packed, bytes(6), target.packed).ljust(_SHORTEST, b"\0")


def reply(frame: bytes) -> Said | None:
    """None: it is none, or makes no sense."""
    return _said(_read(frame, REPLY))


def claim(frame: bytes) -> Said | None:
    """What a question or an answer says of its sender, an announcement above all.  None: nothing, or it makes no sense:
    from a group's MAC, or from another one than its frame."""
    return _said(_read(frame, REQUEST, REPLY))


def probe(frame: bytes) -> Said | None:
    """The sender of an ARP probe (RFC 5227), and the address that it probes; None: it is no probe."""
    found = _read(frame, REQUEST)
    return Said(found.mac, found.target) if found and int(found.own) == 0 else None


def asked(frame: bytes) -> Said | None:
    """The sender of a request for an address's MAC, and the address; None: it is no such request, but perhaps a probe
    or an announcement."""
    found = _read(frame, REQUEST)
    return Said(found.mac, found.target) if found and int(found.own) and found.own != found.target else None


def answer(own: bytes, asked: Said) -> bytes:
    """To a probe: this MAC has the address."""
    head = (asked.mac, own, ETH_ARP, _ETHERNET, _IPV4, 6, 4, REPLY)
    return _FRAME.pack(*head, own, asked.address.packed, asked.mac, bytes(4)).ljust(_SHORTEST, b"\0")


class _Arp(NamedTuple):
    mac: bytes
    own: IPv4Address
    target: IPv4Address


def _said(found: _Arp | None) -> Said | None:
    return Said(found.mac, found.own) if found and int(found.own) else None


def _read(frame: bytes, *wanted: int) -> _Arp | None:
    try:
        _, source, eth_type, hardware, protocol, *lengths, kind, mac, own, _, target = _FRAME.unpack_from(frame)
    except StructError:
        return None
    if (eth_type, hardware, protocol, lengths) != (ETH_ARP, _ETHERNET, _IPV4, [6, 4]) or kind not in wanted:
        return None
    if mac[0] & 1 or mac == bytes(6) or mac != source:
        return None
    return _Arp(mac, IPv4Address(own), IPv4Address(target))
