"""Load balancers in flows: each connection is led to a member on the node where the client's packet starts.

    switching ─to a VIP─▶ to_vip ─▶ balance ─ct─▶ balance_state ─known─▶ to_member ─▶ next_hop │ to_router
                                                    └─new─▶ members ─ct: nat─▶─┘

    ingress │ to_outside ─from a member─ct: nat─▶ from_member ─▶ ingress │ to_outside

What a client's group permits is judged before, with the VIP as its destination, and what is remembered of it in the
client's network is the client and the VIP.  The member sees the client.  Conntrack holds which member a
connection has, in a zone of its own for each network of clients: there the answer finds it, wherever it comes from.
A member that is its own client sees the VIP as client: it would answer itself otherwise.

Who gets a new connection is decided by a hash of its ends, in slots, as a route's next hops are (decision 0481): the
same on every node, without anything remembered (decision 0570).
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from netweft.dataplane.openflow.fields import PROTO_ICMP, PROTO_ICMPV6, PROTO_SCTP, PROTO_TCP, PROTO_UDP
from netweft.dataplane.openflow.flow import Action, Controller, Ct, CtClear, Meter, Move, Multipath, Nat, SetField
from netweft.dataplane.openflow.meters import DropMeter
from netweft.services import qos
from netweft.services.addresses import MAC_ANY_MULTICAST, Prefix, mac, prefix
from netweft.services.fields import (
    AGENT,
    ASKED_BACK,
    BALANCED_ZONE,
    CROWD,
    FLOODED,
    LEAVING,
    LOCAL_VLAN,
    NEXT_HOP,
    ORIGIN,
    POOL,
    SLOT,
    Reason,
    cookie,
    outside_meter,
)
from netweft.services.l2.neighbours import advertisement, arp_reply, asks_for
from netweft.services.l3.echo import ECHO, HOPS, swapped
from netweft.services.l3.neighbours.responder import ASK, NOT_SAID, nobody_elses
from netweft.services.l3.routing.next_hops import LOOPBACK, at
from netweft.services.l3.routing.routes import DST, ETH, SRC, to_next_hop
from netweft.services.lb import fragments as vip_fragments
from netweft.services.lb import on_wire
from netweft.services.lb.slots import ALIKE, Share, majority, owners, width
from netweft.services.lb.values import LocalBalancer, Served, Service, Spread
from netweft.services.pipeline import INT, BridgeFlow, Table, Value
from netweft.services.security import fragments
from netweft.services.security.conntrack import ESTABLISHED, INVALID, NEW, RELATED, TRACKED_BIT
from netweft.services.security.firewall import remembered
from netweft.services.service import Service as Feature
from netweft.services.service import Wanted
from netweft.services.values import HostFacts, Uplinks

TO_VIP, BALANCE, STATE, MEMBERS, HAIRPIN, TO_MEMBER, FROM_MEMBER, INGRESS, TO_OUTSIDE = (
    INT[name]
    for name in (
        *("to_vip", "balance", "balance_state", "members", "hairpin", "to_member"),
        *("from_member", "ingress", "to_outside"),
    )
)
VIP = 40  # in switching: its MAC is nobody else's
ANSWERS: Final = {INGRESS: 70, TO_OUTSIDE: 50}  # before anything else there
TARGET_TRANSLATED = 0x80
IS_TRACKED: Final = (TRACKED_BIT, TRACKED_BIT | INVALID)
IS_NEW: Final = (TRACKED_BIT | NEW, TRACKED_BIT | NEW | ESTABLISHED | RELATED | INVALID | TARGET_TRANSLATED)
NAMES: Final = {PROTO_TCP: "tcp", PROTO_UDP: "udp", PROTO_SCTP: "sctp"}
CT_DST: Final = {4: "ct_nw_dst", 6: "ct_ipv6_dst"}
BITS: Final = {4: 32, 6: 128}
WORD: Final = 32
_EXEC: Final = {False: (vip_fragments.MARK,), True: (vip_fragments.MARK, *on_wire.CLIENT)}
_PUT_BY: Final = NEXT_HOP[1:]  # SLOT is the first
ICMP: Final = {4: PROTO_ICMP, 6: PROTO_ICMPV6}
ERRORS: Final = {4: (3, 11, 12), 6: (1, 2, 3, 4)}  # RFC 792, RFC 4443


def host(facts: HostFacts, __: Uplinks) -> Iterator[Wanted]:
    owner = cookie(Reason.PIPELINE)
    if facts.datapath_type == "netdev":
        yield from vip_fragments.host(owner)
    yield from on_wire.host(owner)
    yield from remembered(owner, TO_VIP, BALANCE.goto)
    for known in (ESTABLISHED, RELATED, TARGET_TRANSLATED):
        state: Value = (TRACKED_BIT | known, TRACKED_BIT | INVALID | known)
        yield STATE.flow(20, owner, {"ct_state": state}, TO_MEMBER.goto)
    for eth_type in ETH.values():
        back: dict[str, Value] = {"eth_type": eth_type, "ct_state": IS_TRACKED}
        yield HAIRPIN.flow(10, owner, back, CtClear(), _tracked(TO_MEMBER))
    yield from _go_on(owner, 10, {})


def _go_on(owner: int, priority: int, match: dict[str, Value], *limited: Action) -> Iterator[BridgeFlow]:
    """A member's packet goes on where it came from, and does not come here again."""
    asked = SetField(ORIGIN, ASKED_BACK, ASKED_BACK | LEAVING)
    leaving: dict[str, Value] = {**match, ORIGIN: (LEAVING, LEAVING)}
    for more, each, onward in ((10, leaving, TO_OUTSIDE), (0, match, INGRESS)):
        yield FROM_MEMBER.flow(priority + more, owner, each, *limited, CtClear(), asked, onward.resubmit)


