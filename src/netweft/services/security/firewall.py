"""The firewall in front of every guarded port: how a packet's verdict comes about.  Rules as flows: `firewall_rules`.

    egress ─ct─▶ egress_state ─▶ egress_groups ⇄ egress_rules ─▶ egress_verdict ─▶ switching ─┐
    ┌─────────────────────────────────────────────────────────────────────────────────────────┘
    └▶ ingress ─ct, if not yet─▶ ingress_state ─▶ ingress_groups ⇄ ingress_rules ─▶ ingress_verdict ─▶ commit ─▶ …

Conntrack has one zone per network, so a packet between two ports of one node is tracked once for both.
Only replies (of connections that both ends permit) pass without a look at the rules; packets of the original direction
are matched against them each time.  So a rule taken away ends what it alone allowed: the packet is dropped and the
connection marked, which stops its replies, until a rule permits it again.  A rule added can only permit more.

The mark says which side refuses, client or server, and only that side clears its bit.  Of a flooded frame the other
receivers' verdicts say nothing about one port's: there each port that may be the one to reply (it shares an address or
a
MAC with others: LocalPort.shares) has a bit of its own, which stops its own replies and nobody else's.

A port's firewall group (FWaaS), and that of the router port by which a packet comes or goes, are evaluated after its
security groups, and only restrict: a packet passes that all of them permit.  With one, ports without port security are
tracked as well.  Ports of stateless groups are tracked only for a firewall group; their rules are evaluated in both
directions.  Packets to multicast and broadcast addresses are not tracked, since no reply comes from there.  Those of a
crowd are tracked all the same: so each copy is a packet of its own to Open vSwitch (see `switching`).
"""

from collections.abc import Iterator, Mapping
from itertools import product
from types import MappingProxyType

from msgspec import Struct

from netweft.dataplane.openflow.fields import (
    ETH_ARP,
    ETH_IPV4,
    ETH_IPV6,
    ETH_RARP,
    ND_ADVERT,
    ND_SOLICIT,
    PROTO_ICMPV6,
    PROTO_UDP,
    ROUTER_ADVERT,
    ROUTER_SOLICIT,
)
from netweft.dataplane.openflow.flow import Action, Clone, Controller, Ct, CtClear, Goto, Meter, Move, SetField
from netweft.dataplane.openflow.meters import DropMeter
from netweft.services.fields import (
    AGENT,
    CLIENT_SIDE,
    CROWD,
    ENDED,
    FLOODED,
    GROUP,
    GUARDED,
    IN_PORT,
    JUDGED,
    LOCAL_VLAN,
    NOBODY,
    ONE_OF_MANY,
    OUT_PORT,
    PERMIT,
    PERMITTED,
    PIECE,
    REJECTED,
    REMEMBERED,
    SAID,
    SERVER_SIDE,
    TRACKED,
    TRIAL,
    Reason,
    cookie,
    refusal,
    rejecting_meter,
)
from netweft.services.pipeline import INT, BridgeFlow, Table, Value
from netweft.services.security import firewall_logs, firewall_policies, firewall_rules, fragments
from netweft.services.security.conntrack import (
    IS_ANSWER,
    IS_INVALID,
    IS_KNOWN,
    IS_NEW,
    IS_OWN_WAY,
    IS_RELATED,
    IS_TRACKED,
    IS_UNTRACKED,
)
from netweft.services.service import Service, Wanted
from netweft.services.values import Asked, HostFacts, LocalPort, Uplinks

UNGUARDED, NEVER, ESSENTIAL, STATELESS, TO_MANY, KNOWN = 60, 55, 50, 40, 35, 30
IN_PIECES, UNTRACKED, NOTHING_ELSE = 25, 20, 10
TRIED = 50
REJECTIONS = 100  # a second that the agent says, of what a port sends and gets
KINDS: tuple[tuple[int, int], ...] = ((GUARDED, GUARDED), (TRACKED, TRACKED))  # of ports that are tracked
IP = (ETH_IPV4, ETH_IPV6)
MANY: tuple[dict[str, Value], ...] = (  # RFC 5771, RFC 919, RFC 4291
    {"eth_type": ETH_IPV4, "ipv4_dst": (0xE << 28, 0xF << 28)},
    {"eth_type": ETH_IPV4, "ipv4_dst": 0xFFFFFFFF},
    {"eth_type": ETH_IPV6, "ipv6_dst": (0xFF << 120, 0xFF << 120)},
)

