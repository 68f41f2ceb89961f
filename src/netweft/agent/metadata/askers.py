"""The ports that ask: known by the address that flows put in their packets; one that asks without end is not heard."""

import asyncio
from collections import Counter
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final

import structlog

from netweft.agent.desired import Desired
from netweft.services.metadata import ends
from netweft.services.values import Asked, LocalPort

PERIOD: Final = 10.0

log = structlog.get_logger(__name__)


class Askers:
    """most: how often one may ask in a period.  wake: the loop, when a port is not listened to for a while."""

    def __init__(self, desired: Desired, asked: Asked, most: int, wake: Callable[[], None]) -> None:
        self._desired, self._asked, self._most, self._wake = desired, asked, most, wake
        self._counts: Counter[str] = Counter()
        self._counted_since = 0.0

    def who(self, address: str) -> LocalPort | None:
        """address: as the socket tells it."""
        numbers = ends.numbers(ip_address(address.partition("%")[0]))
        return next((here for number in numbers if (here := self._desired.port_at(number))), None)

    def is_still(self, here: LocalPort) -> bool:
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
