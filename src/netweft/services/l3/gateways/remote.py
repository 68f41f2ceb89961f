"""A router whose gateway is on another node: what leaves by it is sent there, in the network that the packet is in.

    this node                            first of its order          next
    routing ─▶ MAC of that node ═══════▶ to_router ─▶ routing …      (waits)
               MAC of the next  ═══════════════════════════════════▶ to_router ─▶ its MAC for relays ═══▶ the first

The ways to all nodes of the order are there beforehand, so that another choice changes one flow an IP version.  A node
that is meant and has not (any more) got the gateway passes on what others send it, once.
"""

from collections.abc import Iterator
from typing import Final

from netweft.dataplane.openflow.fields import ETH_IPV4, ETH_IPV6
from netweft.dataplane.openflow.flow import SetField
from netweft.model.wire_macs import wire_mac
from netweft.services.addresses import mac
from netweft.services.fields import LOCAL_VLAN, ROUTER, Reason, cookie
from netweft.services.l2 import switching
from netweft.services.l3.gateways.several import GATEWAY_ROUTE
from netweft.services.l3.routing.next_hops import LOOPBACK
from netweft.services.l3.routing.paths import to_the_gateways_node
from netweft.services.l3.values import Gateway, LocalRouter, WayToGateway
from netweft.services.pipeline import INT, BridgeFlow, Value
from netweft.services.service import Wanted
from netweft.services.values import Uplinks

TO_ROUTER, ROUTING, SWITCHING = INT["to_router"], INT["routing"], INT["switching"]
PASSED_ON: Final = 21


def elsewhere(uplinks: Uplinks, here: LocalRouter) -> Iterator[Wanted]:
    candidate = next(iter(here.candidates), None)
    for way in here.ways:
        yield from switching.peer(uplinks, way.there)
        if candidate:
            yield from switching.peer(uplinks, way.relay)
        if way.there.peer.host_id == here.leads_to:
            yield from _sent(here, way)
            if candidate and not candidate.leaves:
                yield from _passed_on(here, candidate, way)


def _sent(here: LocalRouter, way: WayToGateway) -> Iterator[BridgeFlow]:
    """As it is: that node routes it."""
    owner = cookie(Reason.ROUTER_GATEWAY, here.router.id)
    for eth_type in (ETH_IPV4, ETH_IPV6):
        match: dict[str, Value] = {ROUTER: here.number, LOCAL_VLAN: way.interface.network.vlan, "eth_type": eth_type}
        yield ROUTING.flow(GATEWAY_ROUTE, owner, match, *to_the_gateways_node(way))


def _passed_on(here: LocalRouter, candidate: Gateway, way: WayToGateway) -> Iterator[BridgeFlow]:
    """Where physical hosts are answered only what comes from those who may make a loop of it.  What physical hosts send
    to this node, and nodes that have not learned it yet, is routed here (`neighbours/unknown_hosts`)."""
    id, owner = way.interface.port.id, cookie(Reason.ROUTER_GATEWAY, here.router.id)
    to_us: dict[str, Value] = {LOCAL_VLAN: way.interface.network.vlan, "eth_dst": wire_mac(here.node, id)}
    relay = (SetField("eth_dst", mac(way.relay.peer.mac_address)), *LOOPBACK, SWITCHING.goto)
    if not way.interface.network.answered:
        yield TO_ROUTER.flow(PASSED_ON, owner, to_us, *relay)
        return
    own = SetField("eth_src", mac(way.interface.port.mac_address))
    others = (host for host in candidate.port.order if host != here.node)
    for its in sorted(way.interface.from_nodes(others)):
        yield TO_ROUTER.flow(PASSED_ON, owner, {**to_us, "eth_src": its}, own, *relay)
