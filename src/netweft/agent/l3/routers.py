"""What routers say that flows cannot: neighbour advertisements, ICMP errors."""

from collections.abc import Iterable

from netweft.agent.desired import Desired
from netweft.agent.l3.requesters import answering
from netweft.agent.l3.resolver import Resolver
from netweft.agent.l3.undelivered import undelivered
from netweft.dataplane.openflow.messages import PacketIn
from netweft.dataplane.packets import icmp
from netweft.services.addresses import octets
from netweft.services.dhcp.requests import to_port
from netweft.services.fields import HANDED_UP, LOCAL_VLAN, ROUTER, Reason, Why
from netweft.services.l2.announce import Packet
from netweft.services.l3.echo import cut_again
from netweft.services.values import Asked, LocalPort


class Neighbours:
    """Answers solicitations for routers' addresses, and for VIPs."""

    asked = Asked.NEIGHBOUR
    reasons = frozenset({Reason.ROUTER_NEIGHBOUR, Reason.BALANCER_VIP})

    def __init__(self, desired: Desired) -> None:
        self._desired = desired

    def answer(self, here: LocalPort | None, packet: PacketIn) -> Iterable[Packet]:
        asked = icmp.solicitation(packet.frame)
        if asked is None:
            return ()
        if here is None:
            return self._on_the_wire(packet.fields.get(LOCAL_VLAN, 0), asked)
        for interface in self._desired.interfaces_on(here.port.network_id):
            if any(one.version == 6 and one.value == int(asked.target) for one in interface.addresses):
                return (to_port(here.number, icmp.advertisement(octets(interface.port.mac_address), asked)),)
        for vip_mac in self._desired.vip_macs(here.port.network_id, asked.target):
            return (to_port(here.number, icmp.advertisement(octets(vip_mac), asked, router=False)),)
        return ()

    def _on_the_wire(self, vlan: int, asked: icmp.Solicitation) -> Iterable[Packet]:
        for one in answering(self._desired):
            its, who = (address.value for address in one.addresses if address.version == 6), one.who
            if who.network.vlan == vlan and int(asked.target) in its and who.wire:
                yield who.to_wire(icmp.advertisement(who.wire[0], asked, router=one.is_routers))


class Errors:
    """Says what became of packets that no router can deliver: to ports here, other nodes' ports, hosts outside.  Cuts
    what a router is pinged with in pieces."""

    asked = Asked.ERROR
    reasons = frozenset({Reason.ROUTER_HAND_UP})

    def __init__(self, desired: Desired, resolver: Resolver) -> None:
        self._desired = desired
        self._resolver = resolver

    def answer(self, here: LocalPort | None, packet: PacketIn) -> Iterable[Packet]:
        why = packet.fields.get(HANDED_UP, 0)
        if why == Why.IN_PIECES:
            router = self._desired.router_at(packet.fields.get(ROUTER, 0))
            return () if router is None else cut_again(router, packet.frame, packet.fields)
        unknown = why == Why.UNKNOWN_NEXT_HOP
        said = None if unknown and self._resolver.takes(packet) else undelivered(self._desired, here, packet)
        return () if said is None else (said,)
