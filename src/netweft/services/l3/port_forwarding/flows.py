"""Ports of a floating IP that lead to ports inside, on the node that has the router's gateway.

    whole packets, ports in order    address and port are written over, there and back: nothing is remembered
    whole packets, all to one port   by conntrack, which alone knows what an answer is an answer to
    fragments                        by it, too (`fragments`)

    from_outside ─┬─────────────────────────────────────────────▶ to_router_itself ─▶ …
                  └─ct, all to one port─▶ translated ─▶ to_router_itself
    to_outside ────────────────────────────────────────────────▶ outside_egress

Each packet needs the forwarding's own flow, so that one that is taken away ends what it alone allowed.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from netweft.dataplane.openflow.fields import ETH_IPV4, PROTO_ICMP, PROTO_SCTP, PROTO_TCP, PROTO_UDP
from netweft.dataplane.openflow.flow import Action, Ct, CtClear, Nat, SetField
from netweft.model import PortForwarding
from netweft.services.addresses import Prefix, mac, prefix
from netweft.services.fields import LOCAL_VLAN, ROUTER, Reason, cookie
from netweft.services.l3.echo import answers_ping, for_it, put_together
from netweft.services.l3.gateways.several import by_its_gateway, of_each_gateway
from netweft.services.l3.values import Gateway, LocalForwarding, LocalRouter
from netweft.services.pipeline import INT, BridgeFlow, Value
from netweft.services.security.conntrack import IS_INVALID, REPLY, TRACKED_BIT
from netweft.services.service import Service, Wanted
from netweft.services.values import Uplinks

FROM_OUTSIDE, TRANSLATED, ITSELF, TO_OUTSIDE, OUT = (
    INT[name] for name in ("from_outside", "translated", "to_router_itself", "to_outside", "outside_egress")
)
PORTS: Final = {PROTO_TCP: "tcp", PROTO_UDP: "udp", PROTO_SCTP: "sctp"}
BITS: Final = 16
WHOLE, ITS_OWN, NOTHING_ELSE = 25, 22, 21  # above other floating IPs', below what is too big
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
    if to_one(here.forwarding):
        yield from _answers(here)
        yield from _has_become(here)


def _in_order(here: LocalForwarding, block: Block) -> Iterator[BridgeFlow]:
    source, target = _ends(here)
    outside, inside = addresses(here)
    moved = block.first != block.inside
    asks: dict[str, Value] = {**_packet(here), "ipv4_dst": outside, target: block.ports}
    yield FROM_OUTSIDE.flow(WHOLE, _owner(here), asks, *written_over(here, block), ITSELF.goto)
    from_it: tuple[Action, ...] = (SetField("ipv4_src", outside), *([SetField(source, block.first)] if moved else ()))
    answer: dict[str, Value] = {**_packet(here), "ipv4_src": inside, source: block.ports_inside}
    yield TO_OUTSIDE.flow(WHOLE, _owner(here), answer, *from_it, OUT.goto)
    for other in here.others if here.hop else ():  # by the gateway that the request came in by, wherever routes lead
        by = by_its_gateway(here.mac, here.vlan, here.hop)
        yield TO_OUTSIDE.flow(WHOLE + 1, _owner(here), {**answer, "eth_src": mac(other)}, *from_it, *by, OUT.goto)


def written_over(here: LocalForwarding, block: Block) -> tuple[Action, ...]:
    """What comes in for an external port of this block, which has its own internal port."""
    port = [SetField(_ends(here)[1], block.inside)] if block.first != block.inside else ()
    return SetField("ipv4_dst", addresses(here)[1]), *port


def _all_to_one(here: LocalForwarding, block: Block) -> Iterator[BridgeFlow]:
    outside, _ = addresses(here)
    to_it = {**_packet(here), "ipv4_dst": outside, _ends(here)[1]: block.ports}
    into = translated(here, to_inside(here, block), TRANSLATED.id)
    yield FROM_OUTSIDE.flow(WHOLE, _owner(here), to_it, CtClear(), into)


def _answers(here: LocalForwarding) -> Iterator[BridgeFlow]:
    """Where nothing else is translated: SNAT does it for those that are no answers as well."""
    if here.snat:
        return
    from_it = {**_packet(here), "ipv4_src": addresses(here)[1], _ends(here)[0]: here.forwarding.internal_first}
    known = Ct(zone=here.zone, nat=Nat(), table=OUT.id)
    yield TO_OUTSIDE.flow(WHOLE, _owner(here), from_it, CtClear(), known)


def _has_become(here: LocalForwarding) -> Iterator[BridgeFlow]:
    """SCTP's port the one that all lead to: conntrack that knows no ports of SCTP has left it as it was."""
    if here.forwarding.protocol == PROTO_SCTP:
        outside, inside = addresses(here)
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
    """Not SNAT's replies to its clients inside."""
    own_way = (TRACKED_BIT, TRACKED_BIT | INVALID_BIT | REPLY)
    return {**of_a_zone(zone), "ct_state": own_way, "ct_nw_proto": PROTO_SCTP, "ct_nw_dst": outside}


def to_inside(here: LocalForwarding, block: Block) -> Nat:
    _, inside = addresses(here)
    return Nat(dst=inside, port=None if _keeps(here.forwarding) else block.inside)


def translated(here: LocalForwarding, nat: Nat, table: int) -> Ct:
    return Ct(zone=here.zone, commit=True, nat=nat, table=table)


def _packet(here: LocalForwarding) -> dict[str, Value]:
    return {ROUTER: here.router, "eth_type": ETH_IPV4, "ip_proto": here.forwarding.protocol}


def of_a_zone(zone: int) -> dict[str, Value]:
    """What conntrack has seen in it.  Open vSwitch wants to hear so before it lets a connection's ends be matched."""
    return {"ct_zone": zone, "ct_state": (TRACKED_BIT, TRACKED_BIT | INVALID_BIT), "eth_type": ETH_IPV4}


def _ends(here: LocalForwarding) -> tuple[str, str]:
    name = PORTS[here.forwarding.protocol]
    return f"{name}_src", f"{name}_dst"


def addresses(here: LocalForwarding) -> tuple[int, int]:
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


def _like_the_gateways(here: LocalRouter, gateway: Gateway, address: Prefix) -> Iterator[BridgeFlow]:
    """It answers ping; anything else that is for no forwarding is dropped."""
    owner = cookie(Reason.ROUTER_FLOATING_IP, here.router.id)
    to_it: dict[str, Value] = {ROUTER: here.number, "eth_type": ETH_IPV4, "ipv4_dst": address.value}
    yield FROM_OUTSIDE.flow(ITS_OWN, owner, {**to_it, "ip_proto": PROTO_ICMP}, ITSELF.goto)
    yield FROM_OUTSIDE.flow(NOTHING_ELSE, owner, to_it)
    yield from answers_ping(owner, here.number, address)
    if not here.gives_pieces:
        yield put_together(owner, here.number, address)
    yield ITSELF.flow(10, owner, {**for_it(here.number, address), LOCAL_VLAN: gateway.network.vlan})
    its_own: dict[str, Value] = {ROUTER: here.number, "eth_type": ETH_IPV4, "ipv4_src": address.value}
    yield TO_OUTSIDE.flow(30, owner, its_own, OUT.goto)


FORWARDINGS = Service("forwardings", router=of_each_gateway(router), forwarding=forwarding)
