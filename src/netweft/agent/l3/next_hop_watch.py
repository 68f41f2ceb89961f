"""Next hops of which a route has several: whether each answers, so that one that does not is left out.

Each is probed (ARP, ND) once a second.  One that leaves a few probes in a row without an answer is silent until it
answers again; its share goes to the others.  None is silent from the start: it is probed first.

Outside the gateway's node probes, and the answer is for it.  On networks inside all nodes of the router watch, and see
the answers to each other's probes: a node that saw one sends no probe of its own for a while.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final, NamedTuple

import structlog
from msgspec import Struct

from netweft.agent.desired import Desired
from netweft.agent.l3.news import News
from netweft.agent.l3.requesters import by_interface
from netweft.dataplane.packets import arp
from netweft.dataplane.packets.datagram import IpAddress
from netweft.services.addresses import octets, parsed, text
from netweft.services.l2.announce import Packet
from netweft.services.l3.neighbours.gratuitous import question, to_network
from netweft.services.l3.values import Gateway

log = structlog.get_logger(__name__)

EVERY: Final = 1.0  # seconds between two questions; while there is no answer, AGAIN
AGAIN: Final = 0.25
MOST_UNANSWERED: Final = 4
SPREAD: Final = 0.5  # where all nodes probe, up to so much later


class Watched(NamedTuple):
    """port: the gateway's or interface's, which probes come from."""

    port: str
    address: IpAddress


class Target(NamedTuple):
    """gateway: the MAC of the one that answers are for; None inside.  mac: of whom the database knows to have the
    address.  questions: for it."""

    network: str
    gateway: bytes | None
    mac: bytes | None
    questions: Callable[[], Iterable[Packet]]


class State(Struct):
    target: Target
    due: float
    unanswered: int = 0
    silent: bool = False


class NextHopWatch:
    """send: a packet-out on the integration bridge."""

    def __init__(self, desired: Desired, send: Callable[[Packet], None], wake: Callable[[], None]) -> None:
        self._desired = desired
        self._send = send
        self._wake = wake
        self._states: dict[Watched, State] = {}
        self._now = 0.0
        self._news = News(desired)

    @property
    def silent(self) -> Iterable[bool]:
        """Whether each is."""
        return (state.silent for state in self._states.values())

    def heard(self, to: bytes, said: arp.Said) -> list[tuple[str, str]]:
        """For which networks, by which gateways' ports that is an answer."""
        answered = []
        for watched, state in list(self._states.items()):
            if watched.address == said.address and state.target.gateway == to:
                self._lives(watched, state, EVERY)
                answered.append((state.target.network, watched.port))
        return answered

    def heard_inside(self, network_id: str, said: arp.Said) -> bool:
        """ARP or ND to a router on a network.  Returns whether the address is probed here, and no host is known to have
        it."""
        found = False
        for watched, state in list(self._states.items()):
            target = state.target
            if (watched.address, target.network, target.gateway) == (said.address, network_id, None):
                if target.mac in (None, said.mac):
                    self._lives(watched, state, EVERY + random.uniform(0, SPREAD))
                found = found or target.mac is None
        return found

    def _lives(self, watched: Watched, state: State, pause: float) -> None:
        if state.unanswered or state.target.gateway is None:
            state.due = self._now + pause
        state.unanswered = 0
        self._turn(watched, state, silent=False)

    def tick(self, now: float) -> None:
        self._now = now
        if self._news():
            self._want({**dict(_outside(self._desired)), **dict(_inside(self._desired))}, now)
        for watched, state in list(self._states.items()):
            if now >= state.due:
                self._ask(watched, state, now)

    def _want(self, wanted: dict[Watched, Target], now: float) -> None:
        for gone in self._states.keys() - wanted.keys():
            self._turn(gone, self._states.pop(gone), silent=False)
        for watched, target in wanted.items():
            self._states.setdefault(watched, State(target, now)).target = target

    def _ask(self, watched: Watched, state: State, now: float) -> None:
        if state.unanswered >= MOST_UNANSWERED:
            self._turn(watched, state, silent=True)
        for packet in state.target.questions():
            self._send(packet)
        state.unanswered += 1
        state.due = now + (EVERY if state.silent else AGAIN)

    def _turn(self, watched: Watched, state: State, *, silent: bool) -> None:
        if state.silent == silent:
            return
        state.silent = silent
        log.info("next hop is silent" if silent else "next hop answers", address=str(watched.address))
        found: defaultdict[str, set[str]] = defaultdict(set)
        for other, one in self._states.items():
            if one.silent:
                found[one.target.network].add(str(other.address))
        self._desired.fall_silent(state.target.network, found[state.target.network])
        self._wake()


def _outside(desired: Desired) -> Iterator[tuple[Watched, Target]]:
    for gateway in desired.with_watched():
        for address in map(parsed, map(text, gateway.watched)) if gateway.answers else ():
            asks = partial(_by_gateway, gateway, address)
            own_mac = octets(gateway.port.mac_address)
            yield Watched(gateway.port.id, address), Target(gateway.network.network.id, own_mac, None, asks)


def _by_gateway(gateway: Gateway, address: IpAddress) -> Iterator[Packet]:
    frame = question(gateway, address)
    if frame is not None:
        yield to_network(gateway.network.vlan, frame)


def _inside(desired: Desired) -> Iterator[tuple[Watched, Target]]:
    """By unicast where the MAC is known."""
    for router, interface in desired.watching():
        requester = by_interface(desired, router, interface)
        for hop in interface.watched:
            address, its_mac = parsed(text(hop.address)), octets(hop.mac) if hop.mac else None
            asks = partial(requester.questions, address, its_mac)
            yield Watched(interface.port.id, address), Target(interface.network.network.id, None, its_mac, asks)
