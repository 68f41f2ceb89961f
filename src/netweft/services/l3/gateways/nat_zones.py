"""Which conntrack zone the NAT of each gateway has on this node: its router is outside here, or may have to be.

A zone is given out for a gateway's port and addresses (`name_of`): what is tracked in it goes on with the address that
it began with, so another address is another zone.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from netweft.dataplane.openflow.flow import Clone, Ct, Flow
from netweft.model import GatewayPort, Network, Object, RouterPort
from netweft.reconcile.memo import Memo
from netweft.services.addresses import Prefix, prefix, text
from netweft.services.fields import PIECES_ZONE
from netweft.services.l2.local_vlans import LocalVlans
from netweft.services.l2.transit import Transit
from netweft.services.l3.interfaces import Interfaces
from netweft.services.l3.values import nat66_address


def name_of(port: GatewayPort, network: Network | None) -> str:
    """network: the external one, if it is known."""
    own = next((one.ip_address for one in port.fixed_ips if ":" not in one.ip_address), "")
    also = nat66_address(prefix(one.ip_address) for one in port.fixed_ips) if network and network.nat66 else None
    return f"{port.id} {own}" + (f" {text(Prefix(6, also, None))}" if also is not None else "")


def _is_renamed(before: Object | None, after: Object | None) -> bool:
    """Whether a network has changed so that gateways on it have another zone."""
    return _asks_for_nat66(before) != _asks_for_nat66(after)


def _asks_for_nat66(one: Object | None) -> bool:
    return isinstance(one, Network) and one.nat66


def zones_in(flows: Iterable[Flow]) -> set[int]:
    """That flows track in; of fragments' zones those that they belong to."""
    tracking = [one for flow in flows for one in flow.actions if type(one) is Ct or type(one) is Clone]
    flat = (one for action in tracking for one in (action.actions if isinstance(action, Clone) else (action,)))
    return {one.zone & ~PIECES_ZONE for one in flat if isinstance(one, Ct) and isinstance(one.zone, int)}


class NatZones:
    """Each is the fact ("zone", name), and on the row of the link to the tunnel bridge (`transit`).

    numbers: which are there, and which were found on the rows.
    """

    def __init__(self, numbers: LocalVlans, memo: Memo[Any, Any], interfaces: Interfaces, transit: Transit) -> None:
        self._numbers, self._memo, self._interfaces, self._transit = numbers, memo, interfaces, transit
        self._of: dict[str, frozenset[str]] = {}  # router -> names
        self._dirty: set[str] = set()  # routers
        self._swept = True

    def changed(self, before: Object | None, after: Object | None) -> None:
        """An object, `interfaces` knows of it already."""
        if _is_renamed(before, after):
            self._dirty.update(self._interfaces.outside_here)
        self._dirty.update(one.router_id for one in (before, after) if isinstance(one, RouterPort | GatewayPort))

    def placed(self, router_id: str) -> None:
        """A floating IP of it is here now, or no longer."""
        self._dirty.add(router_id)

    def refresh(self) -> None:
        for id in sorted(self._dirty):
            self._want(id, frozenset(self._names(id)) if self._interfaces.is_outside_here(id) else frozenset())
        self._dirty.clear()
        if not self._swept:
            self._swept = True
            for name in sorted(self._numbers.assigned.keys() - frozenset().union(*self._of.values())):
                self._put(self._numbers.release(name))

    def _names(self, router_id: str) -> Iterator[str]:
        for port_id in self._memo.get(("gateways", router_id)) or ():
            port: GatewayPort = self._memo.get(("gateway_port", port_id))
            yield name_of(port, self._memo.get(("network", port.network_id)))

    def _want(self, router_id: str, names: frozenset[str]) -> None:
        """All that it is to have."""
        for name in sorted(self._of.pop(router_id, frozenset()) - names):
            self._put(self._numbers.release(name))
        for name in sorted(names):
            self._put(self._numbers.want(name))
        if names:
            self._of[router_id] = names

    def settled(self) -> bool:
        """On every bridge is what is wanted, and nothing else.  Whether a zone is free by that for who waited."""
        freed = self._numbers.settled()
        self._put(freed)
        return bool(freed)

    def found(self, flows: Iterable[Flow]) -> None:
        """On the integration bridge, as it was read: which zones these have is known for sure."""
        self._put(self._numbers.found(zones_in(flows)))

    def take_given(self) -> frozenset[int]:
        """Those that were given out since the last call."""
        return self._numbers.take_given()

    @property
    def routers(self) -> dict[int, str]:
        """Zone -> router."""
        numbers = self._numbers.assigned
        return {numbers[name]: id for id, names in self._of.items() for name in names if name in numbers}

    def release_unused(self) -> None:
        """Those that were found on the rows and that nobody wants: with the next refresh."""
        self._swept = False

    def _put(self, changed: Mapping[str, int | None]) -> None:
        """changed: name -> its zone now, SOON, or None."""
        for name, zone in changed.items():
            self._memo.put(("zone", name), zone)
            self._transit.carry(name, self._numbers.assigned.get(name))
