"""Which networks routers have interfaces on, looked up by network and by router."""

from collections import defaultdict
from collections.abc import Iterator

from netweft.model import Object, RouterPort
from netweft.reconcile.memo import Fact


class Interfaces:
    """Facts: ("routed", network) -> True; ("interfaces", router) -> the ids of its RouterPorts, sorted."""

    def __init__(self) -> None:
        self._on: defaultdict[str, set[str]] = defaultdict(set)  # network -> interfaces
        self._of: defaultdict[str, set[str]] = defaultdict(set)  # router -> interfaces
        self._router_of: dict[str, str] = {}

    def on(self, network_id: str) -> bool:
        return network_id in self._on

    @property
    def networks(self) -> frozenset[str]:
        return frozenset(self._on)

    def routers_on(self, network_id: str) -> list[str]:
        return sorted({self._router_of[id] for id in self._on.get(network_id, ())})

    def changed(self, before: Object | None, after: Object | None) -> Iterator[tuple[Fact, object]]:
        ports = [port for port in (before, after) if isinstance(port, RouterPort)]
        for port in ports:
            here = port is after
            if here:
                self._router_of[port.id] = port.router_id
            else:
                self._router_of.pop(port.id, None)
            for found, id in ((self._on, port.network_id), (self._of, port.router_id)):
                (found[id].add if here else found[id].discard)(port.id)
        for port in ports:
            yield ("routed", port.network_id), bool(self._on[port.network_id]) or None
            yield ("interfaces", port.router_id), tuple(sorted(self._of[port.router_id])) or None
        for port in ports:
            for found, id in ((self._on, port.network_id), (self._of, port.router_id)):
                if id in found and not found[id]:
                    del found[id]