MLD = (130, 131, 132, 143)


class Side(Struct, frozen=True, kw_only=True):
    """One direction.  port: the register with the guarded port.  to_many: which packets for many addresses are not
    tracked.  neighbourly: which ICMPv6 types need no rule.
    dhcp: IP version -> source and destination port of what needs none either.
    one: where it is to one port alone.  pieces: where fragments come back to.  refuses: the mark of who is judged.
    exempt, answered, permitted: where a packet goes on that needs no rule, that is an answer, that a rule permits."""

    name: str
    port: str
    to_many: dict[str, Value]
    neighbourly: tuple[int, ...]
    dhcp: dict[int, tuple[int, int]]
    one: dict[str, Value]
    pieces: Table
    refuses: int
    exempt: Goto
    answered: Goto
    permitted: Goto

    def table(self, name: str = "") -> Table:
        return INT[f"{self.name}_{name}" if name else self.name]


EGRESS = Side(
    name="egress",
    port=IN_PORT,
    to_many={},
    neighbourly=(*MLD, ROUTER_SOLICIT, ND_SOLICIT, ND_ADVERT),
    dhcp={ETH_IPV4: (68, 67), ETH_IPV6: (546, 547)},
    one={},
    pieces=INT["egress_pieces"],
    refuses=CLIENT_SIDE,
    exempt=INT["to_router"].goto,
    answered=INT["to_router"].goto,
    permitted=INT["to_router"].goto,
)
INGRESS = Side(
    name="ingress",
    port=OUT_PORT,
    to_many={FLOODED: (0, CROWD)},
    neighbourly=(*MLD, ROUTER_ADVERT, ND_SOLICIT, ND_ADVERT),
    dhcp={ETH_IPV4: (67, 68), ETH_IPV6: (547, 546)},
    one={FLOODED: 0},
    pieces=INT["pieces"],
    refuses=SERVER_SIDE,
    exempt=INT["ingress_qos"].goto,
    answered=INT["ingress_qos"].goto,
    permitted=INT["commit"].goto,
)
SIDES = (EGRESS, INGRESS)


def port(here: LocalPort) -> Iterator[Wanted]:
    """Its security groups.  One that is not known here yet has no rules: closed."""
    if not here.is_tracked:
        return
    owner = cookie(Reason.PORT_GROUPS, here.port.id)
    for side in SIDES:
        is_it = {side.port: here.number}
        yield side.table("groups").flow(10, owner, is_it, *_ask(side, here))
        if here.groups and not any(group.stateful for group in here.groups):
            yield from _stateless(here, side, owner)
    yield from firewall_logs.groups_logged(here.port.id, here.group_events, can_limit=here.can_limit)
    if here.is_firewalled:
        yield from _rejected(here)
        yield from firewall_logs.logged(here.firewall, can_limit=here.can_limit)
    if here.shares:
        yield from _one_of_those_who_answer(here, owner)


def _stateless(here: LocalPort, side: Side, owner: int) -> Iterator[BridgeFlow]:
    """For a firewall's sake they are tracked, and answers need a rule all the same."""
    onward = side.table("groups").goto
    if not here.is_firewalled:
        for eth_type in IP:
            yield side.table().flow(STATELESS, owner, {side.port: here.number, "eth_type": eth_type}, onward)
        return
    for state in (IS_ANSWER, IS_RELATED):
        answers: dict[str, Value] = {side.port: here.number, "ct_state": state, "ct_mark": (0, ENDED)}
        yield side.table("state").flow(22, owner, answers, onward)


