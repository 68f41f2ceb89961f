"""The external network: what leaves by a router's gateway, and what comes in by it.

    elsewhere                    on the node that has the gateway
    routing ─▶ to that node ═══▶ to_router ─▶ … ─▶ routing ─▶ to_outside ─▶ next_hop ─▶ the external network
                                 to_router ─▶ from_outside ─▶ … ─▶ routing ─▶ next_hop ─▶ the router's networks

IPv4 goes out with the gateway's address (SNAT, by conntrack, which keeps the sender's port where it can),
or with the port's floating IP (`floating_ips`).  IPv6 is routed as it is.  With SNAT nothing comes in but for
addresses there.
"""

from collections.abc import Iterator
from typing import Final

from netweft.dataplane.openflow.fields import ETH_IPV4, ETH_IPV6
from netweft.dataplane.openflow.flow import Ct, CtClear, Nat, SetField
from netweft.services.addresses import Prefix, mac
from netweft.services.fields import HANDED_UP, LOCAL_VLAN, ROUTER, Reason, RouterLimit, Why, cookie
from netweft.services.l3 import hand_ups
from netweft.services.l3.echo import answers_ping, for_it, put_together
from netweft.services.l3.firewalls import handed_on
from netweft.services.l3.gateways import takeover_flows
from netweft.services.l3.gateways.remote import elsewhere
from netweft.services.l3.gateways.several import default_routes, of_each_gateway
from netweft.services.l3.neighbours import external
from netweft.services.l3.neighbours.unknown_hosts import by_its_wire_mac
from netweft.services.l3.routing import address_scopes
from netweft.services.l3.routing.next_hops import at
from netweft.services.l3.routing.paths import by_gateway, route
from netweft.services.l3.routing.routes import may_not_fit, priority
from netweft.services.l3.values import Gateway, LocalRouter
from netweft.services.pipeline import INT, BridgeFlow, Value
from netweft.services.security.conntrack import IS_INVALID, TRACKED_BIT
from netweft.services.service import Service, Wanted
from netweft.services.values import Uplinks

TO_ROUTER, FROM_OUTSIDE, ITSELF, ROUTING, TO_OUTSIDE, NEXT_HOP = (
    INT[name] for name in ("to_router", "from_outside", "to_router_itself", "routing", "to_outside", "next_hop")
)
LIMITS = INT["outside_egress"]  # before the next hop
INVALID: Final = 100
SOURCE_TRANSLATED: Final = 0x40
IS_AS_IT_WAS: Final = (TRACKED_BIT, TRACKED_BIT | SOURCE_TRANSLATED)
IS_OF_NOTHING: Final = (IS_INVALID[0], IS_INVALID[1] | SOURCE_TRANSLATED)


def router(uplinks: Uplinks, here: LocalRouter) -> Iterator[Wanted]:
    if not here.router.admin_state_up:
        return
    yield from elsewhere(uplinks, here)
    yield from takeover_flows.flows(here)
    yield from of_each_gateway(_gateway)(uplinks, here)
    if here.leaving:
        yield from _by_other_nodes(here)
        yield from _on_link(here)
        yield from default_routes(here)


def _gateway(_: Uplinks, here: LocalRouter) -> Iterator[Wanted]:
    if here.gateway is not None:
        yield from _on_the_link(here, here.gateway)
        yield from _enters(here, here.gateway)
        if here.gateway.leaves:
            yield from _leaves(here, here.gateway)
        yield from address_scopes.by_the_gateway(here, here.gateway)


def _on_the_link(here: LocalRouter, gateway: Gateway) -> Iterator[BridgeFlow]:
    """By the cookie of what answers an agent that is new finds that it is this node that does (`agent/l3/failover`)."""
    answers, enters = (cookie(reason, gateway.port.id) for reason in (Reason.ROUTER_ANSWERS, Reason.ROUTER_GATEWAY))
    yield from external.flows(here, gateway, answers, enters)


def _by_other_nodes(here: LocalRouter) -> Iterator[BridgeFlow]:
    """Where physical hosts are answered they may at any rate."""
    for interface in here.interfaces:
        if not interface.network.answered or not interface.port.admin_state_up:
            yield from by_its_wire_mac(here, interface)
        if here.ways:
            yield from by_its_wire_mac(here, interface, relayed=True)


