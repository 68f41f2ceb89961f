"""Routers: the flows of each, on every node that has a port on one of its networks.

    to_router ─▶ leaves_network ─▶ to_router_itself ─▶ routing ─▶ next_hop ─▶ switching
        ▲                                                            │
        └──────────── the next hop is a router's interface ──────────┘

A packet is routed on the node where it starts.  It comes out in the next network, from the router's MAC there, and is
switched like any other; it is tracked once more, since each network is a conntrack zone of its own.  Its answer is
routed on the node of whoever answers.
"""

from collections.abc import Iterator
from typing import Final

from netweft.dataplane.openflow.fields import ETH_IPV4, ETH_IPV6, PROTO_ICMP, PROTO_ICMPV6
from netweft.dataplane.openflow.flow import Action, CheckLarger, Controller, DecTtl, Move, SetField
from netweft.services import fragments
from netweft.services.addresses import Prefix, mac, prefix
from netweft.services.fields import (
    AGENT,
    ANY_TAG,
    HANDED_UP,
    IN_PORT,
    LOCAL_VLAN,
    NEXT_HOP,
    ROUTER,
    Reason,
    Why,
    cookie,
)
from netweft.services.firewall import remembered
from netweft.services.l3.neighbours import answers, back_to_sender
from netweft.services.l3.next_hops import reached
from netweft.services.pipeline import INT, BridgeFlow, Value
from netweft.services.values import Asked, HostFacts, Interface, LocalPort, LocalRouter, Service, Uplinks, Wanted

TO_ROUTER, LEAVES, ITSELF, ROUTING, HAND_UP = (
    INT[name] for name in ("to_router", "leaves_network", "to_router_itself", "routing", "hand_up")
)
ETH: Final = {4: ETH_IPV4, 6: ETH_IPV6}
DST: Final = {4: "ipv4_dst", 6: "ipv6_dst"}
SRC: Final = {4: "ipv4_src", 6: "ipv6_src"}
BITS: Final = {4: 32, 6: 128}
# (protocol, request, reply): the type fields' values, RFC 792, RFC 4443
ECHO: Final = {4: (PROTO_ICMP, 8, 0), 6: (PROTO_ICMPV6, 128, 129)}
# what no router forwards: RFC 1122 3.2.1.3, RFC 3927 2.7, RFC 5771, RFC 4291 2.5.6
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
NEVER, EXPIRED, ROUTES = 1000, 900, 100  # a route's priority is ROUTES and the length of its prefix
CONNECTED = 1  # and of two routes to the same prefix the connected one holds
TO_IT, ANSWER, LISTENS = 30, 20, 10
HOPS = 255
ETHERNET = 14  # bytes of the header, which the datapath counts
MOST = 0xFFFF  # that it can compare with


def router(_: Uplinks, here: LocalRouter) -> Iterator[Wanted]:
    for interface in here.interfaces:
        yield from _enters(here, interface)
        if here.router.admin_state_up and interface.port.admin_state_up:
            yield from answers(interface)
            yield from _itself(here, interface)
            yield from reached(interface)
            for on_link in interface.on_link:
                yield _route(here, interface, on_link, None)
    for destination, (interface, next_hop) in _extra(here).items():
        yield _route(here, interface, destination, next_hop)


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
    """Ping is answered by the flows (vswitchd does it: no datapath can set an ICMP type)."""
    owner = cookie(Reason.ROUTER_INTERFACE, interface.port.id)
    for own in interface.addresses:
        proto, request, reply = ECHO[own.version]
        to_it: dict[str, Value] = {ROUTER: here.number, "eth_type": ETH[own.version], DST[own.version]: own.value}
        kind, code = (f"icmpv{own.version}_{part}" for part in ("type", "code"))
        echo: dict[str, Value] = {**to_it, "ip_proto": proto, kind: request, code: 0, "ip_frag": fragments.NONE}
        turned = (*_swapped(own.version), SetField(kind, reply), SetField("ip_ttl", HOPS))
        yield ITSELF.flow(ANSWER, owner, echo, *turned, ROUTING.goto)
        if own.version == 6:
            near: dict[str, Value] = {**echo, "ipv6_src": _LINK_LOCAL}
            yield ITSELF.flow(TO_IT, owner, near, *turned, *back_to_sender(interface.port.mac_address))
        yield ITSELF.flow(LISTENS, owner, to_it, SetField(HANDED_UP, Why.NOT_LISTENING), HAND_UP.goto)


_LINK_LOCAL: Final = prefix("fe80::/10")[1:]


