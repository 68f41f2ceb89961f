"""Address scopes: a router forwards from one scope into another by NAT only, as in Neutron.  No scope is one, too.

    between its networks        dropped in `routing`, by where the packet is and which route it would take
    to outside, with SNAT       another scope's: translated; the external network's own: as it is
    to outside, without SNAT    another scope's: dropped.  IPv6 likewise, in `routing`
    NAT66                       unique local addresses as with SNAT; others of another scope: dropped
    from outside                what is for a floating IP or an answer passes; the rest if it stays in its scope

A router whose networks are all in one scope has no flow of this.
"""

from collections.abc import Iterator

from netweft.services.addresses import Prefix, is_unique_local, overlap, prefix, within
from netweft.services.fields import ROUTER, Reason, cookie
from netweft.services.l3.routing.routes import DST, ETH, SRC
from netweft.services.l3.values import Gateway, Interface, LocalRouter
from netweft.services.pipeline import INT, BridgeFlow, Value
from netweft.services.values import LocalNetwork

FROM_OUTSIDE, ITSELF, TO_OUTSIDE, LIMITS = (
    INT[name] for name in ("from_outside", "to_router_itself", "to_outside", "outside_egress")
)
AS_IT_IS, NOT_AT_ALL = 15, 12  # below floating IPs and the gateway's own, above SNAT


def kept_apart(here: LocalRouter, to: Prefix, into: LocalNetwork) -> list[int]:
    """From which local VLANs a route into that network does not lead.  In IPv4, and where there is NAT66, NAT decides
    what passes to and from outside."""
    inside = [interface.network for interface in here.interfaces]
    by_nat = {gateway.network.vlan for gateway in here.gateways if to.version == 4 or here.nat66(gateway) is not None}
    outside = [gateway.network for gateway in here.gateways if gateway.network.vlan not in by_nat]
    sources = outside if into.vlan in by_nat else [*inside, *outside]
    return sorted({frm.vlan for frm in sources if _scope(frm, to.version) != _scope(into, to.version)})


def by_the_gateway(here: LocalRouter, gateway: Gateway) -> Iterator[BridgeFlow]:
    """What it does not translate, in the IP versions that NAT decides of."""
    for version in (4, 6) if here.nat66(gateway) is not None else (4,):
        outside = _scope(gateway.network, version)
        for interface in here.interfaces:
            same = _scope(interface.network, version) == outside
            for net in (*_on_link(interface, version), *_behind(here, interface, version, same=same)):
                if _is_translated(here, net):
                    passes = same and outside is not None
                    yield from _both_ways(here, net, AS_IT_IS) if passes else ()
                elif not same:
                    yield from _both_ways(here, net, NOT_AT_ALL)


def _is_translated(here: LocalRouter, net: Prefix) -> bool:
    """If it leaves for another scope."""
    return here.router.enable_snat if net.version == 4 else is_unique_local(net)


def _both_ways(here: LocalRouter, net: Prefix, priority: int) -> Iterator[BridgeFlow]:
    passes = priority == AS_IT_IS
    owner = cookie(Reason.ROUTER_PASSES if passes else Reason.ROUTER_SCOPE, here.router.id)
    packet: dict[str, Value] = {ROUTER: here.number, "eth_type": ETH[net.version]}
    there: Value = net.value if net.mask is None else (net.value, net.mask)
    yield TO_OUTSIDE.flow(priority, owner, {**packet, SRC[net.version]: there}, *([LIMITS.goto] if passes else ()))
    yield FROM_OUTSIDE.flow(priority, owner, {**packet, DST[net.version]: there}, *([ITSELF.goto] if passes else ()))


def _on_link(interface: Interface, version: int) -> Iterator[Prefix]:
    return (net for net in interface.on_link if net.version == version)


def _behind(here: LocalRouter, interface: Interface, version: int, *, same: bool) -> Iterator[Prefix]:
    """What its owner's routes lead to by this interface: its scope is the interface's, as in Neutron.
    same: to leave as it is; nothing that a network of another scope has a part in."""
    scope = _scope(interface.network, version)
    others = (one for one in here.interfaces if _scope(one.network, version) != scope)
    apart = [net for one in others for net in _on_link(one, version)]
    for route in here.router.routes:
        destination, next_hop = prefix(route.destination), prefix(route.nexthop)
        led_by = destination.version == version and any(within(next_hop, net) for net in interface.on_link)
        if led_by and not (same and (destination.mask == 0 or any(overlap(destination, net) for net in apart))):
            yield destination


def _scope(network: LocalNetwork, version: int) -> str | None:
    found = network.network
    return found.ipv4_address_scope if version == 4 else found.ipv6_address_scope
