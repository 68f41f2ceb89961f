"""Replies leave by the gateway that their request came in by, of a router with gateways on several external networks.

A floating IP belongs to one of them.  A client of it towards which the routes lead by another one (a host on that
network, what an extra route leads to) would be answered by that one, with its address.  Only such clients' requests are
tracked, in the zone of the floating IP's gateway, and only what its port sends to them is looked up there:

    from_outside, from there ─ct: commit, DNAT─▶ translated
    to_outside, by the other gateway ─ct─▶ answers ─┬ a reply: its gateway, its next hop ─▶ outside_egress
                                                    └ the port's own connection: as all that leaves by the other

Ports of a range that all lead to one port are answered by the same look-up; they are tracked already.  Ports in order
need none (`port_forwarding`).
"""

from collections.abc import Iterator
from typing import Final

from netweft.dataplane.openflow.fields import ETH_IPV4
from netweft.dataplane.openflow.flow import Ct, CtClear, Nat, SetField
from netweft.services.addresses import Prefix, mac
from netweft.services.fields import LOCAL_VLAN, PIECE, ROUTER, Reason, cookie
from netweft.services.l3.gateways.several import by_its_gateway, led_to
from netweft.services.l3.values import Gateway, LocalFloatingIp, LocalRouter
from netweft.services.pipeline import INT, BridgeFlow, Value
from netweft.services.security import fragments
from netweft.services.security.conntrack import INVALID, REPLY, TRACKED_BIT
from netweft.services.service import Service, Wanted
from netweft.services.values import Uplinks

FROM_OUTSIDE, TRANSLATED, TO_OUTSIDE, ANSWERS, OUT = (
    INT[name] for name in ("from_outside", "translated", "to_outside", "answers", "outside_egress")
)
WHOLE: Final = (0, fragments.ANY[1])
TRACKED: Final = 24  # above what translates floating IPs, below ports in order and ICMP errors
ANSWER: Final = (TRACKED_BIT | REPLY, TRACKED_BIT | REPLY | INVALID)


def router(_: Uplinks, here: LocalRouter) -> Iterator[Wanted]:
    if not here.router.admin_state_up or len(here.gateways) < 2:
        return
    looked_up: set[tuple[str, int]] = set()
    for gateway in here.gateways:
        others = [one for one in here.gateways if _leads_elsewhere(one, gateway)]
        insides = {one.fixed for one in _its(here, gateway)} | {one.inside for one in gateway.forwarded}
        hop = next((one for one in gateway.next_hops if one.version == 4), None)
        if not others or not insides or hop is None:
            continue
        yield from _asked(here, gateway, others)
        yield _answered(here, gateway, hop)
        for other in others:
            yield from _looked_up(here, gateway, other, insides, looked_up)
    for other in here.gateways if looked_up else ():
        yield from _asks(here, other)


def _its(here: LocalRouter, gateway: Gateway) -> list[LocalFloatingIp]:
    """On this node, all of them: of such a router none is with its VM (`floating_ips/places`)."""
    found = (one for one in here.floating_ips if one.gateway_id == gateway.port.id)
    return sorted(found, key=lambda one: one.address)


def _leads_elsewhere(one: Gateway, other: Gateway) -> bool:
    return one.network.network.id != other.network.network.id


def _asked(here: LocalRouter, gateway: Gateway, others: list[Gateway]) -> Iterator[BridgeFlow]:
    for source in sorted({net for other in others for net in led_to(here, other, 4)}):
        for one in _its(here, gateway):
            match: dict[str, Value] = {
                **_ipv4(here),
                LOCAL_VLAN: gateway.network.vlan,
                "ipv4_src": source.value if source.mask is None else (source.value, source.mask),
                "ipv4_dst": one.address,
            }
            owner = cookie(Reason.FLOATING_ADDRESS, one.id)
            track = Ct(zone=gateway.zone, commit=True, nat=Nat(dst=one.fixed), table=TRANSLATED.id)
            yield FROM_OUTSIDE.flow(TRACKED, owner, {**match, "ip_frag": WHOLE}, CtClear(), track)
            if not here.gives_pieces:  # else all fragments for a floating IP are tracked (0451)
                pieces: dict[str, Value] = {**match, "ip_frag": fragments.ANY}
                yield FROM_OUTSIDE.flow(TRACKED, owner, pieces, CtClear(), SetField(PIECE, 1), track)


def _looked_up(
    here: LocalRouter, gateway: Gateway, other: Gateway, insides: set[int], done: set[tuple[str, int]]
) -> Iterator[BridgeFlow]:
    """Of a port with floating IPs of several other networks, in the first one's zone only."""
    owner = cookie(Reason.ROUTER_FLOATING_IP, here.router.id)
    for inside in sorted(insides):
        if (other.port.id, inside) in done:
            continue
        done.add((other.port.id, inside))
        match: dict[str, Value] = {**_by(here, other), "ipv4_src": inside}
        find = Ct(zone=gateway.zone, nat=Nat(), table=ANSWERS.id)
        yield TO_OUTSIDE.flow(TRACKED, owner, {**match, "ip_frag": WHOLE}, CtClear(), find)
        pieces: dict[str, Value] = {**match, "ip_frag": fragments.ANY}
        yield TO_OUTSIDE.flow(TRACKED, owner, pieces, CtClear(), SetField(PIECE, 1), find)


def _answered(here: LocalRouter, gateway: Gateway, hop: Prefix) -> BridgeFlow:
    """With the address that the request was for."""
    match: dict[str, Value] = {**_ipv4(here), "ct_zone": gateway.zone, "ct_state": ANSWER}
    by = by_its_gateway(gateway.port.mac_address, gateway.network.vlan, hop)
    owner = cookie(Reason.ROUTER_FLOATING_IP, here.router.id)
    return ANSWERS.flow(20, owner, match, CtClear(), *by, OUT.goto)


def _asks(here: LocalRouter, other: Gateway) -> Iterator[BridgeFlow]:
    owner = cookie(Reason.ROUTER_GATEWAY, other.port.id)
    for one in _its(here, other):
        match: dict[str, Value] = {**_by(here, other), "ipv4_src": one.fixed}
        own = SetField("eth_src", mac(one.end.port.mac_address))
        yield ANSWERS.flow(15, owner, match, CtClear(), own, SetField("ipv4_src", one.address), OUT.goto)
    if here.router.enable_snat and other.snat_address is not None:
        snat = Ct(zone=other.zone, commit=True, table=OUT.id, nat=Nat(other.snat_address))
        yield ANSWERS.flow(10, owner, _by(here, other), CtClear(), snat)
    else:
        yield ANSWERS.flow(10, owner, _by(here, other), CtClear(), OUT.goto)


def _ipv4(here: LocalRouter) -> dict[str, Value]:
    return {ROUTER: here.number, "eth_type": ETH_IPV4}


def _by(here: LocalRouter, gateway: Gateway) -> dict[str, Value]:
    return {**_ipv4(here), "eth_src": mac(gateway.port.mac_address)}


CAME_IN_BY = Service("answers by the gateway that was asked", router=router)
