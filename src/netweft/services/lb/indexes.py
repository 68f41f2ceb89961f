"""The look-ups behind load balancers: which networks have VIPs, the routers on each, and where members listen."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from netweft.model import Listener, LoadBalancer, Member, Object, Pool, Proxy, RouterPort
from netweft.reconcile.memo import Fact, Unit
from netweft.services.addresses import Prefix
from netweft.services.l3.interfaces import count
from netweft.services.lb.fragments import PROTOCOLS
from netweft.services.lb.trees import Parts
from netweft.services.lb.values import Service
from netweft.services.lb.wiring import addresses, served

ANYWHERE: Final[Unit] = ("services",)


class Vips:
    """Facts: ("balanced", network) -> True where a balancer has its VIP; ("router ports", network) -> the routers'
    interfaces there."""

    of: Final = (LoadBalancer, RouterPort)

    def __init__(self) -> None:
        self._on: defaultdict[str, Counter[str]] = defaultdict(Counter)  # network -> balancers
        self._routers: defaultdict[str, dict[str, RouterPort]] = defaultdict(dict)

    def changed(self, before: Object | None, after: Object | None) -> Iterator[tuple[Fact, object]]:
        for one, step in ((before, -1), (after, 1)):
            if isinstance(one, LoadBalancer):
                count(self._on, one.vip_network_id, one.id, step)
                yield ("balanced", one.vip_network_id), one.vip_network_id in self._on or None
            elif isinstance(one, RouterPort):
                there = self._routers[one.network_id]
                there.pop(one.id, None)
                if step > 0:
                    there[one.id] = one
                yield ("router ports", one.network_id), tuple(there[id] for id in sorted(there)) or None


class Services:
    """put, mark: of the memo.  ("service", protocol, IP version, address, port), a unit
    as well -> the first id of those who listen there for a balancer.  ANYWHERE, likewise -> True where there are any.
    ("speaker", IP version, address), likewise -> by which of UDP and TCP somebody listens there for a balancer."""

    def __init__(self, put: Callable[[Fact, Any], None], mark: Callable[[Unit], None]) -> None:
        self._put, self._mark = put, mark
        self._of: dict[str, frozenset[tuple[Service, str]]] = {}  # by balancer
        self._at: defaultdict[Service, Counter[str]] = defaultdict(Counter)
        self._speaking: dict[str, set[tuple[Prefix, int]]] = {}  # by balancer
        self._speakers: defaultdict[Prefix, Counter[int]] = defaultdict(Counter)

    def changed(self, balancer_id: str, balancer: LoadBalancer | None, parts: Parts | None) -> None:
        each = served(parts, addresses(balancer)) if parts and balancer else ()
        now = frozenset((backend.at, backend.id) for one in each for backend in one.spread.backends)
        before = self._of.pop(balancer_id, frozenset())
        if now:
            self._of[balancer_id] = now
        self._speak(balancer_id, now)
        for found, step in ((before - now, -1), (now - before, 1)):
            for at, id in sorted(found, key=lambda pair: pair[1]):
                self._count(at, id, step)

    def _speak(self, balancer_id: str, now: Iterable[tuple[Service, str]]) -> None:
        ends = {(at.address, at.protocol) for at, _ in now if at.protocol in PROTOCOLS}
        before = self._speaking.pop(balancer_id, set())
        for address, protocol in ends ^ before:
            by = self._speakers[address]
            by[protocol] += 1 if (address, protocol) in ends else -1
            unit = speaker_of(address)
            self._put(unit, tuple(sorted(+by)) or None)
            if +by:
                self._mark(unit)
            else:
                del self._speakers[address]
        if ends:
            self._speaking[balancer_id] = ends

    def _count(self, at: Service, id: str, step: int) -> None:
        if not self._at:
            self._mark(ANYWHERE)
        ids = self._at[at]
        ids[id] += step
        if not ids[id]:
            del ids[id]
        unit = unit_of(at)
        self._put(unit, min(ids, default=None))
        if ids:
            self._mark(unit)
        else:
            del self._at[at]
        self._put(ANYWHERE, bool(self._at) or None)


def balancer_of(one: Object | None) -> str:
    """Empty for what belongs to none."""
    if isinstance(one, LoadBalancer):
        return one.id
    return one.load_balancer_id if isinstance(one, Listener | Pool | Member | Proxy) else ""


def units_of(balancer_id: str, parts: Parts | None) -> Iterator[Unit]:
    """Of each of its pools, and of its listeners: those that need HAProxy have shares of their own."""
    if parts is not None:
        ids = [*(one.id for one in parts.of(Pool)), *(one.id for one in parts.of(Listener))]
        yield from (("spread", balancer_id, id) for id in ids)


def unit_of(at: Service) -> Unit:
    return ("service", str(at.protocol), str(at.address.version), f"{at.address.value:x}", str(at.port))


def speaker_of(address: Prefix) -> Unit:
    return ("speaker", str(address.version), f"{address.value:x}")


def address_of(version: str, address: str) -> Prefix:
    """What such a unit says."""
    return Prefix(int(version), int(address, 16), None)


def service_of(protocol: str, version: str, address: str, port: str) -> Service:
    """What such a unit says."""
    return Service(int(protocol), Prefix(int(version), int(address, 16), None), int(port))
