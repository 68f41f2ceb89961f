"""Packet-ins: each to the handler of its kind, by the reason in the flow's cookie.

The only state is each port's recent rate.  A port that floods one kind is ignored for a while: a flow drops its
packets, so that they cost neither the agent nor the other ports' answers.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Protocol

import structlog

from netweft.agent.desired import Desired
from netweft.dataplane.openflow.messages import PacketIn
from netweft.services.fields import IN_PORT, Owner, Reason, object_bits, owner
from netweft.services.l2.announce import Packet
from netweft.services.values import Asked, LocalPort

log = structlog.get_logger(__name__)

PERIOD = 10.0  # seconds
MANY_FROM_OUTSIDE = 2500  # above what meters let up of all kinds that one answers (services/l3/hand_ups)
MANY = 50  # of a kind from one port in that time; a DHCP client that hurries sends one a second
TOO_MUCH, FAILED = "too much", "failed"
OF_KIND = {
    Asked.NEXT_HOP: 500,  # of a port that has many addresses unknown to the database, each probed every 20 s
    Asked.PIECES: 1000,  # half of what the router's meter lets up
    Asked.VIP_PIECES: 1000,  # likewise, the balancer's
    Asked.REJECTION: 1000,  # meters let up as many
    Asked.LOG: 10_000,  # likewise; nothing is said to anybody
}


class PacketInHandler(Protocol):
    """asked: the kind; reasons: of the flows that hand it up."""

    asked: Asked
    reasons: frozenset[Reason]

    def answer(self, here: LocalPort | None, packet: PacketIn) -> Iterable[Packet]:
        """here: the port that it came from; None for one that came from outside.  Empty: there is nothing to say."""


class PacketIns:
    """send: at once, and without a retry: a client without an answer sends its request again.
    handlers: called once, when the first packet comes, or when there is time for it.
    handed_up, said, unheard: packets so far, by their kind; of the last by reason, too.

    What comes from outside is counted for each object that the flow is of: one router's flood is not another's."""

    def __init__(
        self,
        desired: Desired,
        handlers: Callable[[], Iterable[PacketInHandler]],
        send: Callable[[Packet], None],
        wake: Callable[[], None],
    ) -> None:
        self._desired, self._send = desired, send
        self._handlers = handlers
        self._wake = wake
        self.handed_up: Counter[Asked] = Counter()
        self.said: Counter[Asked] = Counter()
        self.unheard: Counter[tuple[Asked, str]] = Counter()
        self._counts: Counter[tuple[str, str, Asked]] = Counter()
        self._counted_since = 0.0

    @cached_property
    def _by_reason(self) -> Mapping[Reason, PacketInHandler]:
        return {reason: one for one in self._handlers() for reason in one.reasons}

    def load(self) -> None:
        """Loads the handlers, before the first packet."""
        _ = self._by_reason

    def take(self, packet: PacketIn) -> None:
        """Whatever becomes of it: one port's packet must not cost the others the connection."""
        _, who = self._who(packet)
        try:
            for answer in self.answer(packet):
                self._send(answer)
                if who:
                    self.said[who.asked] += 1
        except Exception:
            log.exception("a packet was not answered")
            if who:
                self.unheard[who.asked, FAILED] += 1

    def answer(self, packet: PacketIn) -> Iterable[Packet]:
        """Empty: there is nothing to say, or nobody to say it."""
        whose, who = self._who(packet)
        here = self._desired.port_at(packet.fields.get(IN_PORT, 0))
        if whose is None or who is None:
            return ()
        self.handed_up[who.asked] += 1
        if self._is_too_much(here.port.id if here else "", "" if here else whose.object, who.asked):
            self.unheard[who.asked, TOO_MUCH] += 1
            return ()
        return who.answer(here, packet)

    def _who(self, packet: PacketIn) -> tuple[Owner | None, PacketInHandler | None]:
        whose = owner(packet.cookie)
        return whose, self._by_reason.get(whose.reason) if whose and whose.reason else None

    def is_deaf(self, asked: Asked, object_id: str) -> bool:
        """Whether some of this kind, of this object's flows, is ignored at the moment: there is too much of it."""
        late = asyncio.get_running_loop().time() - self._counted_since > PERIOD
        return not late and self._counts["", f"{object_bits(object_id):010x}", asked] > MANY_FROM_OUTSIDE

    def _is_too_much(self, port_id: str, outside: str, asked: Asked) -> bool:
        most = OF_KIND.get(asked, MANY) if port_id else MANY_FROM_OUTSIDE
        whose = (port_id, outside, asked)
        loop = asyncio.get_running_loop()
        if loop.time() - self._counted_since > PERIOD:
            self._counts.clear()
            self._counted_since = loop.time()
        self._counts[whose] += 1
        if port_id and self._counts[whose] == most + 1:
            log.warning("port asks without end", port=port_id, asks_for=asked, deaf_for=PERIOD)
            self._listen(port_id, asked, False)
            loop.call_later(PERIOD, self._listen, port_id, asked, True)
        return self._counts[whose] > most

    def _listen(self, port_id: str, asked: Asked, again: bool) -> None:
        self._desired.listen(port_id, asked, again=again)
        self._wake()
