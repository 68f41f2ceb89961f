"""A router on the external network: it answers for its addresses, and learns who answers for others."""

from collections.abc import Iterator

from netweft.dataplane.openflow.fields import ETH_ARP, ETH_IPV6, ND_ADVERT, ND_SOLICIT, PROTO_ICMPV6
from netweft.dataplane.packets.arp import REPLY, REQUEST
from netweft.services.addresses import mac
from netweft.services.fields import LOCAL_VLAN, Reason, RouterLimit, cookie
from netweft.services.l2.neighbours import advertisement, arp_reply
from netweft.services.l3.hand_ups import handed_up, limited
from netweft.services.l3.neighbours.responder import NOT_SAID
from netweft.services.l3.routing.next_hops import LOOPBACK
from netweft.services.l3.values import Gateway, LocalRouter
from netweft.services.pipeline import INT, BridgeFlow, Value

TO_ROUTER = INT["to_router"]
ASKED, NEXT_HOP, ADVERT, ANSWER, REST = 30, 28, 25, 20, 10


def flows(here: LocalRouter, gateway: Gateway, answers: int, enters: int) -> Iterator[BridgeFlow]:
    """The cookies of what answers for it, and of what comes in by it."""
    if gateway.answers:
        yield from _answers(here, gateway, answers)
    yield from _hears(here, gateway, enters)


def _answers(here: LocalRouter, gateway: Gateway, owner: int) -> Iterator[BridgeFlow]:
    own = mac(gateway.port.mac_address)
    for address in gateway.answered(4):
        reply = arp_reply(own, address, *LOOPBACK, INT["switching"].goto)
        asked: dict[str, Value] = {**_arp(gateway), "arp_op": REQUEST, "arp_tpa": address}
        yield TO_ROUTER.flow(ASKED, owner, asked, *limited(here, RouterLimit.ASKED_FOR), *reply)
    for address in gateway.own(6):
        solicited: dict[str, Value] = {**_nd(gateway), "icmpv6_type": ND_SOLICIT, "nd_target": address}
        if gateway.network.discovery:
            reply = advertisement(own, address, *LOOPBACK, INT["advertised"].resubmit)
            yield TO_ROUTER.flow(ASKED - 1, owner, solicited, *limited(here, RouterLimit.ASKED_FOR), *reply)
            solicited[NOT_SAID] = 0
        yield TO_ROUTER.flow(ASKED, owner, solicited, *handed_up(here, RouterLimit.SOLICITED))


def _arp(gateway: Gateway) -> dict[str, Value]:
    return {LOCAL_VLAN: gateway.network.vlan, "eth_type": ETH_ARP}


def _nd(gateway: Gateway) -> dict[str, Value]:
    inside: dict[str, Value] = {LOCAL_VLAN: gateway.network.vlan, "eth_type": ETH_IPV6}
    return {**inside, "ip_proto": PROTO_ICMPV6, "icmpv6_code": 0}


def _hears(here: LocalRouter, gateway: Gateway, owner: int) -> Iterator[BridgeFlow]:
    own, heard = mac(gateway.port.mac_address), cookie(Reason.ROUTER_RESOLVE, here.router.id)
    arp, nd = _arp(gateway), _nd(gateway)
    answer: dict[str, Value] = {**arp, "arp_op": REPLY, "eth_dst": own}
    advert: dict[str, Value] = {**nd, "icmpv6_type": ND_ADVERT, "eth_dst": own}
    for next_hop in sorted({*gateway.next_hops, *gateway.watched}):
        ipv4 = next_hop.version == 4
        its: dict[str, Value] = {**(answer if ipv4 else advert), "arp_spa" if ipv4 else "nd_target": next_hop.value}
        yield TO_ROUTER.flow(NEXT_HOP, heard, its, *handed_up(here, RouterLimit.NEXT_HOPS))
    if gateway.own(6):
        yield TO_ROUTER.flow(ADVERT, heard, advert, *handed_up(here, RouterLimit.NEIGHBOURS))
    yield TO_ROUTER.flow(ANSWER, heard, answer, *handed_up(here, RouterLimit.NEIGHBOURS))
    yield TO_ROUTER.flow(REST, owner, {LOCAL_VLAN: gateway.network.vlan, "eth_dst": own})
