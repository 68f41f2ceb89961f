"""Tells whoever waits for changes that there may be some.  Says nothing about what changed: look into the log."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Bell:
    """One waiter's end.  Starts rung, so that the first `wait` returns at once and nothing is missed."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._event = asyncio.Event()
        self._event.set()
        self._returned = float("-inf")

    async def wait(self, apart: float = 0.0) -> None:
        """Until rung since the last `wait` returned, and not sooner than so many seconds after that: where changes come
        one upon the other, one look is for several."""
        await self._event.wait()
        if (early := self._returned + apart - self._loop.time()) > 0:
            await asyncio.sleep(early)
        self._event.clear()
        self._returned = self._loop.time()

    def ring(self) -> None:
        """From any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._event.set)


class Doorbell:
    """Rung after each commit of this process, and by other processes' commits where the database can tell us."""

    def __init__(self) -> None:
        self._bells: set[Bell] = set()
        self._lock = threading.Lock()

    @contextmanager
    def subscribe(self) -> Iterator[Bell]:
        """Call inside a running event loop."""
        bell = Bell(asyncio.get_running_loop())
        with self._lock:
            self._bells.add(bell)
        try:
            yield bell
        finally:
            with self._lock:
                self._bells.discard(bell)

    def ring(self) -> None:
        with self._lock:
            bells = tuple(self._bells)
        for bell in bells:
            bell.ring()
