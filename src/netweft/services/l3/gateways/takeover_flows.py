"""What a node receives and sends outside for gateways that it may have to take over (`agent/l3/failover`),
and for floating IPs that come here from another node (`agent/l3/floating_handover`).

Questions and answers of the nodes themselves have flows of their own, without the limits of what others ask.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from netweft.dataplane.openflow.fields import ETH_ARP, ETH_IPV6, ND_ADVERT, PROTO_ICMPV6
from netweft.dataplane.openflow.flow import Controller
from netweft.dataplane.packets.arp import REPLY, REQUEST
from netweft.model.wire_macs import ASKS, asking_mac, wire_mac
from netweft.services.addresses import mac
from netweft.services.fields import AGENT, LOCAL_VLAN, Reason, cookie
from netweft.services.l2.neighbours import arp_reply
from netweft.services.l3.routing.next_hops import LOOPBACK
from netweft.services.l3.values import Gateway, Interface, LocalFloatingIp, LocalRouter
from netweft.services.pipeline import INT, BridgeFlow, Value

TO_ROUTER = INT["to_router"]
PROBED: Final = 32  # above anybody's requests


def flows(here: LocalRouter) -> Iterator[BridgeFlow]:
    for candidate in here.candidates:
        yield from _hears(candidate)
        yield from _probed(candidate)


def _hears(gateway: Gateway) -> Iterator[BridgeFlow]:
    """Who answers this node's own MAC.  Else nobody is meant by it."""
    heard = cookie(Reason.ROUTER_TAKEOVER, gateway.port.id)
    inside: dict[str, Value] = {LOCAL_VLAN: gateway.network.vlan, "eth_dst": gateway.node_mac}
    arp: dict[str, Value] = {**inside, "eth_type": ETH_ARP, "arp_op": REPLY}
    nd: dict[str, Value] = {"eth_type": ETH_IPV6, "ip_proto": PROTO_ICMPV6, "icmpv6_type": ND_ADVERT, "icmpv6_code": 0}
    yield TO_ROUTER.flow(20, heard, arp, Controller(AGENT))
    yield TO_ROUTER.flow(25, heard, {**inside, **nd}, Controller(AGENT))
    yield TO_ROUTER.flow(10, heard, inside)


def of_floating_ip(here: LocalFloatingIp) -> Iterator[BridgeFlow]:
    """The node that has it answers any node's probe; the node that probes receives the answers, and other nodes' probes
    and announcements."""
    if not here.end.answers and not here.waits:
        return
    end, reason = here.end, Reason.FLOATING_ANSWERS if here.end.answers else Reason.FLOATING_TAKEOVER
    inside: dict[str, Value] = {LOCAL_VLAN: end.network.vlan}
    asked: dict[str, Value] = {**inside, "eth_type": ETH_ARP, "arp_op": REQUEST, "arp_tpa": here.address}
    by_a_node: Value = (asking_mac("", here.id), ASKS)
    reply = tuple(arp_reply(mac(end.port.mac_address), here.address, *LOOPBACK, INT["switching"].goto))
    done = reply if end.answers else (Controller(AGENT),)
    yield TO_ROUTER.flow(PROBED, cookie(reason, here.id), {**asked, "arp_sha": by_a_node}, *done)
    if not end.answers:
        heard, to_it = cookie(reason, here.id), {**inside, "eth_dst": end.node_mac}
        yield TO_ROUTER.flow(20, heard, {**to_it, "eth_type": ETH_ARP, "arp_op": REPLY}, Controller(AGENT))
        yield TO_ROUTER.flow(10, heard, to_it)


def on_the_wire(here: LocalRouter, interface: Interface) -> Iterator[BridgeFlow]:
    """Likewise of a router's interface, for physical hosts: each node there has its own MAC, and probes and
    answers with it."""
    if interface.asked_for is not None:
        whose, own = OnWire(interface.port.id, interface.network.vlan, interface.answers), here.node
        yield from by_nodes(whose, interface.asked_for, wire_mac(own, interface.port.id), interface.others_macs)


class OnWire(NamedTuple):
    """What answers physical hosts: a router's interface or a VIP.  port_id: its.  answers: on this node."""

    port_id: str
    vlan: int
    answers: bool


def by_nodes(of: OnWire, address: int, own: int, others: Iterable[int]) -> Iterator[BridgeFlow]:
    """own, others: MACs of this node and of the others that may answer."""
    inside: dict[str, Value] = {LOCAL_VLAN: of.vlan, "eth_type": ETH_ARP}
    reason = Reason.ROUTER_ANSWERS if of.answers else Reason.ROUTER_TAKEOVER
    reply = tuple(arp_reply(own, address, *LOOPBACK, INT["switching"].goto))
    done = reply if of.answers else (Controller(AGENT),)
    for other in others:
        asked: dict[str, Value] = {**inside, "arp_op": REQUEST, "arp_tpa": address, "arp_sha": other}
        yield TO_ROUTER.flow(PROBED, cookie(reason, of.port_id), asked, *done)
        said: dict[str, Value] = {**inside, "arp_op": REPLY, "arp_spa": address, "arp_sha": other, "eth_dst": own}
        yield TO_ROUTER.flow(PROBED, cookie(Reason.ROUTER_TAKEOVER, of.port_id), said, Controller(AGENT))


def _probed(gateway: Gateway) -> Iterator[BridgeFlow]:
    """By the other nodes that may have to.  Who has it answers; of two that ask at once one gives way."""
    reason = Reason.ROUTER_ANSWERS if gateway.answers else Reason.ROUTER_TAKEOVER
    asked: dict[str, Value] = {LOCAL_VLAN: gateway.network.vlan, "eth_type": ETH_ARP, "arp_op": REQUEST}
    for address in gateway.asked_for:
        reply = tuple(arp_reply(mac(gateway.port.mac_address), address, *LOOPBACK, INT["switching"].goto))
        for other in gateway.others_macs:
            match: dict[str, Value] = {**asked, "arp_tpa": address, "arp_sha": other}
            done = reply if gateway.answers else (Controller(AGENT),)
            yield TO_ROUTER.flow(PROBED, cookie(reason, gateway.port.id), match, *done)