def _enters(here: LocalRouter, gateway: Gateway) -> Iterator[BridgeFlow]:
    owner, own = cookie(Reason.ROUTER_GATEWAY, gateway.port.id), mac(gateway.port.mac_address)
    for eth_type in (ETH_IPV4, ETH_IPV6):
        match: dict[str, Value] = {LOCAL_VLAN: gateway.network.vlan, "eth_dst": own, "eth_type": eth_type}
        yield TO_ROUTER.flow(20, owner, match, SetField(ROUTER, here.number), INT["outside_ingress"].goto)
    ipv4: dict[str, Value] = {ROUTER: here.number, "eth_type": ETH_IPV4}
    for address in gateway.addresses:
        yield from answers_ping(owner, here.number, address, *hand_ups.limited(here, RouterLimit.PINGED))
        if not here.gives_pieces:
            yield put_together(owner, here.number, address)
        # from inside it may be the answer to somebody who came by a floating IP.  With SNAT it may be for a connection
        # that the gateway before this one knew: nothing is said that could end it
        itself: dict[str, Value] = {**for_it(here.number, address), LOCAL_VLAN: gateway.network.vlan}
        says = () if here.router.enable_snat else (SetField(HANDED_UP, Why.NOT_LISTENING), INT["hand_up"].goto)
        yield ITSELF.flow(10, owner, itself, *says)
    passes = cookie(Reason.ROUTER_PASSES, here.router.id)
    for eth_type in _untranslated(here, gateway):
        yield FROM_OUTSIDE.flow(5, passes, {ROUTER: here.number, "eth_type": eth_type}, ITSELF.goto)
    if not here.router.enable_snat:
        return
    for address in gateway.addresses:
        if address.version == 4:
            back = Ct(zone=gateway.zone, table=INT["translated"].id, nat=Nat())
            yield FROM_OUTSIDE.flow(20, passes, {**ipv4, "ipv4_dst": address.value}, back)
    yield FROM_OUTSIDE.flow(10, owner, ipv4)


def _leaves(here: LocalRouter, gateway: Gateway) -> Iterator[BridgeFlow]:
    owner, passes = cookie(Reason.ROUTER_GATEWAY, gateway.port.id), cookie(Reason.ROUTER_PASSES, here.router.id)
    ipv4: dict[str, Value] = {ROUTER: here.number, "eth_type": ETH_IPV4}
    if may_not_fit(here, gateway.network):  # before it gets another address
        for eth_type in (ETH_IPV4, ETH_IPV6):
            too_big: dict[str, Value] = {ROUTER: here.number, "eth_type": eth_type, HANDED_UP: Why.TOO_BIG}
            yield TO_OUTSIDE.flow(40, owner, too_big, INT["hand_up"].goto)
    own = [address.value for address in gateway.addresses if address.version == 4]
    for address in own:  # its own answers
        yield TO_OUTSIDE.flow(30, passes, {**ipv4, "ipv4_src": address}, CtClear(), LIMITS.goto)
    for eth_type in _untranslated(here, gateway):
        yield TO_OUTSIDE.flow(5, passes, {ROUTER: here.number, "eth_type": eth_type}, LIMITS.goto)
    if here.router.enable_snat and gateway.snat_address is not None:
        snat = Ct(zone=gateway.zone, commit=True, table=LIMITS.id, nat=Nat(gateway.snat_address))
        yield TO_OUTSIDE.flow(10, passes, ipv4, CtClear(), snat)
        # what has kept its address: of no connection, or where Open vSwitch found no other one that is free.  Fragments
        # of long streams are translated, and invalid all the same: what acknowledges them does not come by here (0564)
        yield LIMITS.flow(INVALID, owner, {**ipv4, "ct_state": IS_OF_NOTHING})
        yield LIMITS.flow(INVALID, owner, {**ipv4, "ct_zone": gateway.zone, "ct_state": IS_AS_IT_WAS})
    into_it = handed_on(gateway.network, mac(gateway.port.mac_address))
    for version in (4, 6):
        for value in gateway.own(version):  # by its own or another router of this node
            to_it = at(Prefix(version, value, None))
            yield NEXT_HOP.flow(10, owner, {LOCAL_VLAN: gateway.network.vlan, **to_it}, *into_it)


def _untranslated(here: LocalRouter, gateway: Gateway) -> Iterator[int]:
    """By itself it passes without a flow: these count."""
    versions = {address.version for address in gateway.addresses}
    if 4 in versions and not here.router.enable_snat:
        yield ETH_IPV4
    if 6 in versions:
        yield ETH_IPV6


def _on_link(here: LocalRouter) -> Iterator[BridgeFlow]:
    """Of several gateways on one network by the first."""
    for on_link in sorted({net for gateway in here.leaving for net in gateway.on_link}):
        gateway = next(one for one in here.leaving if on_link in one.on_link)
        owner = cookie(Reason.ROUTER_GATEWAY, gateway.port.id)
        yield from route(here, owner, priority(on_link), on_link, [by_gateway(gateway, None)])


GATEWAYS = Service("gateways", router=router)
