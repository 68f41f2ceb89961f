"""When a change of a load balancer or a firewall group is in place: once all nodes here that follow it say so, or do
not say anything.

    settling.begin(id)      # after the transaction; any thread
    settling.look()         # likewise, for all that are left

The server that made the change waits for its nodes; another one looks for what was left behind.  A node that does not
answer in time is gone, or has a problem of its own, which is reported elsewhere: it holds nothing up.
"""

import asyncio
import random
import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, ParamSpec, TypeAlias, TypeVar

import structlog
from anyio import to_thread

from netweft.control.fwaas import status
from netweft.control.lb import proxies, tree, vocabulary
from netweft.feed.hub import Hub
from netweft.feed.queries import Queries
from netweft.feed.relevance import Topic
from netweft.store import ReadTransaction, Store, StoreError, WriteTransaction
from netweft.store.turns import asking
from netweft.wire.queries import SECONDS, Ask

InPlace: TypeAlias = Callable[[WriteTransaction, str, int], object]
T = TypeVar("T")
P = ParamSpec("P")
LOOK_SECONDS: Final = 5.0  # for what nobody waits for any more
APART_SECONDS: Final = 0.005  # between looks, at most one after each commit
SELDOM_SECONDS: Final = 0.2  # between looks where nobody says that there was a commit
BALANCER, FIREWALL = "balancer", "firewall"  # topics

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class What:
    """kind: its rows'.  topic: who follows it has it.  left: ids of what may not be in place.
    change: which of its changes is under way; None: none is.  in_place: it is, unless it was changed again since.
    waits: for something that has to be there, too.  before: ids of ports that have to be up before its nodes are
    queried, since these know what to do only then."""

    kind: str
    topic: str
    left: Callable[[ReadTransaction], Iterable[str]]
    change: Callable[[ReadTransaction, str], int | None]
    in_place: InPlace
    waits: Callable[[ReadTransaction, str], bool] = lambda *_: False
    before: Callable[[ReadTransaction, str], Iterable[str]] = lambda *_: ()


def _change_of_balancer(tx: ReadTransaction, id: str) -> int | None:
    row = tx.get(vocabulary.BALANCERS, id)
    return None if row is None or row["provisioning_status"] == vocabulary.ACTIVE else row[tree.CHANGE]


def balancers(in_place: InPlace) -> What:
    return What(
        vocabulary.BALANCERS,
        BALANCER,
        lambda tx: [row["id"] for row in tree.unfinished(tx)],
        _change_of_balancer,
        in_place,
        proxies.are_due,
        proxies.without_flows,
    )


FIREWALLS: Final = What("firewall_groups", FIREWALL, status.pending, status.change_under_way, status.in_place)


class Settling:
    def __init__(self, store: Store, hub: Hub, queries: Queries, what: What) -> None:
        self._store, self._hub, self._queries, self._what = store, hub, queries, what
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._news = asyncio.Event()

    @property
    def topic(self) -> str:
        return self._what.topic

    def begin(self, id: str) -> None:
        """Nothing happens before the server runs: `run` looks for what is left."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._start, id)

    def look(self) -> None:
        """For all that is left, and not under way."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._news.set)

    async def run(self) -> None:
        asking.set(("server",))
        self._loop = asyncio.get_running_loop()
        try:
            while True:
                self._news.clear()
                for id in await self._in_thread(self._left):
                    self._start(id)
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS * random.uniform(1, 1.5)):
                        await self._news.wait()
        finally:
            self._loop = None
            for task in self._running.values():
                task.cancel()

    def _start(self, id: str) -> None:
        if id in self._running:
            self._again.add(id)
            return
        self._running[id] = task = asyncio.get_running_loop().create_task(self._settle(id))
        task.add_done_callback(lambda _: self._ended(id))

    def _ended(self, id: str) -> None:
        del self._running[id]
        if id in self._again and self._loop is not None:
            self._again.discard(id)
            self._start(id)

    async def _settle(self, id: str) -> None:
        try:
            before = await self._in_thread(self._before, id)
            if before:
                await self._waited(id)
            change, revision = await self._in_thread(self._changed, id, before)
            if change is None:
                return
            await asyncio.gather(self.here(id, revision), self._elsewhere(id, revision), self._waited(id))
            await self._store.turns.write(lambda: self._store.run(lambda tx: self._what.in_place(tx, id, change)))
        except StoreError as problem:
            log.warning("a status could not be written", of=self._what.topic, id=id, problem=str(problem))

    async def here(self, id: str, revision: int) -> None:
        """Until the nodes that have it here have it as it was at that revision, or do not say so in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(SECONDS):
                await self._hub.due("", revision)
        nodes = self._hub.followers(Topic(self._what.topic, id))
        await asyncio.gather(*(self._ask(node, revision) for node in nodes))

    async def _elsewhere(self, id: str, revision: int) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(SECONDS + 0.5):
                await self._queries.elsewhere.settled(self._what.topic, id, revision)

    async def ended(self, id: str) -> None:
        """Waits until what was begun has come to its end; for a while, and for nothing where nothing was."""
        if task := self._running.get(id):
            await asyncio.wait([task], timeout=3 * SECONDS)

    async def _waited(self, id: str) -> None:
        with suppress(TimeoutError), self._store.doorbell.subscribe() as bell:
            async with asyncio.timeout(SECONDS):
                while await self._in_thread(self._waits, id):
                    with suppress(TimeoutError):
                        await asyncio.wait_for(bell.wait(APART_SECONDS), SELDOM_SECONDS)

    def _before(self, id: str) -> list[str]:
        with self._store.read() as tx:
            return list(self._what.before(tx, id))

    def _waits(self, id: str) -> bool:
        with self._store.read() as tx:
            return self._what.waits(tx, id)

    async def _ask(self, node: str, revision: int) -> None:
        """Beside other queries, without a turn: it is no work for the node's vswitchd."""
        answer = None
        with suppress(TimeoutError):
            async with asyncio.timeout(SECONDS + 0.5):
                settled = await self._hub.due(node, revision)
                question = Ask(id=secrets.token_hex(8), settled=max(settled, 1))
                answer = await self._queries.ask_here(node, question)
        if answer is None or not answer.in_place:
            log.warning("a node has not got a change in place", of=self._what.topic, node=node)

    def _changed(self, id: str, before: Iterable[str]) -> tuple[int | None, int]:
        """Its change that is under way, and by which revision nodes have been sent it."""
        with self._store.read() as tx:
            change = self._what.change(tx, id)
            rows = [(self._what.kind, id), *(("ports", port) for port in before)]
            past = [one.revision for row in rows for one in tx.past(*row, 1)]
        return change, max(past, default=0)

    def _left(self) -> list[str]:
        with self._store.read() as tx:
            return list(self._what.left(tx))

    async def _in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await to_thread.run_sync(partial(work, *args, **kwargs))
