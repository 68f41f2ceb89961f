"""Ping of a router's own addresses: flows turn the request round, and the router routes it like any other packet.

vswitchd does it for each: no datapath can set an ICMP type.
"""

from collections.abc import Iterator
from typing import Final

from netweft.dataplane.openflow.fields import PROTO_ICMP, PROTO_ICMPV6
from netweft.dataplane.openflow.flow import Action, Move, SetField
from netweft.services import fragments
from netweft.services.addresses import Prefix, prefix
from netweft.services.fields import NEXT_HOP, ROUTER
from netweft.services.l3.routes import BITS, DST, ETH, SRC
from netweft.services.pipeline import INT, BridgeFlow, Value

ITSELF = INT["to_router_itself"]
# protocol, and the types of request and reply: RFC 792, RFC 4443
ECHO: Final = {4: (PROTO_ICMP, 8, 0), 6: (PROTO_ICMPV6, 128, 129)}
HOPS: Final = 255
_LINK_LOCAL: Final = prefix("fe80::/10")[1:]


def for_it(router: int, own: Prefix) -> dict[str, Value]:
    """Matches what is for this address of the router with this number."""
    return {ROUTER: router, "eth_type": ETH[own.version], DST[own.version]: own.value}


def answers_ping(owner: int, router: int, own: Prefix) -> Iterator[BridgeFlow]:
    match, turned = _echo(router, own)
    yield ITSELF.flow(20, owner, match, *turned, INT["routing"].goto)


def answers_neighbours_ping(owner: int, router: int, own: Prefix, *back: Action) -> BridgeFlow:
    """From a link-local address, which no route leads to."""
    match, turned = _echo(router, own)
    return ITSELF.flow(30, owner, {**match, "ipv6_src": _LINK_LOCAL}, *turned, *back)


def _echo(router: int, own: Prefix) -> tuple[dict[str, Value], tuple[Action, ...]]:
    proto, request, reply = ECHO[own.version]
    kind, code = (f"icmpv{own.version}_{part}" for part in ("type", "code"))
    match = {**for_it(router, own), "ip_proto": proto, kind: request, code: 0, "ip_frag": fragments.NONE}
    return match, (*_swapped(own.version), SetField(kind, reply), SetField("ip_ttl", HOPS))


def _swapped(version: int) -> Iterator[Action]:
    """Source and destination address."""
    registers = NEXT_HOP[-BITS[version] // 32 :]
    last = len(registers) - 1
    for place, register in enumerate(registers):
        yield Move(SRC[version], register, bits=32, src_start=32 * (last - place))
    yield Move(DST[version], SRC[version], bits=BITS[version])
    for place, register in enumerate(registers):
        yield Move(register, DST[version], bits=32, dst_start=32 * (last - place))
