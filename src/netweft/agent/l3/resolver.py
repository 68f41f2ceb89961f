"""Addresses on external networks, which the database does not know: asked for (ARP, ND), held, asked for again.

The first packets to an address wait for the answer.  What is known is a flow; it is looked at again every now and then,
and it stays while the answer is right.  Limits keep who sends to a whole network's addresses from filling the tables.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

import structlog

from netweft.agent.desired import Desired
from netweft.agent.l3.next_hop_watch import NextHopWatch
from netweft.dataplane.openflow.fields import ETH_IPV4
from netweft.dataplane.openflow.flow import Flow
from netweft.dataplane.openflow.messages import PacketIn
from netweft.dataplane.packets import arp, icmp
from netweft.dataplane.packets.datagram import IpAddress
from netweft.services.addresses import Prefix, octets, parsed, within
from netweft.services.fields import LOCAL_VLAN, NEXT_HOP, ROUTER, Reason
from netweft.services.l2.announce import Packet
from netweft.services.l3.announcements import announcements, to_network
from netweft.services.l3.announcements import question as asks
from netweft.services.l3.icmp_errors import unanswered
from netweft.services.l3.next_hops import Learned, learned_by
from netweft.services.values import Asked, Gateway, LocalPort

log = structlog.get_logger(__name__)

TICK = 0.25  # seconds
PATIENCE = (0.25, 0.5, 1.0, 2.0)  # between one question and the next; then nobody is there
AGAIN_AFTER = 20.0  # what is known is asked for again
FORGET_AFTER = 600.0  # what no packet has asked for since
MOST_WAITING, MOST_PACKETS, MOST_KNOWN = 64, 3, 1024  # addresses of a router; packets to each; addresses of a router
ANNOUNCE_AT = (0.0, 0.5, 2.0)  # seconds after a gateway has come here


class Place(NamedTuple):
    network_id: str
    address: IpAddress


@dataclass(slots=True)
class Question:
    """tries: that were made.  frames: what waits for the answer.  router: whose they are, by its number."""

    gateway: Gateway
    due: float
    tries: int = 0
    router: int = 0
    frames: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Known:
    """asker: whose router has asked first, by its gateway's port; empty for what the agent before this one knew."""

    mac: bytes
    since: float
    checked: float
    asker: str = ""


