"""UDP and TCP in fragments to VIPs and back, in the userspace datapath.  Its conntrack gives fragments back one by one,
and of later ones nobody sees ports: neither which listener they are for nor by which slot (decision 0598).

    balance ─ct─▶ balance_state ─known─▶ to_member
                        └─new─▶ the agent: it makes the connection known, and gives them back

    ingress ─of a member, ct─▶ from_member ─▶ switching

Conntrack translates a datagram whole, by its connection.  One that it does not know is begun by an empty datagram of
the agent's, or SYN, between the same ends: it is balanced as any other, and given to nobody.

A fragment may come out with somebody else's (decision 0337).  The mark of its connection says the VIP's network, and
the zone the client's: it goes on there, or ends.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from netweft.dataplane.openflow.fields import ETH_IPV4, PROTO_TCP, PROTO_UDP
from netweft.dataplane.openflow.flow import Action, Controller, Ct, CtClear, Meter, Move, Nat, SetField
from netweft.dataplane.openflow.meters import DropMeter
from netweft.dataplane.packets.datagram import begins_connection, empty_between, encode, header_alone
from netweft.dataplane.packets.readdressed import ports
from netweft.dataplane.packets.readdressed6 import FIRST_BEGINS, ports_of_first
from netweft.services.addresses import Prefix
from netweft.services.fields import (
    AGENT,
    ASKED_BACK,
    BALANCED_ZONE,
    FLOODED,
    GIVEN_BACK,
    IN_PORT,
    JUDGED,
    LOCAL_VLAN,
    ORIGIN,
    OUT_PORT,
    PIECE,
    TRACKED_PIECE,
    TRIAL,
    Limit,
    Reason,
    cookie,
    outside_meter,
)
from netweft.services.l2.announce import Packet
from netweft.services.l3.routing.routes import DST, ETH, SRC
from netweft.services.lb.values import LocalBalancer, Served
from netweft.services.pipeline import INT, BridgeFlow, Value
from netweft.services.security import fragments
from netweft.services.security.conntrack import ESTABLISHED, INVALID, NEW, RELATED, TRACKED_BIT
from netweft.services.service import Wanted

BALANCE, STATE, TO_MEMBER, INGRESS, FROM_MEMBER, SWITCHING = (
    INT[name] for name in ("balance", "balance_state", "to_member", "ingress", "from_member", "switching")
)
AS_PIECE: Final = SetField(PIECE, TRACKED_PIECE)
MARK: Final = Move(LOCAL_VLAN, "ct_mark", bits=16)  # of what is balanced: the VIP's network
PROTOCOLS: Final = (PROTO_TCP, PROTO_UDP)  # of SCTP this conntrack knows no ports
RATE: Final = 200  # packets a second, as of a router (services/l3/hand_ups)
_TARGET_TRANSLATED: Final = 0x80
_KNOWN: Final = (ESTABLISHED, RELATED, _TARGET_TRANSLATED)
_UNKNOWN: Final = (TRACKED_BIT | NEW, TRACKED_BIT | NEW | ESTABLISHED | RELATED | INVALID | _TARGET_TRANSLATED)
_VLAN_BITS: Final = 12


def collects(here: LocalBalancer, one: Served) -> bool:
    return here.gives_pieces and one.protocol in PROTOCOLS


def host(owner: int) -> Iterator[BridgeFlow]:
    """What came out with a whole packet ends, and so do fragments of what is not balanced by UDP.  An answer's receiver
    is looked up again, in the network that its zone says."""
    home = (Move("ct_zone", LOCAL_VLAN, bits=_VLAN_BITS), SetField(OUT_PORT, 0), CtClear())
    for eth_type in ETH.values():
        piece: dict[str, Value] = {"eth_type": eth_type, "ip_frag": fragments.ANY}
        yield STATE.flow(30, owner, {**piece, PIECE: 0})
        yield STATE.flow(21, owner, {**piece, PIECE: (TRACKED_PIECE, TRACKED_PIECE)})
        yield FROM_MEMBER.flow(50, owner, {**piece, PIECE: 0})
        yield FROM_MEMBER.flow(40, owner, piece, *home, SWITCHING.resubmit)
    yield TO_MEMBER.flow(50, owner, {TRIAL: (JUDGED, JUDGED)})


def balancer(here: LocalBalancer) -> Iterator[Wanted]:
    protocols = sorted({one.protocol for one in here.served if collects(here, one)})
    if not protocols:
        return
    owner = cookie(Reason.BALANCER_VIP, here.balancer.id)
    of_it: dict[str, Value] = {LOCAL_VLAN: here.network.vlan}
    for known in _KNOWN:
        state: Value = (TRACKED_BIT | known, TRACKED_BIT | INVALID | known)
        match: dict[str, Value] = {**of_it, PIECE: (TRACKED_PIECE, TRACKED_PIECE), "ct_state": state}
        yield STATE.flow(25, owner, {**match, "ct_mark": here.network.vlan}, TO_MEMBER.goto)
    limited: list[Action] = []
    if here.network.can_limit:
        meter = DropMeter(
            id=outside_meter(here.balancer.vip_port_id, Limit.INGRESS_PACKETS), unit="pktps", rate=RATE, burst=RATE
        )
        limited.append(Meter(meter.id))
        yield meter
    for vip in here.vips:
        yield from _of_vip(here, vip, protocols, limited)


def _shown(version: int, protocols: Iterable[int]) -> Iterable[int]:
    """Of later fragments: in IPv6 they show that they are some."""
    return protocols if version == 4 else fragments.LATER_PROTOCOL.values()


def _of_vip(here: LocalBalancer, vip: Prefix, protocols: list[int], limited: list[Action]) -> Iterator[BridgeFlow]:
    """Later ones are collected whoever sends them: without the first, which only a listener's flow takes, nothing comes
    of it.  Where its network's zone has given them back they must be of it."""
    to_it: dict[str, Value] = {LOCAL_VLAN: here.network.vlan, "eth_type": ETH[vip.version], DST[vip.version]: vip.value}
    owner, collect = cookie(Reason.BALANCER_VIP, here.balancer.id), Ct(zone=ORIGIN, nat=Nat(), table=STATE.id)
    own: dict[str, Value] = {"ct_zone": here.network.vlan, PIECE: (TRACKED_PIECE, TRACKED_PIECE)}
    for protocol in _shown(vip.version, protocols):
        later = {**to_it, "ip_proto": protocol, "ip_frag": fragments.LATER}
        yield BALANCE.flow(21, owner, {**later, "ct_zone": 0}, AS_PIECE, collect)
        yield BALANCE.flow(21, owner, {**later, **own}, AS_PIECE, collect)
    # not what the agent has given back: it would go round if conntrack takes no more connections
    fresh: dict[str, Value] = {PIECE: (TRACKED_PIECE, TRACKED_PIECE | GIVEN_BACK), "ct_state": _UNKNOWN}
    owner = cookie(Reason.BALANCER_PIECES, here.balancer.id)
    yield STATE.flow(23, owner, {**to_it, **fresh}, *limited, Controller(AGENT))


