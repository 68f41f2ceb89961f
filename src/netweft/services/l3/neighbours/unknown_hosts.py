"""Hosts on routed networks that the database does not know, or not surely: how their answers get to the node that sent
the request.

A physical router or server on a provider network, a VM's second address, an address of allowed address pairs that
several VMs may have with MACs of their own.  The agent of the node that routes sends the requests, as the router
(`agent/l3/resolver`).

    agent ─▶ switching ─▶ all of the network
    the answer, for the router's MAC, which is the same everywhere:
    to_router ─▶ hand_up ─┬─▶ the agent here
                          └─▶ the other nodes that route there: all hear the answer to one's request

On the wire the request has the node's own MAC as source, to which the answer goes; other nodes' VMs see the router's
MAC.  A known host is a flow (`next_hops.learned`), and one that sees announcements of the address: it moves by
gratuitous ARP.  Such an announcement goes to all nodes that route into the network, also those without a port there.

A physical host uses the router as its gateway by the MAC of one node, which the server names (`answers_on`): it alone
answers there, and announces itself when it has become the one.  What comes to its MAC, it routes like any other.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from netweft.dataplane.openflow.fields import ETH_ARP, ETH_IPV4, ETH_IPV6, ND_ADVERT, ND_SOLICIT, PROTO_ICMPV6
from netweft.dataplane.openflow.flow import Action, Controller, Meter, SetField
from netweft.dataplane.openflow.meters import DropMeter
from netweft.dataplane.packets.arp import REPLY, REQUEST
from netweft.model.wire_macs import wire_mac
from netweft.services.addresses import MAC_ANY_MULTICAST, Prefix, link_local, mac
from netweft.services.fields import (
    AGENT,
    HANDED_UP,
    IN_PORT,
    LOCAL_VLAN,
    OUT_PORT,
    PERMIT,
    PERMITTED,
    ROUTER,
    Reason,
    RouterLimit,
    Why,
    cookie,
    router_meter_number,
    tagged,
)
from netweft.services.l2.neighbours import advertisement, arp_reply
from netweft.services.l2.switching import encapsulate
from netweft.services.l3.firewalls import own_addresses
from netweft.services.l3.gateways import takeover_flows
from netweft.services.l3.hand_ups import meter
from netweft.services.l3.neighbours.responder import NOT_SAID
from netweft.services.l3.routing.next_hops import LOOPBACK
from netweft.services.l3.routing.routes import DST, ETH
from netweft.services.l3.values import Interface, LocalRouter
from netweft.services.pipeline import INT, TUN, BridgeFlow, Value
from netweft.services.security.firewall_policies import asked
from netweft.services.service import Service, Wanted
from netweft.services.values import Asked, Flood, LocalNetwork, LocalPort, Uplinks

TO_ROUTER, HAND_UP = INT["to_router"], INT["hand_up"]
EVERYBODY: Final = 0xFFFFFFFFFFFF
ASKED, ANSWER, QUESTION, FORGED, CLAIM = 29, 27, 26, 25, 15  # a gateway's own come before (`external`)
DISCOVERY: Final[dict[str, Value]] = {"eth_type": ETH_IPV6, "ip_proto": PROTO_ICMPV6, "icmpv6_code": 0}
OF_A_WIRE: Final = (RouterLimit.UNDELIVERED_FROM_OUTSIDE, RouterLimit.ASKED_FOR, RouterLimit.SOLICITED)
LIMITS: Final = {Why.ANSWERED: RouterLimit.NEIGHBOURS, Why.CLAIMED: RouterLimit.NEXT_HOPS}


def router(uplinks: Uplinks, here: LocalRouter) -> Iterator[Wanted]:
    for interface in here.interfaces if here.router.admin_state_up else ():
        if interface.network.unsure and interface.port.admin_state_up:
            for address in interface.addresses:
                yield from _answers(interface, address)
            if interface.network.answered:
                yield from _on_the_wire(uplinks, here, interface)


def _on_the_wire(uplinks: Uplinks, here: LocalRouter, interface: Interface) -> Iterator[Wanted]:
    """A physical network's, or that of hosts behind a VTEP: there it is the tunnels that lead to them."""
    for address in interface.addresses:
        yield from _said_on_the_wire(interface, address)
    yield from by_its_wire_mac(here, interface)
    yield from _undelivered(uplinks, here, interface)
    if interface.answers:
        own = wire_mac(here.node, interface.port.id)
        yield from asked_for(interface.port.id, interface.network, own, interface.addresses)
    yield from takeover_flows.on_the_wire(here, interface)