def balancer(here: LocalBalancer, uplinks: Uplinks) -> Iterator[Wanted]:
    owner = cookie(Reason.BALANCER_VIP, here.balancer.id)
    vip_mac = mac(here.balancer.vip_mac_address)
    to_it: dict[str, Value] = {LOCAL_VLAN: here.network.vlan, "eth_dst": vip_mac}
    made = limits(here)
    yield from (meter for each in made.values() for meter in each)
    yield INT["switching"].flow(VIP, owner, to_it, *_meters(made["ingress"]), TO_VIP.goto)
    yield from nobody_elses(owner, here.network, here.vips, here.balancer.vip_mac_address)
    for vip in here.vips:
        yield from _found(here, owner, vip_mac, vip)
        if here.balancer.admin_state_up:
            yield from _ping(here, owner, vip_mac, vip)
            yield from _errors(here, owner, vip)
    for one in here.served:
        for vip in here.vips:
            yield from _listens(here, one, vip, _meters(made["egress"]))
    yield from _ways(here, owner)
    yield from vip_fragments.balancer(here)
    yield from on_wire.balancer(here, uplinks)
    for at_ in sorted({backend.at for one in here.served for backend in one.spread.backends}):
        yield from _itself(here, owner, vip_mac, at_)


def limits(here: LocalBalancer) -> dict[str, list[DropMeter]]:
    """Of its VIP's QoS policy, by direction as the VIP sees it: each node limits what its own clients say and hear."""
    number = partial(outside_meter, here.balancer.id)
    return {
        direction: list(qos.meters(here.qos, direction, here.frame, number)) if here.qos else []
        for direction in ("egress", "ingress")
    }


def _meters(made: Sequence[DropMeter]) -> list[Action]:
    return [Meter(meter.id) for meter in made]


