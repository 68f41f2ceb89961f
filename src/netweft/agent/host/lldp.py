"""Where this node's NICs are plugged in, as lldpd has learned it; reported to the server with the node's facts.

Only NICs of bridges of physical networks count: what a VM sends is heard nowhere else.  Once heard, it stays until
something else is: lldpd that was restarted knows nothing for half a minute.
"""

import asyncio
from collections.abc import Callable, Collection

import structlog

from netweft.dataplane.lldp import Heard, LldpError, ask
from netweft.model import Neighbour

log = structlog.get_logger(__name__)


class LldpSide:
    """socket: of lldpd; empty: not read.  changed: called when a neighbour changed."""

    def __init__(self, socket: str, seconds: float, changed: Callable[[], None]) -> None:
        self._socket, self._seconds, self._changed = socket, seconds, changed
        self._heard: dict[str, Heard] = {}
        self.problem = ""

    async def run(self) -> None:
        """Until cancelled."""
        while self._socket:
            await self._look()
            await asyncio.sleep(self._seconds)

    async def _look(self) -> None:
        before = self._heard, self.problem
        try:
            self._heard, self.problem = self._heard | await ask(self._socket), ""
        except LldpError as error:
            self.problem = str(error)
        if (self._heard, self.problem) != before:
            log.info("neighbours by LLDP", heard=len(self._heard), problem=self.problem)
            self._changed()

    def neighbours(self, nics: Collection[str]) -> tuple[Neighbour, ...]:
        """Of these NICs."""
        found = sorted((nic, heard) for nic, heard in self._heard.items() if nic in nics)
        return tuple(Neighbour(nic, *heard) for nic, heard in found)
