"""The routers of this node, as services work on them, for whoever asks between two refreshes: each packet that is
handed up, each turn, each question to a next hop.

A router's unit reads what its `LocalRouter` is made of.  So that is made once for each change, and kept until the unit
is dirty.
"""

from collections.abc import Iterator

from netweft.model import GatewayPort
from netweft.reconcile.memo import Memo
from netweft.services.kinds import Item, ItemKey
from netweft.services.l3.interfaces import Interfaces
from netweft.services.l3.values import Gateway, Interface, LocalRouter
from netweft.services.l3.watched_hops import WatchedHops
from netweft.services.l3.wiring import local_router


class LocalRouters:
    def __init__(self, memo: Memo[ItemKey, Item], interfaces: Interfaces, hops: WatchedHops) -> None:
        self._memo, self._interfaces, self._hops = memo, interfaces, hops
        self._kept: dict[str, LocalRouter | None] = {}

    def forget_dirty(self) -> None:
        """Before they are rendered."""
        for kind, *names in self._memo.dirty:
            if kind == "router":
                self._kept.pop(names[0], None)

    def get(self, router_id: str) -> LocalRouter | None:
        """As it is, or will be with the next refresh."""
        if not self._memo.is_current(("router", router_id)):
            return local_router(self._memo, router_id)
        if router_id not in self._kept:
            self._kept[router_id] = local_router(self._memo, router_id)
        return self._kept[router_id]

    def gateways(self) -> list[Gateway]:
        """Of routers that are up, on this node; each floating IP with a MAC of its own is one, too."""
        return [end for router in self._outside() for end in router.ends]

    def standbys(self) -> list[Gateway]:
        """Likewise those that it may have to take over."""
        return [gateway for router in self._outside() for gateway in router.standbys]

    def candidate(self, port_id: str) -> Gateway | None:
        """One of either, whether or not its router is up."""
        port: GatewayPort | None = self._memo.get(("gateway_port", port_id))
        router = self.get(port.router_id) if port else None
        return next((one for one in router.candidates if one.port.id == port_id), None) if router else None

    def on(self, network_id: str) -> Iterator[tuple[LocalRouter, Interface]]:
        """All that are up, with their interfaces there."""
        for router in map(self.get, self._interfaces.routers_on(network_id)):
            for one in router.interfaces if router and router.router.admin_state_up else ():
                if router and one.port.network_id == network_id and one.port.admin_state_up:
                    yield router, one

    def watching(self) -> Iterator[tuple[LocalRouter, Interface]]:
        """All that are up, with their interfaces on networks where next hops of theirs are watched."""
        for router in map(self.get, self._hops.routers):
            for one in router.interfaces if router and router.router.admin_state_up else ():
                if router and one.watched and one.port.admin_state_up:
                    yield router, one

    def _outside(self) -> Iterator[LocalRouter]:
        return (one for one in map(self.get, self._interfaces.outside_here) if one and one.router.admin_state_up)
