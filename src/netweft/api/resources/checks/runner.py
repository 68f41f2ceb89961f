"""The follower of the change log that runs checks again: in one server of many at a time.

    change ─▶ checks that depend on it ─▶ (settled) by the rows ─▶ by nodes, few a second ─▶ (twice) state

Level-triggered: what depends on what is found out anew with each run and is kept nowhere, so a server that takes the
lease runs all once.  Bounded: one at a time, projects in turn; only a few of them a second query nodes, since they
have people's questions to answer, and each check is looked at again now and then, for what is in no row.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, Final, NamedTuple, Protocol

import structlog

from netweft.api.resources.checks import verdict
from netweft.api.resources.checks.concern import Concerns, looked_at
from netweft.api.resources.checks.due import Due
from netweft.api.resources.checks.resource import asked_by
from netweft.api.resources.checks.verdict import Verdict
from netweft.api.resources.trace.arguments import Wanted
from netweft.control import checks
from netweft.control.errors import Refused
from netweft.control.l2 import hosts
from netweft.feed import lease
from netweft.plugins.identity import Context
from netweft.store import ChangesGone, NotHeld, Object, Query, ReadTransaction, Store, WriteTransaction

NAME: Final = "checks"
IDLE_SECONDS: Final = 2.0  # between two looks whether there is any check
APART_SECONDS: Final = 0.05  # between two looks at what changed
LOOK_SECONDS: Final = 5.0  # at the lease, at which agents are silent, and for changes without a doorbell
DEBOUNCE: Final = 0.5  # seconds from the first change to a run: what is made in several steps is seen whole
SETTLE: Final = 1.0  # seconds that nodes have to do what the rows say
CONFIRM: Final = 3.0  # seconds until what nodes say is believed: then they are asked once more
AGAIN: Final = 600.0  # seconds
ROWS_APART, NODES_APART = 0.1, 0.5  # seconds from one run to the next
BATCH: Final = 1000  # changes read at a time
MANY: Final = 2000  # more objects than these at once are not looked at one by one

log = structlog.get_logger(__name__)
_clock = time.monotonic
_ROLES: Final = frozenset({"member", "reader"})
Rows = Mapping[str, Mapping[str, Mapping[str, Any]]]


class Looks(Protocol):
    down_seconds: float

    async def look(self, context: Context, wanted: Wanted, *, nodes: bool) -> tuple[Object, Rows]:
        """A trace, and the rows that it has read.  Raises Refused."""
        ...


class Judged(NamedTuple):
    """verdict: None: nodes have to be queried.  rows: that were read."""

    verdict: Verdict | None
    rows: Rows


async def judged(looks: Looks, check: Object, *, nodes: bool, user: str = NAME) -> Judged:
    """As whoever is a member of its project, and no more."""
    context = Context(user_id=user, user_name="", project_id=check["project_id"], roles=_ROLES)
    try:
        told, rows = await looks.look(context, asked_by(check), nodes=nodes)
    except Refused as why:
        return Judged(verdict.refused(why), {})
    of = verdict.by_nodes if nodes else verdict.by_rows
    return Judged(of(check["must_pass"], told), rows)


class Runner:
    def __init__(self, store: Store, looks: Looks) -> None:
        self._store, self._looks = store, looks
        self._lease = lease.Lease(store, NAME)
        self._start()

    def _start(self) -> None:
        self._seen = 0
        self._rows, self._nodes = Due(), Due()
        self._rows_from = self._nodes_from = self._agents_from = 0.0
        self._concerns = Concerns()
        self._known: dict[str, int] = {}  # check -> revision of what was requested
        self._doubts: set[str] = set()  # what nodes have said once
        self._silent: frozenset[str] = frozenset()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        while True:
            try:
                if not await asyncio.to_thread(self._is_needed):
                    await asyncio.sleep(IDLE_SECONDS)
                    continue
                if await asyncio.to_thread(self._lease.hold):
                    await self._follow()
            except NotHeld:
                log.info("another server runs the checks")
            except Exception:  # whatever it is, the server goes on
                log.exception("checks cannot be run")
            await asyncio.sleep(LOOK_SECONDS)

    def _is_needed(self) -> bool:
        with self._store.read() as tx:
            return bool(tx.query(checks.KIND, Query(limit=1)))

    async def _follow(self) -> None:
        """Until there is none any more, or another server has the lease: raises NotHeld."""
        self._start()
        async with self._lease.kept(asyncio.to_thread):
            await self._read(self._begin)
            with self._store.doorbell.subscribe() as bell:
                while self._known:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(self._patience()):
                            await bell.wait(APART_SECONDS)
                    await self._read(self._look)
                    await self._turn()

    def _patience(self) -> float:
        queues = ((self._rows.next_at(), self._rows_from), (self._nodes.next_at(), self._nodes_from))
        times = [max(due, apart) - _clock() for due, apart in queues if due is not None]
        return max(0.0, min([LOOK_SECONDS, *times]))

    # -- what is to be run

    async def _read(self, work: Callable[[ReadTransaction], None]) -> None:
        def read() -> None:
            with self._store.read() as tx:
                work(tx)

        await self._store.turns.read(read, long=True)

    def _begin(self, tx: ReadTransaction) -> None:
        self._seen = tx.revision()
        self._mark_all(tx)

    def _mark_all(self, tx: ReadTransaction) -> None:
        for check in tx.query(checks.KIND):
            self._asked(check)

    def _asked(self, check: Object) -> None:
        self._known[check["id"]] = check["revision_number"]
        self._rows.mark(check["id"], check["project_id"], _clock())

    def _look(self, tx: ReadTransaction) -> None:
        try:
            if self._seen > tx.revision():
                raise ChangesGone
            while changes := tx.changes(self._seen, BATCH):
                touched: dict[str, set[str]] = {}
                for change in changes:
                    touched.setdefault(change.kind, set()).add(change.id)
                self._concern(tx, touched)
                self._seen = changes[-1].revision
        except ChangesGone:
            self._seen = tx.revision()
            self._mark_all(tx)
        if _clock() >= self._agents_from:
            self._agents_from = _clock() + LOOK_SECONDS
            self._look_at_agents(tx)

    def _concern(self, tx: ReadTransaction, touched: dict[str, set[str]]) -> None:
        own = touched.pop(checks.KIND, set())
        there = tx.get_many(checks.KIND, own)
        for id in own - there.keys():
            self._forget(id)
        for id, check in there.items():
            if self._known.get(id) != check["revision_number"]:
                self._asked(check)
        if not self._known:
            return
        if sum(map(len, touched.values())) > MANY:
            self._mark_all(tx)
            return
        for kind, ids in touched.items():
            rows = tx.get_many(kind, ids)
            self._mark(tx, {check for id in ids for check in self._concerns.concerned(kind, id, rows.get(id))})

    def _mark(self, tx: ReadTransaction, found: Iterable[str]) -> None:
        for check in tx.get_many(checks.KIND, set(found)).values():
            self._rows.mark(check["id"], check["project_id"], _clock() + DEBOUNCE)

    def _look_at_agents(self, tx: ReadTransaction) -> None:
        """That an agent is silent is in no change."""
        silent = frozenset(self._silent_agents(tx)) if self._known else self._silent
        changed, self._silent = silent ^ self._silent, silent
        self._mark(tx, {check for id in changed for check in self._concerns.concerned("agents", id, None)})

    def _silent_agents(self, tx: ReadTransaction) -> Iterable[str]:
        return (agent["id"] for agent in tx.query("agents") if hosts.seconds_silent(agent) >= self._looks.down_seconds)

    def _forget(self, id: str) -> None:
        self._known.pop(id, None)
        self._doubts.discard(id)
        self._rows.forget(id)
        self._nodes.forget(id)
        self._concerns.forget(id)

    # -- runs

    async def _turn(self) -> None:
        """One of each at most."""
        now = _clock()
        if now >= self._rows_from and (id := self._rows.take(now)) is not None:
            self._rows_from = now + ROWS_APART
            await self._judge(id, nodes=False)
        now = _clock()
        if now >= self._nodes_from and (id := self._nodes.take(now)) is not None:
            self._nodes_from = now + NODES_APART
            await self._judge(id, nodes=True)

    async def _judge(self, id: str, *, nodes: bool) -> None:
        check = await self._store.turns.read(partial(self._get, id))
        if check is None:
            self._forget(id)
            return
        project, ends = check["project_id"], (check["from"], check["to"])
        said, rows = await judged(self._looks, check, nodes=nodes)
        self._concerns.depends(id, looked_at(rows, ends))
        if said is None:
            self._nodes.mark(id, project, _clock() + SETTLE)
            return
        doubtful = nodes and said.status != checks.PASSING and check["status"] not in (said.status, checks.PENDING)
        if doubtful and id not in self._doubts:
            self._doubts.add(id)
            self._nodes.mark(id, project, _clock() + CONFIRM)
            return
        self._doubts.discard(id)
        if not nodes:
            self._nodes.forget(id)
        await self._store.turns.write(partial(settle, self._store, check, said, self._lease))
        self._rows.mark(id, project, _clock() + AGAIN)

    def _get(self, id: str) -> Object | None:
        with self._store.read() as tx:
            return tx.get(checks.KIND, id)


def settle(store: Store, check: Object, said: Verdict, held: lease.Lease | None = None) -> None:
    """Writes how it is, if that is news.  held: raises NotHeld where it is another server's by now."""
    if (check["status"], check["code"], check["reason"]) == said:
        return

    def work(tx: WriteTransaction) -> None:
        if held is not None:
            found = tx.followers.get(held.name)
            tx.followers.move(held.name, held.me, found.revision if found else None, "")
        checks.settle(tx, check["id"], check["revision_number"], *said)

    store.run(work)
    if said.status != check["status"]:
        log.info("a check is another", check=check["id"], status=said.status, code=said.code)
