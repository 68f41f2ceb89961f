"""Fragments to and from forwarded ports, on the node that has the router's gateway.

Conntrack collects them in a zone of their own; once it is known which port they are of they are translated by it, in
the gateway's zone.

    from_outside ─ct─▶ forwarded_pieces ─ct─▶ translated ─▶ to_router_itself
    to_outside ───ct─▶ forwarded_pieces ─ct─▶ outside_egress

    the kernel's datapath   gives the datagram whole, and says its ports.  What the gateway's zone then takes for
                            invalid, and does not translate, is written over as whole packets are (0553)
    the userspace one       gives the fragments, and nobody sees the ports of later ones: the mark of their connection
                            says the one that counts.  Of UDP and TCP without a mark the agent gets all fragments; it
                            makes the connection known by a packet of its own, and gives them back (0540, 0564)
"""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address
from typing import Final

from netweft.dataplane.openflow.fields import ETH_IPV4, PROTO_TCP, PROTO_UDP
from netweft.dataplane.openflow.flow import Ct, CtClear, Nat, SetField
from netweft.dataplane.packets.datagram import acknowledgement, empty_between, encode, packet
from netweft.dataplane.packets.readdressed import Ports, ports, sequence
from netweft.services.fields import (
    GIVEN_BACK,
    LEAVES,
    LOCAL_VLAN,
    NEXT_HOP,
    PIECE,
    PIECES_ZONE,
    PORT_IN,
    PORT_OUT,
    ROUTER,
    TRACKED_PIECE,
    Reason,
    RouterLimit,
    cookie,
)
from netweft.services.l2.announce import Packet
from netweft.services.l3.gateways.several import of_each_gateway
from netweft.services.l3.hand_ups import handed_up
from netweft.services.l3.port_forwarding.flows import (
    BECOME,
    Block,
    addresses,
    blocks,
    of_a_zone,
    to_inside,
    to_one,
    translated,
    written_over,
)
from netweft.services.l3.values import Forwarded, Gateway, LocalForwarding, LocalRouter
from netweft.services.pipeline import INT, BridgeFlow, Value
from netweft.services.security import fragments
from netweft.services.security.conntrack import IS_INVALID, TRACKED_BIT
from netweft.services.service import Service, Wanted
from netweft.services.values import Uplinks

FROM_OUTSIDE, TRANSLATED, ITSELF, TO_OUTSIDE, PIECES, OUT = (
    INT[name]
    for name in ("from_outside", "translated", "to_router_itself", "to_outside", "forwarded_pieces", "outside_egress")
)
COMES_IN, GOES_OUT = 32, 29  # above other floating IPs', below what is too big
UNKNOWN, OF_A_PORT, OTHERS = 30, 20, 10
BY_THE_AGENT: Final = (PROTO_UDP, PROTO_TCP)  # of SCTP that conntrack knows no ports
_PORT: Final = 0xFFFF
_ALL: Final = 0xFFFFFFFF


def forwarding(here: LocalForwarding) -> Iterator[Wanted]:
    """Answers where all ports lead to one are translated back as anything else that conntrack knows."""
    for block in blocks(here):
        outside, inside = addresses(here)
        owner = cookie(Reason.FORWARDING_PORTS, here.forwarding.id)
        to_it = {**_to(here, outside), **_comes_for(here, block)}
        yield PIECES.flow(OF_A_PORT, owner, to_it, translated(here, to_inside(here, block), TRANSLATED.id))
        if not to_one(here.forwarding):
            port = block.first if block.first != block.inside else None
            from_it = {**_from(here, inside), **_leaves_from(here, block)}
            back = cookie(Reason.FORWARDING_BACK, here.forwarding.id)
            yield PIECES.flow(OF_A_PORT, back, from_it, translated(here, Nat(src=outside, port=port), OUT.id))
            if here.forwarding.protocol == PROTO_TCP and not here.gives_pieces:
                yield _invalid(here, block)


