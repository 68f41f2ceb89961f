"""What runs beside requests, for as long as a block does."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def beside(*works: Coroutine[Any, Any, Any]) -> AsyncIterator[None]:
    """Each until it is cancelled, when the block ends; that waits for all."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        await ended(tasks)


async def ended(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
