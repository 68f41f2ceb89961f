"""Routers: the flows of each, on every node that has a port on one of its networks.

    to_router ─▶ leaves_network ─▶ to_router_itself ─▶ routing ─▶ next_hop ─▶ switching
        ▲                                                            │
        └──────────── the next hop is a router's interface ──────────┘

A packet is routed on the node where it starts.  It comes out in the next network, from the router's MAC there, and is
switched like any other; it is tracked once more, since each network is a conntrack zone of its own.  Its answer is
routed on the node of whoever answers.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from netweft.dataplane.openflow.flow import Controller, SetField
from netweft.services.addresses import Prefix, mac, prefix, within
from netweft.services.fields import (
    AGENT,
    HANDED_UP,
    IN_PORT,
    LOCAL_VLAN,
    ROUTER,
    Reason,
    Why,
    cookie,
)
from netweft.services.l3.echo import answers_neighbours_ping, answers_ping, for_it, put_together
from netweft.services.l3.neighbours.responder import answers, back_to_sender
from netweft.services.l3.routing.next_hops import reached
from netweft.services.l3.routing.paths import Elsewhere, Hop, Path, answering, by_gateway, route
from netweft.services.l3.routing.routes import CONNECTED, ETH, priority, towards
from netweft.services.l3.values import Interface, LocalRouter
from netweft.services.pipeline import INT, BridgeFlow, Value
from netweft.services.security.firewall import needs_no_rule, remembered
from netweft.services.service import Service, Wanted
from netweft.services.values import Asked, HostFacts, LocalPort, Uplinks

TO_ROUTER, LEAVES, ITSELF, ROUTING, HAND_UP = (
    INT[name] for name in ("to_router", "leaves_network", "to_router_itself", "routing", "hand_up")
)
# what no router forwards, besides what needs no rule since it stays on its link:
# RFC 1122 3.2.1.3, RFC 3927 2.7, RFC 5771, RFC 4291 2.5.6
NOT_FORWARDED: Final = {
    4: {
        "ipv4_dst": ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"),
        "ipv4_src": ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"),
    },
    6: {
        "ipv6_dst": ("::1/128", "::/128", "fe80::/10", "ff00::/8"),
        "ipv6_src": ("::1/128", "::/128", "fe80::/10", "ff00::/8"),
    },
}
NEVER, EXPIRED = 1000, 900


def router(_: Uplinks, here: LocalRouter) -> Iterator[Wanted]:
    for interface in here.interfaces:
        yield from _enters(here, interface)
        if here.router.admin_state_up and interface.port.admin_state_up:
            yield from answers(interface)
            yield from _itself(here, interface)
            yield from reached(interface)
            for on_link in interface.on_link:
                yield from _connected(here, interface, on_link)
    for on_link in _out_of_reach(here):
        yield _unreachable(here, on_link, CONNECTED)
    for destination, hops in _extra(here).items():
        yield from _route(here, destination, hops) if hops else [_unreachable(here, destination)]


def _enters(here: LocalRouter, interface: Interface) -> Iterator[BridgeFlow]:
    """What is no IP, or for a router that is down, ends here: nobody else has that MAC."""
    owner = cookie(Reason.ROUTER_INTERFACE, interface.port.id)
    to_it: dict[str, Value] = {LOCAL_VLAN: interface.network.vlan, "eth_dst": mac(interface.port.mac_address)}
    yield TO_ROUTER.flow(10, owner, to_it)
    if here.router.admin_state_up and interface.port.admin_state_up:
        for eth_type in ETH.values():
            enter = SetField(ROUTER, here.number)
            yield TO_ROUTER.flow(20, owner, {**to_it, "eth_type": eth_type}, enter, LEAVES.goto)


def _itself(here: LocalRouter, interface: Interface) -> Iterator[BridgeFlow]:
    owner, own_mac = cookie(Reason.ROUTER_INTERFACE, interface.port.id), interface.port.mac_address
    for own in interface.addresses:
        yield from answers_ping(owner, here.number, own)
        if not here.gives_pieces:
            yield put_together(owner, here.number, own)
        if own.version == 6:
            yield from answers_neighbours_ping(owner, here.number, own, *back_to_sender(own_mac))
        to_it = for_it(here.number, own)
        yield ITSELF.flow(10, owner, to_it, SetField(HANDED_UP, Why.NOT_LISTENING), HAND_UP.goto)


def _route(here: LocalRouter, to: Prefix, hops: Sequence[Hop]) -> Iterator[BridgeFlow]:
    yield from route(here, cookie(Reason.ROUTER_ROUTE, here.router.id), priority(to), to, hops)


def _connected(here: LocalRouter, interface: Interface, on_link: Prefix) -> Iterator[BridgeFlow]:
    owner, path = cookie(Reason.ROUTER_ROUTE, here.router.id), _path(interface, None)
    yield from route(here, owner, priority(on_link) + CONNECTED, on_link, [path])


def _path(interface: Interface, next_hop: Prefix | None) -> Path:
    return Path(interface.network, interface.port.mac_address, next_hop, INT["next_hop"].goto)


def _unreachable(here: LocalRouter, to: Prefix, more: int = 0) -> BridgeFlow:
    """What is out of reach is not sent by a shorter route, to somebody else."""
    actions = (SetField(HANDED_UP, Why.NO_ROUTE), HAND_UP.goto)
    return ROUTING.flow(priority(to) + more, cookie(Reason.ROUTER_ROUTE, here.router.id), towards(here, to), *actions)


def _out_of_reach(here: LocalRouter) -> tuple[Prefix, ...]:
    """By interfaces whose networks are not wired here, or that are down."""
    down = (one for one in here.interfaces if not one.port.admin_state_up)
    return (*here.out_of_reach, *(net for one in down for net in one.on_link))


def _extra(here: LocalRouter) -> dict[Prefix, list[Hop]]:
    """The routes that its owner added: to each destination the next hops that can be reached.  Those outside, on the
    node that has the gateway; what is for them goes there."""
    found: dict[Prefix, list[Hop]] = {}
    if not here.router.admin_state_up:
        return found
    up = [(net, one) for one in here.interfaces if one.port.admin_state_up for net in one.on_link]
    out_of_reach = _out_of_reach(here)
    for said in sorted(here.router.routes, key=lambda said: (said.destination, said.nexthop)):
        destination, next_hop = prefix(said.destination), prefix(said.nexthop)
        by = next((interface for net, interface in up if within(next_hop, net)), None)
        if by is not None:
            found.setdefault(destination, []).append(_path(by, next_hop))
        elif any(within(next_hop, net) for net in out_of_reach):
            found.setdefault(destination, [])
        else:
            for hop in _outside(here, next_hop):
                found.setdefault(destination, []).append(hop)
    return {destination: answering(here, hops) for destination, hops in found.items()}


def _outside(here: LocalRouter, next_hop: Prefix) -> Iterator[Hop]:
    for gateway in here.leaving:
        if any(within(next_hop, net) for net in gateway.on_link):
            yield by_gateway(gateway, next_hop)
            return
    near = any(within(next_hop, net) for one in here.by_themselves for net in one.end.on_link)
    if here.ways_out or near:
        yield Elsewhere(here.ways_out, next_hop)


def host(_: HostFacts, uplinks: Uplinks) -> Iterator[Wanted]:
    """What is the same for all routers, once there is one."""
    if not uplinks.routed:
        return
    owner = cookie(Reason.PIPELINE)
    yield from remembered(owner, LEAVES, ITSELF.goto)
    for version, eth_type in ETH.items():
        for name, prefixes in NOT_FORWARDED[version].items():
            for net in map(prefix, prefixes):
                match: dict[str, Value] = {"eth_type": eth_type, name: net.value if net.mask is None else net[1:]}
                yield ROUTING.flow(NEVER, owner, match)
        for of_a_link in needs_no_rule(eth_type):
            yield ROUTING.flow(NEVER, owner, of_a_link)
        for ttl in (0, 1):
            expired: dict[str, Value] = {"eth_type": eth_type, "ip_ttl": ttl}
            yield ROUTING.flow(EXPIRED, owner, expired, SetField(HANDED_UP, Why.TTL_EXCEEDED), HAND_UP.goto)
        no_route = SetField(HANDED_UP, Why.NO_ROUTE)
        yield ROUTING.flow(10, owner, {"eth_type": eth_type}, no_route, HAND_UP.goto)

    yield HAND_UP.flow(10, cookie(Reason.ROUTER_HAND_UP), {}, Controller(AGENT))


def port(here: LocalPort) -> Iterator[Wanted]:
    """One that makes the agent answer more than it should is ignored for a while."""
    if here.network.routed and Asked.ERROR in here.deaf_to:
        yield HAND_UP.flow(20, cookie(Reason.ROUTER_HAND_UP, here.port.id), {IN_PORT: here.number})


ROUTERS = Service("routers", host=host, port=port, router=router)
