"""ICMP errors to and from whom a floating IP stands for, or forwarded ports of one: what they quote is translated, too.

    from outside   to 203.0.113.50, about a packet from 203.0.113.50    becomes   to 10.0.0.5, about one from 10.0.0.5
    from inside    from 10.0.0.5, about a packet to 10.0.0.5            becomes   the reverse

No flow can write what is quoted: the agent gets them, and gives them back to the router behind the table that they came
from.  Of a connection by SNAT, or by a forwarding of many ports to one, conntrack translates them (docs/ground.md).
"""

from collections.abc import Collection, Iterable, Iterator
from ipaddress import IPv4Address
from typing import Final

from netweft.dataplane.openflow.fields import ETH_IPV4, PROTO_ICMP
from netweft.dataplane.openflow.flow import Action, Conjunction, Ct, Nat, SetField
from netweft.dataplane.packets.readdressed import ERRORS, Error, ports, with_ends
from netweft.services.addresses import octets
from netweft.services.fields import LOCAL_VLAN, NEXT_HOP, ROUTER, Reason, RouterLimit, cookie
from netweft.services.l2.announce import Packet
from netweft.services.l3.floating_ips.ends import Ends
from netweft.services.l3.hand_ups import handed_up
from netweft.services.l3.values import Gateway, LocalFloatingIp, LocalRouter
from netweft.services.pipeline import INT, BridgeFlow, Value
from netweft.services.tables import Table

FROM_OUTSIDE, TO_OUTSIDE, OUT = INT["from_outside"], INT["to_outside"], INT["outside_egress"]
PRIORITY: Final = 27  # nobody else's here: above what translates, below the router's own and what is too big
_WHAT, _WHOSE = 1, 2


def coming_in(here: LocalRouter) -> Iterator[BridgeFlow]:
    to = {one.address for one in here.floating_ips}
    to |= {one.outside for one in here.gateway.forwarded} if here.gateway else set()
    up = handed_up(here, RouterLimit.ERRORS_IN)
    yield from _errors(here, cookie(Reason.ROUTER_ERROR_IN, here.router.id), FROM_OUTSIDE, "ipv4_dst", to, up)


def going_out(here: LocalRouter) -> Iterator[BridgeFlow]:
    frm = {one.fixed for one in here.floating_ips}
    frm |= {one.inside for one in here.gateway.forwarded} if here.gateway else set()
    up = handed_up(here, RouterLimit.ERRORS_OUT)
    yield from _errors(here, cookie(Reason.ROUTER_ERROR_OUT, here.router.id), TO_OUTSIDE, "ipv4_src", frm, up)


def _errors(
    here: LocalRouter, owner: int, table: Table, field: str, addresses: Collection[int], up: Iterable[Action]
) -> Iterator[BridgeFlow]:
    """Two lists instead of their product: what is an error, and who has a floating IP, or ports of one."""
    if not addresses:
        return
    packet: dict[str, Value] = {ROUTER: here.number, "eth_type": ETH_IPV4}
    icmp: dict[str, Value] = {**packet, "ip_proto": PROTO_ICMP}
    for kind in ERRORS:
        yield table.flow(PRIORITY, owner, {**icmp, "icmpv4_type": kind}, Conjunction(here.number, _WHAT, 2))
    for address in sorted(addresses):
        yield table.flow(PRIORITY, owner, {**packet, field: address}, Conjunction(here.number, _WHOSE, 2))
    yield table.flow(PRIORITY, owner, {**icmp, "conj_id": here.number}, *up)


def came_in(here: LocalRouter, ends: Ends, error: Error) -> Packet | None:
    """On its way to whom the floating IP, or its port, stands for.  None: it is about nothing that this one can have
    sent."""
    if error.quoted_src != error.dst:
        return None
    quoted, end = ports(error.quoted), ends.gateway or ends.floating_ips[0].end
    inside = ends.inside(error.dst, quoted)
    if inside is not None:
        frame = with_ends(error, dst=inside.address, quoted_src=inside)
        return Packet(frame, (*_in_router(here, end), INT["to_router_itself"].resubmit))
    if ends.forwarding(error.dst, quoted) is None:
        return None
    return Packet(error.frame, (*_in_router(here, end), *_tracked(end, Nat(), INT["translated"])))


def goes_out(here: LocalRouter, ends: Ends, error: Error, next_hop: int) -> Packet | None:
    """What it is about may have been for somebody else: who says it may be a router, too.  Of who has forwarded ports
    it may be about any other port, which conntrack translates."""
    quoted = ports(error.quoted)
    says, to = ends.floating(error.src), ends.outside(error.quoted_dst, quoted)
    if says is not None:
        return to_outside(here, says, with_ends(error, src=IPv4Address(says.address), quoted_dst=to), next_hop)
    return None if ends.gateway is None else _by_the_gateway(here, ends.gateway, ends, error, next_hop)


def _by_the_gateway(here: LocalRouter, gateway: Gateway, ends: Ends, error: Error, next_hop: int) -> Packet | None:
    quoted = ports(error.quoted)
    to = ends.outside(error.quoted_dst, quoted)
    in_it = (*_in_router(here, gateway), SetField(NEXT_HOP[-1], next_hop))
    if to is not None and error.quoted_dst == error.src:
        return Packet(with_ends(error, src=to.address, quoted_dst=to), (*in_it, INT["next_hop"].resubmit))
    if all(one.inside != int(error.src) for one in gateway.forwarded):
        return None
    own = gateway.snat_address
    if here.router.enable_snat and own is not None:
        return Packet(error.frame, (*in_it, *_tracked(gateway, Nat(src=own), OUT, commit=True)))
    known = ends.forwarding_to(error.quoted_dst, quoted)
    onward = (OUT.resubmit,) if known is None else _tracked(gateway, Nat(), OUT)
    return Packet(error.frame, (*in_it, *onward))


def to_outside(here: LocalRouter, one: LocalFloatingIp, frame: bytes, next_hop: int) -> Packet:
    """From this floating IP's end; its destination stays."""
    own = frame[:6] + octets(one.end.port.mac_address) + frame[12:]
    there = SetField(NEXT_HOP[-1], next_hop)
    return Packet(own, (*_in_router(here, one.end), there, INT["next_hop"].resubmit))


def _tracked(gateway: Gateway, nat: Nat, table: Table, *, commit: bool = False) -> tuple[Action, ...]:
    return (Ct(zone=gateway.zone, commit=commit, nat=nat, table=table.id),)


def _in_router(here: LocalRouter, end: Gateway) -> tuple[Action, ...]:
    return SetField(ROUTER, here.number), SetField(LOCAL_VLAN, end.network.vlan)