def _found(here: LocalBalancer, owner: int, vip_mac: int, vip: Prefix) -> Iterator[BridgeFlow]:
    """ARP and ND for the VIP are answered on the requester's node, as for a router's: by the agent, where no flow
    can."""
    requests, asked = INT["requests"], {LOCAL_VLAN: here.network.vlan, **asks_for(vip)}
    if vip.version == 4:
        yield requests.flow(ASK, owner, asked, *arp_reply(vip_mac, vip.value))
    else:
        if here.network.discovery:
            yield requests.flow(ASK - 1, owner, asked, *advertisement(vip_mac, vip.value, router=False))
            asked[NOT_SAID] = 0
        yield requests.flow(ASK, owner, asked, Controller(AGENT))
    to_it = (SetField("eth_dst", vip_mac), *LOOPBACK, CtClear(), INT["switching"].goto)
    yield INT["next_hop"].flow(10, owner, {LOCAL_VLAN: here.network.vlan, **at(vip)}, *to_it)


def _ping(here: LocalBalancer, owner: int, vip_mac: int, vip: Prefix) -> Iterator[BridgeFlow]:
    """The request turned round."""
    protocol, request, reply = ECHO[vip.version]
    kind, code = (f"icmpv{vip.version}_{part}" for part in ("type", "code"))
    asks: dict[str, Value] = {**_to(here, vip), "ip_proto": protocol, kind: request, code: 0}
    back = (Move("eth_src", "eth_dst", bits=48), SetField("eth_src", vip_mac))
    turned = (*back, *swapped(vip.version), SetField("ip_ttl", HOPS), SetField(kind, reply))
    for client in _clients(here.pings.get(vip.version), vip.version):
        yield BALANCE.flow(20, owner, {**asks, **client}, *turned, *LOOPBACK, CtClear(), INT["to_router"].resubmit)


def _errors(here: LocalBalancer, owner: int, vip: Prefix) -> Iterator[BridgeFlow]:
    """About what a member has said: they are for that one."""
    for kind in ERRORS[vip.version]:
        match: dict[str, Value] = {"ip_proto": ICMP[vip.version], f"icmpv{vip.version}_type": kind}
        yield BALANCE.flow(20, owner, {**_to(here, vip), **match}, _tracked(STATE))


def _listens(here: LocalBalancer, one: Served, vip: Prefix, limited: Sequence[Action]) -> Iterator[BridgeFlow]:
    """limited: by what, where it answers."""
    owner, name = cookie(Reason.LISTENER_VIP, one.listener.id), NAMES[one.protocol]
    port = one.listener.protocol_port
    match: dict[str, Value] = {**_to(here, vip), "ip_proto": one.protocol, f"{name}_dst": port}
    for client in _clients(one.clients, vip.version):
        ask = (SetField(POOL, one.spread.number), _tracked(STATE))
        yield BALANCE.flow(20, owner, {**match, **client}, *ask)
        if vip_fragments.collects(here, one):
            first: dict[str, Value] = {**match, **client, "ip_frag": fragments.FIRST}
            yield BALANCE.flow(21, owner, first, vip_fragments.AS_PIECE, *ask)
    begun: dict[str, Value] = {"eth_type": ETH[vip.version], "ct_state": IS_TRACKED, CT_DST[vip.version]: vip.value}
    of_it: dict[str, Value] = {**begun, "ct_nw_proto": one.protocol, "ct_tp_dst": port}
    answers = cookie(Reason.LISTENER_ANSWERS, one.listener.id)
    yield from _go_on(answers, 30, of_it, *limited)
    yield from on_wire.answers(here, answers, of_it, limited)


def _clients(cidrs: tuple[str, ...] | None, version: int) -> Iterator[dict[str, Value]]:
    """Of several that hold one address any will do."""
    if cidrs is None:
        yield {}
        return
    for net in {prefix(cidr): None for cidr in cidrs}:
        if net.version == version:
            yield {SRC[version]: net.value if net.mask is None else (net.value, net.mask)}


