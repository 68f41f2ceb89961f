"""VIPs on provider networks: physical hosts as clients, which are on no node of ours.

    host ─▶ the node that answers for the VIP ─▶ member's node ─▶ member
         ◀─                                   ◀─               ◀─

One node answers on the wire, by a MAC of its own, as for a router's interface (decision 0433).  It balances what comes
as it does what its own ports send, and remembers whose MAC the answers go to.  A member sees the host as its client and
would answer it past that node: so the member's node remembers of each connection by which node it came, and returns
its answers there, where they get the VIP as their source (decision 0645).
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Final

from netweft.dataplane.openflow.fields import ETH_ARP, ND_ADVERT
from netweft.dataplane.openflow.flow import OFPP_NORMAL, Action, Ct, CtClear, Move, Nat, Output, PopVlan, SetField
from netweft.services.addresses import mac
from netweft.services.fields import (
    ASKED_BACK,
    BALANCED_ZONE,
    FROM_WIRE,
    LEAVING,
    LED_HERE,
    LED_ZONE,
    LOCAL_VLAN,
    ON_WIRE,
    ON_WIRE_AT,
    ORIGIN,
    OUT_PORT,
    RETURNED,
    UNTAGGED,
    Reason,
    cookie,
    tagged,
)
from netweft.services.l2.physical import ROUTED, outside_vlan
from netweft.services.l3.gateways.takeover_flows import OnWire, by_nodes
from netweft.services.l3.neighbours.unknown_hosts import DISCOVERY, FORGED, asked_for
from netweft.services.l3.routing.next_hops import LOOPBACK
from netweft.services.l3.routing.routes import DST, ETH
from netweft.services.lb.values import LocalBalancer, VipOnWire
from netweft.services.pipeline import INT, PHYS, BridgeFlow, Value, physical_role
from netweft.services.security import fragments
from netweft.services.security.conntrack import INVALID, TRACKED_BIT
from netweft.services.service import Wanted
from netweft.services.values import Uplinks

TO_ROUTER, SWITCHING, INGRESS, FROM_MEMBER = (
    INT[name] for name in ("to_router", "switching", "ingress", "from_member")
)
TO_VIP, RETURNING, MARKED, NOTHING = 20, 16, 14, 10  # in to_router
KNOWN_TO_VIP, KNOWN, UNKNOWN, LED = 60, 45, 44, 15  # in from_member
CAME: Final[Mapping[str, Value]] = {ORIGIN: (FROM_WIRE, FROM_WIRE)}
# of a new connection: to whom its answers go, if a physical host has begun it
CLIENT: Final = (
    Move("eth_src", "ct_label", bits=48),
    Move(ORIGIN, "ct_label", bits=1, src_start=FROM_WIRE.bit_length() - 1, dst_start=ON_WIRE_AT),
)
_OF_A_HOST: Final[Mapping[str, Value]] = {
    "ct_state": (TRACKED_BIT, TRACKED_BIT | INVALID),
    "ct_label": (ON_WIRE, ON_WIRE),
}
_TO_WHOM: Final = Move("ct_label", "eth_dst", bits=48)
_ASKED: Final = SetField(ORIGIN, ASKED_BACK, ASKED_BACK | LEAVING | RETURNED | LED_HERE)
# from the zone of what is balanced here: one node may do both for one connection, when it takes over
_TO_LED: Final = SetField(ORIGIN, LED_ZONE | LED_HERE, LED_ZONE | LED_HERE)
_BACK: Final = SetField(ORIGIN, BALANCED_ZONE, LED_ZONE | LED_HERE)


def host(owner: int) -> Iterator[BridgeFlow]:
    """A member's reply to a physical host: to the node that balanced the connection.  What was returned to this node
    and belongs to no connection is dropped."""
    yield FROM_MEMBER.flow(KNOWN, owner, _OF_A_HOST, _TO_WHOM, *_on())
    yield FROM_MEMBER.flow(UNKNOWN, owner, {ORIGIN: (RETURNED, RETURNED)})


def _on() -> tuple[Action, ...]:
    return (*LOOPBACK, CtClear(), _ASKED, INGRESS.resubmit)


def answers(
    here: LocalBalancer, owner: int, of_listener: Mapping[str, Value], limited: Sequence[Action]
) -> Iterator[BridgeFlow]:
    """Back to the physical client, by this node's MAC.  limited: by what."""
    if here.wire is not None and here.wire.may_answer:
        own = SetField("eth_src", here.wire.own_mac)
        yield FROM_MEMBER.flow(KNOWN_TO_VIP, owner, {**of_listener, **_OF_A_HOST}, *limited, _TO_WHOM, own, *_on())


def balancer(here: LocalBalancer, uplinks: Uplinks) -> Iterator[Wanted]:
    wire, link = here.wire, here.network.link(uplinks)
    if wire is None or link is None or link.near is None:
        return
    yield from _nobody_elses(here, wire)
    yield from _marked(here, wire, link.near)
    if not wire.may_answer:
        return
    if wire.answers:
        yield from asked_for(wire.port.id, here.network, wire.own_mac, here.vips, router=False)
    asked = next((vip.value for vip in here.vips if vip.version == 4), None)
    if asked is not None:
        whose = OnWire(wire.port.id, here.network.vlan, wire.answers)
        yield from by_nodes(whose, asked, wire.own_mac, wire.others_macs)
    yield from _to_own_mac(here, wire, link.near)
    yield from _from_own_mac(here, wire, uplinks)


