"""Next hops outside of which a route has several: whether each answers, so that one that does not is left out.

Each is asked (ARP, ND) once a second.  Who has left a few questions in a row without an answer is silent until he
answers again; what led to him goes by the others.  Nobody is silent from the start: he is asked first.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import structlog

from netweft.agent.desired import Desired
from netweft.dataplane.packets import arp
from netweft.dataplane.packets.datagram import IpAddress
from netweft.services.addresses import octets, parsed, text
from netweft.services.l2.announce import Packet
from netweft.services.l3.announcements import question, to_network
from netweft.services.l3.values import Gateway

log = structlog.get_logger(__name__)

EVERY: Final = 1.0  # seconds between two questions; while there is no answer, AGAIN
AGAIN: Final = 0.25
MOST_UNANSWERED: Final = 4


class Watched(NamedTuple):
    """port: the gateway's, by which it is asked."""

    port: str
    address: IpAddress


@dataclass(slots=True)
class State:
    """mac: the gateway's, which answers are for."""

    network: str
    mac: bytes
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

    @property
    def silent(self) -> Iterable[bool]:
        """Whether each is."""
        return (state.silent for state in self._states.values())

    def heard(self, to: bytes, said: arp.Said) -> list[tuple[str, str]]:
        """For which networks, by which gateways' ports that is an answer."""
        answered = []
        for watched, state in list(self._states.items()):
            if watched.address == said.address and state.mac == to:
                state.due += EVERY - AGAIN if state.unanswered else 0.0
                state.unanswered = 0
                self._turn(watched, state, silent=False)
                answered.append((state.network, watched.port))
        return answered

    def tick(self, now: float) -> None:
        wanted = dict(_watched([one for one in self._desired.gateways() if one.answers]))
        for gone in self._states.keys() - wanted.keys():
            state = self._states.pop(gone)
            self._turn(gone, state, silent=False)
        for watched, gateway in wanted.items():
            mac = octets(gateway.port.mac_address)
            state = self._states.setdefault(watched, State(gateway.network.network.id, mac, now))
            state.mac = mac
            if now >= state.due:
                self._ask(watched, state, gateway, now)

    def _ask(self, watched: Watched, state: State, gateway: Gateway, now: float) -> None:
        if state.unanswered >= MOST_UNANSWERED:
            self._turn(watched, state, silent=True)
        frame = question(gateway, watched.address)
        if frame is not None:
            self._send(to_network(gateway.network.vlan, frame))
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
                found[one.network].add(str(other.address))
        self._desired.fall_silent(state.network, found[state.network])
        self._wake()


def _watched(gateways: list[Gateway]) -> Iterator[tuple[Watched, Gateway]]:
    for gateway in gateways:
        for hop in gateway.watched:
            yield Watched(gateway.port.id, parsed(text(hop))), gateway