def _ways(here: LocalBalancer, owner: int) -> Iterator[BridgeFlow]:
    """To a member in the network, or by its router to one elsewhere.  A member that is the VIP itself is none: packets
    would go round."""
    for vip in here.vips:
        yield TO_MEMBER.flow(30, owner, _to(here, vip))
    for on_link in here.on_link:
        target = on_link.value if on_link.mask is None else (on_link.value, on_link.mask)
        match = {**_of(here, on_link.version), DST[on_link.version]: target}
        onward = (*to_next_hop(on_link.version, None), INT["next_hop"].resubmit)
        yield TO_MEMBER.flow(10, owner, match, *onward)
        if here.wire is not None:
            yield TO_MEMBER.flow(
                12, owner, {**match, **on_wire.CAME}, SetField("eth_src", here.wire.leading_mac), *onward
            )
    for version, router in sorted(here.by.items()):
        routed = (SetField("eth_dst", router), *LOOPBACK, CtClear(), INT["to_router"].resubmit)
        yield TO_MEMBER.flow(5, owner, _of(here, version), *routed)


def _itself(here: LocalBalancer, owner: int, vip_mac: int, one: Service) -> Iterator[BridgeFlow]:
    """A member that is its own client: to it from the VIP; what it says to the VIP, as a member, comes back to it."""
    version, name = one.address.version, NAMES[one.protocol]
    for vip in here.vips:
        if vip.version != version:
            continue
        own: dict[str, Value] = {SRC[version]: one.address.value, DST[version]: one.address.value}
        turned: dict[str, Value] = {**_of(here, version), **own, "ct_state": IS_TRACKED, CT_DST[version]: vip.value}
        hide = Ct(zone=ORIGIN, commit=True, nat=Nat(src=vip.value, version=version), table=TO_MEMBER.id)
        yield TO_MEMBER.flow(20, owner, turned, CtClear(), SetField("eth_src", vip_mac), hide)
        says: dict[str, Value] = {SRC[version]: one.address.value, "ip_proto": one.protocol, f"{name}_src": one.port}
        yield BALANCE.flow(15, owner, {**_to(here, vip), **says}, _tracked(HAIRPIN))


def spread(one: Spread) -> Iterator[BridgeFlow]:
    """A new connection's slot, and whose that is, for each IP version that somebody can be reached by.  Who is alone
    needs no slots: nothing is hashed, and what the datapath has cached of one client's connection serves its next.
    A majority of the slots is one flow below the others'."""
    owner = cookie(one.reason, one.id)
    new: dict[str, Value] = {POOL: one.number, "ct_state": IS_NEW}
    chosen = [backend for backend in one.backends if backend.weight]
    by_version = {version: [b for b in chosen if b.at.address.version == version] for version in (4, 6)}
    most = max(map(len, by_version.values()))
    members = one.reason is Reason.POOL_METHOD
    bits = width(most) if members else ALIKE
    choose = Multipath(SLOT, bits, 1 << bits, one.number & 0xFFFF, ports=not one.by_source, source=one.by_source)
    yield STATE.flow(10, owner, new, *([choose] if most > 1 else []), MEMBERS.goto)
    if one.netmask is not None and most > 1:
        of_it: dict[str, Value] = {**new, "eth_type": ETH[one.netmask.version]}
        yield STATE.flow(11, owner, of_it, *_of_a_net(one.netmask, choose), MEMBERS.goto)
    for version, backends in by_version.items():
        given = [
            (cookie(Reason.MEMBER_SLOTS, each.id) if members else owner, (_given(each.at, wire=one.on_wire),))
            for each in backends
        ]
        match: dict[str, Value] = {POOL: one.number, "eth_type": ETH[version]}
        slots = owners([Share(each.id, each.weight) for each in backends], bits) if len(given) > 1 else [0] * len(given)
        rest = majority(slots)
        if rest is not None:
            whose, actions = given[rest]
            yield MEMBERS.flow(9, whose, match, *actions)
        whose_slots = (None if place == rest else given[place] for place in slots)
        yield from MEMBERS.flows(10, match, SLOT, (1 << bits) - 1, whose_slots)


