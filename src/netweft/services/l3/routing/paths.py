"""A route's next hops.  With several of them (ECMP) each flow of packets gets one, by a hash of its ends.

    routing ─multipath: a slot─▶ paths ─the next hop that has the slot─▶ next_hop, to_outside

Which next hop has a slot is decided by rendezvous hashing: one more, or one that does not answer and is left out, moves
the flows that it gets or had, and nobody else's.  Nothing is remembered, and all nodes decide the same.  Packets in
fragments go by their addresses alone, since later fragments have no ports.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from netweft.dataplane.openflow.flow import Action, CtClear, DecTtl, Goto, Multipath, SetField
from netweft.services.addresses import Prefix, mac, text, within
from netweft.services.fields import LOCAL_VLAN, NEXT_HOP, Reason, cookie, object_bits
from netweft.services.l3.metering.flows import metered
from netweft.services.l3.routing.address_scopes import kept_apart
from netweft.services.l3.routing.next_hops import LOOPBACK
from netweft.services.l3.routing.routes import APART, fits, to_next_hop, towards
from netweft.services.l3.values import Gateway, LocalRouter, WayToGateway
from netweft.services.pipeline import INT, BridgeFlow
from netweft.services.security import fragments
from netweft.services.tables import Table, Value
from netweft.services.values import LocalNetwork

ROUTING, PATHS = INT["routing"], INT["paths"]
SLOT: Final = NEXT_HOP[0]  # until there is a next hop
FEW: Final = 8  # next hops
FEW_BITS, MANY_BITS = 6, 8  # of slots' numbers, for a few next hops and for more


class Path(NamedTuple):
    """Into that network, from that MAC.  next_hop: None for what is on the link.  onward: to which table then.
    by: of several ways to one next hop, which."""

    network: LocalNetwork
    mac: str
    next_hop: Prefix | None
    onward: Goto
    by: str = ""


class Elsewhere(NamedTuple):
    """To the node that has the router's gateway, which goes on to the next hop."""

    ways: tuple[WayToGateway, ...]
    next_hop: Prefix


Hop = Path | Elsewhere


def route(
    here: LocalRouter,
    owner: int,
    how_high: int,
    to: Prefix,
    hops: Sequence[Hop],
    *,
    ports: bool = True,
    more: Mapping[str, Value] = MappingProxyType({}),
) -> Iterator[BridgeFlow]:
    """To there by these next hops, all of which answer.  ports: flows are hashed by ports, too.  more: what else
    packets have that take it, by one next hop."""
    if len(hops) == 1:
        yield from _one(here, owner, how_high, to, hops[0], more=more)
        return
    width = FEW_BITS if len(hops) <= FEW else MANY_BITS
    for by_ports in sorted({ports, False}):
        match: dict[str, Value] = {
            **towards(here, to),
            **({"ip_frag": fragments.ANY} if ports and not by_ports else {}),
        }
        choose = Multipath(SLOT, width, 1 << width, object_bits(here.router.id) & 0xFFFF, by_ports)
        yield ROUTING.flow(how_high + (APART if "ip_frag" in match else 0), owner, match, choose, PATHS.goto)
    for slot, hop in enumerate(shares(hops, 1 << width)):
        yield from _one(here, owner, how_high, to, hop, more={SLOT: (slot, (1 << width) - 1)}, table=PATHS)


def by_gateway(gateway: Gateway, next_hop: Prefix | None) -> Path:
    return Path(gateway.network, gateway.port.mac_address, next_hop, INT["to_outside"].goto)


def answering(here: LocalRouter, hops: Sequence[Hop]) -> list[Hop]:
    """Without those that do not, as long as there is one that does."""
    there = {hop for one in here.exits for hop in one.silent}  # no two of a router's networks have one address
    silent = {(one.network.vlan, hop) for one in here.exits for hop in one.silent}
    silent |= {(one.network.vlan, hop) for one in here.interfaces for hop in one.silent}
    down = {(gateway.port.id, one.next_hop) for gateway in here.gateways for one in gateway.sessions if not one.up}
    left = [
        hop
        for hop in hops
        if (
            hop.next_hop not in there
            if isinstance(hop, Elsewhere)
            else (hop.network.vlan, hop.next_hop) not in silent and (hop.by, hop.next_hop) not in down
        )
    ]
    return left or list(hops)


def shares(hops: Sequence[Hop], slots: int) -> Iterator[Hop]:
    """Whose each slot is: of whom has the highest number for it."""
    for slot in range(slots):
        yield max(hops, key=lambda hop: _weight(hop, slot))


def _weight(hop: Hop, slot: int) -> bytes:
    named = text(hop.next_hop) if hop.next_hop else ""
    named += f" {hop.by}" if isinstance(hop, Path) and hop.by else ""
    return hashlib.blake2s(f"{named} {slot}".encode(), digest_size=8).digest()


def _one(
    here: LocalRouter,
    owner: int,
    how_high: int,
    to: Prefix,
    hop: Hop,
    *,
    more: Mapping[str, Value],
    table: Table = ROUTING,
) -> Iterator[BridgeFlow]:
    match = {**towards(here, to), **more}
    if isinstance(hop, Elsewhere):
        for way in hop.ways:
            there = {**match, LOCAL_VLAN: way.interface.network.vlan}
            yield table.flow(how_high, owner, there, *to_the_gateways_node(way))
        yield from _by_floating_ips(here, how_high, to, hop.next_hop, table, match)
        return
    for vlan in kept_apart(here, to, hop.network):
        yield table.flow(how_high + APART, cookie(Reason.ROUTER_SCOPE, here.router.id), {**match, LOCAL_VLAN: vlan})
    yield table.flow(how_high, owner, match, *by(here, to, hop))


def _by_floating_ips(
    here: LocalRouter, how_high: int, to: Prefix, next_hop: Prefix, table: Table, match: dict[str, Value]
) -> Iterator[BridgeFlow]:
    """What has one on this node goes out by it, to next hops outside as well."""
    for one in here.by_themselves:
        if any(within(next_hop, net) for net in one.end.on_link):
            owner = cookie(Reason.FLOATING_ADDRESS, one.id)
            its = {**match, "ipv4_src": one.fixed}
            yield table.flow(how_high + APART, owner, its, *by(here, to, by_gateway(one.end, next_hop)))


def to_the_gateways_node(way: WayToGateway) -> Iterator[Action]:
    """As it is, in the network that it is in: that node routes it.  What came by a wire, or from behind a VTEP, may go
    back there, but not with the MAC of who sent it, which is elsewhere."""
    yield SetField("eth_dst", mac(way.there.peer.mac_address))
    if way.interface.network.answered:
        yield SetField("eth_src", mac(way.interface.port.mac_address))
        yield from LOOPBACK
    yield CtClear()
    yield INT["switching"].goto


def by(here: LocalRouter, to: Prefix, path: Path) -> Iterator[Action]:
    outward = path.onward == INT["to_outside"].goto
    if not outward:
        yield from metered(here, "ingress")
    yield SetField(LOCAL_VLAN, path.network.vlan)
    yield SetField("eth_src", mac(path.mac))
    yield DecTtl()
    yield from to_next_hop(to.version, path.next_hop)
    yield from fits(here, path.network)
    if outward:
        yield from metered(here, "egress")
    yield path.onward
