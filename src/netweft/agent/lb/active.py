"""Counts in conntrack the open connections to VIPs, periodically, and reports them to the server.

A dump may stop the userspace datapath's forwarding: it takes a hundredth of the time at most, and is made only where
there are listeners.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path

import structlog

from netweft.dataplane.unixctl.client import CommandFailed, command
from netweft.dataplane.unixctl.conntrack import LISTING, connections
from netweft.model import NodeView
from netweft.model.counting import ACTIVE, Counted
from netweft.services.lb.active import active

RESTS = 100  # as long as a listing took, until the next
MOST_SECONDS = 60.0  # between two: the server takes them for gone some time after

log = structlog.get_logger(__name__)


class ActiveConnections:
    """view: what the node has to do with.  tell: sends numbers to the server, as soon as there is one."""

    def __init__(
        self,
        run_dir: Path,
        seconds: float,
        view: Callable[[], NodeView],
        tell: Callable[[Iterable[Counted]], None],
    ) -> None:
        self.ask: Callable[..., Awaitable[str]] = partial(command, run_dir)
        self._seconds, self._view, self._tell = seconds, view, tell
        self._took = 0.0
        self._before: Counter[str] = Counter()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(max(self._seconds, min(RESTS * self._took, MOST_SECONDS)))
            if self._before or self._view().listeners:
                await self.look()

    async def look(self) -> None:
        clock = asyncio.get_running_loop().time
        start = clock()
        try:
            listing = await self.ask(LISTING)
        except CommandFailed as problem:  # whoever keeps Open vSwitch in view says more
            log.debug("open connections are not counted", problem=str(problem))
            return
        self._took = clock() - start
        found = await asyncio.to_thread(lambda view: active(view, connections(listing)), self._view())
        ended = self._before.keys() - found.keys()
        self._before = found
        numbers = [*found.items(), *((id, 0) for id in sorted(ended))]
        if numbers:
            self._tell(Counted(kind=ACTIVE, id=id, life=0, packets_in=count) for id, count in numbers)