def _rejected(here: LocalPort) -> Iterator[Wanted]:
    """What it sends, and what is for it.  A port that floods the agent is ignored for a while."""
    owner = cookie(Reason.PORT_REJECTED, here.port.id)
    number = rejecting_meter(here.port.id)
    limit = (Meter(number),) if here.can_limit else ()
    if here.can_limit:
        yield DropMeter(id=number, unit="pktps", rate=REJECTIONS, burst=REJECTIONS)
    to_it: dict[str, Value] = {OUT_PORT: here.number}
    from_it: dict[str, Value] = {IN_PORT: here.number, OUT_PORT: 0}
    yield INT["rejected"].flow(10, owner, to_it, *limit, Controller(AGENT))
    said = () if Asked.REJECTION in here.deaf_to else (*limit, Controller(AGENT))
    yield INT["rejected"].flow(10, owner, from_it, *said)
    if not said:
        yield INT["rejected"].flow(20, owner, {IN_PORT: here.number})


def _one_of_those_who_answer(here: LocalPort, owner: int) -> Iterator[BridgeFlow]:
    """A new connection is marked too, where others may permit it: it is not this port's to answer."""
    bit = refusal(here.port.id)
    marked: Value = (bit, bit)
    for state in (IS_ANSWER, IS_RELATED):
        yield EGRESS.table("state").flow(25, owner, {IN_PORT: here.number, "ct_state": state, "ct_mark": marked})
    for eth_type in IP:
        asked: dict[str, Value] = {OUT_PORT: here.number, "eth_type": eth_type}
        beside_others: dict[str, Value] = {FLOODED: (ONE_OF_MANY, ONE_OF_MANY), "ct_state": IS_NEW}
        for states in ({"ct_state": IS_KNOWN}, beside_others):
            yield INGRESS.table("verdict").flow(15, owner, {**asked, **states}, mark(bit))
        ended: dict[str, Value] = {**asked, "ct_state": IS_OWN_WAY, "ct_mark": marked}
        yield INT["commit"].flow(20, owner, ended, _unmark(bit), INT["ingress_qos"].goto)


def mark(bit: int) -> Clone:
    return _remember(SetField("ct_mark", bit, bit))


def _unmark(bit: int) -> Clone:
    return _remember(SetField("ct_mark", 0, bit))


def _remember(*changes: SetField) -> Clone:
    """By a copy that ends here, and with it the fragments that conntrack gives out at last, whosever they are.
    Forgotten first, since the copy may be a fragment: if its rest never comes, it comes out untracked."""
    return Clone((CtClear(), Ct(zone=LOCAL_VLAN, commit=True, exec=changes)))


def _ask(side: Side, here: LocalPort) -> Iterator[Action]:
    for group in here.groups if here.port.port_security_enabled else ():
        yield SetField(GROUP, group.number)
        yield side.table("rules").resubmit
    yield from firewall_logs.of_groups(here.port.id, here.group_events)
    if not here.port.port_security_enabled:
        yield SetField(PERMITTED, PERMIT)
    if here.firewall:
        yield from firewall_policies.asked(here.firewall, side.name)
    if here.network.firewalled:
        yield INT[f"router_{side.name}"].resubmit
    yield side.table("verdict").goto


def host(_: HostFacts, __: Uplinks) -> Iterator[Wanted]:
    owner = cookie(Reason.PIPELINE)
    for side in SIDES:
        yield from _entry(owner, side)
        yield from _state(owner, side)
        yield from _verdict(owner, side)
        yield side.pieces.flow(20, owner, {"ct_state": IS_TRACKED}, *_at_home(side), _after_pieces(side))
        yield from firewall_rules.needs_no_rule(owner, side.table("rules"), _dhcp(side))
    yield INGRESS.table().flow(UNGUARDED, owner, {OUT_PORT: (0, GUARDED | TRACKED)}, INT["commit"].goto)
    for eth_type in IP:
        said: dict[str, Value] = {TRIAL: (SAID, SAID), "eth_type": eth_type}
        yield INGRESS.table().flow(ESSENTIAL, owner, said, INGRESS.exempt)
    for match in fragments.unacceptable():
        yield INGRESS.table().flow(NEVER, owner, match)
        yield EGRESS.table().flow(NEVER, owner, {**match, IN_PORT: (TRACKED, TRACKED)})
    for eth_type in (ETH_ARP, ETH_RARP):
        yield INGRESS.table().flow(ESSENTIAL, owner, {"eth_type": eth_type}, INGRESS.exempt)
    for kind in KINDS:
        known: dict[str, Value] = {OUT_PORT: kind, FLOODED: (0, CROWD), "ct_state": IS_TRACKED}
        yield INGRESS.table().flow(KNOWN, owner, known, INGRESS.table("state").goto)
    yield INGRESS.table().flow(NOTHING_ELSE, owner, {OUT_PORT: KINDS[0]})
    yield INGRESS.table().flow(NOTHING_ELSE, owner, {OUT_PORT: KINDS[1]}, INGRESS.exempt)
    yield from _commit(owner)
    yield from _trials(owner)