def _invalid(here: LocalForwarding, block: Block) -> BridgeFlow:
    """To the gateway's zone, which sees no answers that are whole."""
    match: dict[str, Value] = {"ct_zone": here.zone, "ct_state": IS_INVALID, "eth_type": ETH_IPV4}
    match |= {"ip_proto": PROTO_TCP, "ipv4_dst": addresses(here)[0], "tcp_dst": block.ports}
    onward = SetField(ROUTER, here.router), SetField(LOCAL_VLAN, here.vlan), *written_over(here, block), ITSELF.goto
    return TRANSLATED.flow(BECOME, cookie(Reason.FORWARDING_PORTS, here.forwarding.id), match, *onward)


def _to(here: LocalForwarding, outside: int) -> dict[str, Value]:
    if _is_segment(here):
        return {**_segment(here.zone), "ipv4_dst": outside}
    return {**_piece(here), "ct_nw_dst": outside}


def _from(here: LocalForwarding, inside: int) -> dict[str, Value]:
    if _is_segment(here):
        return {**_segment(here.zone), "ipv4_src": inside}
    return {**_piece(here), "ct_nw_src": inside}


def _is_segment(here: LocalForwarding) -> bool:
    return here.gives_pieces and here.forwarding.protocol == PROTO_TCP


def _piece(here: LocalForwarding) -> dict[str, Value]:
    """By the zone: it may have come out with another router's."""
    return {**of_a_zone(here.zone | PIECES_ZONE), "ct_nw_proto": here.forwarding.protocol}


def _segment(zone: int) -> dict[str, Value]:
    """Of TCP whose connection has a mark, whatever conntrack thinks of it: it sees no acknowledgements there, but
    where they are in fragments, too."""
    known: dict[str, Value] = {"ct_zone": zone | PIECES_ZONE, "ct_state": (TRACKED_BIT, TRACKED_BIT)}
    return {**known, "eth_type": ETH_IPV4, "ip_proto": PROTO_TCP}


def _comes_for(here: LocalForwarding, block: Block) -> dict[str, Value]:
    return _marked(PORT_IN, block.ports) if here.gives_pieces else {"ct_tp_dst": block.ports, PIECE: (0, LEAVES)}


def _leaves_from(here: LocalForwarding, block: Block) -> dict[str, Value]:
    inside = block.ports_inside
    return _marked(PORT_OUT, inside) if here.gives_pieces else {"ct_tp_src": inside, PIECE: (LEAVES, LEAVES)}


def _marked(way: int, ports: Value) -> dict[str, Value]:
    first, mask = (ports, None) if isinstance(ports, int) else ports
    return {"ct_mark": (way | first, _ALL & ~_PORT | (_PORT if mask is None else mask))}


def router(_: Uplinks, here: LocalRouter) -> Iterator[Wanted]:
    gateway = here.gateway
    if gateway is None or not here.router.admin_state_up:
        return
    for one in gateway.forwarded:
        yield from _collected(here, gateway, one)
    for inside in sorted({one.inside for one in gateway.forwarded}):
        match = {**of_a_zone(gateway.zone | PIECES_ZONE), "ct_nw_src": inside}
        yield _others(here, gateway, OTHERS, match)
    for protocol in BY_THE_AGENT if here.gives_pieces else ():
        found = [one for one in gateway.forwarded if one.protocol == protocol]
        yield from _unknown(here, gateway, protocol, found)
        for inside in sorted({one.inside for one in found if protocol == PROTO_TCP}):
            match = {**_segment(gateway.zone), "ct_mark": (PORT_OUT, _ALL & ~_PORT), "ipv4_src": inside}
            yield _others(here, gateway, OTHERS + 1, match)


