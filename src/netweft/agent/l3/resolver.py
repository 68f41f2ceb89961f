"""Addresses that the database does not know, outside and on routed networks: resolved (ARP, ND), kept, probed again.

The first packets to an address wait for the answer.  An entry is a flow; it is probed again periodically, and stays
while it is confirmed.  It moves when another MAC announces the address, as by gratuitous ARP.  Limits keep a scan of a
whole network from filling the tables, and from displacing others' entries.
"""

import asyncio
import random
from collections.abc import Callable, Iterable

import structlog

from netweft.agent.desired import Desired
from netweft.agent.l3.interface_announcer import InterfaceAnnouncer
from netweft.agent.l3.neighbour_entries import Known, Place, Question, next_hop_of
from netweft.agent.l3.neighbour_shares import Shares
from netweft.agent.l3.news import News
from netweft.agent.l3.next_hop_watch import NextHopWatch
from netweft.agent.l3.repeats import Due
from netweft.agent.l3.requesters import Requester, by_gateway, requester, requesters_on
from netweft.agent.l3.undelivered import undelivered
from netweft.agent.l3.wire_announcer import WireAnnouncer
from netweft.dataplane.openflow.flow import Flow
from netweft.dataplane.openflow.messages import PacketIn
from netweft.dataplane.packets import arp, icmp
from netweft.dataplane.packets.datagram import IpAddress
from netweft.services.addresses import octets, octets_of_mac, parsed, text
from netweft.services.fields import IN_PORT, LOCAL_VLAN, ROUTER, Reason, owner
from netweft.services.l2.announce import Packet
from netweft.services.l3.icmp_errors import unanswered
from netweft.services.l3.neighbours.gratuitous import announcements, to_network
from netweft.services.l3.routing.next_hops import Learned, learned_by
from netweft.services.l3.values import Gateway, LocalRouter
from netweft.services.values import Asked, LocalPort

log = structlog.get_logger(__name__)

TICK = 0.25  # seconds
PATIENCE = (0.25, 0.5, 0.75, 1.0)  # between one question and the next; then nobody is there
SEEK, SEEK_STEP = 0.45, 0.05  # seconds that somebody waits who wants to know whether it answers
AGAIN_AFTER = 20.0  # entries are probed again
LOOK_AHEAD = 5.0  # for what may have to be taken over
SPREAD = 5.0  # by up to so much later: other nodes see the answer to one's probe
FORGET_AFTER = 600.0  # entries that no packet has used since, where there are many
MOST_WAITING, MOST_PACKETS, MOST_KNOWN = 64, 3, 1024  # addresses of a router; packets to each; addresses of a router
MOST_OF_ONE, MOST_OF_OTHERS = 16, 48  # of those that wait: for one port here, for all that come by one link
MUCH = 256  # addresses in a network
ANNOUNCE_AT = (0.0, 0.5, 2.0)  # seconds after a gateway has come here


