"""Indexes over all members: who has an address here, and which routers join networks.

("with address", address)   -> the ids of ports here that have it, sorted
("routers on", network)     -> the ids of routers with interfaces there
("routers out to", network) -> the ids of routers with gateways there
("probed", end)             -> the number of the end that probes go to (`watched.end_key`)
("known at", address)       -> the ids of other nodes' ports that have it, sorted
("asker", balancer)         -> the node whose HAProxy probes members that no node has: the first that is up
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Final

from netweft.model import GatewayPort, Object, Peer, Port, Proxy, RouterPort
from netweft.model.load_balancer import Member
from netweft.reconcile.memo import Fact
from netweft.services.health.ends import NUMBER_BITS
from netweft.services.health.watched import end_key
from netweft.services.l3.interfaces import count
from netweft.services.numbers import Numbers

_ROUTERS = ("routers on", "routers out to")


class Watchable:
    of: Final = (Port, Peer, RouterPort, GatewayPort, Member, Proxy)

    def __init__(self) -> None:
        self._found: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self._numbers = Numbers(NUMBER_BITS)
        self._proxies: defaultdict[str, dict[str, Proxy]] = defaultdict(dict)  # by balancer

    def changed(self, before: Object | None, after: Object | None) -> Iterator[tuple[Fact, object]]:
        touched: set[tuple[str, str]] = set()
        for obj, step in ((after, 1), (before, -1)):
            if isinstance(obj, Member):
                for end, number in self._numbers.use(end_key(obj), step).items():
                    yield ("probed", end), number
            if isinstance(obj, Proxy):
                yield self._asker(obj, step)
            for place, id in _places(obj):
                count(self._found, place, id, step)
                touched.add(place)
        for place in sorted(touched):
            found = sorted(self._found.get(place, ()))
            yield place, (frozenset(found) if place[0] in _ROUTERS else tuple(found)) or None

    def _asker(self, proxy: Proxy, step: int) -> tuple[Fact, object]:
        found = self._proxies[proxy.load_balancer_id]
        if step > 0:
            found[proxy.id] = proxy
        elif found.get(proxy.id) is proxy:
            del found[proxy.id]
        hosts = [found[id].host_id for id in sorted(found) if found[id].is_up]
        if not found:
            del self._proxies[proxy.load_balancer_id]
        return ("asker", proxy.load_balancer_id), next(iter(hosts), None)


def _places(obj: Object | None) -> Iterator[tuple[tuple[str, str], str]]:
    if isinstance(obj, Port):
        for fixed in obj.fixed_ips:
            yield ("with address", fixed.ip_address), obj.id
    elif isinstance(obj, Peer):
        for address in obj.ip_addresses:
            yield ("known at", address), obj.id
    elif isinstance(obj, RouterPort):
        yield ("routers on", obj.network_id), obj.router_id
    elif isinstance(obj, GatewayPort):
        yield ("routers out to", obj.network_id), obj.router_id
