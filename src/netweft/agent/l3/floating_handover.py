"""A floating IP that comes to this node is answered for once the node before has let it go: never two at once.

    it comes ─▶ translated here at once ─▶ nobody answers for it ─▶ answered for, announced
    it goes  ─▶ answered for no more ─▶ the node that waits for it is notified

Whose place it is all nodes know from the server, each in its own time (`services/l3/floating_ips/places`).  There is
no probe where no other node can have it: it is new, or a restarted agent finds that it is answered for here.  One that
is with its gateway is answered for where that is (`failover`).  docs/decisions/0434 has the why.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address
from typing import TypeAlias

import structlog
from msgspec import Struct

from netweft.agent.desired import Desired
from netweft.agent.l3.address_probes import Asking, Silence
from netweft.dataplane.openflow.flow import Flow
from netweft.dataplane.openflow.messages import PacketIn
from netweft.dataplane.packets import arp
from netweft.model.wire_macs import ASKS, asking_mac
from netweft.services.addresses import octets, octets_of_mac
from netweft.services.fields import Reason, cookie, object_bits, owner
from netweft.services.l2.announce import Packet
from netweft.services.l3.floating_ips.places import FloatingPlace, Where
from netweft.services.l3.interfaces import keep
from netweft.services.l3.neighbours.gratuitous import to_network
from netweft.services.l3.values import LocalFloatingIp
from netweft.services.values import Asked, LocalPort

log = structlog.get_logger(__name__)

# A node that answers on is waited for so long: then its agent is gone, as the server would see it, too
MOST = 75.0
SILENCE = Silence(first=3, then=8)  # on a busy host an answer is late; who lets go says so, which ends the waiting
Place: TypeAlias = tuple[Where, str]


class Seat(Struct):
    """What is known of a floating IP.  place: of this node's where it may be, with its router; None: elsewhere.
    free: as far as its place is concerned it may be answered for here.  answered: it is, in the switch.
    since: when it came.  network_id, address: of it.  router_id: by which it leads."""

    network_id: str
    address: IPv4Address
    place: Place | None
    since: float
    router_id: str
    free: bool = False
    answered: bool = False


class FloatingHandover:
    """node: this one.  say: a packet-out on the integration bridge.  tell: reports to the server what no other node
    has, by its id and how often it was led elsewhere until then.  on_said: called with all ARP and ND to the MACs of
    this node's probes."""

    asked = Asked.TAKEOVER
    reasons = frozenset({Reason.FLOATING_TAKEOVER})

    def __init__(
        self,
        node: str,
        desired: Desired,
        say: Callable[[Packet], None],
        wake: Callable[[], None],
        tell: Callable[[str, int], None],
    ) -> None:
        self._node, self._desired, self._say, self._wake, self._tell_server = node, desired, say, wake, tell
        self._seats: dict[str, Seat] = {}
        self._ids: dict[int, str] = {}  # by their bits in cookies
        self._waiting: set[str] = set()  # not free yet
        self._of_router: defaultdict[str, set[str]] = defaultdict(set)  # router -> those that lead by it
        self._touched: set[str] = set()  # since it was wired last
        self._looked_at = 0
        self._let_go: dict[str, Seat] = {}  # and not reported yet
        self._found: frozenset[int] = frozenset()  # cookies of flows that answer, until they are others
        self._in_doubt, self._knew_all = True, False
        self._was_read = False  # the bridge, ever: before, nothing that is wanted gets there
        self.asking = Asking(say)
        self.on_said: Callable[[bytes, arp.Said], None] = lambda to, said: None

    def found(self, flows: Iterable[Flow]) -> None:
        """On the bridge, when it is connected: for what this node answers."""
        self._found, self._was_read = frozenset(flow.cookie for flow in flows), True
        for id in sorted(self._waiting):
            if self._answered_already(id):
                self._seats[id].answered = True
                self._touched.add(id)
                self._set_free(id)

    def _answered_already(self, id: str) -> bool:
        return cookie(Reason.FLOATING_ANSWERS, id) in self._found

    def doubt(self) -> None:
        """The server has sent the whole view: for how long it has been so is unknown."""
        self._in_doubt = True

    def observe(self) -> None:
        """Each turn, before what is wanted is worked out, and after it is known who has the gateways."""
        if not self._was_read:
            return
        now = asyncio.get_running_loop().time()
        for id in sorted(self._desired.settled_floating_ips()):
            self._settle(id, now)
        for id in sorted(self._waiting):
            if now - self._seats[id].since > MOST:
                self._set_free(id)
        self._knew_all = self._desired.complete
        self._in_doubt &= not self._knew_all

    def _settle(self, id: str, now: float) -> None:
        found, seat = self._desired.floating_place(id), self._seats.get(id)
        place = self._place(found) if found else None
        self._touched.add(id)
        if found is not None and seat is None:
            one = found.floating_ip
            address = IPv4Address(one.floating_ip_address)
            seat = self._seats[id] = Seat(one.floating_network_id, address, place, now, one.router_id)
            self._ids[object_bits(id)] = id
            keep(self._of_router, seat.router_id, id, here=True)
            seat.answered = self._answered_already(id)
            seat.free = seat.answered or (not self._in_doubt and self._is_new(found))
        elif seat is not None and place != seat.place:
            free = seat.answered and found is not None and place is not None and self._is_kept(found)
            if seat.answered and not free:
                self._let_go[id] = seat
            seat.place, seat.since, seat.free, seat.answered = place, now, free, free
            if free and found is not None and found.where is Where.HERE:  # it was here with its gateway
                self._tell_server(id, found.floating_ip.led)
        if found is not None and seat is not None and found.floating_ip.router_id != seat.router_id:
            keep(self._of_router, seat.router_id, id, here=False)
            seat.router_id = found.floating_ip.router_id
            keep(self._of_router, seat.router_id, id, here=True)
        if found is None and seat is not None:
            keep(self._of_router, seat.router_id, id, here=False)
            del self._seats[id]
            self._ids.pop(object_bits(id), None)
        if seat is not None and place is not None and not seat.free:
            self._waiting.add(id)
            self._desired.hold_back(id, True)
        else:
            self._set_free(id)

    def _place(self, found: FloatingPlace) -> Place | None:
        """Of this node's."""
        if found.where is Where.HERE:
            return Where.HERE, ""
        is_here = found.where is Where.GATEWAY and found.by_gateway
        return (Where.GATEWAY, found.floating_ip.router_id) if is_here else None

    def _is_kept(self, found: FloatingPlace) -> bool:
        """What is answered for here goes on, as with its VM or with the gateway."""
        if found.where is Where.HERE:
            return True
        one = found.floating_ip
        router = self._desired.router(one.router_id)
        ours = router.gateways if router else ()
        return any(gateway.answers and gateway.port.network_id == one.floating_network_id for gateway in ours)

    def _is_new(self, found: FloatingPlace) -> bool:
        """Nobody else can have had it: it has never led to another host than this VM's, which has always been there; or
        nowhere but to these ports that are forwarded."""
        one = found.floating_ip
        if not one.fixed_ip_address:
            return one.led == 1
        port = self._desired.view.ports.get(one.port_id)
        return one.led_on == (found.host or self._node) and not (port and port.left)

    def _set_free(self, id: str) -> None:
        """Or it is nothing to this node."""
        self.asking.stop(id)
        self._waiting.discard(id)
        self._desired.hold_back(id, False)
        if seat := self._seats.get(id):
            seat.free = seat.place is not None
            self._touched.add(id)

    # once what is wanted is in place

    def wired(self) -> None:
        """And what was found and is not wanted is gone."""
        if self._knew_all:
            self._found = frozenset()
        for id, seat in self._let_go.items():
            self._tell(id, seat)
        self._let_go.clear()
        self._looked_at, changed = self._desired.changed_routers(self._looked_at)
        for id in self._touched.union(*(self._of_router.get(router, ()) for router in changed)) & self._seats.keys():
            seat = self._seats[id]
            seat.answered = seat.free and self._is_answered(id, seat)
        self._touched.clear()
        for id in sorted(self._waiting):
            if self._desired.floating_ip(id) is not None:
                self._ask(id)

    def _is_answered(self, id: str, seat: Seat) -> bool:
        if seat.place is None or seat.place[0] is Where.HERE:
            return seat.place is not None
        here = self._desired.floating_ip(id)
        return here is not None and here.end.answers

    def _tell(self, id: str, seat: Seat) -> None:
        """By a question of nobody's, which moves nothing; where its network is not wired any more others find out."""
        vlan = self._desired.vlans.get(seat.network_id)
        if vlan is not None:
            frame = arp.request(octets_of_mac(asking_mac("", id)), IPv4Address(0), seat.address)
            self._say(to_network(vlan, frame))

    def _ask(self, id: str) -> None:
        self.asking.begin(id, lambda: self._questions(id), lambda: self._take(id), MOST, SILENCE)

    def _questions(self, id: str) -> list[Packet] | None:
        here = self._desired.floating_ip(id)
        if here is None:
            return None
        frame = arp.request(octets_of_mac(here.end.node_mac), IPv4Address(0), IPv4Address(here.address))
        return [to_network(here.end.network.vlan, frame)]

    def _take(self, id: str) -> None:
        log.info("floating IP taken", floating_ip=id)
        seat, found = self._seats[id], self._desired.floating_place(id)
        waited = asyncio.get_running_loop().time() - seat.since
        if found is not None and found.where is Where.HERE and waited < MOST:  # who answers until then may answer still
            self._tell_server(id, found.floating_ip.led)
        self._set_free(id)
        self._wake()

    # what is heard meanwhile

    def answer(self, _: LocalPort | None, packet: PacketIn) -> Iterable[Packet]:
        whose = owner(packet.cookie)
        id = self._ids.get(int(whose.object, 16)) if whose else None
        here = self._desired.floating_ip(id) if id else None
        if id is None or here is None:
            return
        if said := arp.reply(packet.frame):
            self.on_said(packet.frame[:6], said)
            if _is_it(here, said.address) and said.mac == octets(here.end.port.mac_address):
                self.asking.answered(id)
        elif (question := arp.probe(packet.frame)) and _is_it(here, question.address):
            yield from self._hears(id, here, question)

    def _hears(self, id: str, here: LocalFloatingIp, question: arp.Said) -> Iterable[Packet]:
        """Another node probes, or has released it.  Of two that probe one does not know yet whose it is: both wait."""
        who, nobody = int.from_bytes(question.mac, "big"), asking_mac("", id)
        if who == nobody:
            self.asking.let_go(id)
        elif who & ASKS == nobody and who != here.end.node_mac:
            if here.end.answers:  # not by a flow yet
                answer = arp.answer(octets(here.end.port.mac_address), question)
                yield to_network(here.end.network.vlan, answer)
            else:
                self.asking.answered(id)


def _is_it(here: LocalFloatingIp, address: object) -> bool:
    return address == IPv4Address(here.address)
