"""ICMPv6 errors about what NAT66 has translated: the agent writes both headers.

    from outside   to the gateway, about a packet from it       becomes   to fd00:50::5, about one from there
    from inside    from anybody, about a packet to fd00:50::5   becomes   from the gateway, about one to it

Conntrack of Open vSwitch 3.1's userspace datapath spoils them: it mends the checksum of what is quoted where it would
be if the error were that itself, which of UDP is the MTU of "packet too big" (docs/ground.md).  So they are looked up
without `nat`, and the agent hears with the packet whose connection it is about.
"""

from collections.abc import Iterator, Mapping
from ipaddress import IPv6Address
from typing import Final

from netweft.dataplane.openflow.fields import ETH_IPV6, PROTO_ICMPV6
from netweft.dataplane.openflow.flow import Ct, CtClear, SetField
from netweft.dataplane.packets.readdressed6 import End, Error, unfragmented, with_ends
from netweft.services.addresses import UNIQUE_LOCAL
from netweft.services.fields import LOCAL_VLAN, NEXT_HOP, ROUTER, Reason, RouterLimit, cookie
from netweft.services.l2.announce import Packet
from netweft.services.l3.hand_ups import handed_up
from netweft.services.l3.values import Gateway, LocalRouter
from netweft.services.pipeline import INT, BridgeFlow, Value
from netweft.services.security.conntrack import IS_RELATED, TRACKED_BIT

FROM_OUTSIDE, TRANSLATED, TO_OUTSIDE, OUT = (
    INT[name] for name in ("from_outside", "translated", "to_outside", "outside_egress")
)
ERRORS: Final = (1, 2, 3, 4)  # unreachable, too big, time exceeded, parameter problem (RFC 4443)
TOO_BIG: Final = 2
ABOVE_NAT: Final = 13  # below what stays in its address scope, and leaves as it is
TO_THE_GATEWAY: Final = 27
KNOWN, UNKNOWN = 120, 20  # above what ends because it has kept its address


def coming_in(here: LocalRouter, gateway: Gateway, becomes: int) -> Iterator[BridgeFlow]:
    looked_up = Ct(zone=gateway.zone, table=TRANSLATED.id)
    owner = cookie(Reason.ROUTER_NAT66_IN, here.router.id)
    for error in _errors(here):
        yield FROM_OUTSIDE.flow(TO_THE_GATEWAY, owner, {**error, "ipv6_dst": becomes}, looked_up)
    up = handed_up(here, RouterLimit.ERRORS_IN)
    yield TRANSLATED.flow(KNOWN, owner, {**_tracked(gateway), "ct_state": IS_RELATED}, *up)
    for kind in ERRORS:  # about nothing that it has sent, or about a fragment, which conntrack does not know again
        unknown: dict[str, Value] = {**_tracked(gateway), "icmpv6_type": kind}
        yield TRANSLATED.flow(UNKNOWN, owner, unknown, *(up if kind == TOO_BIG else ()))


def going_out(here: LocalRouter, gateway: Gateway) -> Iterator[BridgeFlow]:
    """About what is of no connection it ends there, as anything that has kept its address."""
    looked_up = (CtClear(), Ct(zone=gateway.zone, table=OUT.id))
    owner = cookie(Reason.ROUTER_NAT66_OUT, here.router.id)
    for error in _errors(here):
        yield TO_OUTSIDE.flow(ABOVE_NAT, owner, {**error, "ipv6_src": UNIQUE_LOCAL[1:]}, *looked_up)
    up = handed_up(here, RouterLimit.ERRORS_OUT)
    known: dict[str, Value] = {**_tracked(gateway), ROUTER: here.number, "ct_state": IS_RELATED}
    yield OUT.flow(KNOWN, owner, known, *up)


def _errors(here: LocalRouter) -> Iterator[dict[str, Value]]:
    for kind in ERRORS:
        yield {ROUTER: here.number, "eth_type": ETH_IPV6, "ip_proto": PROTO_ICMPV6, "icmpv6_type": kind}


def _tracked(gateway: Gateway) -> dict[str, Value]:
    of_it: dict[str, Value] = {"ct_zone": gateway.zone, "ct_state": (TRACKED_BIT, TRACKED_BIT)}
    return {**of_it, "eth_type": ETH_IPV6, "ip_proto": PROTO_ICMPV6}


def came_in(here: LocalRouter, error: Error, fields: Mapping[str, int]) -> Packet | None:
    """fields: what conntrack knows of the connection, as its first packet had it.  If that is nothing since the error
    is about a first fragment, it is looked up once more as an unfragmented packet.  None: the error is about nothing
    that the gateway can have sent."""
    gateway, client = _gateway(here, fields), fields.get("ct_ipv6_src")
    if gateway is not None and not client:
        whole = unfragmented(error)
        looked_up = Ct(zone=gateway.zone, table=TRANSLATED.id)
        return None if whole is None else Packet(whole, (*_in_router(here, gateway), looked_up))
    becomes = here.nat66(gateway) if gateway else None
    if gateway is None or client is None or not error.quoted_src == error.dst == IPv6Address(becomes or 0):
        return None
    own = IPv6Address(client)
    frame = with_ends(error, dst=own, quoted_src=End(own, fields.get("ct_tp_src")))
    return Packet(frame, (*_in_router(here, gateway), INT["to_router_itself"].resubmit))


def goes_out(here: LocalRouter, error: Error, fields: Mapping[str, int]) -> Packet | None:
    """The port of the reply that the error is about is not known: it is taken for the client's own, though it differs
    where two clients had the same."""
    gateway, client = _gateway(here, fields), fields.get("ct_ipv6_src")
    becomes = here.nat66(gateway) if gateway else None
    if gateway is None or becomes is None or error.quoted_dst != IPv6Address(client or 0):
        return None
    own = IPv6Address(becomes)
    next_hop = (SetField(register, fields.get(register, 0)) for register in NEXT_HOP)
    frame = with_ends(error, src=own, quoted_dst=End(own))
    return Packet(frame, (*_in_router(here, gateway), *next_hop, INT["next_hop"].resubmit))


def _gateway(here: LocalRouter, fields: Mapping[str, int]) -> Gateway | None:
    return next((one for one in here.gateways if one.zone == fields.get("ct_zone")), None)


def _in_router(here: LocalRouter, gateway: Gateway) -> tuple[SetField, ...]:
    return SetField(ROUTER, here.number), SetField(LOCAL_VLAN, gateway.network.vlan)
