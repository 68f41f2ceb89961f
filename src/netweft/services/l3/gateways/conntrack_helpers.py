"""Helpers of conntrack for a router's SNAT: FTP (active mode) and TFTP, whose servers call back.

    to_outside    to the helper's port      tracked with the helper, which translates what is said of addresses in it
    from_outside  from the helper's port    the same, since lengths may have changed
    translated    a connection it expects   committed, with the addresses that the helper knows

What is called back is for the guarded port's rules to permit, as in Neutron.
"""

from collections.abc import Iterator

from netweft.dataplane.openflow.fields import ETH_IPV4, PROTO_TCP, PROTO_UDP
from netweft.dataplane.openflow.flow import Ct, CtClear, Move, Nat, SetField
from netweft.model import ConntrackHelper
from netweft.services.fields import LOCAL_VLAN, NEXT_HOP, ROUTER, Reason, cookie
from netweft.services.l3.gateways.several import of_each_gateway
from netweft.services.l3.values import Gateway, LocalRouter
from netweft.services.pipeline import INT, BridgeFlow, Value
from netweft.services.security.conntrack import IS_NEW, IS_RELATED
from netweft.services.service import Service, Wanted
from netweft.services.values import Uplinks

FROM_OUTSIDE, TRANSLATED, ITSELF, TO_OUTSIDE, OUT = (
    INT[name] for name in ("from_outside", "translated", "to_router_itself", "to_outside", "outside_egress")
)
_NUMBERS = {"tcp": PROTO_TCP, "udp": PROTO_UDP}
_HELPED = 1  # above what SNAT has without
# Open vSwitch knows such answers by the port that they are for, and takes it from what it keeps in its cache, where it
# is the first packet's (docs/ground.md): what is read is in the cache for itself.  The register is written by routes
_BY_CONNECTION = Move("tcp_dst", NEXT_HOP[-1], bits=16)


def router(_: Uplinks, here: LocalRouter) -> Iterator[Wanted]:
    gateway, helpers = here.gateway, here.router.helpers
    if gateway is None or not helpers or not here.router.admin_state_up or not here.router.enable_snat:
        return
    own = gateway.snat_address
    if own is None:
        return
    for helper in helpers:
        yield from _helped(here, gateway, own, helper)
    owner = cookie(Reason.ROUTER_GATEWAY, gateway.port.id)
    called: dict[str, Value] = {"ct_zone": gateway.zone, "ct_state": _both(IS_NEW, IS_RELATED), "eth_type": ETH_IPV4}
    in_it = SetField(ROUTER, here.number), SetField(LOCAL_VLAN, gateway.network.vlan)
    known = Ct(zone=gateway.zone, commit=True, nat=Nat(), table=ITSELF.id)
    yield TRANSLATED.flow(20, owner, called, *in_it, known)


def _helped(here: LocalRouter, gateway: Gateway, own: int, helper: ConntrackHelper) -> Iterator[BridgeFlow]:
    owner, protocol = cookie(Reason.ROUTER_PASSES, here.router.id), _NUMBERS[helper.protocol]
    packet: dict[str, Value] = {ROUTER: here.number, "eth_type": ETH_IPV4, "ip_proto": protocol}
    asks = {**packet, f"{helper.protocol}_dst": helper.port}
    committed = Ct(zone=gateway.zone, commit=True, nat=Nat(src=own), table=OUT.id, alg=helper.helper)
    yield TO_OUTSIDE.flow(10 + _HELPED, owner, asks, CtClear(), committed)
    if helper.protocol == "tcp":  # TFTP answers from another port
        answers = {**packet, "ipv4_dst": own, "tcp_src": helper.port}
        known = Ct(zone=gateway.zone, nat=Nat(), table=TRANSLATED.id, alg=helper.helper)
        yield FROM_OUTSIDE.flow(20 + _HELPED, owner, answers, _BY_CONNECTION, known)


def _both(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return one[0] | other[0], one[1] | other[1]


HELPERS = Service("conntrack helpers", router=of_each_gateway(router))