def _swapped(version: int) -> Iterator[Action]:
    """Source and destination address."""
    registers = NEXT_HOP[-BITS[version] // 32 :]
    last = len(registers) - 1
    for place, register in enumerate(registers):
        yield Move(SRC[version], register, bits=32, src_start=32 * (last - place))
    yield Move(DST[version], SRC[version], bits=BITS[version])
    for place, register in enumerate(registers):
        yield Move(register, DST[version], bits=32, dst_start=32 * (last - place))


def _route(here: LocalRouter, interface: Interface, to: Prefix, next_hop: Prefix | None) -> BridgeFlow:
    """next_hop: None for what is on the link."""
    match: dict[str, Value] = {
        ROUTER: here.number,
        "eth_type": ETH[to.version],
        DST[to.version]: to.value if to.mask is None else (to.value, to.mask),
    }
    length = BITS[to.version] if to.mask is None else to.mask.bit_count()
    return ROUTING.flow(
        ROUTES + 2 * length + (CONNECTED if next_hop is None else 0),
        cookie(Reason.ROUTER_ROUTE, here.router.id),
        match,
        SetField(LOCAL_VLAN, interface.network.vlan),
        SetField("eth_src", mac(interface.port.mac_address)),
        DecTtl(),
        *_next_hop(to.version, next_hop),
        *_fits(here, interface),
        INT["next_hop"].goto,
    )


def _fits(here: LocalRouter, into: Interface) -> Iterator[Action]:
    """Only where a packet may come from a network with a larger MTU: each answer is a way of its own for all that
    follows.  Of fragments that are tracked together each has to fit; IPv4 without DF is treated as with it."""
    mtu = into.network.network.mtu
    if here.checks_length and any(one.network.network.mtu > mtu for one in here.interfaces):
        yield CheckLarger(min(mtu + ETHERNET, MOST), HANDED_UP, Why.TOO_BIG.bit_length() - 1)


def _next_hop(version: int, next_hop: Prefix | None) -> Iterator[Action]:
    registers = NEXT_HOP[-BITS[version] // 32 :]
    last = len(registers) - 1
    for place, register in enumerate(registers):
        at = 32 * (last - place)
        if next_hop is None:
            yield Move(DST[version], register, bits=32, src_start=at)
        else:
            yield SetField(register, next_hop.value >> at & 0xFFFFFFFF)


def _extra(here: LocalRouter) -> dict[Prefix, tuple[Interface, Prefix]]:
    """The routes that its owner added: of several to one destination the first."""
    found: dict[Prefix, tuple[Interface, Prefix]] = {}
    if not here.router.admin_state_up:
        return found
    for route in sorted(here.router.routes, key=lambda route: (route.destination, route.nexthop)):
        next_hop = prefix(route.nexthop)
        for interface in here.interfaces:
            if interface.port.admin_state_up and any(_holds(net, next_hop) for net in interface.on_link):
                found.setdefault(prefix(route.destination), (interface, next_hop))
                break
    return found


def _holds(net: Prefix, address: Prefix) -> bool:
    return net.version == address.version and address.value & (net.mask or -1) == net.value


def host(_: HostFacts, uplinks: Uplinks) -> Iterator[Wanted]:
    """What is the same for all routers, once there is one."""
    if not uplinks.transit:
        return
    owner = cookie(Reason.PIPELINE)
    yield TO_ROUTER.flow(40, owner, {"vlan_vid": ANY_TAG}, INT["switching"].goto)  # a VLAN of the VMs' own making
    yield from remembered(owner, LEAVES, ITSELF.goto)
    for version, eth_type in ETH.items():
        for name, prefixes in NOT_FORWARDED[version].items():
            for net in map(prefix, prefixes):
                match: dict[str, Value] = {"eth_type": eth_type, name: net.value if net.mask is None else net[1:]}
                yield ROUTING.flow(NEVER, owner, match)
        for ttl in (0, 1):
            expired: dict[str, Value] = {"eth_type": eth_type, "ip_ttl": ttl}
            yield ROUTING.flow(EXPIRED, owner, expired, SetField(HANDED_UP, Why.TTL_EXCEEDED), HAND_UP.goto)
        no_route = SetField(HANDED_UP, Why.NO_ROUTE)
        yield ROUTING.flow(10, owner, {"eth_type": eth_type}, no_route, HAND_UP.goto)

    yield HAND_UP.flow(10, cookie(Reason.ROUTER_HAND_UP), {}, Controller(AGENT))


def port(here: LocalPort) -> Iterator[Wanted]:
    """One that makes the agent say more than it should is not heard for a while."""
    if here.network.routed and Asked.ERROR in here.deaf_to:
        yield HAND_UP.flow(20, cookie(Reason.ROUTER_HAND_UP, here.port.id), {IN_PORT: here.number})


ROUTERS = Service("routers", host=host, port=port, router=router)
