"""DHCP options by name: their codes, and how a value that a person wrote becomes bytes.

The names are those of dnsmasq, which is how users of Neutron write them (`mtu`, `option:mtu`, `26`).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address
from typing import TypeAlias

Encoder: TypeAlias = Callable[[str], bytes]

_PREFIX = re.compile(r"^option6?:")
_HEX = re.compile(r"^[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2})+$")
_LONGEST_LABEL = 63


def text(value: str) -> bytes:
    return value.encode()


def addresses(value: str) -> bytes:
    return b"".join(IPv4Address(part.strip()).packed for part in value.split(","))


def addresses6(value: str) -> bytes:
    return b"".join(IPv6Address(part.strip().strip("[]")).packed for part in value.split(","))


def integer(size: int) -> Encoder:
    return lambda value: int(value, 0).to_bytes(size, "big")


def domains(value: str) -> bytes:
    """As DNS writes them, uncompressed."""
    return b"".join(map(domain, value.split(",")))


def domain(name: str) -> bytes:
    labels = [label.encode("idna") for label in name.strip().strip(".").split(".")]
    if any(not 0 < len(label) <= _LONGEST_LABEL for label in labels):
        raise ValueError(f"{name!r} is no domain name")
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"


def routes(value: str) -> bytes:
    """`10.0.0.0/8,10.1.1.1,...`: destinations and next hops by turns."""
    parts = [part.strip() for part in value.split(",")]
    if len(parts) % 2:
        raise ValueError(f"{parts[-1]} has no next hop")
    return classless(zip(parts[::2], parts[1::2], strict=True))


def classless(pairs: Iterable[tuple[str, str]]) -> bytes:
    """RFC 3442: only as many bytes of a destination as its prefix has.  Next hop 0.0.0.0: on the link itself."""
    found = b""
    for destination, nexthop in pairs:
        network = IPv4Network(destination, strict=False)
        significant = network.network_address.packed[: (network.prefixlen + 7) // 8]
        found += bytes((network.prefixlen,)) + significant + IPv4Address(nexthop).packed
    return found


def guessed(value: str) -> bytes:
    """Of an option of which only the number is known: addresses, hexadecimal bytes, a number, or text."""
    for encoder in (addresses, addresses6):
        try:
            return encoder(value)
        except AddressValueError:
            pass
    if _HEX.match(value):
        return bytes(int(part, 16) for part in value.split(":"))
    if value.isascii() and value.isdigit():
        number = int(value)
        return number.to_bytes(next((size for size in (1, 2, 4) if number < 1 << 8 * size), 8), "big")
    return text(value)


_BY_KIND: Mapping[Encoder, Mapping[str, int]] = {
    addresses: {
        "netmask": 1, "router": 3, "dns-server": 6, "log-server": 7, "lpr-server": 9, "swap-server": 16,
        "policy-filter": 21, "broadcast": 28, "router-solicitation": 32, "static-route": 33, "nis-server": 41,
        "ntp-server": 42, "netbios-ns": 44, "netbios-dd": 45, "x-windows-fs": 48, "x-windows-dm": 49,
        "nis+-server": 65, "mobile-ip-home": 68, "smtp-server": 69, "pop3-server": 70, "nntp-server": 71,
        "irc-server": 74, "tftp-server-address": 150,
    },
    text: {
        "hostname": 12, "domain-name": 15, "root-path": 17, "extension-path": 18, "nis-domain": 40,
        "netbios-scope": 47, "vendor-class": 60, "nis+-domain": 64, "tftp-server": 66, "bootfile-name": 67,
        "posix-timezone": 100, "tzdb-timezone": 101,
    },
    integer(1): {
        "ip-forward-enable": 19, "non-local-source-routing": 20, "default-ttl": 23, "all-subnets-local": 27,
        "router-discovery": 31, "trailer-encapsulation": 34, "ethernet-encap": 36, "tcp-ttl": 37,
        "netbios-nodetype": 46,
    },
    integer(2): {"boot-file-size": 13, "max-datagram-reassembly": 22, "mtu": 26},
    integer(4): {"time-offset": 2, "arp-timeout": 35, "tcp-keepalive": 38, "lease-time": 51, "T1": 58, "T2": 59},
    domains: {"domain-search": 119},
    routes: {"classless-static-route": 121, "microsoft-static-route": 249},
    guessed: {"vendor-encap": 43, "user-class": 77, "sip-server": 120, "vendor-id-encap": 125},
}  # fmt: skip
_BY_KIND6: Mapping[Encoder, Mapping[str, int]] = {
    addresses6: {
        "sip-server": 22, "dns-server": 23, "nis-server": 27, "nis+-server": 28, "sntp-server": 31,
    },
    domains: {"sip-server-domain": 21, "domain-search": 24, "nis-domain": 29, "nis+-domain": 30},
    integer(4): {"information-refresh-time": 32},
    text: {"bootfile-url": 59},
}  # fmt: skip


def _table(by_kind: Mapping[Encoder, Mapping[str, int]]) -> dict[str, tuple[int, Encoder]]:
    names = {name: (code, encoder) for encoder, codes in by_kind.items() for name, code in codes.items()}
    return names | {str(code): (code, encoder) for code, encoder in names.values()}


_NAMES = {4: _table(_BY_KIND), 6: _table(_BY_KIND6)}
_HIGHEST = {4: 254, 6: 0xFFFF}


def encode(name: str, value: str, version: int = 4) -> tuple[int, bytes]:
    """Code and bytes of an option, none for an empty value.  Raises ValueError, in words, on what cannot be sent."""
    bare = _PREFIX.sub("", name.strip())
    code, encoder = _NAMES[version].get(bare) or (_number(bare, version), guessed)
    try:
        return code, encoder(value) if value else b""
    except (ValueError, OverflowError) as error:
        raise ValueError(f"DHCP option {name!r} cannot be {value!r}: {error}") from None


def _number(name: str, version: int) -> int:
    if not (name.isascii() and name.isdigit() and 0 < int(name) <= _HIGHEST[version]):
        raise ValueError(f"{name!r} is the name of no DHCP option")
    return int(name)
