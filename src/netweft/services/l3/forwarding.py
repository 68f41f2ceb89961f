"""Ports of a floating IP that lead to ports inside, on the node that has the router's gateway.

    whole packets, ports in order    address and port are written over, there and back: nothing is remembered
    whole packets, all to one port   by the connection tracker, which alone knows what an answer is an answer to
    fragments                        where the tracker gives datagrams whole, as the kernel's does, by it.  In the
                                     userspace datapath nobody knows the ports of later ones: those to forwarded ports
                                     end, those from there leave as anything else (decision 0451)

    from_outside ─┬─────────────────────────────────────────────▶ to_router_itself ─▶ …
                  ├─ct, all to one port─▶ translated ─▶ to_router_itself
                  └─ct, fragments─▶ forwarded_pieces ─ct─▶ translated
    to_outside ───┬─────────────────────────────────────────────▶ outside_egress
                  └─ct, fragments─▶ forwarded_pieces ─ct─▶ outside_egress

Each packet needs the forwarding's own flow, so that one that is taken away ends what it alone allowed.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from netweft.dataplane.openflow.fields import ETH_IPV4, PROTO_ICMP, PROTO_SCTP, PROTO_TCP, PROTO_UDP
from netweft.dataplane.openflow.flow import Action, Ct, CtClear, Nat, SetField
from netweft.model import PortForwarding
from netweft.services.addresses import Prefix, mac, prefix
from netweft.services.fields import LOCAL_VLAN, PIECE, PIECES_ZONE, ROUTER, Reason, cookie
from netweft.services.l3.echo import answers_ping, for_it
from netweft.services.l3.several_gateways import by_its_gateway, of_each_gateway
from netweft.services.l3.values import Forwarded, Gateway, LocalForwarding, LocalRouter
from netweft.services.pipeline import INT, BridgeFlow, Value
from netweft.services.security import fragments
from netweft.services.security.firewall import IS_INVALID, REPLY, TRACKED_BIT
from netweft.services.service import Service, Wanted
from netweft.services.values import Uplinks

FROM_OUTSIDE, TRANSLATED, ITSELF, TO_OUTSIDE, PIECES, OUT = (
    INT[name]
    for name in ("from_outside", "translated", "to_router_itself", "to_outside", "forwarded_pieces", "outside_egress")
)
PORTS: Final = {PROTO_TCP: "tcp", PROTO_UDP: "udp", PROTO_SCTP: "sctp"}
BITS: Final = 16
IN_PIECES, WHOLE, ITS_OWN, NOTHING_ELSE = 32, 25, 22, 21  # above other floating IPs', below what is too big
BECOME: Final = 16
INVALID_BIT: Final = IS_INVALID[0] & ~TRACKED_BIT


class Block(NamedTuple):
    """Ports that one match covers.  mask: None for one port.  inside: the first of them there."""

    first: int
    mask: int | None
    inside: int

    @property
    def ports(self) -> Value:
        return self.first if self.mask is None else (self.first, self.mask)

    @property
    def ports_inside(self) -> Value:
        return self.inside if self.mask is None else (self.inside, self.mask)


def blocks(here: LocalForwarding) -> Iterator[Block]:
    """Ports that keep their numbers, or all lead to one, in as few as there can be; any others one by one."""
    one = here.forwarding
    if not _keeps(one) and not to_one(one):
        for port in range(one.external_first, one.external_last + 1):
            yield Block(port, None, port - one.external_first + one.internal_first)
        return
    at, end = one.external_first, one.external_last + 1
    while at < end:
        size = at & -at
        while at + size > end:
            size //= 2
        mask = None if size == 1 else (1 << BITS) - size
        yield Block(at, mask, one.internal_first if to_one(one) else at)
        at += size


def _keeps(one: PortForwarding) -> bool:
    return one.external_first == one.internal_first and not to_one(one)


def to_one(one: PortForwarding) -> bool:
    return one.internal_first == one.internal_last and one.external_first != one.external_last


def forwarding(here: LocalForwarding) -> Iterator[Wanted]:
    for block in blocks(here):
        yield from (_all_to_one if to_one(here.forwarding) else _in_order)(here, block)
        yield from _pieces(here, block)
    if to_one(here.forwarding):
        yield from _answers(here)
        yield from _has_become(here)


def _in_order(here: LocalForwarding, block: Block) -> Iterator[BridgeFlow]:
    source, target = _ends(here)
    outside, inside = _addresses(here)
    moved = block.first != block.inside
    to_it: tuple[Action, ...] = (SetField("ipv4_dst", inside), *([SetField(target, block.inside)] if moved else ()))
    yield FROM_OUTSIDE.flow(
        WHOLE, _owner(here), {**_packet(here), "ipv4_dst": outside, target: block.ports}, *to_it, ITSELF.goto
    )
    from_it: tuple[Action, ...] = (SetField("ipv4_src", outside), *([SetField(source, block.first)] if moved else ()))
    answer: dict[str, Value] = {**_packet(here), "ipv4_src": inside, source: block.ports_inside}
    yield TO_OUTSIDE.flow(WHOLE, _owner(here), answer, *from_it, OUT.goto)
    for other in here.others if here.hop else ():  # by the gateway that was asked, wherever routes lead
        by = by_its_gateway(here.mac, here.vlan, here.hop)
        yield TO_OUTSIDE.flow(WHOLE + 1, _owner(here), {**answer, "eth_src": mac(other)}, *from_it, *by, OUT.goto)


def _all_to_one(here: LocalForwarding, block: Block) -> Iterator[BridgeFlow]:
    outside, _ = _addresses(here)
    to_it = {**_packet(here), "ipv4_dst": outside, _ends(here)[1]: block.ports}
    yield FROM_OUTSIDE.flow(WHOLE, _owner(here), to_it, CtClear(), _tracked(here, _to(here, block), TRANSLATED.id))


def _answers(here: LocalForwarding) -> Iterator[BridgeFlow]:
    """Where nothing else is translated: SNAT does it for those that are no answers as well."""
    if here.snat:
        return
    from_it = {**_packet(here), "ipv4_src": _addresses(here)[1], _ends(here)[0]: here.forwarding.internal_first}
    known = Ct(zone=here.zone, nat=Nat(), table=OUT.id)
    yield TO_OUTSIDE.flow(WHOLE, _owner(here), from_it, CtClear(), known)


def _has_become(here: LocalForwarding) -> Iterator[BridgeFlow]:
    """SCTP's port the one that all lead to: a tracker that knows no ports of SCTP has left it as it was."""
    if here.forwarding.protocol == PROTO_SCTP:
        outside, inside = _addresses(here)
        match = {
            **_sctp_to(here.zone, outside),
            "ip_proto": PROTO_SCTP,
            "ipv4_dst": inside,
            "sctp_dst": here.forwarding.internal_first,
        }
        yield TRANSLATED.flow(
            BECOME, _owner(here), match, SetField(ROUTER, here.router), SetField(LOCAL_VLAN, here.vlan), ITSELF.goto
        )


