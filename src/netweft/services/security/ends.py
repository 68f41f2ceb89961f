"""Who has an address in a network, and with which MAC: what conntrack does not know of its connections."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from netweft.model import AddressPair, Peer
from netweft.services.addresses import Prefix, octets, prefix, within
from netweft.services.fields import NOBODY
from netweft.services.values import LocalPort


class End(NamedTuple):
    """port: None for who is elsewhere.  mac: NOBODY where nothing depends on it."""

    port: LocalPort | None
    mac: bytes


ELSEWHERE = End(None, NOBODY)


class Ends:
    """ports, peers: of one network.  ranges: of members of remote groups, of which some may be of this network.
    way_out: by IP version the MAC of its router, for who is none of these."""

    def __init__(
        self,
        ports: Iterable[LocalPort] = (),
        peers: Iterable[Peer] = (),
        ranges: Iterable[AddressPair] = (),
        way_out: Mapping[int, bytes] = MappingProxyType({}),
    ) -> None:
        self._single: defaultdict[Prefix, list[End]] = defaultdict(list)
        self._ranges: list[tuple[Prefix, End]] = []
        self._way_out = way_out
        for here in ports:
            own = ((fixed.ip_address, here.port.mac_address) for fixed in here.port.fixed_ips)
            pairs = ((pair.ip_address, pair.mac_address) for pair in here.port.allowed_address_pairs)
            for address, mac in (*own, *pairs):
                self._add(prefix(address), End(here, octets(mac)))
        for peer in peers:
            for address in peer.ip_addresses:
                self._add(prefix(address), End(None, octets(peer.mac_address)))
        local = {end.mac for _, end in self._ranges}
        for pair in ranges:
            if octets(pair.mac_address) not in local:
                self._add(prefix(pair.ip_address), End(None, octets(pair.mac_address)))

    def _add(self, place: Prefix, end: End) -> None:
        if place.mask is not None:
            self._ranges.append((place, end))
        elif end not in self._single[place]:
            self._single[place].append(end)

    def at(self, address: str) -> tuple[End, ...]:
        """Of several ports here with one address all; none where it is in ranges of several, and so is ambiguous."""
        place = prefix(address)
        single = self._single.get(place)
        if single:
            return tuple(end for end in single if end.port) or tuple(single[:1])
        nobody = {NOBODY: End(None, self._way_out.get(place.version, NOBODY))}
        covering = {end.mac: end for range_, end in self._ranges if within(place, range_)} or nobody
        return tuple(covering.values()) if len(covering) == 1 else ()
