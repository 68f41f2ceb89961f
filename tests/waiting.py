"""Waiting for what happens by itself, without stopping the event loop."""

import asyncio
from collections.abc import Callable

PATIENCE = (
    30.0  # seconds: for what takes moments where nothing else runs; who waits for it does not wait longer than it takes
)


async def until(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)
