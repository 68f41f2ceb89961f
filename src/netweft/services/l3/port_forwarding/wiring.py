"""From facts to forwardings as services work on them; and what forwardings name, looked up by router."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Final, TypeAlias

from netweft.model import Object, PortForwarding, Router
from netweft.reconcile.memo import Fact, Reader
from netweft.services.addresses import prefix
from netweft.services.l3.values import Forwarded, LocalForwarding
from netweft.services.l3.wiring import gateways_here, next_hops_of, zone_of
from netweft.services.node_facts import host_facts
from netweft.services.values import LocalNetwork
from netweft.services.wiring import local_network

Place: TypeAlias = tuple[str, str]
_End: TypeAlias = tuple[Place, int, int]  # the address, the protocol


class ForwardedAddresses:
    """Facts: ("forwarded", router, external network) -> what its forwardings lead from and to, sorted: the router
    needs to hear only of addresses that are new.  A place is a router and an external network."""

    of: Final = (PortForwarding,)

    def __init__(self) -> None:
        self._found: defaultdict[Place, Counter[Forwarded]] = defaultdict(Counter)
        self._from: defaultdict[_End, dict[str, PortForwarding]] = defaultdict(dict)
        self._to: defaultdict[_End, dict[str, PortForwarding]] = defaultdict(dict)

    def by_port(self, place: Place, address: int, protocol: int, port: int) -> PortForwarding | None:
        """The one of this external port."""
        found = self._from.get((place, address, protocol), {}).values()
        return next((one for one in found if one.external_first <= port <= one.external_last), None)

    def by_port_inside(self, place: Place, address: int, protocol: int, port: int) -> PortForwarding | None:
        """The one to this internal port: there are no two."""
        found = self._to.get((place, address, protocol), {}).values()
        return next((one for one in found if one.internal_first <= port <= one.internal_last), None)

    def changed(self, before: Object | None, after: Object | None) -> Iterator[tuple[Fact, object]]:
        places = {}
        for one, step in ((before, -1), (after, 1)):
            if isinstance(one, PortForwarding):
                place = places[one.router_id, one.floating_network_id] = one.router_id, one.floating_network_id
                leads = _addresses(one)
                self._found[place][leads] += step
                for found, address in ((self._from, leads.outside), (self._to, leads.inside)):
                    _keep(found, (place, address, one.protocol), one, here=step > 0)
        for place in places:
            left = +self._found[place]
            if left:
                self._found[place] = left
            else:
                del self._found[place]
            yield ("forwarded", *place), tuple(sorted(left)) or None


def _keep(found: defaultdict[_End, dict[str, PortForwarding]], end: _End, one: PortForwarding, *, here: bool) -> None:
    if here:
        found[end][one.id] = one
    else:
        found[end].pop(one.id, None)
        if not found[end]:
            del found[end]


def _addresses(one: PortForwarding) -> Forwarded:
    outside, inside = (prefix(text).value for text in (one.floating_ip_address, one.internal_ip_address))
    return Forwarded(outside, inside, one.protocol)


def local_forwarding(read: Reader, id: str) -> LocalForwarding | None:
    """None: its router has no gateway here for it, or is down."""
    forwarding: PortForwarding = read.get(("port_forwarding", id))
    router: Router | None = read.get(("router", forwarding.router_id))
    if router is None or not router.admin_state_up:
        return None
    outside = forwarding.floating_network_id
    gateways = gateways_here(read, router)
    port = next((one for one in gateways if one.network_id == outside), None)
    zone = zone_of(read, port) if port else None
    network = local_network(read, outside)
    if port is None or not zone or not isinstance(network, LocalNetwork):
        return None
    number = read.get(("number", router.id))
    return LocalForwarding(
        forwarding=forwarding,
        router=number,
        zone=zone,
        vlan=network.vlan,
        snat=router.enable_snat,
        mac=port.mac_address,
        hop=next((hop for hop in next_hops_of(read, port) if hop.version == 4), None),
        gives_pieces=host_facts(read).datapath_type == "netdev",
        others=tuple(sorted(one.mac_address for one in gateways if one.network_id != outside)),
    )
