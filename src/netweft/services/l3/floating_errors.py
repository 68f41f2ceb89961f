"""ICMP errors to and from whom a floating IP stands for: what they quote has to be translated as well.

    from outside   to 203.0.113.50, about a packet from 203.0.113.50    becomes   to 10.0.0.5, about one from 10.0.0.5
    from inside    from 10.0.0.5, about a packet to 10.0.0.5            becomes   the reverse

No flow can write what is quoted: the agent gets them, and gives them back to the router behind the table that they came
from.  Of a connection by SNAT the tracker translates them (docs/ground.md).
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address
from typing import Final

from netweft.dataplane.openflow.fields import ETH_IPV4, PROTO_ICMP
from netweft.dataplane.openflow.flow import Action, Conjunction, SetField
from netweft.dataplane.packets.readdressed import ERRORS, Error, with_ends
from netweft.services.fields import LOCAL_VLAN, NEXT_HOP, ROUTER, Reason, RouterLimit, cookie
from netweft.services.l2.announce import Packet
from netweft.services.l3.hand_ups import handed_up
from netweft.services.pipeline import INT, BridgeFlow, Value
from netweft.services.tables import Table
from netweft.services.values import Gateway, LocalRouter

FROM_OUTSIDE, TO_OUTSIDE = INT["from_outside"], INT["to_outside"]
PRIORITY: Final = 27  # nobody else's here: above what translates, below the router's own and what is too big
_WHAT, _WHOSE = 1, 2


def flows(here: LocalRouter, gateway: Gateway) -> Iterator[BridgeFlow]:
    if gateway.floating_ips:
        to, frm = sorted(gateway.floating_ips), sorted(set(gateway.floating_ips.values()))
        up_in, up_out = (handed_up(here, kind) for kind in (RouterLimit.ERRORS_IN, RouterLimit.ERRORS_OUT))
        yield from _errors(here, cookie(Reason.ROUTER_ERROR_IN, gateway.port.id), FROM_OUTSIDE, "ipv4_dst", to, up_in)
        yield from _errors(here, cookie(Reason.ROUTER_ERROR_OUT, gateway.port.id), TO_OUTSIDE, "ipv4_src", frm, up_out)


def _errors(
    here: LocalRouter, owner: int, table: Table, field: str, addresses: Iterable[int], up: Iterable[Action]
) -> Iterator[BridgeFlow]:
    """Two lists instead of their product: what is an error, and who has a floating IP."""
    packet: dict[str, Value] = {ROUTER: here.number, "eth_type": ETH_IPV4}
    icmp: dict[str, Value] = {**packet, "ip_proto": PROTO_ICMP}
    for kind in ERRORS:
        yield table.flow(PRIORITY, owner, {**icmp, "icmpv4_type": kind}, Conjunction(here.number, _WHAT, 2))
    for address in addresses:
        yield table.flow(PRIORITY, owner, {**packet, field: address}, Conjunction(here.number, _WHOSE, 2))
    yield table.flow(PRIORITY, owner, {**icmp, "conj_id": here.number}, *up)


def came_in(here: LocalRouter, gateway: Gateway, error: Error) -> Packet | None:
    """On its way to whom the floating IP stands for.  None: it is about nothing that this one can have sent."""
    fixed = gateway.floating_ips.get(int(error.dst))
    if fixed is None or error.quoted_src != error.dst:
        return None
    frame = with_ends(error, dst=IPv4Address(fixed), quoted_src=IPv4Address(fixed))
    return Packet(frame, (*_in_router(here, gateway), INT["to_router_itself"].resubmit))


def goes_out(here: LocalRouter, gateway: Gateway, error: Error, next_hop: int) -> Packet | None:
    """What it is about may have been for somebody else: who says it may be a router, too."""
    floating = outside(gateway, error.src)
    if floating is None:
        return None
    frame = with_ends(error, src=floating, quoted_dst=outside(gateway, error.quoted_dst))
    there = SetField(NEXT_HOP[-1], next_hop)
    return Packet(frame, (*_in_router(here, gateway), there, INT["next_hop"].resubmit))


def outside(gateway: Gateway, address: IPv4Address) -> IPv4Address | None:
    """The floating IP that stands for it; the lowest of several."""
    found = sorted(floating for floating, fixed in gateway.floating_ips.items() if fixed == int(address))
    return IPv4Address(found[0]) if found else None


def _in_router(here: LocalRouter, gateway: Gateway) -> tuple[Action, ...]:
    return SetField(ROUTER, here.number), SetField(LOCAL_VLAN, gateway.network.vlan)