def _of_a_net(netmask: Prefix, choose: Multipath) -> Iterator[Action]:
    """Hashed without the bits that clients of one network differ in, which are put back: 96 at most, since what is
    hashed stands in the first word."""
    source, bits = SRC[netmask.version], BITS[netmask.version]
    hosts = ~netmask.value & (1 << min(bits, len(_PUT_BY) * WORD)) - 1
    words = [(register, word * WORD) for word, register in enumerate(_PUT_BY) if hosts >> word * WORD]
    yield from (Move(source, register, WORD, src_start=at) for register, at in words)
    if hosts:
        yield SetField(source, 0, None if hosts == (1 << bits) - 1 else hosts)
    yield choose
    yield from (Move(register, source, WORD, dst_start=at) for register, at in words)


def _given(to: Service, *, wire: bool) -> Action:
    """wire: of physical hosts as well.  Conntrack of the userspace datapath knows no ports of SCTP, and leaves them."""
    nat = Nat(dst=to.address.value, port=to.port, version=to.address.version)
    return Ct(zone=ORIGIN, commit=True, nat=nat, exec=_EXEC[wire], table=TO_MEMBER.id)


def answers(one: Service, member_id: str) -> Iterator[BridgeFlow]:
    """What is sent from there may be a reply by way of a VIP: a local client's connection is in its network's zone."""
    owner, version = cookie(Reason.MEMBER_ANSWERS, member_id), one.address.version
    says: Mapping[str, Value] = {
        "eth_type": ETH[version],
        "ip_proto": one.protocol,
        SRC[version]: one.address.value,
        f"{NAMES[one.protocol]}_src": one.port,
    }
    yield from _asked_back(owner, says)


def errors() -> Iterator[BridgeFlow]:
    """ICMP errors about what a client has sent to a VIP quote the member that it was for, and anybody may say them: a
    router on the way, a firewall.  Conntrack has them be about the VIP, and from it (docs/ground.md)."""
    owner = cookie(Reason.PIPELINE)
    for version, kinds in ERRORS.items():
        for kind in kinds:
            says: dict[str, Value] = {"eth_type": ETH[version], "ip_proto": ICMP[version], f"icmpv{version}_type": kind}
            yield from _asked_back(owner, says)


def _asked_back(owner: int, says: Mapping[str, Value]) -> Iterator[BridgeFlow]:
    whole: dict[str, Value] = {**says, ORIGIN: (0, ASKED_BACK), "ip_frag": fragments.NONE}
    zone = Move(LOCAL_VLAN, ORIGIN, bits=16)
    back = (zone, SetField(ORIGIN, BALANCED_ZONE, BALANCED_ZONE), _tracked(FROM_MEMBER))
    # unicast, also where several ports share the client's MAC; a multicast frame is nobody's answer
    to_client: dict[str, Value] = {FLOODED: (0, CROWD), "eth_dst": (0, MAC_ANY_MULTICAST)}
    yield INGRESS.flow(ANSWERS[INGRESS], owner, {**whole, **to_client}, *back)
    leaving = SetField(ORIGIN, LEAVING, LEAVING)
    yield TO_OUTSIDE.flow(ANSWERS[TO_OUTSIDE], owner, whole, leaving, *back)


def _tracked(table: Table) -> Ct:
    return Ct(zone=ORIGIN, nat=Nat(), table=table.id)


def _of(here: LocalBalancer, version: int) -> dict[str, Value]:
    return {LOCAL_VLAN: here.network.vlan, "eth_type": ETH[version]}


def _to(here: LocalBalancer, vip: Prefix) -> dict[str, Value]:
    return {**_of(here, vip.version), DST[vip.version]: vip.value}


BALANCING = Feature("load balancers", host=host)
