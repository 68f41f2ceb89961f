"""What Open vSwitch remembers beside its tables: cached flows, and the MACs that operators' bridges have learned.

Cached flows may permit what the tables permit no more (docs/decisions/0123).

Whether they may is remembered from before the tables change until they are dropped.  An agent that has just started
takes it that they do: the one before may have been killed in between.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path

import structlog

from netweft.dataplane.unixctl.client import CommandFailed, command
from netweft.reconcile.retry import Backoff

log = structlog.get_logger(__name__)


class CachedFlows:
    """purge: drops them; flush: the MACs of a bridge; both raise CommandFailed.
    retry: called when it is time to try again."""

    def __init__(self, run_dir: Path, retry: Callable[[], None]) -> None:
        self.purge: Callable[[], Awaitable[object]] = partial(command, run_dir, "revalidator/purge")
        self.flush: Callable[[str], Awaitable[object]] = partial(command, run_dir, "fdb/flush")
        self._retry = retry
        self._suspect = True
        self._backoff = Backoff(first=1.0, limit=60.0)

    def suspect(self) -> None:
        """Something is about to be taken away."""
        self._suspect = True

    async def drop(self) -> None:
        """If need be.  Packets meet the tables again, once each; none is lost."""
        if not self._suspect:
            return
        self._suspect = False
        try:
            await self.purge()
            self._backoff.succeeded()
        except CommandFailed as error:
            self._suspect = True
            loop = asyncio.get_running_loop()
            delay = self._backoff.failed(loop.time())
            log.warning("cached flows not dropped", problem=str(error), retry_in=delay)
            loop.call_later(delay, self._retry)

    async def forget_learned(self, bridges: Iterable[str]) -> None:
        """MACs behind a link that is about to go: until they are heard elsewhere, frames for them go everywhere."""
        try:
            for bridge in bridges:
                await self.flush(bridge)
            await self.purge()
        except CommandFailed as error:  # Open vSwitch forgets them by itself a moment after the link has gone
            log.warning("learned MACs not dropped", problem=str(error))
