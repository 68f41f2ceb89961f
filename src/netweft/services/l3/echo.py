"""Ping of a router's own addresses: flows turn the request round, and the router routes it like any other packet.

vswitchd does it for each: no datapath can set an ICMP type.  Where it does that for the kernel's datapath, what it has
tracked is forgotten at the next recirculation.  So the answer to a port of this node, which had to be permitted to ask,
is not tracked again.
"""

from collections.abc import Iterator
from typing import Final

from netweft.dataplane.openflow.fields import PROTO_ICMP, PROTO_ICMPV6
from netweft.dataplane.openflow.flow import Action, Move, SetField
from netweft.services.addresses import Prefix, prefix
from netweft.services.fields import ANSWERED, IN_PORT, NEXT_HOP, OUT_PORT, ROUTER, Reason, cookie
from netweft.services.l3.routes import BITS, DST, ETH, SRC
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
    """From a link-local address, which no route leads to."""
    for match, turned in _echo(router, own):
        yield ITSELF.flow(30, owner, {**match, "ipv6_src": _LINK_LOCAL}, *turned, *back)


def _echo(router: int, own: Prefix) -> Iterator[tuple[dict[str, Value], tuple[Action, ...]]]:
    """In pieces the first says what it is, and the others, which say nothing, are of use with that one only."""
    proto, request, reply = ECHO[own.version]
    kind, code = (f"icmpv{own.version}_{part}" for part in ("type", "code"))
    asker = Move(IN_PORT, ANSWERED, bits=32)
    to_it, turned = for_it(router, own), (asker, *swapped(own.version), SetField("ip_ttl", HOPS))
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