class Resolver:
    """send: a packet-out on the integration bridge."""

    asked = Asked.NEXT_HOP
    reasons = frozenset({Reason.ROUTER_RESOLVE, Reason.ROUTER_ANSWERS, Reason.NETWORK_CLAIM})

    def __init__(self, desired: Desired, send: Callable[[Packet], None], wake: Callable[[], None]) -> None:
        self._desired = desired
        self._send = send
        self._wake = wake
        self.watch = NextHopWatch(desired, send, wake)
        self._shares = Shares(desired, wake)
        self._on_wires, self._to_vms = WireAnnouncer(desired, send), InterfaceAnnouncer(desired, send)
        self._looked_ahead = float("-inf")
        self._questions: dict[Place, Question] = {}
        self._known: dict[Place, Known] = {}
        self._found: list[Learned] = []
        self._announced: dict[str, dict[str, tuple[int, ...]]] = {}  # router -> its gateways' ports -> their addresses
        self._looked_at = 0
        self._announcing: Due[tuple[str, str]] = Due()  # router, gateway's port
        self._news = News(desired)

    # what the agent before this one knew

    def found(self, flows: Iterable[Flow]) -> None:
        """On the bridge: what was learned is in it."""
        self._found += [one for one in map(learned_by, flows) if one is not None]

    def adopt(self) -> None:
        """Before flows that nobody wants are taken away.  It is looked at again soon."""
        if not self._found or not self._desired.started:
            return
        for vlan, address, mac in self._found:
            place = Place(self._desired.network_at(vlan), parsed(address))
            if place.network_id and place not in self._known:
                self._learn(place, octets(mac))
                self._known[place].again = _now()
        self._found.clear()

    # what comes in

    def answer(self, here: LocalPort | None, packet: PacketIn) -> Iterable[Packet]:
        """Of an answer to a question, or of a question for a gateway's own address."""
        whose = owner(packet.cookie)
        if whose is not None and whose.reason is Reason.NETWORK_CLAIM:
            said = arp.claim(packet.frame) or icmp.advertised(packet.frame)
            if said is not None and self._hears(here, said):
                self._claimed(self._desired.network_at(packet.fields.get(LOCAL_VLAN, 0)), said)
            return ()
        said = arp.reply(packet.frame) or icmp.advertised(packet.frame)
        if said is not None and self._hears(here, said):
            for network_id, port_id in self.watch.heard(packet.frame[:6], said):
                place = Place(network_id, said.address)
                self._learn(place, said.mac, self._known.get(place), port_id)
            self.said(packet.frame[:6], said)
        asked = icmp.solicitation(packet.frame)
        if asked is None:
            return ()
        of_it = (
            gateway
            for gateway in self._desired.gateways()
            if gateway.network.vlan == packet.fields.get(LOCAL_VLAN) and int(asked.target) in gateway.own(6)
        )
        return [
            to_network(gateway.network.vlan, icmp.advertisement(octets(gateway.port.mac_address), asked))
            for gateway in of_it
        ]

    def _hears(self, here: LocalPort | None, said: arp.Said) -> bool:
        return here is None or self._shares.takes(here.port.id, said.address, _now())

    def takes(self, packet: PacketIn) -> bool:
        """A packet whose next hop nobody knows: whether it waits here."""
        router = self._desired.router_at(packet.fields.get(ROUTER, 0))
        address = next_hop_of(packet)
        vlan, own = packet.fields.get(LOCAL_VLAN), packet.frame[6:12]
        who = requester(self._desired, router, vlan, address, own) if router else None
        if who is not None:
            self._wait(Place(who.network.network.id, address), who, packet)
        return who is not None

    async def found_out(self, router: int, vlan: int, address: IpAddress, own: bytes) -> bool:
        """Asked for as with a packet that waits for it.  Before long: False: nobody has answered yet, or may."""
        its = self._desired.router_at(router)
        who = requester(self._desired, its, vlan, address, own) if its else None
        if who is None:
            return False
        place, deadline = Place(who.network.network.id, address), _now() + SEEK
        if place not in self._known and place not in self._questions and self._has_room(place, who, 0):
            self._questions[place] = question = Question(who, _now())
            self._ask(place, question)
        while place not in self._known:
            if _now() > deadline:
                return False
            await asyncio.sleep(SEEK_STEP)
        await asyncio.sleep(SEEK_STEP)  # its flow is about to be there
        return True

    async def silent(self, mac: bytes, target: IpAddress) -> IpAddress | None:
        """The next hop with this MAC, for what is sent to `target`, if it does not answer any more."""
        place = self._next_hop_with(mac, target)
        who = place and next((one for one in self._requesters(place) if one.is_on_link(place.address)), None)
        if place is None or who is None:
            return None
        known, deadline = self._known[place], _now() + SEEK
        if place not in self._questions:
            self._questions[place] = question = Question(who, _now())
            self._ask(place, question)
        while self._known.get(place) is known and place in self._questions:
            if _now() > deadline:
                return place.address
            await asyncio.sleep(SEEK_STEP)
        return None

    def _next_hop_with(self, mac: bytes, target: IpAddress) -> Place | None:
        here = [place for place, known in self._known.items() if known.mac == mac]
        itself = next((place for place in here if place.address == target), None)
        led_to = (place for place in here if any(one.leads_to(place.address) for one in self._requesters(place)))
        return itself or next(led_to, None)

    def _requesters(self, place: Place) -> Iterable[Requester]:
        return requesters_on(self._desired, place.network_id)

    def _wait(self, place: Place, who: Requester, packet: PacketIn) -> None:
        known = self._known.get(place)
        if known is not None:  # its flow is about to be there
            known.since = _now()
            self._send(to_network(who.network.vlan, known.mac + packet.frame[6:]))
            return
        question = self._questions.get(place)
        if question is None:
            by = packet.fields.get(IN_PORT, 0)
            if not self._has_room(place, who, by):
                return
            question = self._questions[place] = Question(who, _now(), by=by)
            self._ask(place, question)
        if len(question.packets) < MOST_PACKETS:
            question.packets.append(packet)

    def _has_room(self, place: Place, who: Requester, by: int) -> bool:
        """For what routes lead to there always is: nobody who tries each address takes it away."""
        if who.leads_to(place.address):
            return True
        waiting = [one for one in self._questions.values() if one.requester.port_id == who.port_id]
        known = sum(one.requester == who.port_id for one in self._known.values())
        most = MOST_OF_ONE if self._desired.port_at(by) else MOST_OF_OTHERS
        its_own = sum(one.by == by for one in waiting) if by else 0
        return len(waiting) < MOST_WAITING and its_own < most and known < MOST_KNOWN

    def said(self, to: bytes, said: arp.Said) -> None:
        """Only answers to requests are believed."""
        for place, question in list(self._questions.items()):
            if question.requester.is_gateway and place.address == said.address and question.requester.mac == to:
                self._is_there(place, said.mac)

    def _claimed(self, network_id: str, said: arp.Said) -> None:
        """Likewise; or what is known, whether it still is there or elsewhere.  No router has another's address."""
        place = Place(network_id, said.address)
        is_wanted = self.watch.heard_inside(network_id, said) or place in self._questions or place in self._known
        if is_wanted and not self._desired.is_a_routers(network_id, int.from_bytes(said.mac, "big")):
            self._is_there(place, said.mac)

    def _is_there(self, place: Place, mac: bytes) -> None:
        question, known = self._questions.pop(place, None), self._known.get(place)
        self._learn(place, mac, known, question.requester.port_id if question else "")
        if question is not None:
            for packet in question.packets:
                self._send(to_network(question.requester.network.vlan, mac + packet.frame[6:]))

    def _learn(self, place: Place, mac: bytes, before: Known | None = None, requester: str = "") -> None:
        if before is None or before.mac != mac:
            self._desired.learn(place.network_id, str(place.address), mac.hex(":"))
            self._wake()
        now = _now()
        since, requester = (before.since, before.requester) if before else (now, requester)
        self._known[place] = Known(mac, since, now + AGAIN_AFTER + random.uniform(0, SPREAD), requester)

    # what time brings

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(TICK)
            self.tick()

    def tick(self) -> None:
        now = _now()
        here = self._ends() if self._questions else {}
        for place, question in list(self._questions.items()):
            if question.requester.is_gateway and question.requester.mac not in _macs(
                here.get(question.requester.port_id)
            ):
                del self._questions[place]  # by its MAC, which is elsewhere now, switches would look for it here
            elif now >= question.due:
                if question.tries > len(PATIENCE):
                    self._give_up(place)
                else:
                    self._ask(place, question)
        if now - self._looked_ahead > LOOK_AHEAD:
            self._looked_ahead = now
            self._look_ahead(self._desired.unlike_standbys(), now)
        self.watch.tick(now)
        self._shares.tick(now)
        self._on_wires.tick(now)
        self._to_vms.tick(now)
        news = self._news()
        for network_id in {place.network_id for place, known in self._known.items() if news or now > known.again}:
            self._look_again(network_id, now)
        self._announce(now)

    def _ends(self) -> dict[str, Gateway]:
        """On external networks, by their ports."""
        return {one.port.id: one for one in (*self._desired.gateways(), *self._desired.standbys())}

    def _look_ahead(self, standbys: Iterable[Gateway], now: float) -> None:
        """Next hops of gateways that this node may have to take over are resolved beforehand."""
        for standby in standbys:
            who = by_gateway(standby)
            for next_hop in who.next_hops:
                place = Place(standby.network.network.id, parsed(text(next_hop)))
                if place not in self._known and place not in self._questions:
                    self._questions[place] = Question(who, now)

    def _look_again(self, network_id: str, now: float) -> None:
        requesters = list(requesters_on(self._desired, network_id))
        here = [(place, known) for place, known in self._known.items() if place.network_id == network_id]
        much = len(here) > MUCH
        for place, known in here:
            who = next((one for one in requesters if one.is_on_link(place.address)), None)
            old = much and now - known.since > FORGET_AFTER
            if who is None or (old and not any(one.leads_to(place.address) for one in requesters)):
                self._forget(place)
            elif now > known.again and place not in self._questions:
                self._questions[place] = Question(who, now)

    def _ask(self, place: Place, question: Question) -> None:
        """What is known at first of who has it, then of all."""
        known = self._known.get(place)
        alone = known.mac if known and not question.tries else None
        for packet in question.requester.questions(place.address, alone):
            self._send(packet)
        question.due = _now() + PATIENCE[min(question.tries, len(PATIENCE) - 1)]
        question.tries += 1

    def _give_up(self, place: Place) -> None:
        """What routes lead to stays where it was last: nobody else says that it has the address, and whoever floods us
        with answers, so that the right one is not heard, must not take it away."""
        question = self._questions.pop(place)
        self._say_so(question)
        known = self._known.get(place)
        if known is None:
            return
        log.info("next hop does not answer", address=str(place.address), network=place.network_id)
        if question.requester.leads_to(place.address):
            known.again = _now() + AGAIN_AFTER
        else:
            self._forget(place)

    def _say_so(self, question: Question) -> None:
        """To who waited."""
        for packet in question.packets:
            if question.requester.is_gateway:  # it has been translated
                router = self._desired.router_at(packet.fields.get(ROUTER, 0))
                said = unanswered(packet.frame, router) if router else None
            else:
                here = self._desired.port_at(packet.fields.get(IN_PORT, 0))
                said = undelivered(self._desired, here, packet)
            if said is not None:
                self._send(said)

    def _forget(self, place: Place) -> None:
        del self._known[place]
        self._questions.pop(place, None)
        self._desired.learn(place.network_id, str(place.address), None)
        self._wake()

    # what others have to know

    def wired(self) -> None:
        """All that is wanted is in place: a gateway that is new here, or has a new address, is announced."""
        now = _now()
        self._looked_at, changed = self._desired.changed_routers(self._looked_at)
        for router in changed:
            self._look_who_answers(router, self._desired.router_that_is_up(router), now)
        self._announce(now)
        self._on_wires.wired(now)
        self._to_vms.wired(now)

    def _look_who_answers(self, id: str, router: LocalRouter | None, now: float) -> None:
        before = self._announced.pop(id, {})
        current = {one.port.id: _addresses(one) for one in (router.ends if router else ()) if one.answers}
        for port_id, addresses in current.items():
            if before.get(port_id) != addresses:
                self._announcing.add((id, port_id), (now + after for after in ANNOUNCE_AT))
        if current:
            self._announced[id] = current
        self._look_ahead(router.standbys if router else (), now)

    def _announce(self, now: float) -> None:
        for router_id, port_id in self._announcing.take(now):
            router = self._desired.router_that_is_up(router_id)
            for gateway in router.ends if router else ():
                if gateway.port.id == port_id and gateway.answers:
                    for packet in announcements(gateway):
                        self._send(packet)


def _macs(gateway: Gateway | None) -> tuple[bytes, ...]:
    """With which this node may ask for it."""
    return () if gateway is None else (by_gateway(gateway).mac, octets_of_mac(gateway.node_mac))


def _addresses(gateway: Gateway) -> tuple[int, ...]:
    return (*gateway.answered(4), *gateway.own(6))


def _now() -> float:
    return asyncio.get_running_loop().time()
