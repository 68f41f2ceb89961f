"""Next hops of which a route has several, on networks that routers have interfaces on: which ports that the
database knows have their addresses, and which of them have to be probed.

Looked up by network.  A node that has no such route pays for an index of addresses alone.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from netweft.model import (
    FloatingAddress,
    FloatingIp,
    GatewayPort,
    Key,
    Object,
    Peer,
    Port,
    Router,
    RouterPort,
    key_of,
)
from netweft.reconcile.memo import Fact, Reader
from netweft.services import wiring
from netweft.services.addresses import Prefix, prefix, text, within
from netweft.services.l3.interfaces import keep
from netweft.services.l3.neighbours.unknown_locations import may_be_there
from netweft.services.l3.values import WatchedHop
from netweft.services.values import LocalNetwork

_Place = tuple[str, str]  # network, address


def several(router: Router) -> frozenset[Prefix]:
    """The next hops of its routes that have several."""
    times = Counter(route.destination for route in router.routes)
    return frozenset(prefix(route.nexthop) for route in router.routes if times[route.destination] > 1)


def has_several(router: Router) -> bool:
    """Whether next hops outside may be watched for it."""
    return bool(several(router)) or bool(router.ecmp and router.extra_gateways)


class WatchedHops:
    """Facts: ("several", network) -> next hops that are one of several of a router with an interface there, sorted;
    ("holder", network, next hop) -> the key of who has that address."""

    of: Final = (Port, Peer, RouterPort, GatewayPort, FloatingIp, FloatingAddress, Router)

    def __init__(self) -> None:
        self._hops: dict[str, frozenset[Prefix]] = {}  # of routers
        self._networks: defaultdict[str, Counter[str]] = defaultdict(Counter)  # router -> of its interfaces
        self._routers: defaultdict[str, set[str]] = defaultdict(set)  # network -> with interfaces there
        self._has: defaultdict[_Place, set[Key]] = defaultdict(set)
        self._said: dict[str, frozenset[str]] = {}

    @property
    def routers(self) -> Iterable[str]:
        """That have such routes."""
        return sorted(self._hops)

    def changed(self, before: Object | None, after: Object | None) -> Iterator[tuple[Fact, object]]:
        places = [place for obj, here in ((before, False), (after, True)) for place in self._keep(obj, here=here)]
        for network_id, address in dict.fromkeys(places):
            if address in self._said.get(network_id, ()):
                yield self._holder(network_id, address)
        for network_id in sorted({*self._keep_router(before, here=False), *self._keep_router(after, here=True)}):
            yield from self._say(network_id)

    def _keep(self, obj: Object | None, *, here: bool) -> Iterator[_Place]:
        for place in _places(obj):
            assert obj is not None
            keep(self._has, place, key_of(obj), here=here)
            yield place

    def _keep_router(self, obj: Object | None, *, here: bool) -> Iterator[str]:
        """Returns the networks for which it makes a difference."""
        if isinstance(obj, Router):
            self._hops.pop(obj.id, None)
            if here and (hops := several(obj)):
                self._hops[obj.id] = hops
            yield from self._networks.get(obj.id, ())
        elif isinstance(obj, RouterPort):
            counts = self._networks[obj.router_id]
            counts[obj.network_id] += 1 if here else -1
            if not counts[obj.network_id]:
                del counts[obj.network_id]
            keep(self._routers, obj.network_id, obj.router_id, here=obj.network_id in counts)
            if not counts:
                del self._networks[obj.router_id]
            yield obj.network_id

    def _say(self, network_id: str) -> Iterator[tuple[Fact, object]]:
        hops = {hop for id in self._routers.get(network_id, ()) for hop in self._hops.get(id, ())}
        before, now = self._said.pop(network_id, frozenset()), frozenset(map(text, hops))
        if now:
            self._said[network_id] = now
        if now != before:
            yield ("several", network_id), tuple(sorted(hops)) or None
        for address in sorted(now ^ before):
            yield self._holder(network_id, address)

    def _holder(self, network_id: str, address: str) -> tuple[Fact, object]:
        is_said = address in self._said.get(network_id, ())
        found = self._has.get((network_id, address), ()) if is_said else ()
        return ("holder", network_id, address), min(found, default=None)


def _places(obj: Object | None) -> Iterator[_Place]:
    if isinstance(obj, Port | RouterPort | GatewayPort):
        yield from ((obj.network_id, fixed.ip_address) for fixed in obj.fixed_ips)
    elif isinstance(obj, Peer):
        yield from ((obj.network_id, address) for address in obj.ip_addresses)
    elif isinstance(obj, FloatingIp | FloatingAddress):
        yield obj.floating_network_id, obj.floating_ip_address


def on_the_link(
    read: Reader, router: Router, network: LocalNetwork, on_link: Iterable[Prefix]
) -> tuple[list[WatchedHop], list[Prefix]]:
    """Those of a router: which are probed, and which are known to be down or have no host.  Addresses that flows answer
    for, as routers' and floating IPs', are not probed: the probe would not reach them."""
    asked: list[WatchedHop] = []
    down: list[Prefix] = []
    network_id = network.network.id
    hops = several(router) if read.get(("several", network_id)) else frozenset[Prefix]()
    for hop in sorted(hop for hop in hops if any(within(hop, net) for net in on_link)):
        holder: Key | None = read.get(("holder", network_id, text(hop)))
        obj = read.get(holder) if holder else None
        if _is_down(read, obj) or (obj is None and not may_be_there(read, network, hop)):
            down.append(hop)
        elif obj is None:
            asked.append(WatchedHop(hop))
        elif isinstance(obj, Port) or (isinstance(obj, Peer) and not obj.is_gateway):
            asked.append(WatchedHop(hop, obj.mac_address))
    return asked, down


def _is_down(read: Reader, obj: object) -> bool:
    """As this node knows it.  Of a VM elsewhere it knows nothing: that one is probed."""
    if isinstance(obj, RouterPort):
        router: Router | None = read.get(("router", obj.router_id))
        return not obj.admin_state_up or (router is not None and not router.admin_state_up)
    if not isinstance(obj, Port) or not obj.active:
        return False
    return not obj.admin_state_up or wiring.is_out_of_use(read, obj.id)
