"""Floating IPs: an external address is written over a port's own, and back, packet by packet.

Nothing is remembered for it, so nothing can be lost: but for fragments, of which Open vSwitch 3.1 spoils the later ones
when it writes over an address (it takes what they carry for a TCP or UDP header, and mends its checksum).  What
the connection tracker translates it does not spoil.
"""

from collections.abc import Iterator

from netweft.dataplane.openflow.fields import ETH_IPV4, PROTO_TCP, PROTO_UDP
from netweft.dataplane.openflow.flow import Action, Ct, CtClear, Nat, SetField
from netweft.services.fields import PIECE, ROUTER, Reason, cookie
from netweft.services.l3.several_gateways import of_each_gateway
from netweft.services.pipeline import INT, BridgeFlow, Table, Value
from netweft.services.security import fragments
from netweft.services.values import LocalRouter, Service, Uplinks, Wanted

FROM_OUTSIDE, TRANSLATED, ITSELF, TO_OUTSIDE, OUT = (
    INT[name] for name in ("from_outside", "translated", "to_router_itself", "to_outside", "outside_egress")
)


def router(_: Uplinks, here: LocalRouter) -> Iterator[Wanted]:
    gateway = here.gateway
    if gateway is None or not here.router.admin_state_up:
        return
    for floating, fixed in sorted(gateway.floating_ips.items()):
        yield from _both_ways(here, gateway.zone, gateway.floating_ids[floating], floating, fixed)


def _both_ways(here: LocalRouter, zone: int, id: str, floating: int, fixed: int) -> Iterator[BridgeFlow]:
    owner = cookie(Reason.FLOATING_ADDRESS, id)
    ipv4: dict[str, Value] = {ROUTER: here.number, "eth_type": ETH_IPV4}
    to_it, from_it = {**ipv4, "ipv4_dst": floating}, {**ipv4, "ipv4_src": fixed}
    yield FROM_OUTSIDE.flow(20, owner, to_it, SetField("ipv4_dst", fixed), ITSELF.goto)
    yield TO_OUTSIDE.flow(20, owner, from_it, SetField("ipv4_src", floating), OUT.goto)
    for protocol in (PROTO_TCP, PROTO_UDP):
        piece: dict[str, Value] = {"ip_proto": protocol, "ip_frag": fragments.ANY}
        into = _tracked(zone, Nat(dst=fixed), TRANSLATED)
        yield FROM_OUTSIDE.flow(23, owner, {**to_it, **piece}, *into)
        yield TO_OUTSIDE.flow(23, owner, {**from_it, **piece}, *_tracked(zone, Nat(src=floating), OUT))


def _tracked(zone: int, nat: Nat, table: Table) -> tuple[Action, ...]:
    return CtClear(), SetField(PIECE, 1), Ct(zone=zone, commit=True, nat=nat, table=table.id)


FLOATING_IPS = Service("floating IPs", router=of_each_gateway(router))
