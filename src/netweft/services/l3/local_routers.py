"""The routers of this node, as services work on them, for use between two refreshes: by each packet-in, each turn of
the loop, each probe of a next hop.

A router's unit makes its `LocalRouter`, and hands it out with the flows; while the unit is dirty it is made anew for
each caller.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Generic, TypeVar

from netweft.model import GatewayPort, Router
from netweft.model.wire_macs import wire_mac
from netweft.reconcile.memo import Memo
from netweft.services.addresses import mac
from netweft.services.kinds import ROUTER, Item, ItemKey
from netweft.services.l3.interfaces import Interfaces
from netweft.services.l3.routing.watched_hops import WatchedHops, has_several
from netweft.services.l3.values import Gateway, Interface, LocalRouter
from netweft.services.l3.wiring import local_router

MOST_LOGGED: Final = 10_000


T = TypeVar("T")


def _macs(router: LocalRouter) -> Iterator[tuple[str, int]]:
    """(network, MAC) that its requests come from."""
    for gateway in (*router.ends, *router.standbys):
        yield gateway.port.network_id, mac(gateway.port.mac_address) if gateway.answers else gateway.node_mac
    for one in router.interfaces:
        if one.port.admin_state_up:
            yield one.port.network_id, mac(one.port.mac_address)
            yield one.port.network_id, wire_mac(router.node, one.port.id)


class Listing(Generic[T]):
    """What routers that are up have of a kind, by their ids in order.  Asked again, it costs what has changed.

    of: what a router has of it.  may: whether it can have any, by its own row alone.
    changed: called with what a router had of it, and has."""

    def __init__(
        self,
        routers: "LocalRouters",
        of: Callable[[LocalRouter], Iterable[T]],
        may: Callable[[Router], bool] = lambda router: True,
        changed: Callable[[Iterable[T], Iterable[T]], None] = lambda before, now: None,
    ) -> None:
        self._routers, self._of, self._may, self._changed = routers, of, may, changed
        self._found: dict[str, tuple[T, ...]] = {}
        self._version = self._looked_at = 0
        self._all: list[T] | None = []

    def __call__(self) -> list[T]:
        """The same list until any is otherwise."""
        self.look()
        if self._all is None:
            self._all = [one for id in sorted(self._found) for one in self._found[id]]
        return self._all

    def look(self) -> None:
        """At what may be otherwise than before."""
        version = self._routers.version
        if version != self._version:
            self._version = version
            for id in self._news():
                self._look_at(id)

    def _news(self) -> Iterable[str]:
        forgotten = () if self._routers.remembers(self._looked_at) else tuple(self._found)
        self._looked_at, changed = self._routers.changed(self._looked_at)
        return {*changed, *self._routers.dirty(), *forgotten}

    def _look_at(self, id: str) -> None:
        before, told = self._found.pop(id, ()), self._routers.told(id)
        router = self._routers.get(id) if told and told.admin_state_up and self._may(told) else None
        found = tuple(self._of(router)) if router else ()
        if kept := before if found == before else found:
            self._found[id] = kept
        if kept is not before:
            self._all = None
            self._changed(before, found)


class Lookup(Generic[T]):
    """Whether any router that is up has such a one."""

    def __init__(self, routers: "LocalRouters", of: Callable[[LocalRouter], Iterable[T]]) -> None:
        self._times: Counter[T] = Counter()
        self._listing = Listing(routers, of, changed=self._count)

    def __contains__(self, one: T) -> bool:
        self._listing.look()
        return one in self._times

    def _count(self, before: Iterable[T], now: Iterable[T]) -> None:
        self._times.update(now)
        self._times.subtract(before)
        for one in before:
            if not self._times[one]:
                del self._times[one]


class Unlike:
    """Of gateways one for each way to ask, as nearly all on one network ask for the same."""

    def __init__(self, routers: "LocalRouters", of: Callable[[LocalRouter], Iterable[Gateway]]) -> None:
        self._alike: defaultdict[str, dict[object, dict[int, Gateway]]] = defaultdict(dict)  # by network
        self._listing = Listing(routers, of, changed=self._sort)

    def on(self, network_id: str) -> dict[object, Gateway]:
        """By what it asks for."""
        self._listing.look()
        return {way: next(iter(some.values())) for way, some in self._alike.get(network_id, {}).items()}

    def all(self) -> list[Gateway]:
        self._listing.look()
        return [one for network_id in sorted(self._alike) for one in self.on(network_id).values()]

    def _sort(self, before: Iterable[Gateway], now: Iterable[Gateway]) -> None:
        for one in before:
            on_it = self._alike[one.port.network_id]
            alike = on_it[_way(one)]
            del alike[id(one)]
            if not alike:
                del on_it[_way(one)]
        for one in now:
            self._alike[one.port.network_id].setdefault(_way(one), {})[id(one)] = one


def _way(one: Gateway) -> object:
    return one.on_link, one.next_hops, one.watched


class LocalRouters:
    """gateways: of routers that are up, on this node; each floating IP with a MAC of its own is one, too.
    standbys: likewise those that it may have to take over.
    with_watched: those of the gateways by which next hops are watched.  sessions: of BFD, by gateways.
    macs: (network, MAC) by which routers that are up ask there.
    unlike_gateways, unlike_standbys: of those one for each way to ask."""

    def __init__(self, memo: Memo[ItemKey, Item], interfaces: Interfaces, hops: WatchedHops) -> None:
        self._memo, self._interfaces, self._hops = memo, interfaces, hops
        self._version = 0
        self._changes = 0  # of what the version was worked out for
        self._log: list[str] = []  # routers that were dirty
        self._logged = 0  # and so many before
        self.gateways = Listing(self, lambda router: router.ends)
        self.macs = Lookup(self, _macs)
        self.standbys = Listing(self, lambda router: router.standbys)
        self.unlike_gateways = Unlike(self, lambda router: router.ends)
        self.unlike_standbys = Unlike(self, lambda router: router.standbys)
        self.with_watched = Listing(self, lambda router: (one for one in router.ends if one.watched), has_several)
        self.sessions = Listing(
            self,
            lambda router: (one for gateway in router.gateways for one in gateway.sessions),
            lambda told: bool(told.bfd),
        )

    def forget_dirty(self) -> None:
        """Before they are rendered."""
        dirty = self.dirty()
        self._version += bool(dirty)
        self._log += dirty
        if len(self._log) > MOST_LOGGED:
            self._logged += len(self._log)
            self._log.clear()

    def dirty(self) -> list[str]:
        """Those that the next refresh renders."""
        return [unit[1] for unit in self._memo.dirty if unit[0] == "router"]

    @property
    def version(self) -> int:
        """Changes as soon as any of them may have changed: a caller that keeps a list of its own need not make it
        again."""
        if self._changes != self._memo.changes:
            self._changes = self._memo.changes
            self._version += bool(self.dirty())
        return self._version

    def remembers(self, since: int) -> bool:
        """Whether it is known what has changed since then."""
        return bool(since) and since >= self._logged

    def changed(self, since: int) -> tuple[int, Iterable[str]]:
        """The routers that may have changed since then, and the value for the next call; 0: all with a gateway here."""
        at = since - self._logged
        ids = self._log[at:] if self.remembers(since) else (*self._interfaces.outside_here, *self._log)
        return self._logged + len(self._log), dict.fromkeys(ids)

    def told(self, router_id: str) -> Router | None:
        """As the server has it."""
        found: Router | None = self._memo.get(("router", router_id))
        return found

    def get(self, router_id: str) -> LocalRouter | None:
        """As it is, or will be with the next refresh.  None as well for what makes no sense: its unit says so."""
        if self._memo.is_current(("router", router_id)):
            found = self._memo.desired.get((ROUTER, router_id))
            return found if isinstance(found, LocalRouter) else None
        try:
            return local_router(self._memo, router_id)
        except ValueError:
            return None

    def candidate(self, port_id: str) -> Gateway | None:
        """One of either, whether or not its router is up."""
        port: GatewayPort | None = self._memo.get(("gateway_port", port_id))
        router = self.get(port.router_id) if port else None
        return next((one for one in router.candidates if one.port.id == port_id), None) if router else None

    def unlike_on(self, network_id: str) -> list[Gateway]:
        """Of both, on this network: one for each way to ask, and of those that are on this node if any is."""
        return list((self.unlike_standbys.on(network_id) | self.unlike_gateways.on(network_id)).values())

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
