"""The one follower of the change log in a server process: reads it in commit order and fills the nodes' outboxes.

Level-triggered: the doorbell only wakes it.  It reads in steps, one at a time, in a worker thread where that may take
long; only a step touches the interest index.  Outboxes are filled in the event loop.  After any failure it forgets
everything and starts over with snapshots, which change nothing at an agent that has the same already.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

import structlog
from anyio import CapacityLimiter, to_thread

from netweft.control.explain.snapshot import Lag
from netweft.control.l2 import binding
from netweft.feed.causes import Causes
from netweft.feed.interest import Interest, Updates
from netweft.feed.outbox import Outbox
from netweft.feed.reader import StoreReader
from netweft.feed.relevance import RowKey, Topic
from netweft.store import ChangesGone, ReadTransaction, Store
from netweft.store.doorbell import Bell

BATCH = 1000  # changes read at a time
APART_SECONDS = 0.005  # between two steps: many commits in a row are not as many steps
TICK_SECONDS = 1.0  # changes without a doorbell: another process that writes the same SQLite file, an outbox to drop
SETTLE_SECONDS = 0.005
RETRY_SECONDS = 1.0
RESUME_SECONDS = 120.0  # how long a node may be away and still go on where it was

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Step:
    """What a step found out.

    free: claimed ports that may be had now.  credentials: nodes that were removed or got another token.
    settling: there is more, that could not be read yet.
    """

    revision: int
    updates: Updates = field(default_factory=dict)
    free: set[str] = field(default_factory=set)
    credentials: set[str] = field(default_factory=set)
    settling: bool = False
    causes: Causes = field(default_factory=Causes)

    def add(self, updates: Updates) -> None:
        for node, update in updates.items():
            self.updates.setdefault(node, {}).update(update)


@dataclass(frozen=True, slots=True)
class _Claim:
    ports: frozenset[str]
    retry: Callable[[Iterable[str]], None]


class Hub:
    def __init__(self, store: Store) -> None:
        self.turns = store.turns
        self._store = store
        self._interest = Interest()
        self._revision: int | None = None
        self._outboxes: dict[str, Outbox] = {}
        self._away: dict[str, float] = {}  # node -> until when its outbox is kept
        self._joining: set[str] = set()
        self._leaving: set[str] = set()
        self._claims: dict[str, _Claim] = {}
        self._bell: Bell | None = None
        self._thread = CapacityLimiter(1)
        self._stepping = asyncio.Lock()

    # -- for sessions

    def subscribe(self, node: str, have_history: str, have_revision: int) -> Outbox:
        """Ends the session that the node had before, if any."""
        before = self._outboxes.get(node)
        outbox = before.succeeded(have_history, have_revision) if before else None
        if outbox is None:
            outbox = Outbox(self._store.history)
            self._joining.add(node)
            self._wake()
        if before:
            before.close("another session of this node took over")
        self._outboxes[node] = outbox
        self._away.pop(node, None)
        return outbox

    def leave(self, node: str, outbox: Outbox) -> None:
        """The session is over; its outbox is kept for the next one."""
        if self._outboxes.get(node) is outbox:
            self._away[node] = asyncio.get_running_loop().time() + RESUME_SECONDS
            self._claims.pop(node, None)

    def is_here(self, node: str) -> bool:
        return node in self._outboxes and node not in self._away

    def here(self) -> list[str]:
        return [node for node in self._outboxes if node not in self._away]

    @property
    def revision(self) -> int:
        """The newest that was read; 0: none was."""
        return self._revision or 0

    def followers(self, topic: Topic) -> list[str]:
        """Nodes with a session here that follow it now."""
        return [node for node in self._interest.followers(topic) if self.is_here(node)]

    async def tells(self, node: str, rows: Iterable[RowKey]) -> set[RowKey]:
        """Those of these that the node is sent.  Waits until its view has been read."""
        while True:
            async with self._stepping:
                if node not in self._joining:
                    return {row for row in rows if self._interest.tells(node, row)}
            await asyncio.sleep(APART_SECONDS)

    async def due(self, node: str, revision: int) -> int:
        """What a node has to have, to have all that concerns it up to this revision.  Waits until that is known."""
        while (self._revision or 0) < revision:
            await asyncio.sleep(APART_SECONDS)
        outbox = self._outboxes.get(node)
        newest = outbox.newest if outbox else None
        return revision if newest is None else newest

    def lags(self) -> dict[str, Lag]:
        """Of nodes that have a session here, or had one just now."""
        return {node: box.lag(connected=node not in self._away) for node, box in self._outboxes.items()}

    def claim(self, node: str, ports: Iterable[str], retry: Callable[[Iterable[str]], None]) -> None:
        """Ports that are plugged in there and not the node's: `retry` is called when they become free."""
        self._claims[node] = _Claim(frozenset(ports), retry)

    # -- the loop

    async def run(self) -> None:
        patience, waits = TICK_SECONDS, 0
        with self._store.doorbell.subscribe() as self._bell:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(patience):
                        await self._bell.wait(APART_SECONDS)
                self._drop_outboxes()
                try:
                    async with self._stepping:
                        joining, leaving = self._joining, self._leaving
                        self._joining, self._leaving = set(), set()
                        step = await self._step(joining, leaving)
                except ChangesGone:
                    log.info("change log shortened: all nodes get snapshots")
                    self._start_over()
                except Exception:  # whatever it is, the feed goes on
                    log.exception("feed cannot read the store")
                    self._start_over()
                    await asyncio.sleep(RETRY_SECONDS)
                else:
                    self._distribute(step, joining)
                    waits = waits + 1 if step.settling else 0
                    patience = min(TICK_SECONDS, SETTLE_SECONDS * 2 ** min(waits, 10)) if waits else TICK_SECONDS

    async def _step(self, joining: set[str], leaving: set[str]) -> _Step:
        """In a thread, unless it is likely to be over before a thread has begun (decision 0021)."""
        if self._store.embedded and not joining:
            return self._read(joining, leaving)
        return await to_thread.run_sync(self._read, joining, leaving, limiter=self._thread)

    def _wake(self) -> None:
        if self._bell:
            self._bell.ring()

    def _drop_outboxes(self) -> None:
        now = asyncio.get_running_loop().time()
        for node in [node for node, until in self._away.items() if until < now]:
            self._drop(node, "away for too long")

    def _drop(self, node: str, reason: str) -> None:
        self._outboxes.pop(node).close(reason)
        self._away.pop(node, None)
        self._claims.pop(node, None)
        self._leaving.add(node)

    def _start_over(self) -> None:
        self._interest = Interest()
        self._revision = None
        self._joining = set(self._outboxes)
        for claim in self._claims.values():
            claim.retry(claim.ports)
        self._wake()

    def _distribute(self, step: _Step, joined: set[str]) -> None:
        for node, update in step.updates.items():
            outbox = self._outboxes.get(node)
            if outbox and node in joined:
                outbox.replace(step.revision, update)
            elif outbox and update:
                outbox.merge(step.revision, update)
        for node, deliveries in step.causes.deliveries(step.updates).items():
            if outbox := self._outboxes.get(node):
                outbox.because_of(deliveries)
        for node in step.credentials & self._outboxes.keys():
            self._drop(node, "the node's token was replaced or removed")
        for claim in self._claims.values():
            if ports := claim.ports & step.free:
                claim.retry(ports)

    # -- a step

    def _read(self, joining: set[str], leaving: set[str]) -> _Step:
        for node in leaving:
            self._interest.unfollow(node)
        with self._store.read() as tx:
            reader = StoreReader(tx)
            step = _Step(tx.revision() if self._revision is None else self._revision)
            touched: set[RowKey] = set()
            full = True
            while full and (changes := tx.changes(step.revision, BATCH)):
                batch = {(change.kind, change.id) for change in changes}
                step.add(self._interest.advance(reader, batch))
                step.causes.add(changes)
                step.revision = changes[-1].revision
                touched |= batch
                full = len(changes) >= BATCH
            step.add(self._interest.follow(reader, joining))
            step.free = self._free(tx, touched)
            step.settling = tx.is_settling()
            step.credentials = {id for kind, id in touched if kind == "nodes"}
        self._revision = step.revision
        return step

    def _free(self, tx: ReadTransaction, touched: set[RowKey]) -> set[str]:
        """Of the touched ports that somebody claims: those that may be had.

        The claims are looked at last: one that was made after this snapshot finds the snapshot's changes itself.
        """
        claimed = {id for claim in list(self._claims.values()) for id in claim.ports if ("ports", id) in touched}
        rows = tx.get_many("ports", claimed) if claimed else {}
        return {id for id, row in rows.items() if binding.is_free(row)}