def _nobody_elses(here: LocalBalancer, wire: VipOnWire) -> Iterator[BridgeFlow]:
    """What the wire says of the VIP, other nodes' announcements as well, is not for the VMs here: they have its own
    MAC."""
    owner, inside = cookie(Reason.BALANCER_VIP, here.balancer.id), {LOCAL_VLAN: here.network.vlan}
    for vip in here.vips:
        if vip.version == 4:
            yield TO_ROUTER.flow(FORGED, owner, {**inside, "eth_type": ETH_ARP, "arp_spa": vip.value})
        else:
            claims: dict[str, Value] = {**inside, **DISCOVERY, "icmpv6_type": ND_ADVERT, "nd_target": vip.value}
            yield TO_ROUTER.flow(FORGED, owner, claims)


def _marked(here: LocalBalancer, wire: VipOnWire, near: int) -> Iterator[BridgeFlow]:
    """What another node has balanced, for a member here: its answers go back to that node.  Each packet says it anew:
    another node may have taken over.  What leaves by the wire and is nobody's here is looked up."""
    owner = cookie(Reason.BALANCER_VIP, here.balancer.id)
    back = (Move("eth_src", "ct_label", bits=48), SetField("ct_label", ON_WIRE, ON_WIRE))
    remember = (_TO_LED, Ct(zone=ORIGIN, commit=True, exec=back), _BACK, SWITCHING.goto)
    protocols = sorted({one.protocol for one in here.served})
    for version in sorted({vip.version for vip in here.vips}):
        of_it: dict[str, Value] = {LOCAL_VLAN: here.network.vlan, "eth_type": ETH[version]}
        leaves: dict[str, Value] = {**of_it, OUT_PORT: near, ORIGIN: (0, LED_HERE)}
        yield FROM_MEMBER.flow(LED, owner, leaves, CtClear(), _TO_LED, Ct(zone=ORIGIN, table=FROM_MEMBER.id))
        for node, protocol in product(wire.others_leading, protocols):
            whole: dict[str, Value] = {"ip_proto": protocol, "ip_frag": fragments.NONE}
            yield TO_ROUTER.flow(MARKED, owner, {**of_it, **whole, "eth_src": node}, *remember)


def _to_own_mac(here: LocalBalancer, wire: VipOnWire, near: int) -> Iterator[BridgeFlow]:
    """From physical hosts, for the VIP; from members' nodes, for physical hosts."""
    owner = cookie(Reason.BALANCER_VIP, here.balancer.id)
    to_us: dict[str, Value] = {LOCAL_VLAN: here.network.vlan, "eth_dst": wire.own_mac}
    yield TO_ROUTER.flow(NOTHING, owner, to_us)
    came = SetField(ORIGIN, FROM_WIRE, FROM_WIRE)
    its = SetField("eth_dst", mac(here.balancer.vip_mac_address))
    back = SetField(ORIGIN, ASKED_BACK | RETURNED, ASKED_BACK | RETURNED)
    ask = Ct(zone=ORIGIN, nat=Nat(), table=FROM_MEMBER.id)
    for vip in here.vips:
        to_vip: dict[str, Value] = {**to_us, "eth_type": ETH[vip.version], DST[vip.version]: vip.value}
        yield TO_ROUTER.flow(TO_VIP, owner, to_vip, its, *LOOPBACK, came, SWITCHING.goto)
    returned: dict[str, Value] = {LOCAL_VLAN: here.network.vlan, "eth_dst": wire.leading_mac}
    yield TO_ROUTER.flow(NOTHING, owner, returned)
    for version in sorted({vip.version for vip in here.vips}):
        answer: dict[str, Value] = {**returned, "eth_type": ETH[version]}
        yield TO_ROUTER.flow(RETURNING, owner, answer, SetField(OUT_PORT, near), *LOOPBACK, back, ask)


def _from_own_mac(here: LocalBalancer, wire: VipOnWire, uplinks: Uplinks) -> Iterator[BridgeFlow]:
    """What the VIP says itself, by this node's MAC on the wire, as routers do."""
    link, name = here.network.link(uplinks), here.network.segment.physical_network or ""
    outside = outside_vlan(here.network)
    tag = PopVlan() if outside == UNTAGGED else SetField("vlan_vid", outside)
    for far in link.fars if link else ():
        says: dict[str, Value] = {"in_port": far, "vlan_vid": tagged(here.network.vlan)}
        says["eth_src"] = mac(here.balancer.vip_mac_address)
        owner = cookie(Reason.BALANCER_VIP, here.balancer.id)
        flow = PHYS["to_wire"].flow(ROUTED, owner, says, SetField("eth_src", wire.own_mac), tag, Output(OFPP_NORMAL))
        yield flow._replace(bridge=physical_role(name))
