"""What VMs ask goes to the server, which knows their metadata: the one that the feed comes from, else any other.

A port has a few questions under way at a time, so that one with many does not keep the others waiting.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Final

import structlog

from netweft.agent.metadata.any_server import AnyServer
from netweft.agent.metadata.client import NoAnswer
from netweft.settings import AgentSettings
from netweft.wire.metadata import PATH, Ask, Said

AT_ONCE: Final = 32
AT_ONCE_EACH: Final = 2
A_SECOND_EACH: Final = 20.0  # for long
BURST_SECONDS: Final = 10.0  # so much of that at once: a booting guest sends some fifty requests

MANY: Final = 1000

log = structlog.get_logger(__name__)

NOBODY = Said(status=503, body=b"The metadata service does not answer. Try again.\n")


class MetadataServer:
    """first: the server to ask first; empty for any."""

    def __init__(self, settings: AgentSettings, first: Callable[[], str]) -> None:
        self._servers = AnyServer(settings, first)
        self._room = asyncio.Semaphore(AT_ONCE)
        self._turns: dict[str, asyncio.Semaphore] = {}
        self._asking: Counter[str] = Counter()
        self._owed: dict[str, float] = {}  # when the port's requests so far would be due, at that pace
        self._silent = False

    async def ask(self, question: Ask) -> Said:
        """Always an answer, if only that there is none."""
        port_id = question.port_id
        turn = self._turns.setdefault(port_id, asyncio.Semaphore(AT_ONCE_EACH))
        self._asking[port_id] += 1
        try:
            async with turn:
                await self._pace(port_id)
                async with self._room:
                    return await self._ask(question)
        finally:
            self._asking[port_id] -= 1
            if not self._asking[port_id]:
                del self._asking[port_id], self._turns[port_id]

    async def _pace(self, port_id: str) -> None:
        now = asyncio.get_running_loop().time()
        if len(self._owed) > MANY:
            self._owed = {id: owed for id, owed in self._owed.items() if owed > now - BURST_SECONDS}
        owed = max(self._owed.get(port_id, 0.0), now - BURST_SECONDS) + 1 / A_SECOND_EACH
        self._owed[port_id] = owed
        if owed > now:
            await asyncio.sleep(owed - now)

    async def _ask(self, question: Ask) -> Said:
        try:
            said = await self._servers.post(PATH, question, Said)
        except NoAnswer as problem:
            if not self._silent:
                log.warning("no server answers what VMs ask for", problem=str(problem))
            self._silent = True
            return NOBODY
        self._silent = False
        return said

    def close(self) -> None:
        self._servers.close()
