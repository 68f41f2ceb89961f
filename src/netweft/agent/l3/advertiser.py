"""Sends router advertisements to the ports here, solicited and unsolicited.

Unsolicited ones come at once when something changed, again a little later, since the VM may not have listened yet, and
then periodically (RFC 4861 6.2).  Keeps what each port was sent, so that what ended is withdrawn (lifetime 0).
After a restart all ports are taken to have what is there; they are sent it once more, spread over time.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterable, Iterator
from heapq import heappop, heappush
from time import monotonic
from typing import Final

from msgspec import Struct, field

from netweft.agent.desired import Desired, Part
from netweft.dataplane.openflow.messages import PacketIn
from netweft.dataplane.packets.router_advert import Advertisement, encode, solicitation
from netweft.services.dhcp.requests import to_port
from netweft.services.fields import Reason
from netweft.services.l2.announce import Packet
from netweft.services.l3.neighbours.router_advertisements import MOST_BETWEEN, to_say
from netweft.services.values import Advertised, Asked, LocalPort

# seconds
PAUSES: Final = (1.0, 3.0)  # before what is new is said again
BETWEEN: Final = (MOST_BETWEEN / 3, MOST_BETWEEN)  # RFC 4861 6.2.1
AFTER_A_RESTART: Final = (2.0, 12.0)
_BREATH, _AT_ONCE = 0.01, 64  # packets, and then others have their turn


class Solicitations:
    """Answers who looks for routers."""

    asked = Asked.ROUTER
    reasons = frozenset({Reason.NETWORK_ADVERTISE})

    def __init__(self, desired: Desired) -> None:
        self._desired = desired

    def answer(self, here: LocalPort | None, packet: PacketIn) -> Iterable[Packet]:
        said, asked = self._desired.advertised.get(here.number) if here else None, solicitation(packet.frame)
        if here is None or said is None or asked is None:
            return ()
        return tuple(to_port(here.number, frame) for one in said.routers for frame in encode(one, asked.to))


class _Listener(Struct):
    """A port that gets advertisements.  heard: what it was sent last.  news: of that, by the router's MAC, what is to
    be sent again, as often as there are pauses left."""

    network_id: str
    heard: Advertised | None = None
    news: dict[bytes, Advertisement] = field(default_factory=dict)
    pauses: list[float] = field(default_factory=list)


class Advertiser:
    """send: at once, and never again."""

    def __init__(
        self, desired: Desired, send: Callable[[Packet], None], clock: Callable[[], float] = monotonic
    ) -> None:
        self._desired, self._send, self._clock = desired, send, clock
        self._listeners: dict[int, _Listener] = {}  # by logical port
        self._changed: set[int] = set()
        self._restarted = True
        self._due: dict[int, float] = {}
        self._queue: list[tuple[float, int]] = []
        self._news = asyncio.Event()

    def change(self, part: Part[int, Advertised]) -> None:
        """Of what is to be said, once it is `wired`."""
        self._changed.update(part.deletes, (one.number for one in part.upserts))
        if self._restarted:
            for one in part.upserts:
                self._listeners.setdefault(one.number, _Listener(one.network_id, one))

    def wired(self) -> None:
        """What was wanted until now is in place."""
        now = self._clock()
        for number in sorted(self._changed):
            listener = self._listeners.get(number)
            known = self._restarted and listener and listener.heard == self._desired.advertised.get(number)
            self._schedule(number, now + (random.uniform(*AFTER_A_RESTART) if known else 0))
        self._restarted = False
        if self._changed:
            self._changed.clear()
            self._news.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._queue[0][0] - self._clock() if self._queue else None):
                    await self._news.wait()
            self._news.clear()
            for place, packet in enumerate(self.due(), 1):
                self._send(packet)
                if place % _AT_ONCE == 0:
                    await asyncio.sleep(_BREATH)

    def due(self) -> Iterator[Packet]:
        """What is to be said by now."""
        now = self._clock()
        while self._queue and self._queue[0][0] <= now:
            when, number = heappop(self._queue)
            if self._due.get(number) == when:
                del self._due[number]
                yield from self._next(number)

    def _schedule(self, number: int, when: float) -> None:
        self._due[number] = when
        heappush(self._queue, (when, number))

    def _next(self, number: int) -> list[Packet]:
        """What the port hears now."""
        here, said = self._desired.port_at(number), self._desired.advertised.get(number)
        listener = self._listeners.pop(number, None)
        if here is None or (said and said.network_id != here.port.network_id):
            return []
        if listener is None or listener.network_id != here.port.network_id:
            listener = _Listener(here.port.network_id)
        if news := to_say(listener.heard, said):
            listener.news.update((one.mac, one) for one in news)
            listener.pauses = list(PAUSES)
        listener.heard = said
        frames = [frame for one in listener.news.values() or (said.routers if said else ()) for frame in encode(one)]
        self._again(number, listener)
        return [to_port(number, frame) for frame in frames]

    def _again(self, number: int, listener: _Listener) -> None:
        if listener.pauses:
            pause = listener.pauses.pop(0)
        elif listener.heard:
            listener.news.clear()
            pause = random.uniform(*BETWEEN)
        else:
            return
        self._listeners[number] = listener
        self._schedule(number, self._clock() + pause)
