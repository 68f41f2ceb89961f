"""NAT66: unique local addresses (RFC 4193) on their way to an external network that has it enabled (`netweft:nat66`).

    fd00:50::5 ─▶ to_outside ─ct, the gateway's IPv6 address─▶ outside_egress ─▶ the external network
    its answer ─▶ from_outside ─ct─▶ translated ─▶ to_router_itself ─▶ routing

As SNAT does in IPv4, in the same conntrack zone.  All other IPv6 addresses are routed as they are, and nothing comes in
for a unique local one but what is an answer; ICMPv6 errors about such connections: `nat66_errors`.
"""

from collections.abc import Iterator

from netweft.dataplane.openflow.fields import ETH_IPV6
from netweft.dataplane.openflow.flow import Ct, CtClear, Nat, SetField
from netweft.services.addresses import UNIQUE_LOCAL
from netweft.services.fields import LOCAL_VLAN, ROUTER, Reason, cookie
from netweft.services.l3.gateways import nat66_errors
from netweft.services.l3.gateways.flows import INVALID, IS_AS_IT_WAS
from netweft.services.l3.gateways.several import of_each_gateway
from netweft.services.l3.values import Gateway, LocalRouter
from netweft.services.pipeline import INT, BridgeFlow, Value
from netweft.services.security.conntrack import IS_INVALID, TRACKED_BIT
from netweft.services.service import Service, Wanted
from netweft.services.values import Uplinks

FROM_OUTSIDE, TRANSLATED, ITSELF, TO_OUTSIDE, LIMITS = (
    INT[name] for name in ("from_outside", "translated", "to_router_itself", "to_outside", "outside_egress")
)
OWN_IN, ANY_IN = 20, 10
OWN_OUT, ANY_OUT = 30, 10


def router(_: Uplinks, here: LocalRouter) -> Iterator[Wanted]:
    gateway = here.gateway
    becomes = here.nat66(gateway) if gateway and here.router.admin_state_up else None
    if gateway is None or becomes is None:
        return
    yield from _enters(here, gateway, becomes)
    if gateway.leaves:
        yield from _leaves(here, gateway, becomes)


def _enters(here: LocalRouter, gateway: Gateway, becomes: int) -> Iterator[BridgeFlow]:
    owner, passes = _owners(here, gateway)
    ipv6 = _packet(here)
    for address in _own(gateway):
        back = Ct(zone=gateway.zone, table=TRANSLATED.id, nat=Nat())
        yield FROM_OUTSIDE.flow(OWN_IN, passes, {**ipv6, "ipv6_dst": address}, back)
    yield FROM_OUTSIDE.flow(ANY_IN, owner, {**ipv6, "ipv6_dst": UNIQUE_LOCAL[1:]})
    in_it = SetField(ROUTER, here.number), SetField(LOCAL_VLAN, gateway.network.vlan)
    of_it: dict[str, Value] = {"ct_zone": gateway.zone, "ct_state": (TRACKED_BIT, TRACKED_BIT), "eth_type": ETH_IPV6}
    yield TRANSLATED.flow(10, owner, of_it, *in_it, ITSELF.goto)
    yield from nat66_errors.coming_in(here, gateway, becomes)


def _leaves(here: LocalRouter, gateway: Gateway, becomes: int) -> Iterator[BridgeFlow]:
    owner, passes = _owners(here, gateway)
    ipv6 = _packet(here)
    for address in _own(gateway):  # its own answers
        yield TO_OUTSIDE.flow(OWN_OUT, passes, {**ipv6, "ipv6_src": address}, CtClear(), LIMITS.goto)
    snat = Ct(zone=gateway.zone, commit=True, table=LIMITS.id, nat=Nat(becomes, version=6))
    yield TO_OUTSIDE.flow(ANY_OUT, passes, {**ipv6, "ipv6_src": UNIQUE_LOCAL[1:]}, CtClear(), snat)
    # what has kept its address, as in IPv4
    yield LIMITS.flow(INVALID, owner, {**ipv6, "ct_state": IS_INVALID})
    yield LIMITS.flow(INVALID, owner, {**ipv6, "ct_zone": gateway.zone, "ct_state": IS_AS_IT_WAS})
    yield from nat66_errors.going_out(here, gateway)


def _packet(here: LocalRouter) -> dict[str, Value]:
    return {ROUTER: here.number, "eth_type": ETH_IPV6}


def _own(gateway: Gateway) -> list[int]:
    return [address.value for address in gateway.addresses if address.version == 6]


def _owners(here: LocalRouter, gateway: Gateway) -> tuple[int, int]:
    """The cookies of what is the gateway's, and of what counts what passes."""
    return cookie(Reason.ROUTER_GATEWAY, gateway.port.id), cookie(Reason.ROUTER_PASSES, here.router.id)


NAT66 = Service("NAT66", router=of_each_gateway(router))