def _sctp_to(zone: int, outside: int) -> dict[str, Value]:
    """Not answers by SNAT, to who asked it from inside."""
    own_way = (TRACKED_BIT, TRACKED_BIT | INVALID_BIT | REPLY)
    return {**_valid(zone), "ct_state": own_way, "ct_nw_proto": PROTO_SCTP, "ct_nw_dst": outside}


def _pieces(here: LocalForwarding, block: Block) -> Iterator[BridgeFlow]:
    """Answers where all ports lead to one are translated back as anything else that the tracker knows."""
    outside, inside = _addresses(here)
    to_it = {**_piece(here), "ct_nw_dst": outside, "ct_tp_dst": block.ports}
    yield PIECES.flow(20, _owner(here), to_it, _tracked(here, _to(here, block), TRANSLATED.id))
    if not to_one(here.forwarding):
        port = block.first if block.first != block.inside else None
        from_it = {**_piece(here), "ct_nw_src": inside, "ct_tp_src": block.ports_inside}
        back = cookie(Reason.FORWARDING_BACK, here.forwarding.id)
        yield PIECES.flow(20, back, from_it, _tracked(here, Nat(src=outside, port=port), OUT.id))


def _to(here: LocalForwarding, block: Block) -> Nat:
    _, inside = _addresses(here)
    return Nat(dst=inside, port=None if _keeps(here.forwarding) else block.inside)


def _tracked(here: LocalForwarding, nat: Nat, table: int) -> Ct:
    return Ct(zone=here.zone, commit=True, nat=nat, table=table)


def _packet(here: LocalForwarding) -> dict[str, Value]:
    return {ROUTER: here.router, "eth_type": ETH_IPV4, "ip_proto": here.forwarding.protocol}


def _piece(here: LocalForwarding) -> dict[str, Value]:
    """By the zone: it may have come out with another router's."""
    return {**_known(here.zone), "ct_nw_proto": here.forwarding.protocol}


def _known(zone: int) -> dict[str, Value]:
    return _valid(zone | PIECES_ZONE)


