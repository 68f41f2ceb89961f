"""Which conntrack zone the NAT of each gateway has on this node: its router is outside here, or may have to be.

A zone is given out for a gateway's port and addresses (`name_of`): what is tracked in it goes on with the address that
it began with, so another address is another zone.
"""

from collections.abc import Iterable, Iterator, Mapping

from netweft.dataplane.openflow.flow import Clone, Ct, Flow
from netweft.model import GatewayPort, Network, Object
from netweft.services.addresses import Prefix, prefix, text
from netweft.services.fields import PIECES_ZONE
from netweft.services.l2.local_vlans import LocalVlans
from netweft.services.l3.values import nat66_address

Changed = Mapping[str, int | None]  # name -> its zone now, SOON, or None


def name_of(port: GatewayPort, network: Network | None) -> str:
    """network: the external one, if it is known."""
    own = next((one.ip_address for one in port.fixed_ips if ":" not in one.ip_address), "")
    also = nat66_address(prefix(one.ip_address) for one in port.fixed_ips) if network and network.nat66 else None
    return f"{port.id} {own}" + (f" {text(Prefix(6, also, None))}" if also is not None else "")


def renames(before: Object | None, after: Object | None) -> bool:
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
    """numbers: which are there, and which were found on the rows."""

    def __init__(self, numbers: LocalVlans) -> None:
        self.numbers = numbers
        self._of: dict[str, frozenset[str]] = {}

    def want(self, router_id: str, names: frozenset[str]) -> Iterator[Changed]:
        """All that it is to have."""
        for name in sorted(self._of.pop(router_id, frozenset()) - names):
            yield self.numbers.release(name)
        for name in sorted(names):
            yield self.numbers.want(name)
        if names:
            self._of[router_id] = names

    @property
    def routers(self) -> dict[int, str]:
        """Zone -> router."""
        numbers = self.numbers.assigned
        return {numbers[name]: id for id, names in self._of.items() for name in names if name in numbers}

    def release_unused(self) -> Iterator[Changed]:
        """Those that were found and that nobody wants, once all that is there is known."""
        for name in sorted(self.numbers.assigned.keys() - frozenset().union(*self._of.values())):
            yield self.numbers.release(name)
