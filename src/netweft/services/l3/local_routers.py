"""The routers of this node, as services work on them, for whoever asks between two refreshes: each packet that is
handed up, each turn, each question to a next hop.

A router's unit reads what its `LocalRouter` is made of.  So that is made once for each change, and kept until the unit
is dirty.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from netweft.model import GatewayPort
from netweft.reconcile.memo import Memo
from netweft.services.kinds import Item, ItemKey
from netweft.services.l3.interfaces import Interfaces
from netweft.services.l3.values import Gateway, Interface, LocalRouter
from netweft.services.l3.watched_hops import WatchedHops
from netweft.services.l3.wiring import local_router

MOST_LOGGED: Final = 10_000


class LocalRouters:
    def __init__(self, memo: Memo[ItemKey, Item], interfaces: Interfaces, hops: WatchedHops) -> None:
        self._memo, self._interfaces, self._hops = memo, interfaces, hops
        self._kept: dict[str, LocalRouter | None] = {}
        self._version = 0
        self._log: list[str] = []  # routers that were dirty
        self._logged = 0  # and so many before
        self._listed: dict[str, tuple[int, list[Gateway]]] = {}

    def forget_dirty(self) -> None:
        """Before they are rendered."""
        dirty = self._dirty()
        self._version += bool(dirty)
        self._log += dirty
        if len(self._log) > MOST_LOGGED:
            self._logged += len(self._log)
            self._log.clear()
        for router_id in dirty:
            self._kept.pop(router_id, None)

    def _dirty(self) -> list[str]:
        return [unit[1] for unit in self._memo.dirty if unit[0] == "router"]

    @property
    def version(self) -> int:
        """Another one as soon as any of them may be otherwise: who has a list of his own need not make it again."""
        self._version += any(unit[0] == "router" for unit in self._memo.dirty)
        return self._version

    def changed(self, since: int) -> tuple[int, Iterable[str]]:
        """The routers that may be otherwise since then, and when that is asked next; 0: all that are outside here."""
        at = since - self._logged
        ids = self._log[at:] if since and at >= 0 else (*self._interfaces.outside_here, *self._log)
        return self._logged + len(self._log), dict.fromkeys(ids)

    def get(self, router_id: str) -> LocalRouter | None:
        """As it is, or will be with the next refresh.  None as well for what makes no sense: its unit says so."""
        if router_id in self._kept and self._memo.is_current(("router", router_id)):
            return self._kept[router_id]
        try:
            found = local_router(self._memo, router_id)
        except ValueError:
            found = None
        if self._memo.is_current(("router", router_id)):
            self._kept[router_id] = found
        return found

    def gateways(self) -> list[Gateway]:
        """Of routers that are up, on this node; each floating IP with a MAC of its own is one, too."""
        return self._all("ends", lambda router: router.ends)

    def standbys(self) -> list[Gateway]:
        """Likewise those that it may have to take over."""
        return self._all("standbys", lambda router: router.standbys)

    def _all(self, what: str, of: Callable[[LocalRouter], Iterable[Gateway]]) -> list[Gateway]:
        version = self.version
        found = self._listed.get(what)
        if found is None or found[0] != version:
            routers = map(self.get, self._interfaces.outside_here)
            found = (
                version,
                [one for router in routers if router and router.router.admin_state_up for one in of(router)],
            )
            self._listed[what] = found
        return found[1]

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
