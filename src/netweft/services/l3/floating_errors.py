"""ICMP errors to and from whom a floating IP stands for, or forwarded ports of one: what they quote is translated, too.

    from outside   to 203.0.113.50, about a packet from 203.0.113.50    becomes   to 10.0.0.5, about one from 10.0.0.5
    from inside    from 10.0.0.5, about a packet to 10.0.0.5            becomes   the reverse

No flow can write what is quoted: the agent gets them, and gives them back to the router behind the table that they came
from.  Of a connection by SNAT, or by a forwarding of many ports to one, the tracker translates them (docs/ground.md).
"""

from collections.abc import Iterable, Iterator
from typing import Final

from netweft.dataplane.openflow.fields import ETH_IPV4, PROTO_ICMP
from netweft.dataplane.openflow.flow import Action, Conjunction, Ct, Nat, SetField
from netweft.dataplane.packets.readdressed import ERRORS, Error, ports, with_ends
from netweft.services.fields import LOCAL_VLAN, NEXT_HOP, ROUTER, Reason, RouterLimit, cookie
from netweft.services.l2.announce import Packet
from netweft.services.l3.ends import Ends
from netweft.services.l3.hand_ups import handed_up
from netweft.services.pipeline import INT, BridgeFlow, Value
from netweft.services.tables import Table
from netweft.services.values import Gateway, LocalRouter

FROM_OUTSIDE, TO_OUTSIDE, OUT = INT["from_outside"], INT["to_outside"], INT["outside_egress"]
PRIORITY: Final = 27  # nobody else's here: above what translates, below the router's own and what is too big
_WHAT, _WHOSE = 1, 2


def flows(here: LocalRouter, gateway: Gateway) -> Iterator[BridgeFlow]:
    leads = [*gateway.floating_ips.items(), *((one.outside, one.inside) for one in gateway.forwarded)]
    if leads:
        to, frm = (sorted(set(addresses)) for addresses in zip(*leads, strict=True))
        up_in, up_out = (handed_up(here, kind) for kind in (RouterLimit.ERRORS_IN, RouterLimit.ERRORS_OUT))
        yield from _errors(here, cookie(Reason.ROUTER_ERROR_IN, gateway.port.id), FROM_OUTSIDE, "ipv4_dst", to, up_in)
        yield from _errors(here, cookie(Reason.ROUTER_ERROR_OUT, gateway.port.id), TO_OUTSIDE, "ipv4_src", frm, up_out)


def _errors(
    here: LocalRouter, owner: int, table: Table, field: str, addresses: Iterable[int], up: Iterable[Action]
) -> Iterator[BridgeFlow]:
    """Two lists instead of their product: what is an error, and who has a floating IP, or ports of one."""
    packet: dict[str, Value] = {ROUTER: here.number, "eth_type": ETH_IPV4}
    icmp: dict[str, Value] = {**packet, "ip_proto": PROTO_ICMP}
    for kind in ERRORS:
        yield table.flow(PRIORITY, owner, {**icmp, "icmpv4_type": kind}, Conjunction(here.number, _WHAT, 2))
    for address in addresses:
        yield table.flow(PRIORITY, owner, {**packet, field: address}, Conjunction(here.number, _WHOSE, 2))
    yield table.flow(PRIORITY, owner, {**icmp, "conj_id": here.number}, *up)


def came_in(here: LocalRouter, ends: Ends, error: Error) -> Packet | None:
    """On its way to whom the floating IP, or its port, stands for.  None: it is about nothing that this one can have
    sent."""
    if error.quoted_src != error.dst:
        return None
    quoted = ports(error.quoted)
    inside = ends.inside(error.dst, quoted)
    if inside is not None:
        frame = with_ends(error, dst=inside.address, quoted_src=inside)
        return Packet(frame, (*_in_router(here, ends.gateway), INT["to_router_itself"].resubmit))
    if ends.forwarding(error.dst, quoted) is None:
        return None
    return Packet(error.frame, (*_in_router(here, ends.gateway), *_tracked(ends.gateway, Nat(), INT["translated"])))


def goes_out(here: LocalRouter, ends: Ends, error: Error, next_hop: int) -> Packet | None:
    """What it is about may have been for somebody else: who says it may be a router, too.  Of who has forwarded ports
    it may be about any other port, which the tracker translates."""
    gateway, quoted = ends.gateway, ports(error.quoted)
    in_it = (*_in_router(here, gateway), SetField(NEXT_HOP[-1], next_hop))
    says, to = ends.floating(error.src), ends.outside(error.quoted_dst, quoted)
    if says is None and to is not None and error.quoted_dst == error.src:
        says = to.address
    if says is not None:
        return Packet(with_ends(error, src=says, quoted_dst=to), (*in_it, INT["next_hop"].resubmit))
    if all(one.inside != int(error.src) for one in gateway.forwarded):
        return None
    own = gateway.snat_address
    if here.router.enable_snat and own is not None:
        return Packet(error.frame, (*in_it, *_tracked(gateway, Nat(src=own), OUT, commit=True)))
    known = ends.forwarding_to(error.quoted_dst, quoted)
    onward = (OUT.resubmit,) if known is None else _tracked(gateway, Nat(), OUT)
    return Packet(error.frame, (*in_it, *onward))


def _tracked(gateway: Gateway, nat: Nat, table: Table, *, commit: bool = False) -> tuple[Action, ...]:
    return (Ct(zone=gateway.zone, commit=commit, nat=nat, table=table.id),)


def _in_router(here: LocalRouter, gateway: Gateway) -> tuple[Action, ...]:
    return SetField(ROUTER, here.number), SetField(LOCAL_VLAN, gateway.network.vlan)
