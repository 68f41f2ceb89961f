"""What one node was not sent yet.  Grows with the number of objects, never with the number of changes.

While a node is away its outbox stays for a while and fills up like that of a slow one, so that the node can go on where
it was.  Used in the event loop only.
"""

import asyncio
import time
from collections.abc import Iterable

from netweft.control.explain.snapshot import Lag
from netweft.feed.causes import Delivery
from netweft.feed.interest import Update
from netweft.wire.causes import MOST_CAUSES
from netweft.wire.messages import Delta, Snapshot


class Closed(Exception):
    """The session has to end; the text says why."""


class Outbox:
    """One session's.  Begins with nothing to say until `replace`d, unless it succeeds another one."""

    def __init__(self, history: str) -> None:
        self._history = history
        self._pending: Update | None = None  # None: waits for a whole view
        self._whole = False  # pending is a whole view, not what differs from the last
        self._revision = 0
        self._sent: int | None = None  # what the node must have to go on from here; None: it cannot
        self._told = 0  # the last revision that was taken
        self._since: float | None = None  # when what waits began to wait
        self._ready = asyncio.Event()
        self._closed = ""
        self._deliveries: list[Delivery] = []  # why there is what waits
        self._under_way: list[Delivery] = []

    def replace(self, revision: int, view: Update) -> None:
        """Start over: the next message is a snapshot."""
        self._pending, self._whole, self._revision = dict(view), True, revision
        self._waits()

    def merge(self, revision: int, update: Update) -> None:
        if self._pending is None:
            return  # the view to come has it
        self._pending.update(update)
        self._revision = revision
        self._waits()

    def because_of(self, deliveries: Iterable[Delivery]) -> None:
        """Of what was merged or replaced just now."""
        if self._pending is not None:
            self._deliveries += deliveries
            del self._deliveries[MOST_CAUSES:]

    def sent(self) -> None:
        """What was taken last is on its way."""
        for delivery in self._under_way:
            delivery.done()
        self._under_way = []

    async def take(self) -> Snapshot | Delta:
        """The next message, as soon as there is one.  Raises Closed.  One taker at a time."""
        await self._ready.wait()
        if self._closed or self._pending is None:
            raise Closed(self._closed)
        self._ready.clear()
        pending, whole, revision = self._pending, self._whole, self._revision
        self._pending, self._whole = {}, False
        # After two messages of one revision, a node that says it has this revision may have the first only.
        self._sent = revision if revision != self._sent else None
        self._told, self._since = revision, None
        self._under_way, self._deliveries = self._deliveries, []
        causes = tuple(delivery.cause for delivery in self._under_way)
        objects = tuple(obj for obj in pending.values() if obj is not None)
        if whole:
            return Snapshot(history=self._history, revision=revision, objects=objects, causes=causes)
        deletes = tuple(key for key, obj in pending.items() if obj is None)
        return Delta(revision=revision, upserts=objects, deletes=deletes, causes=causes)

    def succeeded(self, have_history: str, have_revision: int) -> "Outbox | None":
        """For the node's next session, if what the node has is what this one has sent.  It speaks at once."""
        if self._pending is None or self._whole or (have_history, have_revision) != (self._history, self._sent):
            return None
        successor = Outbox(self._history)
        successor._pending, successor._revision = self._pending, self._revision
        successor._sent = self._sent if self._pending else None
        successor._told, successor._since = self._told, self._since
        successor._deliveries, self._deliveries = self._deliveries, []
        successor._waits()
        return successor

    @property
    def newest(self) -> int | None:
        """The revision that the node has once all that waits has been sent; None: that is not known yet."""
        if self._pending is None:
            return None
        return self._revision if self._pending or self._whole else self._told

    def lag(self, *, connected: bool) -> Lag:
        """How far the node is behind; a whole view that it waits for is not counted in revisions."""
        waiting = len(self._pending or ())
        revisions = max(self._revision - self._told, 0) if waiting and self._told else 0
        seconds = time.monotonic() - self._since if waiting and self._since is not None else 0.0
        return Lag(connected, self._told, revisions, waiting, seconds)

    def _waits(self) -> None:
        if self._since is None:
            self._since = time.monotonic()
        self._ready.set()

    def close(self, reason: str) -> None:
        self._closed = reason
        for delivery in (*self._under_way, *self._deliveries):
            delivery.done(reason)
        self._under_way, self._deliveries = [], []
        self._ready.set()
