"""Router advertisements and solicitations (RFC 4861 4.1, 4.2; RDNSS, DNSSL: RFC 8106; router preference: RFC 4191)."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv6Address, IPv6Network
from itertools import groupby
from struct import Struct as Packer
from typing import Final

from msgspec import Struct

from netweft.dataplane.openflow.fields import ETH_IPV6, PROTO_ICMPV6, ROUTER_ADVERT, ROUTER_SOLICIT
from netweft.dataplane.packets.icmp import ALL_NODES, ALL_NODES_MAC, HOPS, SOURCE_LINK, message

LONGEST: Final = 1280  # bytes of a packet that any link carries: what does not fit is said in further ones
LEAST_MTU: Final = 1280  # of IPv6
HOP_LIMIT: Final = 64

_MANAGED, _OTHER, _LOW = 0x80, 0x40, 0x18
_ON_LINK, _AUTONOMOUS = 0x80, 0x40
_PREFIX, _MTU, _SERVERS, _DOMAINS = 3, 5, 25, 31
_HEAD = Packer("!BBH")  # hop limit, flags, router lifetime
_TIMES = bytes(8)  # reachable and retransmission time: not said
_PREFIX_OPTION, _MTU_OPTION, _NAMES_HEAD = Packer("!BBBBIII16s"), Packer("!BBHI"), Packer("!BBHI")
_HEADERS = 40 + 16  # IPv6's, and the advertisement's own
_ETHERNET, _ICMP = 14, 54


class PrefixInfo(Struct, frozen=True):
    """A prefix that is on the link.  autonomous: hosts form their addresses in it.  Lifetimes in seconds."""

    network: IPv6Network
    autonomous: bool
    valid: int
    preferred: int


class Server(Struct, frozen=True):
    """A recursive name server.  lifetime: 0 when it is one no longer."""

    address: IPv6Address
    lifetime: int


class Domain(Struct, frozen=True):
    """One in which names are looked up that have none.  name: without a dot at its end.  lifetime: 0 when it is one no
    longer."""

    name: str
    lifetime: int


class Advertisement(Struct, frozen=True, kw_only=True):
    """What one router says of itself and its link.  lifetime: as a default router; 0 when it is none.
    managed, other: whether DHCPv6 gives addresses, anything else.  low: others are to be preferred.
    mtu: 0 when it is not said."""

    mac: bytes
    source: IPv6Address
    lifetime: int
    managed: bool = False
    other: bool = False
    low: bool = False
    mtu: int = 0
    prefixes: tuple[PrefixInfo, ...] = ()
    servers: tuple[Server, ...] = ()
    domains: tuple[Domain, ...] = ()


class Solicitation(Struct, frozen=True):
    """A router solicitation; src is unspecified where the sender has no address yet."""

    eth_src: bytes
    src: IPv6Address

    @property
    def to(self) -> tuple[bytes, IPv6Address]:
        """Whom the answer is for."""
        return EVERYBODY if self.src.is_unspecified else (self.eth_src, self.src)


EVERYBODY: Final = (ALL_NODES_MAC, ALL_NODES)


def solicitation(frame: bytes) -> Solicitation | None:
    """None for what RFC 4861 6.1.1 has ignored, and for a sender that nobody could answer."""
    if len(frame) < _ICMP + 8 or frame[12:14] != ETH_IPV6.to_bytes(2, "big"):
        return None
    length, protocol, hops = int.from_bytes(frame[18:20], "big"), frame[20], frame[21]
    asked = Solicitation(frame[6:12], IPv6Address(frame[22:38]))
    if (protocol, hops, *frame[_ICMP : _ICMP + 2]) != (PROTO_ICMPV6, HOPS, ROUTER_SOLICIT, 0):
        return None
    if not 8 <= length <= len(frame) - _ICMP or frame[6] & 1 or asked.src.is_multicast or asked.src.is_loopback:
        return None
    options = list(_options(frame[_ICMP + 8 : _ICMP + length]))
    if None in options or (asked.src.is_unspecified and SOURCE_LINK in options):
        return None
    return asked


def _options(rest: bytes) -> Iterator[int | None]:
    """Their types; None where they make no sense."""
    while rest:
        length = rest[1] * 8 if len(rest) > 1 else 0
        if not 0 < length <= len(rest):
            yield None
            return
        yield rest[0]
        rest = rest[length:]


def encode(said: Advertisement, to: tuple[bytes, IPv6Address] = EVERYBODY) -> list[bytes]:
    """Frames, more than one where it is too much for one: each repeats all but prefixes, name servers and domains."""
    flags = (_MANAGED if said.managed else 0) | (_OTHER if said.other else 0)
    flags |= _LOW if said.low and said.lifetime else 0  # RFC 4191 2.2
    rest = int.from_bytes(_HEAD.pack(HOP_LIMIT, flags, said.lifetime), "big")
    common = bytes((SOURCE_LINK, 1)) + said.mac
    if said.mtu >= LEAST_MTU:
        common += _MTU_OPTION.pack(_MTU, 1, 0, said.mtu)
    options = (*_prefixes(said.prefixes), *_servers(said.servers), *map(_domain, said.domains))
    bodies = _packed(options, LONGEST - _HEADERS - len(common))
    macs, ends = (said.mac, to[0]), (said.source, to[1])
    return [message(macs, ends, ROUTER_ADVERT, 0, rest, _TIMES + common + body) for body in bodies]


def _prefixes(prefixes: Iterable[PrefixInfo]) -> Iterator[bytes]:
    for one in prefixes:
        flags = _ON_LINK | (_AUTONOMOUS if one.autonomous else 0)
        times, start = (one.valid, one.preferred), one.network.network_address
        yield _PREFIX_OPTION.pack(_PREFIX, 4, one.network.prefixlen, flags, *times, 0, start.packed)


_AT_ONCE: Final = 16  # name servers of one option


def _servers(servers: Iterable[Server]) -> Iterator[bytes]:
    """Those with the same lifetime together."""
    for lifetime, group in groupby(sorted(servers, key=lambda one: -one.lifetime), key=lambda one: one.lifetime):
        addresses = [one.address.packed for one in group]
        for at in range(0, len(addresses), _AT_ONCE):
            some = addresses[at : at + _AT_ONCE]
            yield _NAMES_HEAD.pack(_SERVERS, 1 + 2 * len(some), 0, lifetime) + b"".join(some)


def _domain(one: Domain) -> bytes:
    labels = b"".join(bytes((len(label),)) + label for label in one.name.encode().split(b".")) + b"\0"
    filled = labels + bytes(-len(labels) % 8)
    return _NAMES_HEAD.pack(_DOMAINS, 1 + len(filled) // 8, 0, one.lifetime) + filled


def _packed(options: Iterable[bytes], room: int) -> list[bytes]:
    bodies = [b""]
    for option in options:
        if len(bodies[-1]) + len(option) > room:
            bodies.append(b"")
        bodies[-1] += option
    return bodies