class Resolver:
    """send: a packet-out on the integration bridge."""

    asked = Asked.NEXT_HOP
    reasons = frozenset({Reason.ROUTER_RESOLVE})

    def __init__(self, desired: Desired, send: Callable[[Packet], None], wake: Callable[[], None]) -> None:
        self._desired = desired
        self._send = send
        self._wake = wake
        self._watch = NextHopWatch(desired, send, wake)
        self._questions: dict[Place, Question] = {}
        self._known: dict[Place, Known] = {}
        self._found: list[Learned] = []
        self._announced: dict[str, tuple[int, ...]] = {}  # gateway's port -> its addresses
        self._announcing: list[tuple[float, str]] = []

    # what the agent before this one knew

    def found(self, flows: Iterable[Flow]) -> None:
        """On the bridge: what was learned is in it."""
        self._found += [one for one in map(learned_by, flows) if one is not None]

    def adopt(self) -> None:
        """Before flows that nobody wants are taken away.  It is looked at again soon."""
        if not self._found or not self._desired.started:
            return
        networks = {vlan: network_id for network_id, vlan in self._desired.vlans.items()}
        for vlan, address, mac in self._found:
            place = Place(networks.get(vlan, ""), parsed(address))
            if place.network_id and place not in self._known:
                self._learn(place, octets(mac))
                self._known[place].checked -= AGAIN_AFTER
        self._found.clear()

    # what comes in

    def answer(self, here: LocalPort | None, packet: PacketIn) -> Iterable[Packet]:
        """Of an answer to a question, or of a question for a gateway's own address."""
        said = arp.reply(packet.frame) or icmp.advertised(packet.frame)
        if said is not None:
            for network_id, port_id in self._watch.heard(packet.frame[:6], said):
                place = Place(network_id, said.address)
                self._learn(place, said.mac, self._known.get(place), port_id)
            self._answered(packet.frame[:6], said)
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

    def takes(self, packet: PacketIn) -> bool:
        """A packet whose next hop nobody knows: whether it waits here."""
        router = self._desired.router_at(packet.fields.get(ROUTER, 0))
        gateway = router.gateway if router else None
        address = _next_hop(packet)
        if gateway is None or not _is_on_link(gateway, address):
            return False
        self._wait(Place(gateway.network.network.id, address), gateway, packet)
        return True

    def _wait(self, place: Place, gateway: Gateway, packet: PacketIn) -> None:
        frame = packet.frame
        known = self._known.get(place)
        if known is not None:  # its flow is about to be there
            known.since = _now()
            self._send(to_network(gateway.network.vlan, known.mac + frame[6:]))
            return
        question = self._questions.get(place)
        if question is None:
            if not self._has_room(place, gateway):
                return
            question = self._questions[place] = Question(gateway, _now(), router=packet.fields[ROUTER])
            self._ask(place, question)
        if len(question.frames) < MOST_PACKETS:
            question.frames.append(frame)

    def _has_room(self, place: Place, gateway: Gateway) -> bool:
        """For what routes lead to there always is: nobody who tries each address takes it away."""
        if _leads_to(gateway, place.address):
            return True
        waiting = sum(one.gateway.port.id == gateway.port.id for one in self._questions.values())
        known = sum(one.asker == gateway.port.id for one in self._known.values())
        return waiting < MOST_WAITING and known < MOST_KNOWN

    def _answered(self, to: bytes, said: arp.Said) -> None:
        """Only what was asked for is believed."""
        for place, question in list(self._questions.items()):
            if place.address == said.address and octets(question.gateway.port.mac_address) == to:
                del self._questions[place]
                self._learn(place, said.mac, self._known.get(place), question.gateway.port.id)
                for frame in question.frames:
                    self._send(to_network(question.gateway.network.vlan, said.mac + frame[6:]))

    def _learn(self, place: Place, mac: bytes, before: Known | None = None, asker: str = "") -> None:
        if before is None or before.mac != mac:
            self._desired.learn(place.network_id, str(place.address), mac.hex(":"))
            self._wake()
        since, asker = (before.since, before.asker) if before else (_now(), asker)
        self._known[place] = Known(mac, since, _now(), asker)

    # what time brings

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(TICK)
            self.tick()

    def tick(self) -> None:
        now = _now()
        for place, question in list(self._questions.items()):
            if now >= question.due:
                if question.tries > len(PATIENCE):
                    self._give_up(place)
                else:
                    self._ask(place, question)
        self._watch.tick(now)
        gateways = self._gateways() if self._known else {}
        for place, known in list(self._known.items()):
            gateway = gateways.get(place.network_id)
            if gateway is None or (now - known.since > FORGET_AFTER and not _leads_to(gateway, place.address)):
                self._forget(place)
            elif now - known.checked > AGAIN_AFTER and place not in self._questions:
                self._questions[place] = Question(gateway, now)
        self._announce(now)

    def _gateways(self) -> dict[str, Gateway]:
        return {gateway.network.network.id: gateway for gateway in self._desired.gateways()}

    def _ask(self, place: Place, question: Question) -> None:
        frame = asks(question.gateway, place.address)
        if frame is not None:
            self._send(to_network(question.gateway.network.vlan, frame))
        question.due = _now() + PATIENCE[min(question.tries, len(PATIENCE) - 1)]
        question.tries += 1

    def _give_up(self, place: Place) -> None:
        """What routes lead to stays where it was last: nobody else says that it has the address, and whoever floods us
        with answers, so that the right one is not heard, must not take it away."""
        question = self._questions.pop(place)
        gateway = question.gateway
        self._say_so(question)
        known = self._known.get(place)
        if known is None:
            return
        log.info("next hop does not answer", address=str(place.address), network=place.network_id)
        if _leads_to(gateway, place.address):
            known.checked = _now()
        else:
            self._forget(place)

    def _say_so(self, question: Question) -> None:
        """To who waited."""
        router = self._desired.router_at(question.router)
        for said in (unanswered(frame, router) for frame in question.frames if router):
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
        current = {gateway.port.id: _addresses(gateway) for gateway in self._desired.gateways()}
        for port_id, addresses in current.items():
            if self._announced.get(port_id) != addresses:
                self._announcing += [(now + after, port_id) for after in ANNOUNCE_AT]
        self._announced = current
        self._announce(now)

    def _announce(self, now: float) -> None:
        due = {port_id for at, port_id in self._announcing if at <= now}
        self._announcing = [(at, port_id) for at, port_id in self._announcing if at > now]
        for gateway in self._desired.gateways() if due else ():
            if gateway.port.id in due:
                for packet in announcements(gateway):
                    self._send(packet)


def _addresses(gateway: Gateway) -> tuple[int, ...]:
    return (*gateway.own(4), *gateway.own(6))


def _next_hop(packet: PacketIn) -> IpAddress:
    words = [packet.fields.get(register, 0) for register in NEXT_HOP]
    if packet.frame[12:14] == ETH_IPV4.to_bytes(2, "big"):
        return IPv4Address(words[-1])
    return IPv6Address(b"".join(word.to_bytes(4, "big") for word in words))


def _leads_to(gateway: Gateway, next_hop: IpAddress) -> bool:
    return Prefix(next_hop.version, int(next_hop), None) in (*gateway.next_hops, *gateway.watched)


def _is_on_link(gateway: Gateway, next_hop: IpAddress) -> bool:
    """Or where a route leads to, which in IPv6 may be a link-local address."""
    single = Prefix(next_hop.version, int(next_hop), None)
    return _leads_to(gateway, next_hop) or any(within(single, one) for one in gateway.on_link)


def _now() -> float:
    return asyncio.get_running_loop().time()
