"""Address scopes: a router leads from one scope into another by NAT only, as in Neutron.  No scope is one, too.

    between its networks        dropped in `routing`, by where the packet is and which route it would take
    to outside, with SNAT       another scope's: translated; the external network's own: as it is
    to outside, without SNAT    another scope's: dropped.  IPv6 likewise, in `routing`
    from outside                what is for a floating IP or an answer passes; the rest if it stays in its scope

A router whose networks are all in one scope has no flow of this.
"""

from collections.abc import Iterator

from netweft.dataplane.openflow.fields import ETH_IPV4
from netweft.services.addresses import Prefix, prefix, within
from netweft.services.fields import ROUTER, Reason, cookie
from netweft.services.l3.values import Gateway, Interface, LocalRouter
from netweft.services.pipeline import INT, BridgeFlow, Value
from netweft.services.values import LocalNetwork

FROM_OUTSIDE, ITSELF, TO_OUTSIDE, LIMITS = (
    INT[name] for name in ("from_outside", "to_router_itself", "to_outside", "outside_egress")
)
AS_IT_IS, NOT_AT_ALL = 15, 12  # below floating IPs and the gateway's own, above SNAT


def kept_apart(here: LocalRouter, to: Prefix, into: LocalNetwork) -> list[int]:
    """From which local VLANs a route into that network does not lead.  In IPv4 NAT decides what passes to and from
    outside."""
    inside = [interface.network for interface in here.interfaces]
    outside = [gateway.network for gateway in here.gateways]
    if to.version == 4 and any(into.vlan == one.vlan for one in outside):
        return []
    sources = [*inside, *(outside if to.version == 6 else [])]
    return sorted({frm.vlan for frm in sources if _scope(frm, to.version) != _scope(into, to.version)})


def by_the_gateway(here: LocalRouter, gateway: Gateway) -> Iterator[BridgeFlow]:
    """IPv4 without a translation."""
    snat, outside = here.router.enable_snat, _scope(gateway.network, 4)
    for interface in here.interfaces:
        same = _scope(interface.network, 4) == outside
        if snat and same and outside is not None:
            for net in _ipv4(interface):
                yield from _both_ways(here, net, AS_IT_IS)
        elif not snat and not same:
            for net in (*_ipv4(interface), *_behind(here, interface)):
                yield from _both_ways(here, net, NOT_AT_ALL)


def _both_ways(here: LocalRouter, net: Prefix, priority: int) -> Iterator[BridgeFlow]:
    passes = priority == AS_IT_IS
    owner = cookie(Reason.ROUTER_PASSES if passes else Reason.ROUTER_SCOPE, here.router.id)
    packet: dict[str, Value] = {ROUTER: here.number, "eth_type": ETH_IPV4}
    there: Value = net.value if net.mask is None else (net.value, net.mask)
    yield TO_OUTSIDE.flow(priority, owner, {**packet, "ipv4_src": there}, *([LIMITS.goto] if passes else ()))
    yield FROM_OUTSIDE.flow(priority, owner, {**packet, "ipv4_dst": there}, *([ITSELF.goto] if passes else ()))


def _ipv4(interface: Interface) -> list[Prefix]:
    return [net for net in interface.on_link if net.version == 4]


def _behind(here: LocalRouter, interface: Interface) -> Iterator[Prefix]:
    """What its owner's routes lead to by this interface."""
    for route in here.router.routes:
        destination, next_hop = prefix(route.destination), prefix(route.nexthop)
        if destination.version == 4 and any(within(next_hop, net) for net in interface.on_link):
            yield destination


def _scope(network: LocalNetwork, version: int) -> str | None:
    found = network.network
    return found.ipv4_address_scope if version == 4 else found.ipv6_address_scope
