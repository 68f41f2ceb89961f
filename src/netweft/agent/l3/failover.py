"""Takes over routers' gateways from nodes that are gone, and leaves them to others when this one is cut off.  Likewise
what answers physical hosts for a router's interface: it is one more gateway here.

    bfd_status, carriers ─▶ takeover.chosen ─▶ mine?  ─▶ nobody else answers for it? ─▶ taken, announced, reported
                                               other's ─▶ no more answered for, what still comes in is taken for a while

Two nodes never answer for one address: the node that is to have a gateway probes its address first (ARP, from a MAC of
its own), and takes it once nobody has answered.  The only state is who has it; a newly started agent finds what it
answers for in the flows.  docs/decisions/0460 has the why.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from functools import partial

import structlog

from netweft.agent.desired import Desired
from netweft.agent.l3.address_probes import Asking, Silence
from netweft.agent.l3.requesters import Answering, on_wire, probes_on_wire, probes_outside
from netweft.agent.l3.seats import Ports, Seat
from netweft.agent.l3.sightings import Look, Sightings
from netweft.dataplane.openflow.flow import Flow
from netweft.dataplane.openflow.messages import PacketIn
from netweft.dataplane.packets import arp, icmp
from netweft.dataplane.packets.datagram import IpAddress
from netweft.model import GatewayPort
from netweft.model.wire_macs import wire_mac
from netweft.services.addresses import octets, octets_of_mac
from netweft.services.fields import Reason, cookie
from netweft.services.l2.announce import Packet
from netweft.services.l3.gateways.takeover import Order, Sight, chosen
from netweft.services.l3.neighbours.gratuitous import to_network
from netweft.services.l3.values import GatewayPlace
from netweft.services.values import Asked, HostFacts, LocalPort

log = structlog.get_logger(__name__)

LEAVES_FOR, HEARS_FOR = 0.2, 2.0  # seconds that a gateway that is left to another is used here, and what comes in taken
TICK = 1.0
A_WHILE = Silence(8, 8)  # 0.24 s: others that stood still, too, answer late
A_MOMENT = Silence(4, 4)


class Failover:
    """node: this one.  say: a packet-out on the integration bridge.  tell: reports to the server what was taken over.

    asking: probes before it takes one.  checking: whether another node took one while this node stood still.
    on_said: called with all ARP and ND to this node's own MACs."""

    asked = Asked.TAKEOVER
    reasons = frozenset({Reason.ROUTER_TAKEOVER})

    def __init__(
        self,
        node: str,
        desired: Desired,
        say: Callable[[Packet], None],
        wake: Callable[[], None],
        tell: Callable[[Iterable[str]], None],
    ) -> None:
        self._node, self._desired, self._wake, self._tell = node, desired, wake, tell
        self._ports = Ports(node)
        self._seats: dict[str, Seat] = {}
        self._open: set[str] = set()  # seats that are not wired yet, or whose gateways are still being probed
        self._found: frozenset[int] = frozenset()  # cookies of flows that answer for gateways, until they are others
        self._knew_all = False  # when it was observed last
        self._was_read = False  # the bridge, ever: before, nothing that is wanted gets there
        self._sightings = Sightings(node, self._again)
        self._sightings.on_doubt, self._sightings.on_end = self._check_all, self._check_those_with
        self._all = True  # seats are to be looked at again
        self.asking, self.checking = Asking(say), Asking(say)
        self.taken = self.left = 0  # gateways, ever
        self.on_said: Callable[[bytes, arp.Said], None] = lambda to, said: None

    def ask_underlay(self, reaches: Callable[[Collection[str]], Awaitable[bool]]) -> None:
        """Before it takes itself for cut off.  reaches: any of these hosts."""
        self._sightings.reaches = reaches

    # what Open vSwitch says

    def found(self, flows: Iterable[Flow]) -> None:
        """On the bridge, when it is connected: for what this node answers."""
        self._found = frozenset(flow.cookie for flow in flows)
        self._all = self._was_read = True
        for port_id, seat in self._seats.items():
            seat.answers = self._answered_already(port_id, seat.port)

    def _answered_already(self, id: str, port: GatewayPort) -> bool:
        return self._node in port.order and cookie(Reason.ROUTER_ANSWERS, id) in self._found

    def lost(self) -> None:
        """The bridge: if vswitchd has ended, somebody else has what was here."""
        self._all = True
        self._open |= self._seats.keys()
        for id, seat in self._seats.items():
            self._stop_asking(id)
            seat.answers = seat.wired = False

    def opened(self) -> None:
        """The database, again."""
        self._sightings.anew()
        self._all = True

    def observe(self, look: Look, host: HostFacts, cut: Collection[str]) -> None:
        """Each turn, before what is wanted is worked out.  cut: physical networks that this node is cut off from."""
        self._knew_all = self._desired.complete
        is_news = self._ports.look(self._desired)
        self._all |= self._sightings.look(look, self._desired.watched, self._ways_outside(host) & {*cut})
        self._desired.cut_off(bool(self._sightings.cut) or self._sightings.is_cut_off)
        self._desired.lose(self._sightings.lost)
        if self._was_read and (is_news or self._all):
            self._look_again()

    def _look_again(self) -> None:
        """At all of them, and further at those that are otherwise."""
        ports = self._ports.all
        for id in self._seats.keys() - ports.keys():
            del self._seats[id]
            self._open.discard(id)
            self._stop_asking(id)
            self._desired.choose(id, None)
        due = {port.router_id for id, port in ports.items() if self._all or self._is_news(id, port)}
        those = [(id, port) for id, port in ports.items() if port.router_id in due and port.order]
        for id, port in sorted(those, key=lambda one: not self._is_first(one[1])):
            self._decide(id, port)
        self._all = False

    def _is_news(self, id: str, port: GatewayPort) -> bool:
        seat = self._seats.get(id)
        return seat is None or seat.port is not port or seat.is_first != self._is_first(port)

    def _ways_outside(self, host: HostFacts) -> frozenset[str]:
        """The physical networks here of gateways that are here or may come here."""
        view = self._desired.view
        networks = (view.networks[id] for id in self._ports.networks if id in view.networks)
        segments = (segment for network in networks for segment in network.segments)
        names = {segment.physical_network for segment in segments}
        return frozenset(name for name in host.bridge_mappings if name in names)

    def _again(self) -> None:
        self._all = True
        self._wake()

    # who has it

    def _decide(self, id: str, port: GatewayPort) -> None:
        sees, seat = self._sightings, self._seats.get(id)
        self._open.add(id)
        if seat is None:
            seat = self._seats[id] = Seat(port, answers=self._answered_already(id, port))
            if seat.answers:
                seat.order = Order(port.order, self._node)
        seat.port, seat.is_first, before = port, self._is_first(port), seat.order
        if not seat.is_first:
            seat.order = Order(port.order, self._where_the_first_is(port))
        else:
            if not seat.answers and self._begins_anew(port, seat):
                seat.order = Order()
            seat.order = chosen(port.order, seat.order, sees.can, self._node if sees.is_cut_off else "")
        if seat.order.now != before.now and before.now:
            log.info("gateway of a router", router=port.router_id, was_at=before.now, now_at=seat.order.now)
        if seat.order.now != self._node:
            self._leave(id, seat)
        elif seat.wired:
            self._begin_to_ask(id, seat)
        self._choose(id, seat)

    def _begins_anew(self, port: GatewayPort, seat: Seat) -> bool:
        """Forgets which node was thought to have it.  The node whose turn it is probes, whoever else may have it: two
        that saw each other's end at the same time would wait for each other.  Without any sighting the order
        decides."""
        sees = self._sightings
        turn = next((host for host in port.order if sees.can(host)), "")
        return self._node in (turn, seat.order.now) or sees.is_back(port.order[0]) or sees.is_just_back

    def _is_first(self, port: GatewayPort) -> bool:
        router = self._desired.view.routers.get(port.router_id)
        return router is None or port.id not in router.extra_gateways

    def _where_the_first_is(self, port: GatewayPort) -> str:
        """A router's further gateways are where its first is; nowhere, where they cannot be."""
        seats = (seat for seat in self._seats.values() if seat.is_first and seat.port.router_id == port.router_id)
        found = next(seats, None)
        return found.order.now if found and found.order.now in port.order else ""

    def _stop_asking(self, id: str) -> None:
        self.asking.stop(id)
        self.checking.stop(id)

    def _leave(self, id: str, seat: Seat) -> None:
        self._stop_asking(id)
        if seat.answers:
            seat.answers, seat.doubles = False, 0
            self.left += 1
            seat.left = _now() if self._sightings.can(self._node) else float("-inf")
            for after in (LEAVES_FOR, HEARS_FOR):
                asyncio.get_running_loop().call_later(after + 0.01, self._again)

    def _choose(self, id: str, seat: Seat) -> None:
        place = self._place(seat)
        seat.leads_to = "" if place.host == self._node else place.host
        self._desired.choose(id, place)

    def _place(self, seat: Seat) -> GatewayPlace:
        if seat.order.now == self._node:
            if seat.answers:
                return GatewayPlace(self._node, here=True, answers=True)
            others = (host for host in seat.order.hosts if host != self._node and self._sightings.can(host))
            return GatewayPlace(next(others, seat.leads_to))
        ago = _now() - seat.left
        return GatewayPlace(self._node if ago < LEAVES_FOR else seat.order.now, here=ago < HEARS_FOR)

    @property
    def seats(self) -> Iterable[str]:
        """Of each gateway: `here`, `asking`, `elsewhere` or `nowhere`."""
        for id, seat in self._seats.items():
            if id in self._desired.on_wires:
                continue
            if seat.order.now == self._node:
                yield "here" if seat.answers else "asking"
            else:
                yield "elsewhere" if seat.order.now else "nowhere"

    @property
    def seen(self) -> Mapping[str, Sight]:
        """What each node that is watched is seen as."""
        return self._sightings.seen

    @property
    def cut(self) -> int:
        """Physical networks on the way outside without carrier."""
        return len(self._sightings.cut)

    # before it is taken

    def wired(self) -> None:
        """What was wanted is in place, and what was found and is not wanted is gone."""
        if self._knew_all:
            self._found = frozenset()
        for id in sorted(self._open):
            seat = self._seats[id]
            seat.wired = True
            if seat.order.now == self._node and not seat.answers:
                self._begin_to_ask(id, seat)
            else:
                self._open.discard(id)

    def _begin_to_ask(self, id: str, seat: Seat) -> None:
        if not seat.answers:
            self.asking.begin(id, lambda: self._questions(id), lambda: self._take(id, seat))

    def _questions(self, id: str) -> list[Packet] | None:
        """None: its network is not wired here."""
        if id in self._desired.on_wires:
            found = self._on_wire(id)
            return probes_on_wire(found) if found else None
        gateway = self._desired.candidate(id)
        return list(probes_outside(gateway)) if gateway else None

    def _on_wire(self, id: str) -> Answering | None:
        return on_wire(self._desired, id, self._desired.on_wires[id].network_id)

    def _take(self, id: str, seat: Seat) -> None:
        """Nobody else answers for it."""
        seat.answers = True
        self.taken += 1
        log.info("gateway taken", port=id)
        self._choose(id, seat)
        self._tell_what_is_not_known([id])
        self._wake()

    def answer(self, here: LocalPort | None, packet: PacketIn) -> Iterable[Packet]:
        """What answers a probe of this node, or is such a probe of another's."""
        said = arp.reply(packet.frame) or icmp.advertised(packet.frame)
        if said is None:
            return self.asks(packet.frame)
        self.heard(packet.frame[:6], said)
        self.on_said(packet.frame[:6], said)
        return ()

    def heard(self, to: bytes, said: arp.Said) -> None:
        """Somebody has answered a question."""
        for id in self._meant(said.address):
            if octets_of_mac(wire_mac(self._node, id)) == to:
                self.asking.answered(id)
                if id in self.checking.ids and self._is_a_nodes(id, said):
                    self._answers_too(id, self._seats[id])

    # whether somebody else has it

    def _check_all(self) -> None:
        """All sessions have ended at once: to the others it was this node that did."""
        for id, seat in self._seats.items():
            self._check(id, seat, A_WHILE)

    def _check_those_with(self, hosts: Collection[str]) -> None:
        """One of these may have taken them: it has not heard this node for as long as this one has not heard it."""
        for id, seat in self._seats.items():
            if not {*hosts}.isdisjoint(seat.order.hosts):
                self._check(id, seat, A_MOMENT)

    def _check(self, id: str, seat: Seat, silence: Silence) -> None:
        if seat.answers and seat.wired:
            seat.doubles = 1  # this node is who is doubted: one answer is enough
            self.checking.stop(id)
            self.checking.begin(id, partial(self._questions, id), lambda: None, silence=silence)

    def _check_again(self, id: str, seat: Seat) -> None:
        """Of each tick: as far as this node has heard, another one is to have it."""
        if seat.wired and id not in self.checking.ids:
            self.checking.begin(id, partial(self._questions, id), partial(self._is_alone, id, seat))

    def _is_alone(self, id: str, seat: Seat) -> None:
        seat.doubles = 0
        if seat.answers:
            self._tell([id])

    def _answers_too(self, id: str, seat: Seat) -> None:
        """Another node answers, too.  That one leaves it, if it stood still and is checking at this moment; if it still
        answers a tick later, this one leaves it."""
        if seat.doubles:
            self._was_taken(id, seat)
        else:
            seat.doubles = 1
            self.checking.stop(id)

    def _is_a_nodes(self, id: str, said: arp.Said) -> bool:
        """Nodes answer for a gateway by its own MAC; a stranger who has the same address takes it from nobody."""
        return id in self._desired.on_wires or octets(self._seats[id].port.mac_address) == said.mac

    def _was_taken(self, id: str, seat: Seat) -> None:
        """By one of the others, which answers for it."""
        log.info("gateway was taken by another node", port=id)
        self._leave(id, seat)
        self._again()

    def asks(self, frame: bytes) -> Iterable[Packet]:
        """Another node is about to take a gateway: it gets an answer if this node has just done so, or is before it."""
        question = arp.probe(frame)
        for id in self._meant(question.address) if question else ():
            seat = self._seats[id]
            if question and seat.answers:  # not by a flow yet
                yield from self._answer(id, seat, question)
            elif question and question.mac in self._before_us(id, seat):
                self.asking.answered(id)

    def _answer(self, id: str, seat: Seat, question: arp.Said) -> Iterable[Packet]:
        if question.mac not in {octets_of_mac(wire_mac(host, id)) for host in seat.order.hosts}:
            return
        if id not in self._desired.on_wires:
            if gateway := self._desired.candidate(id):
                yield to_network(gateway.network.vlan, arp.answer(octets(seat.port.mac_address), question))
        elif found := self._on_wire(id):
            who = found.who
            yield who.to_wire(arp.answer(who.wire[0] if who.wire else b"", question))

    def _meant(self, address: IpAddress) -> list[str]:
        """The gateways, among those that may be here, that a probe of this address is for."""
        asked_for = self._ports.asked_for.get(str(address), ())
        return [id for id in asked_for if id in self._seats and self._node in self._seats[id].order.hosts]

    def _before_us(self, id: str, seat: Seat) -> set[bytes]:
        """The MACs of nodes that are before this one in the order."""
        hosts = seat.order.hosts
        return {octets_of_mac(wire_mac(host, id)) for host in hosts[: hosts.index(self._node)]}

    # what the server has to know

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(TICK)
            for id in self._not_known(self._seats):
                self._check_again(id, self._seats[id])

    def _tell_what_is_not_known(self, ids: Iterable[str] = ()) -> None:
        """Of these; of all."""
        if taken := self._not_known(ids or self._seats):
            self._tell(taken)

    def _not_known(self, ids: Iterable[str]) -> list[str]:
        seats, ports = ((id, self._seats[id]) for id in ids), self._ports.all
        mine = [id for id, seat in seats if seat.is_first and seat.answers and id in ports]
        return [id for id in mine if self._node in ports[id].order[1:]]


def _now() -> float:
    return asyncio.get_running_loop().time()