def _collected(here: LocalRouter, gateway: Gateway, one: Forwarded) -> Iterator[BridgeFlow]:
    owner = cookie(Reason.ROUTER_FLOATING_IP, here.router.id)
    piece: dict[str, Value] = {ROUTER: here.number, "eth_type": ETH_IPV4, "ip_frag": fragments.ANY}
    piece["ip_proto"] = one.protocol
    track = Ct(zone=gateway.zone | PIECES_ZONE, table=PIECES.id)
    comes, leaves = SetField(PIECE, TRACKED_PIECE), SetField(PIECE, TRACKED_PIECE | LEAVES)
    yield FROM_OUTSIDE.flow(COMES_IN, owner, {**piece, "ipv4_dst": one.outside}, CtClear(), comes, track)
    yield TO_OUTSIDE.flow(GOES_OUT, owner, {**piece, "ipv4_src": one.inside}, CtClear(), leaves, track)


def _others(here: LocalRouter, gateway: Gateway, priority: int, match: dict[str, Value]) -> BridgeFlow:
    """From there, but from none of the ports: as anything else from there."""
    own = gateway.snat_address
    snat = here.router.enable_snat and own is not None
    onward = Ct(zone=gateway.zone, commit=True, nat=Nat(src=own), table=OUT.id) if snat else OUT.goto
    return PIECES.flow(priority, cookie(Reason.ROUTER_FLOATING_IP, here.router.id), match, onward)


def _unknown(here: LocalRouter, gateway: Gateway, protocol: int, found: list[Forwarded]) -> Iterator[BridgeFlow]:
    """Not what the agent has given back: it would go round if conntrack takes no more connections."""
    up = handed_up(here, RouterLimit.PIECES)
    unknown = {**of_a_zone(gateway.zone | PIECES_ZONE), "ct_nw_proto": protocol, "ct_mark": 0}
    comes, leaves = ((bits, LEAVES | GIVEN_BACK) for bits in (0, LEAVES))
    for outside in sorted({one.outside for one in found}):
        owner = cookie(Reason.ROUTER_PIECES_IN, here.router.id)
        yield PIECES.flow(UNKNOWN, owner, {**unknown, PIECE: comes, "ct_nw_dst": outside}, *up)
    for inside in sorted({one.inside for one in found}):
        owner = cookie(Reason.ROUTER_PIECES_OUT, here.router.id)
        yield PIECES.flow(UNKNOWN, owner, {**unknown, PIECE: leaves, "ct_nw_src": inside}, *up)


def given_back(frame: bytes, registers: Mapping[str, int], zone: int, *, leaves: bool) -> Iterator[Packet]:
    """What is to be done with a fragment of a connection that conntrack does not know.  zone: in which.

    The first says the ports, and makes them known.  In which order they come does not matter: conntrack collects
    them once more, and all are there only when the first has been given back."""
    known = ports(frame[14:])
    if known is not None:
        port = PORT_OUT | known.source if leaves else PORT_IN | known.target
        commit = Ct(zone=zone, commit=True, exec=(SetField("ct_mark", port),))
        yield Packet(_as_its_first(frame, known), (commit,))
    kept = (SetField(register, registers.get(register, 0)) for register in (LOCAL_VLAN, ROUTER, *NEXT_HOP))
    piece = SetField(PIECE, TRACKED_PIECE | GIVEN_BACK | (LEAVES if leaves else 0))
    yield Packet(frame, (*kept, piece, Ct(zone=zone, table=PIECES.id)))


def _as_its_first(frame: bytes, known: Ports) -> bytes:
    """An empty packet between the same ends; of TCP at the same place in its stream."""
    if known.protocol != PROTO_TCP:
        return encode(empty_between(frame, known.source, known.target))
    macs, ends = (frame[6:12], frame[:6]), (IPv4Address(frame[26:30]), IPv4Address(frame[30:34]))
    at = (known.source, known.target)
    return packet(macs, ends, PROTO_TCP, acknowledgement(ends, at, sequence(frame[14:]), 0))


FORWARDED_PIECES = Service("forwarded pieces", router=of_each_gateway(router), forwarding=forwarding)
