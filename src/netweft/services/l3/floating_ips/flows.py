"""Floating IPs: an external address is written over a port's own, and back, packet by packet.

    VM ─▶ … ─▶ routing ─▶ to_outside ─▶ outside_egress ─▶ next_hop ─▶ the external network   from the floating IP's MAC
    VM ◀─ … ◀─ to_router_itself ◀─ from_outside ◀─ outside_ingress ◀─ to_router ◀─┘

On the VM's own node, where that is wired to the external network, whoever has the gateway; else where the gateway is,
as that is there (`places`).
Nothing is remembered for it, so nothing can be lost: but for fragments in the userspace datapath, which spoils the
later ones when it writes over an address (it takes what they carry for a TCP or UDP header, and mends its checksum).
What its conntrack translates it does not spoil (0451).  The kernel's spoils none.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec.structs import replace

from netweft.dataplane.openflow.fields import ETH_IPV4, PROTO_TCP, PROTO_UDP
from netweft.dataplane.openflow.flow import Action, Ct, CtClear, Nat, SetField
from netweft.services.addresses import Prefix, mac, within
from netweft.services.fields import HANDED_UP, LOCAL_VLAN, PIECE, ROUTER, Reason, Why, cookie
from netweft.services.l3.firewalls import handed_on
from netweft.services.l3.floating_ips import icmp_errors
from netweft.services.l3.gateways import takeover_flows
from netweft.services.l3.gateways.several import Render, of_each_gateway
from netweft.services.l3.neighbours import external
from netweft.services.l3.routing.next_hops import at
from netweft.services.l3.routing.paths import answering, by, by_gateway, to_the_gateways_node
from netweft.services.l3.routing.routes import DEFAULT, may_not_fit, priority, towards
from netweft.services.l3.values import Gateway, LocalFloatingIp, LocalRouter
from netweft.services.pipeline import INT, BridgeFlow, Table, Value
from netweft.services.security import fragments
from netweft.services.security.conntrack import TRACKED_BIT
from netweft.services.service import Service, Wanted
from netweft.services.values import LocalNetwork, Uplinks

TO_ROUTER, FROM_OUTSIDE, TRANSLATED, ITSELF, ROUTING, TO_OUTSIDE, OUT, NEXT_HOP = (
    INT[name]
    for name in (
        *("to_router", "from_outside", "translated", "to_router_itself"),
        *("routing", "to_outside", "outside_egress", "next_hop"),
    )
)
EVERYWHERE = Prefix(4, 0, 0)
_PIECES: Final[tuple[dict[str, Value], ...]] = tuple(
    {"ip_proto": protocol, "ip_frag": fragments.ANY} for protocol in (PROTO_TCP, PROTO_UDP)
)
BY_ITSELF = DEFAULT - 1  # before the way to the gateway's node, after a default route of its owner's


def router(uplinks: Uplinks, here: LocalRouter) -> Iterator[Wanted]:
    if here.router.admin_state_up:
        theirs = {one.port.id for one in here.gateways}
        alone = [one for one in here.floating_ips if one.gateway_id not in theirs]
        yield from _each(_enter, uplinks, here, here.gateways, alone)
        yield from _each(_leave, uplinks, here, here.leaving, here.by_themselves)
        for holder in here.holders:
            yield from takeover_flows.of_floating_ip(holder)
        if here.by_themselves and not here.leaving:
            yield from _too_big(here)


def _each(
    render: Render, uplinks: Uplinks, here: LocalRouter, gateways: tuple[Gateway, ...], alone: Iterable[LocalFloatingIp]
) -> Iterator[Wanted]:
    """With each of these gateways its floating IPs, and those that have none of them."""
    ids = {one.port.id for one in gateways}
    if gateways:
        its = tuple(one for one in here.floating_ips if one.gateway_id in ids)
        seen = replace(here, gateway=gateways[0], more=gateways[1:], floating_ips=its)
        yield from of_each_gateway(render)(uplinks, seen)
    if alone:
        yield from render(uplinks, replace(here, gateway=None, more=(), floating_ips=tuple(alone)))


def _enter(_: Uplinks, here: LocalRouter) -> Iterator[BridgeFlow]:
    ipv4: dict[str, Value] = {ROUTER: here.number, "eth_type": ETH_IPV4}
    for one in here.floating_ips:
        owner, to_it = _owner(one), {**ipv4, "ipv4_dst": one.address}
        if here.gateway is None:  # several may stand for one address, each on a network of its own
            to_it |= {LOCAL_VLAN: one.end.network.vlan}
        if one.own_mac:
            yield from external.flows(here, one.end, cookie(Reason.FLOATING_ANSWERS, one.id), owner)
            yield from takeover_flows.of_floating_ip(one)
            match: dict[str, Value] = {LOCAL_VLAN: one.end.network.vlan, "eth_dst": mac(one.end.port.mac_address)}
            enter = (SetField(ROUTER, here.number), INT["outside_ingress"].goto)
            yield TO_ROUTER.flow(20, owner, {**match, "eth_type": ETH_IPV4}, *enter)
        yield FROM_OUTSIDE.flow(20, owner, to_it, SetField("ipv4_dst", one.fixed), ITSELF.goto)
        yield from _pieces_in(here, one, to_it)
    yield from icmp_errors.coming_in(here)
    if here.gateway is None:
        yield from _nothing_else(here)


def _leave(_: Uplinks, here: LocalRouter) -> Iterator[BridgeFlow]:
    for one in here.floating_ips:
        owner, own = _owner(one), SetField("eth_src", mac(one.end.port.mac_address))
        from_it: dict[str, Value] = {ROUTER: here.number, "eth_type": ETH_IPV4, "ipv4_src": one.fixed}
        if here.gateway is None:  # as above
            from_it |= {"eth_src": mac(one.end.port.mac_address)}
        yield TO_OUTSIDE.flow(20, owner, from_it, own, SetField("ipv4_src", one.address), OUT.goto)
        for piece in _PIECES if here.gives_pieces else ():
            out_of = _tracked(one.end.zone, Nat(src=one.address), OUT)
            yield TO_OUTSIDE.flow(23, owner, {**from_it, **piece}, own, *out_of)
        if one.own_mac:  # from its own or another router of this node
            into_it = handed_on(one.end.network, mac(one.end.port.mac_address))
            to_it = {LOCAL_VLAN: one.end.network.vlan, **at(Prefix(4, one.address, None))}
            yield NEXT_HOP.flow(10, owner, to_it, *into_it)
    yield from icmp_errors.going_out(here)
    if here.gateway is None:
        yield from _by_itself(here)


def _pieces_in(here: LocalRouter, one: LocalFloatingIp, to_it: dict[str, Value]) -> Iterator[BridgeFlow]:
    """In the kernel's datapath conntrack puts them together, for whoever needs ports after that, and no more."""
    owner = _owner(one)
    collected = CtClear(), SetField(PIECE, 1), Ct(zone=one.end.zone, table=TRANSLATED.id)
    into = _tracked(one.end.zone, Nat(dst=one.fixed), TRANSLATED) if here.gives_pieces else collected
    for piece in _PIECES:
        yield FROM_OUTSIDE.flow(23, owner, {**to_it, **piece}, *into)
    if not here.gives_pieces:
        match: dict[str, Value] = {**_tracked_in(one.end.zone), "ipv4_dst": one.address}
        onward = (*_in_its_network(here, one.end.network), SetField("ipv4_dst", one.fixed), ITSELF.goto)
        yield TRANSLATED.flow(20, owner, match, *onward)


