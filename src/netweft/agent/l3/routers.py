"""What routers say that flows cannot: neighbour advertisements, ICMP errors."""

from collections.abc import Iterable

from netweft.agent.desired import Desired
from netweft.agent.l3.resolver import Resolver
from netweft.dataplane.openflow.messages import PacketIn
from netweft.dataplane.packets import icmp
from netweft.services.addresses import mac, octets
from netweft.services.dhcp.requests import to_port
from netweft.services.fields import HANDED_UP, ROUTER, Reason, Why
from netweft.services.l2.announce import Packet
from netweft.services.l3.icmp_errors import icmp_error, mtu_of, routed_error
from netweft.services.values import Asked, Interface, LocalPort


class Neighbours:
    """Answers solicitations for routers' addresses."""

    asked = Asked.NEIGHBOUR
    reasons = frozenset({Reason.ROUTER_NEIGHBOUR})

    def __init__(self, desired: Desired) -> None:
        self._desired = desired

    def answer(self, here: LocalPort | None, packet: PacketIn) -> Iterable[Packet]:
        asked = icmp.solicitation(packet.frame)
        if here is None or asked is None:
            return ()
        for interface in self._desired.interfaces_on(here.port.network_id):
            if any(one.version == 6 and one.value == int(asked.target) for one in interface.addresses):
                return (to_port(here.number, icmp.advertisement(octets(interface.port.mac_address), asked)),)
        return ()


class Errors:
    """Says what became of packets that no router can deliver: to ports here, other nodes' ports, hosts outside."""

    asked = Asked.ERROR
    reasons = frozenset({Reason.ROUTER_HAND_UP})

    def __init__(self, desired: Desired, resolver: Resolver) -> None:
        self._desired = desired
        self._resolver = resolver

    def answer(self, here: LocalPort | None, packet: PacketIn) -> Iterable[Packet]:
        why = packet.fields.get(HANDED_UP, 0)
        router = self._desired.router_at(packet.fields.get(ROUTER, 0))
        if router is None or (why == Why.UNKNOWN_NEXT_HOP and self._resolver.takes(packet)):
            return ()
        to = int.from_bytes(packet.frame[:6], "big")
        at = _only(one for one in router.interfaces if mac(one.port.mac_address) == to)
        if here is None or at is None:
            said = routed_error(Why(why), packet.frame, router, self._desired.forwarded, packet.fields)
        else:
            near = at if at.port.network_id == here.port.network_id else self._gateway(here)
            mtu = mtu_of(router, packet.fields) if why == Why.TOO_BIG else 0
            said = icmp_error(Why(why), packet.frame, here, at, near, mtu=mtu) if near else None
        return () if said is None else (said,)

    def _gateway(self, here: LocalPort) -> Interface | None:
        """By which the packet may have left the port's network, when it ended at a router further on."""
        return _only(self._desired.interfaces_on(here.port.network_id))


def _only(interfaces: Iterable[Interface]) -> Interface | None:
    return next(iter(interfaces), None)
