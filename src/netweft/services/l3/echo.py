"""Ping of a router's own addresses: flows turn the request round, and the router routes it like any other packet.

vswitchd does it for each: no datapath can set an ICMP type.  Where it does that for the kernel's datapath, what it has
tracked is forgotten at the next recirculation.  So the answer to a port of this node, which had to be permitted to ask,
is not tracked again.

What else is forgotten there is the size of the pieces that a tracked ping came in, where conntrack gives it whole:
the answer would be too long for any port.  So the agent cuts it again, and each piece is turned round for itself
(decision 0542).
"""

from collections.abc import Iterator, Mapping
from typing import Final

from netweft.dataplane.openflow.fields import PROTO_ICMP, PROTO_ICMPV6
from netweft.dataplane.openflow.flow import Action, Move, SetField
from netweft.dataplane.packets.fragments import cut
from netweft.services.addresses import Prefix, prefix
from netweft.services.fields import (
    ANSWERED,
    HANDED_UP,
    IN_PORT,
    LOCAL_VLAN,
    NEXT_HOP,
    OUT_PORT,
    PIECE,
    ROUTER,
    TRACKED_PIECE,
    Reason,
    Why,
    cookie,
)
from netweft.services.l2.announce import Packet
from netweft.services.l3.routing.routes import BITS, DST, ETH, SRC
from netweft.services.l3.values import LocalRouter
from netweft.services.pipeline import INT, BridgeFlow, Value
from netweft.services.security import fragments
from netweft.services.security.firewall import ESSENTIAL, INGRESS
from netweft.services.service import Service, Wanted
from netweft.services.values import LocalPort

ITSELF = INT["to_router_itself"]
# protocol, and the types of request and reply: RFC 792, RFC 4443
ECHO: Final = {4: (PROTO_ICMP, 8, 0), 6: (PROTO_ICMPV6, 128, 129)}
HOPS: Final = 255
_LINK_LOCAL: Final = prefix("fe80::/10")[1:]


def for_it(router: int, own: Prefix) -> dict[str, Value]:
    """Matches what is for this address of the router with this number."""
    return {ROUTER: router, "eth_type": ETH[own.version], DST[own.version]: own.value}


def answers_ping(owner: int, router: int, own: Prefix, *first: Action) -> Iterator[BridgeFlow]:
    for match, turned in _echo(router, own):
        yield ITSELF.flow(20, owner, match, *first, *turned, INT["routing"].goto)


def answers_neighbours_ping(owner: int, router: int, own: Prefix, *back: Action) -> Iterator[BridgeFlow]:
    """From a link-local address, to which there is no route."""
    for match, turned in _echo(router, own):
        yield ITSELF.flow(30, owner, {**match, "ipv6_src": _LINK_LOCAL}, *turned, *back)


def put_together(owner: int, router: int, own: Prefix) -> BridgeFlow:
    """A ping of it that came in pieces, through conntrack that gives it whole."""
    whole, _ = next(_echo(router, own))
    whole |= {PIECE: (TRACKED_PIECE, TRACKED_PIECE), "ip_frag": fragments.NONE}
    return ITSELF.flow(40, owner, whole, SetField(HANDED_UP, Why.IN_PIECES), INT["hand_up"].goto)


def cut_again(router: LocalRouter, frame: bytes, registers: Mapping[str, int]) -> Iterator[Packet]:
    """As small as all networks of the router take."""
    came = tuple(SetField(register, registers.get(register, 0)) for register in (LOCAL_VLAN, IN_PORT, ROUTER))
    for piece in cut(frame, min(one.network.mtu for one in router.networks)):
        yield Packet(piece, (*came, ITSELF.resubmit))


def _echo(router: int, own: Prefix) -> Iterator[tuple[dict[str, Value], tuple[Action, ...]]]:
    """In pieces the first says what it is, and the others, which say nothing, are of use with that one only."""
    proto, request, reply = ECHO[own.version]
    kind, code = (f"icmpv{own.version}_{part}" for part in ("type", "code"))
    client = Move(IN_PORT, ANSWERED, bits=32)
    to_it, turned = for_it(router, own), (client, *swapped(own.version), SetField("ip_ttl", HOPS))
    yield {**to_it, "ip_proto": proto, kind: request, code: 0}, (*turned, SetField(kind, reply))
    yield {**to_it, "ip_proto": fragments.LATER_PROTOCOL.get(own.version, proto), "ip_frag": fragments.LATER}, turned


def swapped(version: int) -> Iterator[Action]:
    """Source and destination address."""
    registers = NEXT_HOP[-BITS[version] // 32 :]
    last = len(registers) - 1
    for place, register in enumerate(registers):
        yield Move(SRC[version], register, bits=32, src_start=32 * (last - place))
    yield Move(DST[version], SRC[version], bits=BITS[version])
    for place, register in enumerate(registers):
        yield Move(register, DST[version], bits=32, dst_start=32 * (last - place))


def port(here: LocalPort) -> Iterator[Wanted]:
    """What a stateless group has no rule for does not come in as an answer either."""
    answered = any(group.stateful for group in here.groups) or not here.port.port_security_enabled
    if here.network.routed and here.is_tracked and answered:
        own_answer: dict[str, Value] = {OUT_PORT: here.number, ANSWERED: here.number}
        owner = cookie(Reason.PORT_GROUPS, here.port.id)
        yield INGRESS.table().flow(ESSENTIAL, owner, own_answer, INGRESS.exempt)


ECHOES = Service("echo", port=port)
