"""What a route is in flows: its fields by IP version, its priority, the next hop that it sets."""

from collections.abc import Iterator
from typing import Final

from netweft.dataplane.openflow.fields import ETH_IPV4, ETH_IPV6
from netweft.dataplane.openflow.flow import Action, CheckLarger, Move, SetField
from netweft.services.addresses import Prefix
from netweft.services.fields import HANDED_UP, NEXT_HOP, ROUTER, Why
from netweft.services.l3.values import LocalRouter
from netweft.services.tables import Value
from netweft.services.values import LocalNetwork

ETH: Final = {4: ETH_IPV4, 6: ETH_IPV6}
DST: Final = {4: "ipv4_dst", 6: "ipv6_dst"}
SRC: Final = {4: "ipv4_src", 6: "ipv6_src"}
BITS: Final = {4: 32, 6: 128}
ETHERNET: Final = 14  # bytes of the header, which the datapath counts
MOST: Final = 0xFFFF  # that it can compare with
DEFAULT: Final = 100  # the priority of a default route; with each bit of the prefix it is 4 more
CONNECTED: Final = 2  # and of two routes to the same prefix the connected one holds
APART: Final = 1  # above a route: who may not take it


def towards(here: LocalRouter, to: Prefix) -> dict[str, Value]:
    """Matches the router's packets to there."""
    destination = to.value if to.mask is None else (to.value, to.mask)
    return {ROUTER: here.number, "eth_type": ETH[to.version], DST[to.version]: destination}


def priority(to: Prefix) -> int:
    return DEFAULT + 4 * (BITS[to.version] if to.mask is None else to.mask.bit_count())


def may_not_fit(here: LocalRouter, into: LocalNetwork) -> bool:
    """Whether packets may come from a network of the router's with a larger MTU, and the datapath can tell."""
    return here.checks_length and any(one.network.mtu > into.network.mtu for one in here.networks)


def fits(here: LocalRouter, into: LocalNetwork) -> Iterator[Action]:
    """Only where it may not: each answer is a way of its own for all that follows.  Of fragments that are tracked
    together each has to fit; IPv4 without DF is treated as with it."""
    if may_not_fit(here, into):
        yield CheckLarger(min(into.network.mtu + ETHERNET, MOST), HANDED_UP, Why.TOO_BIG.bit_length() - 1)


def to_next_hop(version: int, next_hop: Prefix | None) -> Iterator[Action]:
    """None: to the packet's own destination."""
    registers = NEXT_HOP[-BITS[version] // 32 :]
    last = len(registers) - 1
    for place, register in enumerate(registers):
        at = 32 * (last - place)
        if next_hop is None:
            yield Move(DST[version], register, bits=32, src_start=at)
        else:
            yield SetField(register, next_hop.value >> at & 0xFFFFFFFF)
