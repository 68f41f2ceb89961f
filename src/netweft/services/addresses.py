"""Addresses as the integers that flows carry."""

from contextlib import suppress
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, NamedTuple

MAC_ANY_MULTICAST = 0x010000000000  # the bit that marks a group address, value and mask alike


class Prefix(NamedTuple):
    """An address (mask None) or a range of them."""

    version: int
    value: int
    mask: int | None


def mac(text: str) -> int:
    return int(text.replace(":", ""), 16)


def is_multicast(mac_address: str) -> bool:
    """A group's MAC, which a port may have: frames to it are for all who listen, not for that port alone."""
    return bool(mac(mac_address) >> 40 & 1)


def maybe_mac(text: str) -> int | None:
    """None for what is no MAC, so that nobody else suffers from it."""
    try:
        return mac(text)
    except ValueError:
        return None


def text_of_mac(number: int) -> str:
    return ":".join(f"{byte:02x}" for byte in octets_of_mac(number))


def octets_of_mac(number: int) -> bytes:
    return number.to_bytes(6, "big")


def octets(mac_address: str) -> bytes:
    return bytes.fromhex(mac_address.replace(":", ""))


def parsed(address: str) -> IPv4Address | IPv6Address:
    return ip_address(address)


@lru_cache(maxsize=4096)
def prefix(text: str) -> Prefix:
    """`10.0.0.1`, `10.0.0.0/24`, `2001:db8::1`, ...  Host bits are ignored."""
    with suppress(ValueError):  # most are single ones of IPv4, and `ip_network` takes four times as long
        return Prefix(4, int(IPv4Address(text)), None)
    network: IPv4Network | IPv6Network = ip_network(text, strict=False)
    whole = network.prefixlen == network.max_prefixlen
    return Prefix(network.version, int(network.network_address), None if whole else int(network.netmask))


@lru_cache(maxsize=4096)
def address(text: str) -> Prefix:
    """One that is no range."""
    found = ip_address(text)
    return Prefix(found.version, int(found), None)


def text(one: Prefix) -> str:
    """What `prefix` reads."""
    single = (IPv4Address if one.version == 4 else IPv6Address)(one.value)
    return str(single) if one.mask is None else f"{single}/{one.mask.bit_count()}"


def overlap(one: Prefix, other: Prefix) -> bool:
    """Whether an address is in both."""
    return within(one, other) or within(other, one)


def within(one: Prefix, other: Prefix) -> bool:
    """Whether all of the one is in the other."""
    if one.version != other.version:
        return False
    if other.mask is None:
        return one.mask is None and one.value == other.value
    return (one.mask is None or one.mask >= other.mask) and one.value & other.mask == other.value


UNIQUE_LOCAL: Final = prefix("fc00::/7")  # RFC 4193


def is_unique_local(one: Prefix) -> bool:
    return within(one, UNIQUE_LOCAL)


def endpoint(text: str | None) -> Prefix | None:
    """A tunnel end point as another node says it; None when it is no address."""
    try:
        found = prefix(text or "")
    except ValueError:
        return None
    return found if found.mask is None else None


def link_local(mac_address: int) -> int:
    """The IPv6 link-local address that belongs to a MAC (modified EUI-64)."""
    high, low = mac_address >> 24 ^ 0x020000, mac_address & 0xFFFFFF
    return 0xFE80 << 112 | high << 40 | 0xFFFE << 24 | low
