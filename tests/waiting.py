"""Waiting for what happens by itself, without stopping the event loop."""

import asyncio
from collections.abc import Callable

PATIENCE = (
    30.0  # seconds: for what takes moments where nothing else runs; who waits for it does not wait longer than it takes
)


class Awaited:
    """What hears of something: it sets `news` each time."""

    news: asyncio.Event

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await self.news.wait()
                self.news.clear()


async def until(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)