def needs_no_rule(eth_type: int) -> Iterator[dict[str, Value]]:
    """On its link, in either direction, of this IP version; routers forward nothing of it, or it would be a way in past
    all rules: RFC 4861 7.1, RFC 3810 5, RFC 2131, RFC 8415."""
    if eth_type == ETH_IPV6:
        for kind in sorted({kind for side in SIDES for kind in side.neighbourly}):
            yield {"eth_type": eth_type, "ip_proto": PROTO_ICMPV6, "icmpv6_type": kind}
    for side in SIDES:
        yield from (udp for udp in _dhcp(side) if udp["eth_type"] == eth_type)


def _entry(owner: int, side: Side) -> Iterator[BridgeFlow]:
    table = side.table()
    for kind in side.neighbourly:
        icmpv6 = {"eth_type": ETH_IPV6, "ip_proto": PROTO_ICMPV6, "icmpv6_type": kind}
        yield table.flow(ESSENTIAL, owner, icmpv6, side.exempt)
    for udp in _dhcp(side):
        yield table.flow(ESSENTIAL, owner, {**udp, "ip_frag": fragments.NONE}, side.exempt)
    for kind_of_port in KINDS:
        yield from _enter(owner, side, {side.port: kind_of_port})


def _enter(owner: int, side: Side, port: dict[str, Value]) -> Iterator[BridgeFlow]:
    table = side.table()
    for many in MANY:
        yield table.flow(TO_MANY, owner, {**port, **side.to_many, **many}, side.table("groups").goto)
    state, pieces = (Ct(zone=LOCAL_VLAN, table=there.id) for there in (side.table("state"), side.pieces))
    for eth_type in IP:  # not as tracked already, as copies for a crowd are: see _remember
        packet = {**port, "eth_type": eth_type}
        yield table.flow(UNTRACKED, owner, packet, CtClear(), state)
        for priority, one, track in ((IN_PIECES, side.one, pieces), (IN_PIECES - 1, {}, state))[: 1 + bool(side.one)]:
            piece: dict[str, Value] = {**packet, **one, "ip_frag": fragments.ANY}
            yield table.flow(priority, owner, piece, CtClear(), SetField(PIECE, 1), track)


def _dhcp(side: Side) -> Iterator[dict[str, Value]]:
    for eth_type, (source, target) in side.dhcp.items():
        yield {"eth_type": eth_type, "ip_proto": PROTO_UDP, "udp_src": source, "udp_dst": target}


def _at_home(side: Side) -> Iterator[Action]:
    """Fragments of another datagram may have come along: where they are of, and so for whom, conntrack says."""
    yield Move("ct_zone", LOCAL_VLAN, 16)
    if side is INGRESS:
        yield SetField(OUT_PORT, 0)


def _after_pieces(side: Side) -> Goto:
    return INT["switching"].goto if side is INGRESS else side.table("state").goto


def _state(owner: int, side: Side) -> Iterator[BridgeFlow]:
    """Untracked: fragments of somebody else, whose rest never came, and that Open vSwitch gives out at last.  Fragments
    beside a whole packet: somebody else's.  A whole packet is untracked where vswitchd has executed its actions one by
    one, for the kernel's datapath (a VIP's answer to a ping: decision 0547): by now it does so no more."""
    table = side.table("state")
    for eth_type in IP:
        yield table.flow(50, owner, {PIECE: 0, "eth_type": eth_type, "ip_frag": fragments.ANY})
        if side is INGRESS:
            lost: dict[str, Value] = {"eth_type": eth_type, "ip_frag": fragments.NONE, "ct_state": IS_UNTRACKED}
            yield table.flow(45, owner, lost, Ct(zone=LOCAL_VLAN, table=table.id))
    yield table.flow(40, owner, {"ct_state": IS_UNTRACKED})
    yield table.flow(30, owner, {"ct_state": IS_INVALID})
    for state in (IS_ANSWER, IS_RELATED):
        yield table.flow(20, owner, {"ct_state": state, "ct_mark": (0, ENDED)}, side.answered)
        yield table.flow(10, owner, {"ct_state": state})