def _answers(interface: Interface, own: Prefix) -> Iterator[BridgeFlow]:
    """For the router: in IPv6 requests come from its link-local address."""
    inside: dict[str, Value] = {LOCAL_VLAN: interface.network.vlan}
    if own.version == 4:
        match = {**inside, "eth_type": ETH_ARP, "arp_op": REPLY, "arp_tpa": own.value}
    elif own.value == link_local(mac(interface.port.mac_address)):
        match = {**inside, **DISCOVERY, "icmpv6_type": ND_ADVERT, "ipv6_dst": own.value}
    else:
        return
    owner = cookie(Reason.ROUTER_RESOLVE, interface.port.id)
    yield TO_ROUTER.flow(ANSWER, owner, match, SetField(HANDED_UP, Why.ANSWERED), HAND_UP.goto)


def _said_on_the_wire(interface: Interface, own: Prefix) -> Iterator[BridgeFlow]:
    """By other nodes, with their MACs; or by somebody who has not got the address.  VMs hear the router's own MAC."""
    owner, its_mac = cookie(Reason.ROUTER_NEIGHBOUR, interface.port.id), mac(interface.port.mac_address)
    inside: dict[str, Value] = {LOCAL_VLAN: interface.network.vlan}
    onward = (SetField("eth_src", its_mac), INT["switching"].goto)
    if own.version == 4:
        arp: dict[str, Value] = {**inside, "eth_type": ETH_ARP, "arp_spa": own.value}
        yield TO_ROUTER.flow(QUESTION, owner, {**arp, "arp_op": REQUEST}, SetField("arp_sha", its_mac), *onward)
        yield TO_ROUTER.flow(FORGED, owner, arp)
        return
    asks: dict[str, Value] = {**inside, **DISCOVERY, "icmpv6_type": ND_SOLICIT, "ipv6_src": own.value}
    yield TO_ROUTER.flow(QUESTION, owner, asks, SetField("nd_sll", its_mac), *onward)
    claims: dict[str, Value] = {**inside, **DISCOVERY, "icmpv6_type": ND_ADVERT, "nd_target": own.value}
    yield TO_ROUTER.flow(FORGED, owner, claims)


def by_its_wire_mac(here: LocalRouter, interface: Interface, *, relayed: bool = False) -> Iterator[BridgeFlow]:
    """From who is on the wire, or from another node: what is for this node's MAC is for the router."""
    owner = cookie(Reason.ROUTER_INTERFACE, interface.port.id)
    own = wire_mac(here.node, interface.port.id, relayed=relayed)
    match: dict[str, Value] = {LOCAL_VLAN: interface.network.vlan, "eth_dst": own}
    yield TO_ROUTER.flow(10, owner, match)
    enter = (SetField(ROUTER, here.number), INT["leaves_network"].goto)
    if interface.firewall is not None and interface.network.answered:
        yield from _past_its_firewall(here, interface, match, enter)
        return
    for eth_type in (ETH_IPV4, ETH_IPV6):
        yield TO_ROUTER.flow(20, owner, {**match, "eth_type": eth_type}, *enter)


def _past_its_firewall(
    here: LocalRouter, interface: Interface, to_it: dict[str, Value], enter: tuple[Action, ...]
) -> Iterator[BridgeFlow]:
    """What hosts on the wire send: what other nodes send answers those nodes' requests.  Below what is passed on."""
    owner = cookie(Reason.ROUTER_FIREWALL, interface.port.id)
    ask = (SetField(PERMITTED, PERMIT), *asked(interface.firewall, "egress"), INT["from_the_wire"].goto)
    for eth_type in (ETH_IPV4, ETH_IPV6):
        packet: dict[str, Value] = {**to_it, "eth_type": eth_type}
        yield TO_ROUTER.flow(17, owner, packet, enter[0], *ask)
        for other in sorted(interface.from_nodes(interface.nodes)):
            yield TO_ROUTER.flow(19, owner, {**packet, "eth_src": other}, *enter)
    for own in own_addresses(here):
        itself: dict[str, Value] = {"eth_type": ETH[own.version], DST[own.version]: own.value}
        yield TO_ROUTER.flow(18, owner, {**to_it, **itself}, *enter)


def _undelivered(uplinks: Uplinks, here: LocalRouter, interface: Interface) -> Iterator[BridgeFlow]:
    """What came by the wire and no router can deliver: so much.  Of ports here the agent counts."""
    link, owner = interface.network.link(uplinks), cookie(Reason.ROUTER_HAND_UP, here.router.id)
    up = (*limited(interface.network, RouterLimit.UNDELIVERED_FROM_OUTSIDE), Controller(AGENT))
    for near in link.nears if link else ():
        yield HAND_UP.flow(14, owner, {ROUTER: here.number, IN_PORT: near}, *up)


