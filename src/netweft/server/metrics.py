"""What the server says of itself at `/metrics`: read from whoever has it, on request."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import structlog

from netweft.control import checks
from netweft.control.l2 import hosts
from netweft.feed.service import Feed
from netweft.metrics import definitions as metrics
from netweft.metrics.values import Reading
from netweft.server.connection_limits import Crowd
from netweft.server.requests import Requests
from netweft.store import Store

DATABASE_SECONDS: Final = 4.0

log = structlog.get_logger(__name__)


class Measured:
    """sockets: on which /metrics is served while the server runs."""

    def __init__(self, store: Store, crowd: Crowd, sockets: Sequence[socket.socket], down_seconds: float) -> None:
        self.requests = Requests()
        self._store, self._crowd, self._sockets, self._down_seconds = store, crowd, sockets, down_seconds
        self._asking: asyncio.Task[tuple[int, dict[str, bool], dict[str, int]]] | None = None

    @asynccontextmanager
    async def running(self, feed: Feed) -> AsyncIterator[None]:
        from netweft.metrics.serving import served  # Prometheus' library

        async with served(self._sockets, metrics.SERVER, partial(self.read, feed)):
            yield

    async def read(self, feed: Feed) -> list[Reading]:
        waiting = self._store.turns.waiting | {"nodes": feed.waiting}
        errors = self._store.errors
        kind = self._store.kind
        return [
            *self.requests.readings(),
            *metrics.CONNECTIONS.each(self._crowd.connected.items()),
            *metrics.REFUSED.each(self._crowd.tally.totals.items()),
            *metrics.WAITING.each(waiting.items()),
            *(metrics.DATABASE_ERRORS.at(errors[of], kind, of) for of in ("busy", "fault")),
            *_feed(feed),
            *await self._database(),
        ]

    async def _database(self) -> Iterable[Reading]:
        """As it answers now, in one thread: one that hangs is waited for the next time, too."""
        if self._asking is None:
            self._asking = asyncio.create_task(asyncio.to_thread(self._ask))
        await asyncio.wait((self._asking,), timeout=DATABASE_SECONDS)
        asked, problem = self._asking, "no answer"
        if asked.done():
            self._asking, problem = None, repr(asked.exception() or "")
        if not asked.done() or asked.exception():
            log.warning("the database does not answer", problem=problem)
            return [metrics.DATABASE_UP.at(0, self._store.kind)]
        revision, nodes, saved = asked.result()
        more = [metrics.NODE_ALIVE.at(alive, node) for node, alive in nodes.items()]
        more += metrics.CHECKS.each((status.lower(), count) for status, count in saved.items())
        return [metrics.DATABASE_UP.at(1, self._store.kind), metrics.DATABASE_REVISION.at(revision), *more]

    def _ask(self) -> tuple[int, dict[str, bool], dict[str, int]]:
        with self._store.read() as tx:
            nodes = {agent["host"]: hosts.seconds_silent(agent) < self._down_seconds for agent in tx.query("agents")}
            saved = {status: tx.count(checks.KIND, {"status": [status]}) for status in checks.STATUSES}
            return tx.revision(), nodes, saved


def _feed(feed: Feed) -> Iterable[Reading]:
    yield metrics.FEED_REVISION.at(feed.revision)
    for node, lag in feed.lags().items():
        yield metrics.FEED_SESSION.at(lag.connected, node)
        yield metrics.LAG_REVISIONS.at(lag.revisions, node)
        yield metrics.LAG_SECONDS.at(lag.seconds, node)