def _verdict(owner: int, side: Side) -> Iterator[BridgeFlow]:
    """PERMITTED is cleared for the next evaluation: the other direction, or the next copy of a flooded frame."""
    table, cleared = side.table("verdict"), SetField(PERMITTED, 0)
    yield table.flow(20, owner, {PERMITTED: PERMIT}, cleared, side.permitted)
    yield table.flow(20, owner, {PERMITTED: REJECTED}, cleared, INT["rejected"].goto)
    for eth_type in IP:
        known: dict[str, Value] = {"eth_type": eth_type, "ct_state": IS_KNOWN}
        yield table.flow(10, owner, {FLOODED: 0, **known}, mark(side.refuses))
        named: dict[str, Value] = {PERMITTED: REJECTED, FLOODED: 0, **known}
        yield table.flow(25, owner, named, cleared, mark(side.refuses), INT["rejected"].goto)
        if side is EGRESS:
            again: dict[str, Value] = {PERMITTED: PERMIT, **known, "ct_mark": (side.refuses, side.refuses)}
            yield table.flow(30, owner, again, cleared, _unmark(side.refuses), side.permitted)


def _commit(owner: int) -> Iterator[BridgeFlow]:
    """Also what is for an unguarded port or another node."""
    yield from remembered(owner, INT["commit"], INT["ingress_qos"].goto, {FLOODED: 0})


def remembered(
    owner: int, table: Table, onward: Goto, one: Mapping[str, Value] = MappingProxyType({})
) -> Iterator[BridgeFlow]:
    """New connections are, and those that had ended and are permitted again.  One that nobody had answered may have
    ended while it was new: it is new again (`endings.by_mark`).  one: where it is to one port alone."""
    for eth_type in IP:
        new: dict[str, Value] = {"eth_type": eth_type, "ct_state": IS_NEW}
        yield table.flow(10, owner, new, _remember(), onward)
        yield table.flow(15, owner, {**new, "ct_mark": (SERVER_SIDE, SERVER_SIDE)}, _unmark(ENDED), onward)
        ended: dict[str, Value] = {"eth_type": eth_type, "ct_state": IS_KNOWN, "ct_mark": (SERVER_SIDE, SERVER_SIDE)}
        yield table.flow(10, owner, {**one, **ended}, _unmark(SERVER_SIDE), onward)


def _trials(owner: int) -> Iterator[BridgeFlow]:
    """They end here, those for somebody elsewhere before they are sent there."""
    elsewhere: dict[str, Value] = {"eth_dst": int.from_bytes(NOBODY, "big")}
    remembered: dict[str, Value] = {TRIAL: JUDGED | REMEMBERED}
    ends = (INT["commit"], INT["leaves_network"])  # in the network, and by a router
    for table, match in ((INT["switching"], elsewhere), *((table, {}) for table in ends)):
        yield table.flow(TRIED, owner, {**match, TRIAL: (JUDGED, JUDGED)})
    yield INT["switching"].flow(TRIED + 1, owner, {**elsewhere, **remembered}, INT["commit"].goto)
    yield INT["rejected"].flow(TRIED, owner, {TRIAL: (JUDGED, JUDGED)})
    for table, eth_type in product(ends, IP):
        of: dict[str, Value] = {**remembered, "eth_type": eth_type}
        yield table.flow(TRIED + 1, owner, {**of, "ct_state": IS_NEW}, _remember())
        for state, refused in ((IS_NEW, ENDED), (IS_KNOWN, SERVER_SIDE)):
            ended: dict[str, Value] = {**of, "ct_state": state, "ct_mark": (SERVER_SIDE, SERVER_SIDE)}
            yield table.flow(TRIED + 2, owner, ended, _unmark(refused))


FIREWALL = Service("firewall", host=host, port=port, group=firewall_rules.group, remote=firewall_rules.remote)
