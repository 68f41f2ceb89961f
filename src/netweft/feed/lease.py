"""One server of many does something at a time: a lease in the database, by its clock (`store.followers`)."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, TypeAlias

import structlog

from netweft.store import NotHeld, Store

SECONDS: Final = 15.0
InThread: TypeAlias = Callable[[Callable[[], Any]], Awaitable[Any]]

log = structlog.get_logger(__name__)


class Lease:
    """hold, let_go: block."""

    def __init__(self, store: Store, name: str) -> None:
        self.name, self.me = name, uuid.uuid4().hex
        self._store, self._held = store, False

    def hold(self) -> bool:
        """Takes or prolongs it.  False: another server has it."""
        with self._store.read() as tx:
            found = tx.followers.get(self.name)
        # one server has the file: whoever held the lease has ended
        if found is not None and found.held and found.holder != self.me and not self._store.embedded:
            return False
        with self._store.write() as tx:
            if self._store.embedded and not self._held:
                tx.followers.let_go(self.name)
            self._held = tx.followers.hold(self.name, self.me, SECONDS)
            return self._held

    def let_go(self) -> None:
        """Another server may have it at once."""
        with self._store.write() as tx:
            tx.followers.let_go(self.name, self.me)
        self._held = False

    async def whenever_held(self, in_thread: InThread, follow: Callable[[], Awaitable[None]], seconds: float) -> None:
        """Until cancelled: follows while this server has it, and looks for it each so many seconds.

        follow: raises NotHeld once another server has it; whatever else it raises, it begins anew."""
        while True:
            try:
                if await in_thread(self.hold):
                    log.info("this server has the lease", follower=self.name)
                    async with self.kept(in_thread):
                        await follow()
            except NotHeld:
                log.info("another server took the lease", follower=self.name)
            except Exception:  # whatever it is, the server goes on
                log.exception("a follower failed", follower=self.name)
            await asyncio.sleep(seconds)

    @asynccontextmanager
    async def kept(self, in_thread: InThread) -> AsyncIterator[None]:
        """Prolonged while the block lasts, then let go.  Lost, whoever writes next gets NotHeld."""
        keeper = asyncio.create_task(self._prolong(in_thread))
        try:
            yield
        finally:
            keeper.cancel()
            with suppress(Exception):  # it ends by itself, a little later
                await asyncio.shield(in_thread(self.let_go))

    async def _prolong(self, in_thread: InThread) -> None:
        while True:
            await asyncio.sleep(SECONDS / 3)
            with suppress(Exception):
                await in_thread(self.hold)
