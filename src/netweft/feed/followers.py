"""Runs the followers of the feed that are no nodes (`plugins.followers`): each in one server of many at a time.

    lease ─▶ changes after its place ─▶ rows that may be other ─▶ desired, made ─▶ steps, begun ─▶ apply ─▶ made, place

Level-triggered: the doorbell only wakes it.  What was made so is in the database, written in one transaction with the
place up to which all is done, so whoever has the lease next goes on from there.  What is about to be applied is written
before: where it is not known whether it was (a kill, no answer), it is applied again, and only then what the row has
become meanwhile.  So a step may be applied twice, and none is left out.  A follower that is new takes what is there for
made so.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import islice
from typing import Any, TypeVar

import structlog
from anyio import CapacityLimiter, to_thread

from netweft.feed import lease
from netweft.feed.background import beside
from netweft.plugins.followers import Follower, Outcome, Unreachable
from netweft.reconcile.plan import Step
from netweft.reconcile.retry import Backoff
from netweft.store import ChangesGone, ReadTransaction, Store

T = TypeVar("T")

BATCH = 1000  # changes read at a time
LOOK_SECONDS = 5.0  # at the lease, and for changes without a doorbell
PLACE_SECONDS = 30.0  # how far the place in the database may be behind, while nothing is to be done

log = structlog.get_logger(__name__)


class Followers:
    def __init__(self, store: Store, followers: Sequence[Follower]) -> None:
        self._store, self._followers = store, followers

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        try:
            async with beside(*(Run(self._store, follower).run() for follower in self._followers)):
                yield
        finally:
            for follower in self._followers:
                follower.close()


class Run:
    """One follower in one server."""

    def __init__(self, store: Store, follower: Follower) -> None:
        self._store, self._follower = store, follower
        self._lease = lease.Lease(store, follower.name)
        self._name, self._me = follower.name, self._lease.me
        self._thread = CapacityLimiter(2)
        self._start_at(None)

    def _start_at(self, place: int | None) -> None:
        """place: up to which revision all is done."""
        self._place = self._seen = place
        self._due: set[str] = set()  # rows that may be other than what was made so
        self._later: set[str] = set()  # and those that wait for the next try
        self._away = ""  # why nothing can be applied now
        self._refused = ""  # why the last row that waits was not taken
        self._problem = ""  # as the database has it
        self._written = 0.0
        self._retry = Backoff(first=0.2, limit=30.0)

    async def run(self) -> None:
        """Until cancelled."""
        await self._lease.whenever_held(self._in_thread, self._follow, LOOK_SECONDS)

    async def _follow(self) -> None:
        """Until another server has the lease: raises NotHeld."""
        await self._in_thread(self._begin)
        with self._store.doorbell.subscribe() as bell:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._patience()):
                        await bell.wait()
                await self._in_thread(self._look)
                await self._turn()

    def _patience(self) -> float:
        due = self._retry.due
        return LOOK_SECONDS if due is None else min(LOOK_SECONDS, max(0.0, due - _clock()))

    async def _turn(self) -> None:
        if self._retry.due is not None and self._retry.due <= _clock():
            self._due, self._later, self._away, self._retry.due = self._due | self._later, set(), "", None
        try:
            while self._due and not self._away:
                await self._apply(frozenset(islice(self._due, self._follower.batch)))
        except Unreachable as error:
            self._away = str(error)
            log.warning("a follower cannot go on", follower=self._name, problem=self._away)
        if not (self._later or self._away):
            self._refused = ""
            self._retry.succeeded()
        elif self._retry.due is None:
            self._retry.failed(_clock())
        await self._in_thread(self._keep, {}, self._away or self._refused, ())

    async def _apply(self, keys: frozenset[str]) -> None:
        left, taken_up = await self._in_thread(self._begin_steps, keys)
        outcome = await self._follower.apply(left) if left else Outcome()
        for key, why in outcome.dropped.items():
            log.warning("given up", follower=self._name, object=key, problem=why)
        self._due -= keys - (taken_up - outcome.again.keys())
        self._later = (self._later - keys) | outcome.again.keys()
        self._refused = next(iter(outcome.again.values()), self._refused)
        made = {str(step.key): step.now or None for step in left if step.key not in outcome.again}
        await self._in_thread(self._keep, made, self._refused, outcome.again.keys())

    # -- in a thread, one transaction each

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        return await to_thread.run_sync(lambda: work(*arguments), limiter=self._thread)

    def _begin(self) -> None:
        with self._store.write() as tx:
            found = tx.followers.get(self._name)
            place = found.revision if found else None
            self._start_at(tx.revision() if place is None else place)
            if place is None:
                wanted = {row["id"]: self._follower.desired(row) for row in tx.query(self._follower.kind)}
                tx.followers.make(self._name, {key: value for key, value in wanted.items() if value})
            tx.followers.move(self._name, self._me, self._place, "")
            self._due = set(tx.followers.begun(self._name))

    def _look(self) -> None:
        """Which rows changed since.  All may have, when the log does not reach back that far, or is another one."""
        with self._store.read() as tx:
            seen = self._seen or 0
            try:
                if seen > tx.revision():
                    raise ChangesGone
                while changes := tx.changes(seen, BATCH):
                    self._due |= {change.id for change in changes if change.kind == self._follower.kind}
                    seen = changes[-1].revision
            except ChangesGone:
                self._due |= {*tx.ids(self._follower.kind, {}), *tx.followers.made(self._name)}
                seen = tx.revision()
            self._seen = seen

    def _begin_steps(self, keys: Collection[str]) -> tuple[list[Step], set[str]]:
        """And which of them were begun before: their rows may have become something else meanwhile."""
        with self._store.write() as tx:
            left, begun = steps(tx, self._follower, keys), tx.followers.begun(self._name, keys)
            if left:
                tx.followers.move(self._name, self._me, self._place, self._problem)
                tx.followers.begin(self._name, {str(step.key): step.now or None for step in left})
            return left, begun.keys() & {str(step.key) for step in left}

    def _keep(self, made: Mapping[str, Any], problem: str, refused: Collection[str]) -> None:
        """What is made so now (None: nothing any more), its place, what is in its way, and what was not taken.

        The place alone is written now and then: else each change of anything would be two transactions.
        """
        place = self._place if self._due or self._later else self._seen
        aged = place != self._place and _clock() > self._written + PLACE_SECONDS
        if made or refused or problem != self._problem or aged:
            with self._store.write() as tx:
                tx.followers.move(self._name, self._me, place, problem)
                tx.followers.make(self._name, made)
                tx.followers.give_up(self._name, refused)
            self._place, self._problem, self._written = place, problem, _clock()


def steps(tx: ReadTransaction, follower: Follower, keys: Collection[str] | None = None) -> list[Step]:
    """What is left to do for these rows; None: for all.  What was begun comes first."""
    made, begun = tx.followers.made(follower.name, keys), tx.followers.begun(follower.name, keys)
    rows = {row["id"]: row for row in tx.query(follower.kind)} if keys is None else tx.get_many(follower.kind, keys)
    wanted = {key: follower.desired(row) for key, row in rows.items()}
    wanted |= {key: value for key, value in begun.items() if (made.get(key) or None) != (value or None)}
    differs = (key for key in sorted({*made, *wanted}) if (made.get(key) or None) != (wanted.get(key) or None))
    return [Step(follower.kind, key, made.get(key), wanted.get(key)) for key in differs]


_clock = time.monotonic