def _valid(zone: int) -> dict[str, Value]:
    """Open vSwitch wants to hear so before it lets a connection's ends be matched."""
    return {"ct_zone": zone, "ct_state": (TRACKED_BIT, TRACKED_BIT | INVALID_BIT), "eth_type": ETH_IPV4}


def _ends(here: LocalForwarding) -> tuple[str, str]:
    name = PORTS[here.forwarding.protocol]
    return f"{name}_src", f"{name}_dst"


def _addresses(here: LocalForwarding) -> tuple[int, int]:
    one = here.forwarding
    return prefix(one.floating_ip_address).value, prefix(one.internal_ip_address).value


def _owner(here: LocalForwarding) -> int:
    return cookie(Reason.FORWARDING_PORTS, here.forwarding.id)


def router(_: Uplinks, here: LocalRouter) -> Iterator[Wanted]:
    gateway = here.gateway
    if gateway is None or not here.router.admin_state_up:
        return
    owner = cookie(Reason.ROUTER_GATEWAY, gateway.port.id)
    outside: tuple[Action, ...] = (SetField(ROUTER, here.number), SetField(LOCAL_VLAN, gateway.network.vlan))
    of_it: dict[str, Value] = {"ct_zone": gateway.zone, "ct_state": (TRACKED_BIT, TRACKED_BIT), "eth_type": ETH_IPV4}
    yield TRANSLATED.flow(10, owner, of_it, *outside, ITSELF.goto)
    for address in sorted({one.outside for one in gateway.forwarded}):
        yield from _like_the_gateways(here, gateway, Prefix(4, address, None))
    for address in sorted({one.outside for one in gateway.forwarded if one.protocol == PROTO_SCTP}):
        yield TRANSLATED.flow(BECOME - 1, owner, _sctp_to(gateway.zone, address))
    for one in gateway.forwarded:
        yield from _collected(here, gateway, one)
    for inside in sorted({one.inside for one in gateway.forwarded}):
        yield _other_pieces(here, gateway, inside)


def _like_the_gateways(here: LocalRouter, gateway: Gateway, address: Prefix) -> Iterator[BridgeFlow]:
    """It answers ping; of anything else that is for no forwarding nothing is heard."""
    owner = cookie(Reason.ROUTER_FLOATING_IP, here.router.id)
    to_it: dict[str, Value] = {ROUTER: here.number, "eth_type": ETH_IPV4, "ipv4_dst": address.value}
    yield FROM_OUTSIDE.flow(ITS_OWN, owner, {**to_it, "ip_proto": PROTO_ICMP}, ITSELF.goto)
    yield FROM_OUTSIDE.flow(NOTHING_ELSE, owner, to_it)
    yield from answers_ping(owner, here.number, address)
    yield ITSELF.flow(10, owner, {**for_it(here.number, address), LOCAL_VLAN: gateway.network.vlan})
    its_own: dict[str, Value] = {ROUTER: here.number, "eth_type": ETH_IPV4, "ipv4_src": address.value}
    yield TO_OUTSIDE.flow(30, owner, its_own, OUT.goto)


def _collected(here: LocalRouter, gateway: Gateway, one: Forwarded) -> Iterator[BridgeFlow]:
    """Fragments: their ports are known when they are put together."""
    owner = cookie(Reason.ROUTER_FLOATING_IP, here.router.id)
    piece: dict[str, Value] = {ROUTER: here.number, "eth_type": ETH_IPV4, "ip_frag": fragments.ANY}
    piece["ip_proto"] = one.protocol
    track = (CtClear(), SetField(PIECE, 1), Ct(zone=gateway.zone | PIECES_ZONE, table=PIECES.id))
    yield FROM_OUTSIDE.flow(IN_PIECES, owner, {**piece, "ipv4_dst": one.outside}, *track)
    yield TO_OUTSIDE.flow(IN_PIECES - 3, owner, {**piece, "ipv4_src": one.inside}, *track)


def _other_pieces(here: LocalRouter, gateway: Gateway, inside: int) -> BridgeFlow:
    """From there, but from none of the ports: as anything else from there."""
    own = gateway.snat_address
    snat = here.router.enable_snat and own is not None
    onward = Ct(zone=gateway.zone, commit=True, nat=Nat(src=own), table=OUT.id) if snat else OUT.goto
    match = {**_known(gateway.zone), "ct_nw_src": inside}
    return PIECES.flow(10, cookie(Reason.ROUTER_FLOATING_IP, here.router.id), match, onward)


FORWARDINGS = Service("forwardings", router=of_each_gateway(router), forwarding=forwarding)
