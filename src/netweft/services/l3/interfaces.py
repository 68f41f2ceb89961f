"""Which networks routers have interfaces on and gateways to, looked up by network and by router."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Final, TypeVar

from netweft.model import FloatingIp, GatewayPort, Object, RouterPort
from netweft.reconcile.memo import Fact

_K = TypeVar("_K")
# what belongs to a router -> the fact in which their ids are, sorted
_PARTS: Final = {RouterPort: "interfaces", GatewayPort: "gateways", FloatingIp: "floating_ips"}


class Interfaces:
    """node: this one.  A gateway is here where this node has it or may have to take over.
    Facts: ("routed", network) -> True where a router has an interface, or here its gateway;
    ("interfaces", router), ("gateways", router), ("floating_ips", router) -> the ids of what is there, sorted."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._on: defaultdict[str, set[str]] = defaultdict(set)  # network -> interfaces, gateways here
        self._of: defaultdict[tuple[str, str], set[str]] = defaultdict(set)  # fact, router -> ids
        self._router_of: dict[str, str] = {}
        self.gateways: dict[str, GatewayPort] = {}  # all
        self.networks_of: defaultdict[str, Counter[str]] = defaultdict(Counter)  # router -> of its interfaces
        self._gateways_here: dict[str, str] = {}

    def on(self, network_id: str) -> bool:
        return network_id in self._on

    @property
    def networks(self) -> frozenset[str]:
        return frozenset(self._on)

    def routers_on(self, network_id: str) -> list[str]:
        return sorted({self._router_of[id] for id in self._on.get(network_id, ())})

    @property
    def gateways_here(self) -> list[str]:
        """The routers whose gateway is on this node, or may have to be taken over."""
        return sorted(set(self._gateways_here.values()))

    def has_gateway_here(self, router_id: str) -> bool:
        return router_id in self._gateways_here.values()

    def changed(self, before: Object | None, after: Object | None) -> Iterator[tuple[Fact, object]]:
        if isinstance(before, RouterPort):
            _count(self.networks_of, before, -1)
        if isinstance(after, RouterPort):
            _count(self.networks_of, after, 1)
        if isinstance(before, GatewayPort):
            self.gateways.pop(before.id, None)
        if isinstance(after, GatewayPort):
            self.gateways[after.id] = after
        places: list[tuple[str, str]] = []
        for part in (before, after):
            if isinstance(part, RouterPort | GatewayPort | FloatingIp):
                places += self._place(part, here=part is after)
        for name, id in dict.fromkeys(places):
            if name == "routed":
                yield (name, id), self.on(id) or None
            else:
                yield (name, id), tuple(sorted(self._of.get((name, id), ()))) or None

    def _place(self, part: RouterPort | GatewayPort | FloatingIp, *, here: bool) -> Iterator[tuple[str, str]]:
        fact = (_PARTS[type(part)], part.router_id)
        _keep(self._of, fact, part.id, here=here)
        yield fact
        if isinstance(part, FloatingIp) or (isinstance(part, GatewayPort) and self._node not in part.order):
            return
        _keep(self._on, part.network_id, part.id, here=here)
        for found in (self._router_of, self._gateways_here)[: 1 + isinstance(part, GatewayPort)]:
            if here:
                found[part.id] = part.router_id
            else:
                found.pop(part.id, None)
        yield ("routed", part.network_id)


def _keep(found: defaultdict[_K, set[str]], key: _K, id: str, *, here: bool) -> None:
    if here:
        found[key].add(id)
    elif key in found:
        found[key].discard(id)
        if not found[key]:
            del found[key]


def _count(networks_of: defaultdict[str, Counter[str]], port: RouterPort, step: int) -> None:
    networks = networks_of[port.router_id]
    networks[port.network_id] += step
    if not networks[port.network_id]:
        del networks[port.network_id]
    if not networks:
        del networks_of[port.router_id]
