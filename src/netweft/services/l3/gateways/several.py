"""A router with several gateways, all of which are on one node: each has its own NAT, found by the MAC that
packets leave with, and by the network that they come in from.

    routing ─▶ paths ─▶ one of the default routes, by the packet's addresses    where `enable_default_route_ecmp` is on
            └▶ the first gateway's whose next hop is not down                   else
            └▶ that gateway's whose address it has, or will have                by a floating IP, its own answer

By addresses alone: all that a host has with another one leaves with one address, fragments, too.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from msgspec.structs import replace

from netweft.dataplane.openflow.flow import Action, SetField
from netweft.services.addresses import Prefix, mac, prefix, within
from netweft.services.fields import LOCAL_VLAN, Reason, cookie
from netweft.services.l3.routing.paths import Hop, Path, answering, by_gateway, route
from netweft.services.l3.routing.routes import CONNECTED, DEFAULT, SRC, priority, to_next_hop
from netweft.services.l3.values import Gateway, LocalRouter
from netweft.services.pipeline import INT, BridgeFlow, Value
from netweft.services.service import Wanted
from netweft.services.values import Uplinks

TABLES: Final = {INT[name].id: INT[name] for name in ("from_outside", "to_outside")}
ROUTING = INT["routing"]
BY_SOURCE, GATEWAY_ROUTE = DEFAULT - 2, DEFAULT - 4  # a default route of its owner's comes before

Render = Callable[[Uplinks, LocalRouter], Iterable[Wanted]]


def of_each_gateway(render: Render) -> Render:
    """What `render` wants for a router with one gateway, for each."""

    def rendered(uplinks: Uplinks, here: LocalRouter) -> Iterator[Wanted]:
        if len(here.gateways) < 2:
            yield from render(uplinks, here)
            return
        for gateway in here.gateways:
            its = tuple(one for one in here.floating_ips if one.gateway_id == gateway.port.id)
            for item in render(uplinks, replace(here, gateway=gateway, more=(), floating_ips=its)):
                yield _its(item, gateway) if isinstance(item, BridgeFlow) else item

    return rendered


def _its(item: BridgeFlow, gateway: Gateway) -> BridgeFlow:
    flow, table = item.flow, TABLES.get(item.flow.table)
    if table is None or item.bridge != table.bridge:
        return item
    match: dict[str, Value] = {name: value if mask is None else (value, mask) for name, value, mask in flow.match}
    its: dict[str, Value] = {"eth_src": mac(gateway.port.mac_address)}
    if table.name == "from_outside":
        its = {LOCAL_VLAN: gateway.network.vlan}
    return table.flow(flow.priority, flow.cookie, match | its, *flow.actions)


def default_routes(here: LocalRouter) -> Iterator[BridgeFlow]:
    for version in (4, 6):
        leads = [gateway for gateway in here.leaving if _hops(gateway, version)]
        hops: list[Hop] = [hop for gateway in leads for hop in _hops(gateway, version)]
        used = answering(here, hops)
        if not here.router.ecmp:  # the first that answers
            used = [hop for hop in used if _of(hop) == _of(used[0])]
        if used:
            owner = cookie(Reason.ROUTER_GATEWAY, here.router.id if len(hops) > 1 else _of(hops[0]))
            yield from route(here, owner, GATEWAY_ROUTE, Prefix(version, 0, 0), used, ports=False)
        for gateway in reversed(leads) if len(here.leaving) > 1 else ():  # of two for one address the first holds
            yield from _by_source(here, gateway, version)


def _hops(gateway: Gateway, version: int) -> list[Hop]:
    """Several gateways may have one next hop: the same address on different networks."""
    found = (by_gateway(gateway, hop) for hop in gateway.next_hops if hop.version == version)
    return [path._replace(by=gateway.port.id) for path in found]


def _of(hop: Hop) -> str:
    return hop.by if isinstance(hop, Path) else ""


def _by_source(here: LocalRouter, gateway: Gateway, version: int) -> Iterator[BridgeFlow]:
    """What has, or will have, an address that only this gateway has on the outside."""
    sources = {one.value for one in gateway.addresses if one.version == version}
    if version == 4:
        sources |= {one.fixed for one in here.floating_ips if one.gateway_id == gateway.port.id}
        sources |= {one.inside for one in gateway.forwarded}
    owner = cookie(Reason.ROUTER_GATEWAY, gateway.port.id)
    for source in sorted(sources):
        hops = answering(here, _hops(gateway, version))[:1]
        more: dict[str, Value] = {SRC[version]: source}
        yield from route(here, owner, BY_SOURCE, Prefix(version, 0, 0), hops, more=more)
    own = {one.value for one in gateway.addresses if one.version == version}
    own |= {one.outside for one in gateway.forwarded} if version == 4 else set()
    for net in sorted({net for one in here.leaving for net in led_to(here, one, version)} - {*gateway.on_link}):
        for source in sorted(own):  # what it answers itself
            more = {SRC[version]: source}
            yield from route(here, owner, priority(net) + CONNECTED, net, _hops(gateway, version)[:1], more=more)


def by_its_gateway(mac_address: str, vlan: int, next_hop: Prefix | None) -> Iterator[Action]:
    """What has been routed to another gateway of the router."""
    yield SetField("eth_src", mac(mac_address))
    yield SetField(LOCAL_VLAN, vlan)
    yield from to_next_hop(4, next_hop)


def led_to(here: LocalRouter, gateway: Gateway, version: int) -> Iterator[Prefix]:
    """Whom routes lead to by this gateway, but for the default ones."""
    yield from (net for net in gateway.on_link if net.version == version)
    for said in here.router.routes:
        destination, hop = prefix(said.destination), prefix(said.nexthop)
        is_of_it = destination.version == version and any(within(hop, net) for net in gateway.on_link)
        if is_of_it and destination.mask != 0:
            yield destination