def answers(member: Prefix, protocols: Iterable[int]) -> Iterator[BridgeFlow]:
    """What it says in fragments, by whatever port: later ones show none.  Of IPv6 they show no protocol either.
    protocols: by which it listens for balancers."""
    owner, version = cookie(Reason.PIPELINE), member.version
    says: dict[str, Value] = {"eth_type": ETH[version], SRC[version]: member.value, "ip_frag": fragments.ANY}
    zone = (Move(LOCAL_VLAN, ORIGIN, bits=16), SetField(ORIGIN, BALANCED_ZONE | ASKED_BACK, BALANCED_ZONE | ASKED_BACK))
    back = (*zone, AS_PIECE, Ct(zone=ORIGIN, nat=Nat(), table=FROM_MEMBER.id))
    says |= {ORIGIN: (0, ASKED_BACK), FLOODED: 0}
    for more in [{"ip_proto": one} for one in protocols] if version == 4 else [{}]:
        yield INGRESS.flow(70, owner, {**says, **more}, *back)


def given_back(frame: bytes, fields: Mapping[str, int]) -> Iterator[Packet]:
    """What is to be done with a fragment of a connection that conntrack does not know.  In which order they come does
    not matter: conntrack collects them once more, and all are there only when the first has been given back."""
    where = [SetField(name, fields.get(name, 0)) for name in (LOCAL_VLAN, ORIGIN)]
    begins, first = _as_its_first(frame)
    if not begins:
        return
    if first is not None:
        yield Packet(first, (*where, SetField(TRIAL, JUDGED), BALANCE.resubmit))
    came = SetField(IN_PORT, fields.get(IN_PORT, 0))
    zone = fields.get(ORIGIN, 0) & 0xFFFF
    collect = Ct(zone=zone, nat=Nat(), table=STATE.id)
    yield Packet(frame, (*where, came, SetField(PIECE, TRACKED_PIECE | GIVEN_BACK), collect))


def _as_its_first(frame: bytes) -> tuple[bool, bytes | None]:
    """Whether a connection may begin with it, and an empty packet between the same ends if the fragment shows its
    ports: of TCP a SYN with the options of this one, by which conntrack knows windows."""
    is_ipv4 = int.from_bytes(frame[12:14], "big") == ETH_IPV4
    known = ports(frame[14:]) if is_ipv4 else ports_of_first(frame[14:])
    if known is None:
        return True, None
    if known.protocol == PROTO_UDP:
        return True, encode(empty_between(frame, known.source, known.target))
    segment = frame[14 + (frame[14] & 15) * 4 :] if is_ipv4 else frame[FIRST_BEGINS:]
    alone = header_alone(frame, segment) if begins_connection(segment) else None
    return alone is not None, alone
