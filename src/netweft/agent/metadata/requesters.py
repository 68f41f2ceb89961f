"""The client ports: known by the address that flows put in their packets; one that floods is ignored."""

import asyncio
from collections import Counter
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final, Generic, Protocol, TypeVar

import structlog

from netweft.model import Port
from netweft.services.metadata import ends
from netweft.services.values import Asked

PERIOD: Final = 10.0

log = structlog.get_logger(__name__)


class Here(Protocol):
    """A port that is plugged in here."""

    @property
    def port(self) -> Port: ...

    @property
    def number(self) -> int: ...


H = TypeVar("H", bound=Here)
H_co = TypeVar("H_co", bound=Here, covariant=True)


class Ports(Protocol[H_co]):
    """By number (`ends`), and whether one is listened to."""

    def port_at(self, number: int) -> H_co | None: ...

    def port_id_at(self, number: int) -> str | None: ...

    def listen(self, port_id: str, asked: Asked, *, again: bool) -> None: ...


class Requesters(Generic[H]):
    """most: how often one may ask in a period.  wake: the loop, when a port is not listened to for a while."""

    def __init__(self, desired: Ports[H], asked: Asked, most: int, wake: Callable[[], None]) -> None:
        self._desired, self._asked, self._most, self._wake = desired, asked, most, wake
        self._counts: Counter[str] = Counter()
        self._counted_since = 0.0

    def who(self, address: str) -> H | None:
        """address: as the socket has it."""
        numbers = ends.numbers(ip_address(address.partition("%")[0]))
        return next((here for number in numbers if (here := self._desired.port_at(number))), None)

    def is_still(self, here: Here) -> bool:
        """What is on its way to a port that has gone must not reach whoever gets its number."""
        return self._desired.port_id_at(here.number) == here.port.id

    def is_too_much(self, port_id: str) -> bool:
        """Counts it, too."""
        loop = asyncio.get_running_loop()
        if loop.time() - self._counted_since > PERIOD:
            self._counts.clear()
            self._counted_since = loop.time()
        self._counts[port_id] += 1
        if self._counts[port_id] == self._most + 1:
            log.warning("port asks without end", port=port_id, asks_for=self._asked, deaf_for=PERIOD)
            self._listen_to(port_id, False)
            loop.call_later(PERIOD, self._listen_to, port_id, True)
        return self._counts[port_id] > self._most

    def _listen_to(self, port_id: str, again: bool) -> None:
        self._desired.listen(port_id, self._asked, again=again)
        self._wake()
