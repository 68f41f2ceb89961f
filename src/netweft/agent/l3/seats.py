"""What is known of the gateways that nodes may have to take over from each other, and what the server sent of them
last."""

from collections.abc import Mapping

from msgspec import Struct, field

from netweft.agent.desired import Desired
from netweft.model import GatewayPort
from netweft.services.l3.gateways.takeover import Order


class Seat(Struct):
    """What is known of a gateway.  is_first: of its router; further ones go where that one goes.
    answers: this node, for its addresses.  left: when it was left to another.
    leads_to: the other node that packets go to, also as long as there is nothing better than one that is gone.
    wired: its network is, so that probes can be sent and answers seen.
    doubles: how often in a row somebody else has answered for it, too."""

    port: GatewayPort
    is_first: bool = True
    order: Order = field(default_factory=Order)
    answers: bool = False
    left: float = float("-inf")
    leads_to: str = ""
    wired: bool = False
    doubles: int = 0


class Ports:
    """What nodes may have to take over from each other, as last set.  node: this one.

    networks: those that this node may have one on.  asked_for: which of these are probed before they are taken."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._seen: tuple[Mapping[str, object], ...] = ()
        self.all: Mapping[str, GatewayPort] = {}
        self.networks: frozenset[str] = frozenset()
        self.asked_for: dict[str, list[str]] = {}

    def look(self, desired: Desired) -> bool:
        """Whether it or its routers changed: called in each turn, so all of them are looked at only
        where one was set."""
        ports, on_wires, routers = desired.view.gateway_ports, desired.on_wires, desired.view.routers
        seen = (ports, on_wires, routers)
        if len(self._seen) == len(seen) and all(one is other for one, other in zip(seen, self._seen, strict=True)):
            return False
        self._seen = seen
        self.all = {**ports, **on_wires}
        mine = {id: port for id, port in self.all.items() if self._node in port.order}
        self.networks = frozenset(port.network_id for port in mine.values())
        self.asked_for = {}
        for id, port in mine.items():
            for fixed in port.fixed_ips:
                self.asked_for.setdefault(fixed.ip_address, []).append(id)
        return True