def _tracked_in(zone: int) -> dict[str, Value]:
    return {"ct_zone": zone, "ct_state": (TRACKED_BIT, TRACKED_BIT), "eth_type": ETH_IPV4}


def _in_its_network(here: LocalRouter, network: LocalNetwork) -> tuple[Action, ...]:
    """What was collected may have come with another's."""
    return SetField(ROUTER, here.number), SetField(LOCAL_VLAN, network.vlan)


def _tracked(zone: int, nat: Nat, table: Table) -> tuple[Action, ...]:
    return CtClear(), SetField(PIECE, 1), Ct(zone=zone, commit=True, nat=nat, table=table.id)


def _by_itself(here: LocalRouter) -> Iterator[BridgeFlow]:
    """Out by this node, not by the gateway's: what it sends, and nobody else.  To the networks of other gateways of the
    router, where it is not known, by their node."""
    found: dict[tuple[int, Prefix], BridgeFlow] = {}  # of several that stand for one address the first
    for one in here.floating_ips:
        for on_link in one.end.on_link:
            found.setdefault((one.fixed, on_link), _route(here, one, on_link, None))
        for hop in answering(here, [by_gateway(one.end, hop) for hop in one.end.next_hops])[:1]:
            found.setdefault((one.fixed, EVERYWHERE), _route(here, one, EVERYWHERE, hop.next_hop))
    yield from found.values()
    for one in here.floating_ips:
        for net in here.outside_on_link:
            if net.version == 4 and (one.fixed, net) not in found:
                yield from _by_the_gateways_node(here, one, net)


def _route(here: LocalRouter, one: LocalFloatingIp, to: Prefix, next_hop: Prefix | None) -> BridgeFlow:
    match: dict[str, Value] = {**towards(here, to), "ipv4_src": one.fixed}
    how_high = BY_ITSELF if to == EVERYWHERE else priority(to)
    return ROUTING.flow(how_high, _owner(one), match, *by(here, to, by_gateway(one.end, next_hop)))


def _by_the_gateways_node(here: LocalRouter, one: LocalFloatingIp, net: Prefix) -> Iterator[BridgeFlow]:
    for way in here.ways_out:
        if any(within(Prefix(4, one.fixed, None), inside) for inside in way.interface.on_link):
            match: dict[str, Value] = {**towards(here, net), "ipv4_src": one.fixed}
            match |= {LOCAL_VLAN: way.interface.network.vlan}
            yield ROUTING.flow(priority(net), _owner(one), match, *to_the_gateways_node(way))


def _nothing_else(here: LocalRouter) -> Iterator[BridgeFlow]:
    """As with a gateway: by their MACs nobody gets in to other addresses."""
    owner = cookie(Reason.ROUTER_FLOATING_IP, here.router.id)
    ipv4: dict[str, Value] = {ROUTER: here.number, "eth_type": ETH_IPV4}
    for vlan in sorted({one.end.network.vlan for one in here.floating_ips}):
        yield FROM_OUTSIDE.flow(10, owner, {**ipv4, LOCAL_VLAN: vlan})
    for zone, network in {one.end.zone: one.end.network for one in here.floating_ips}.items():
        yield TRANSLATED.flow(10, owner, _tracked_in(zone), *_in_its_network(here, network), ITSELF.goto)


def _too_big(here: LocalRouter) -> Iterator[BridgeFlow]:
    """Before it gets another address."""
    owner = cookie(Reason.ROUTER_FLOATING_IP, here.router.id)
    if any(may_not_fit(here, one.network) for one in here.exits):
        match: dict[str, Value] = {ROUTER: here.number, "eth_type": ETH_IPV4, HANDED_UP: Why.TOO_BIG}
        yield TO_OUTSIDE.flow(40, owner, match, INT["hand_up"].goto)


def _owner(one: LocalFloatingIp) -> int:
    return cookie(Reason.FLOATING_ADDRESS, one.id)


FLOATING_IPS = Service("floating IPs", router=router)
