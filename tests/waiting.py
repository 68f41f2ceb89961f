"""Waiting for what happens by itself, without stopping the event loop."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    """Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)
