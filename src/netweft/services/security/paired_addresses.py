"""Which addresses of a network more than one port may have, looked up by network: those of allowed address pairs.

Any port of the network may be meant, wherever it is: a pair is what lets an address wander from port to port.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Final

from netweft.model import Object, Peer, Port
from netweft.reconcile.memo import Fact
from netweft.services.addresses import Prefix, prefix


class PairedAddresses:
    """Facts: ("paired", network) -> the addresses, sorted; ("paired_macs", network) -> of the single addresses that all
    pairs give the same MAC, both, sorted: for a router that is who has it."""

    of: Final = (Port, Peer)

    def __init__(self) -> None:
        self._of: defaultdict[str, Counter[tuple[Prefix, str]]] = defaultdict(Counter)

    def changed(self, before: Object | None, after: Object | None) -> Iterator[tuple[Fact, object]]:
        networks = set()
        for port, step in ((before, -1), (after, 1)):
            if isinstance(port, Port | Peer):
                for pair in _pairs(port):
                    self._of[port.network_id][pair] += step
                    networks.add(port.network_id)
        for network_id in sorted(networks):
            found = +self._of[network_id]
            if found:
                self._of[network_id] = found
            else:
                del self._of[network_id]
            macs: defaultdict[Prefix, set[str]] = defaultdict(set)
            for address, mac in found:
                macs[address].add(mac)
            known = sorted(macs, key=_order)
            yield ("paired", network_id), tuple(known) or None
            sole = tuple((one, *macs[one]) for one in known if one.mask is None and len(macs[one]) == 1)
            yield ("paired_macs", network_id), sole or None


def _pairs(port: Port | Peer) -> Iterator[tuple[Prefix, str]]:
    """Also of its own address, with another MAC.  What is no address is its own port's problem."""
    for pair in port.allowed_address_pairs:
        try:
            yield prefix(pair.ip_address), pair.mac_address or port.mac_address
        except ValueError:
            continue


def _order(address: Prefix) -> tuple[int, int, int]:
    return address.version, address.value, address.mask or 0
