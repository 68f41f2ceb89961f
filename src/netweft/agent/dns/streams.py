"""DNS by TCP (RFC 7766): queries one after the other, each behind its length.  Whoever is slow is not waited for."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from netweft.agent.metadata.guests import Guests

IDLE: Final = 10.0  # seconds
MOST: Final = 4096  # bytes of a query

Ask: TypeAlias = Callable[[bytes], Awaitable[bytes | None]]


class Stream:
    """A guest (agent/metadata/guests)."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def leave(self) -> None:
        self._writer.transport.abort()

    async def serve(self, port_id: str, guests: Guests, ask: Ask) -> None:
        """ask: None: nothing is said, and it ends."""
        if not guests.enter(port_id, self):
            self.leave()
            return
        try:
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                while True:
                    async with asyncio.timeout(IDLE):
                        size = int.from_bytes(await self._reader.readexactly(2), "big")
                        if size > MOST:
                            break
                        query = await self._reader.readexactly(size)
                    answer = await ask(query)
                    if answer is None:
                        break
                    self._writer.write(len(answer).to_bytes(2, "big") + answer)
                    async with asyncio.timeout(IDLE):
                        await self._writer.drain()
        finally:
            guests.left(port_id, self)
            self._writer.close()
