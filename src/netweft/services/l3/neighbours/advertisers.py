"""Which routers may have something to advertise on a network, looked up by network."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from netweft.model import Object, Router, RouterPort
from netweft.reconcile.memo import Fact


class Advertisers:
    """Facts: ("advertisers", network) -> the interfaces with IPv6 addresses that are up, and their routers too; sorted;
    ("has advertisers", network) -> True: for those whom it does not concern which."""

    of: Final = (RouterPort, Router)

    def __init__(self) -> None:
        self._ports: dict[str, RouterPort] = {}
        self._on: defaultdict[str, set[str]] = defaultdict(set)  # network -> interfaces
        self._of: defaultdict[str, set[str]] = defaultdict(set)  # router -> interfaces
        self._up: set[str] = set()  # routers

    def changed(self, before: Object | None, after: Object | None) -> Iterator[tuple[Fact, object]]:
        networks: set[str] = set()
        for one in (before, after):
            if isinstance(one, RouterPort):
                self._place(one, here=one is after)
                networks.add(one.network_id)
            elif isinstance(one, Router):
                up = one is after and one.admin_state_up
                (self._up.add if up else self._up.discard)(one.id)
                networks |= {self._ports[id].network_id for id in self._of.get(one.id, ())}
        for network_id in sorted(networks):
            found = self._advertisers(network_id)
            yield ("advertisers", network_id), found or None
            yield ("has advertisers", network_id), bool(found) or None

    def _place(self, port: RouterPort, *, here: bool) -> None:
        for found, id in ((self._on, port.network_id), (self._of, port.router_id)):
            (found[id].add if here else found[id].discard)(port.id)
            if not found[id]:
                del found[id]
        if here:
            self._ports[port.id] = port
        else:
            self._ports.pop(port.id, None)

    def _advertisers(self, network_id: str) -> tuple[RouterPort, ...]:
        found = (self._ports[id] for id in sorted(self._on.get(network_id, ())))
        up = (port for port in found if port.admin_state_up and port.router_id in self._up)
        return tuple(port for port in up if any(":" in fixed.ip_address for fixed in port.fixed_ips))