def asked_for(
    port_id: str, network: LocalNetwork, own: int, addresses: Iterable[Prefix], *, router: bool = True
) -> Iterator[BridgeFlow]:
    """To physical hosts, which this node alone answers; duplicate address detection is answered, too.  By the cookies
    of these flows a newly started agent finds that it is this node that answers (`agent/l3/failover`).
    router: whether it is one's interface; else a VIP."""
    inside: dict[str, Value] = {LOCAL_VLAN: network.vlan}
    owner, found = (cookie(why, port_id) for why in (Reason.ROUTER_NEIGHBOUR, Reason.ROUTER_ANSWERS))
    for address in addresses:
        if address.version == 4:
            arp: dict[str, Value] = {**inside, "eth_type": ETH_ARP, "arp_op": REQUEST, "arp_tpa": address.value}
            reply = arp_reply(own, address.value, *LOOPBACK, INT["switching"].goto)
            yield TO_ROUTER.flow(ASKED, found, arp, *limited(network, RouterLimit.ASKED_FOR), *reply)
        else:
            asks: dict[str, Value] = {**inside, **DISCOVERY, "icmpv6_type": ND_SOLICIT, "nd_target": address.value}
            if network.discovery:
                reply = advertisement(own, address.value, *LOOPBACK, INT["advertised"].resubmit, router=router)
                meter_of = limited(network, RouterLimit.ASKED_FOR)
                yield TO_ROUTER.flow(ASKED - 1, found, asks, *meter_of, *reply)
                asks[NOT_SAID] = 0
            up = (*limited(network, RouterLimit.SOLICITED), Controller(AGENT))
            yield TO_ROUTER.flow(ASKED, owner, asks, *up)


def claimed(network: LocalNetwork, address: Prefix) -> Iterator[BridgeFlow]:
    """A claim (gratuitous ARP, advertisement) of a learned address: the agent gets it, beside whoever it is for."""
    if not network.unsure:
        return
    says: dict[str, Value] = {"eth_type": ETH_ARP, "arp_spa": address.value}
    if address.version == 6:
        says = {**DISCOVERY, "icmpv6_type": ND_ADVERT, "nd_target": address.value}
    up = (SetField(HANDED_UP, Why.CLAIMED), HAND_UP.apart, SetField(HANDED_UP, 0))
    owner = cookie(Reason.NETWORK_LEARNED, network.network.id)
    yield TO_ROUTER.flow(CLAIM, owner, {LOCAL_VLAN: network.vlan, **says}, *up, INT["switching"].goto)


def network(uplinks: Uplinks, here: LocalNetwork, flood: Flood) -> Iterator[Wanted]:
    if not here.unsure:
        return
    owner = cookie(Reason.NETWORK_CLAIM, here.network.id)
    wired = OF_A_WIRE if here.answered else ()
    for kind in (*LIMITS.values(), *wired):
        yield from meters(here, kind)
    for why, kind in LIMITS.items():
        match: dict[str, Value] = {LOCAL_VLAN: here.vlan, HANDED_UP: why}
        relayed = _to_other_nodes(uplinks, here) if why is Why.ANSWERED else ()
        yield HAND_UP.flow(30, owner, match, *limited(here, kind), Controller(AGENT), *relayed)
    overlay = uplinks.overlays.get(here.segment.network_type)
    if here.tunnelled and overlay is not None and flood.domain:
        for kind_of in ({"eth_type": ETH_ARP}, _DISCOVERED):
            match = {"vlan_vid": tagged(here.vlan), "eth_dst": (MAC_ANY_MULTICAST, MAC_ANY_MULTICAST), **kind_of}
            yield TUN["to_peer"].flow(5, owner, match, *encapsulate(here, flood.domain, overlay))


_DISCOVERED: Final = {"eth_type": ETH_IPV6, "ip_proto": PROTO_ICMPV6, "icmpv6_type": ND_ADVERT}


def _to_other_nodes(uplinks: Uplinks, here: LocalNetwork) -> Iterator[Action]:
    """Nothing of what came from there (`deliver`)."""
    link = here.link(uplinks)
    if link is not None and link.near is not None:
        yield SetField("eth_dst", EVERYBODY)
        yield SetField(OUT_PORT, link.near)
        yield INT["ingress"].goto


def meters(here: LocalNetwork, kind: RouterLimit) -> Iterator[DropMeter]:
    if here.can_limit:
        yield meter(here.vlan, kind)


def limited(here: LocalNetwork, kind: RouterLimit) -> tuple[Action, ...]:
    """Of all routers on it together."""
    return (Meter(router_meter_number(here.vlan, kind)),) if here.can_limit else ()


def port(here: LocalPort) -> Iterator[Wanted]:
    """One that claims addresses without end is ignored for a while, and its claims are not relayed."""
    if here.network.unsure and Asked.NEXT_HOP in here.deaf_to:
        owner = cookie(Reason.NETWORK_CLAIM, here.port.id)
        for why in LIMITS:
            yield HAND_UP.flow(31, owner, {IN_PORT: here.number, HANDED_UP: why})


UNKNOWN_HOSTS = Service("unknown hosts", network=network, port=port, router=router)
