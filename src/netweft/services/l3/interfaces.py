"""Which networks routers have interfaces on and gateways to, looked up by network and by router."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Final, TypeVar

from netweft.model import FloatingIp, GatewayPort, Object, RouterPort, VipPort
from netweft.reconcile.memo import Fact

_K = TypeVar("_K")
_V = TypeVar("_V")
# what belongs to a router -> the fact in which their ids are, sorted
_PARTS: Final = {RouterPort: "interfaces", GatewayPort: "gateways"}


class Interfaces:
    """node: this one.  A gateway is here where this node has it or may have to take over.  A VIP on a wire stands there
    as an interface does: what comes by the wire may be for it.
    Facts: ("routed", network) -> True where a router has an interface, or here its gateway or a floating IP;
    ("answered", network) -> the ids of those for which a node answers hosts that no agent stands before, sorted;
    ("interfaces", router), ("gateways", router) -> the ids of what is there, sorted."""

    of: Final = (RouterPort, GatewayPort, VipPort)

    def __init__(self, node: str) -> None:
        self._node = node
        self._on: defaultdict[str, set[str]] = defaultdict(set)  # network -> interfaces; gateways, floating IPs here
        self._routers_on: defaultdict[str, Counter[str]] = defaultdict(Counter)  # network -> by their interfaces
        self._answered: defaultdict[str, set[str]] = defaultdict(set)  # network -> interfaces that have an order
        self._of: defaultdict[tuple[str, str], set[str]] = defaultdict(set)  # fact, router -> ids
        # interfaces for which this node may answer physical hosts: to take-over each is a gateway of its own router.
        # A value: another one is there when it changes
        self.on_wires: Mapping[str, GatewayPort] = {}
        self._answering: dict[str, str] = {}  # interfaces for which this node may answer physical hosts -> their router
        self.vips_on_wires: dict[str, VipPort] = {}  # likewise
        self._outside: defaultdict[str, set[str]] = defaultdict(set)  # router -> gateways, floating IPs here

    def on(self, network_id: str) -> bool:
        return network_id in self._on

    def routers_on(self, network_id: str) -> list[str]:
        """With interfaces there."""
        return sorted(self._routers_on.get(network_id, ()))

    @property
    def outside_here(self) -> list[str]:
        """The routers that are on an external network on this node: by their gateway, which it may have to take over
        yet, or a floating IP."""
        return sorted(self._outside)

    @property
    def answering(self) -> list[str]:
        """The routers with interfaces for which this node answers physical hosts, or may have to."""
        return sorted(set(self._answering.values()))

    def is_outside_here(self, router_id: str) -> bool:
        return router_id in self._outside

    def placed(self, one: FloatingIp, *, here: bool) -> tuple[Fact, object]:
        """A floating IP that has come to this node with its VM, or has gone."""
        self._stands(one.id, one.router_id, one.floating_network_id, outside=True, here=here)
        return ("routed", one.floating_network_id), self.on(one.floating_network_id) or None

    def changed(self, before: Object | None, after: Object | None) -> Iterator[tuple[Fact, object]]:
        for port, step in ((before, -1), (after, 1)):
            if isinstance(port, RouterPort):
                count(self._routers_on, port.network_id, port.router_id, step)
        if isinstance(before, RouterPort | VipPort):
            self._answering.pop(before.id, None)
            self.vips_on_wires.pop(before.id, None)
            if before.id in self.on_wires:
                self.on_wires = {id: port for id, port in self.on_wires.items() if id != before.id}
        if isinstance(after, RouterPort | VipPort) and self._node in after.order:
            if isinstance(after, VipPort):
                self.vips_on_wires[after.id] = after
            else:
                self._answering[after.id] = after.router_id
            self.on_wires = {**self.on_wires, after.id: _as_gateway(after)}
        places: list[tuple[str, str]] = []
        for part in (before, after):
            if isinstance(part, RouterPort | GatewayPort):
                places += self._place(part, here=part is after)
                if isinstance(part, RouterPort):
                    keep(self._answered, part.network_id, part.id, here=part is after and bool(part.order))
                    places.append(("answered", part.network_id))
            elif isinstance(part, VipPort):
                self._stands(part.id, "", part.network_id, outside=False, here=part is after)
                places.append(("routed", part.network_id))
        for name, id in dict.fromkeys(places):
            if name == "routed":
                yield (name, id), self.on(id) or None
            elif name == "answered":
                yield (name, id), tuple(sorted(self._answered.get(id, ()))) or None
            else:
                yield (name, id), tuple(sorted(self._of.get((name, id), ()))) or None

    def _place(self, part: RouterPort | GatewayPort, *, here: bool) -> Iterator[tuple[str, str]]:
        fact = (_PARTS[type(part)], part.router_id)
        keep(self._of, fact, part.id, here=here)
        yield fact
        outside = isinstance(part, GatewayPort)
        if isinstance(part, RouterPort) or self._node in part.order:
            self._stands(part.id, part.router_id, part.network_id, outside=outside, here=here)
            yield ("routed", part.network_id)

    def _stands(self, id: str, router_id: str, network_id: str, *, outside: bool, here: bool) -> None:
        keep(self._on, network_id, id, here=here)
        if outside:
            keep(self._outside, router_id, id, here=here)


def _as_gateway(port: RouterPort | VipPort) -> GatewayPort:
    return GatewayPort(
        id=port.id,
        network_id=port.network_id,
        mac_address=port.mac_address,
        fixed_ips=port.fixed_ips,
        router_id=port.id,
        host_id=port.answers_on,
        hosts=port.order,
    )


def keep(found: defaultdict[_K, set[_V]], key: _K, one: _V, *, here: bool) -> None:
    if here:
        found[key].add(one)
    elif key in found:
        found[key].discard(one)
        if not found[key]:
            del found[key]


def count(found: defaultdict[_K, Counter[str]], key: _K, id: str, step: int) -> None:
    counts = found[key]
    counts[id] += step
    if not counts[id]:
        del counts[id]
    if not counts:
        del found[key]
