"""A follower that is no node, over a real store: nothing left out, one server at a time, whatever happens between."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

import pytest

from netweft.feed import followers, lease
from netweft.feed.followers import Followers, Run, steps
from netweft.plugins.followers import Outcome, Unreachable
from netweft.reconcile.plan import Step
from netweft.store import Object, Store

PATIENCE = 60.0
T = TypeVar("T")


@pytest.fixture
def url(each_url: str) -> str:
    return each_url


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followers, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(lease, "SECONDS", 0.6)
    monkeypatch.setattr(followers, "PLACE_SECONDS", 0.0)


@pytest.fixture
def stores(postgres_url: str) -> Iterator[tuple[Store, Store]]:
    """Of two servers; an SQLite file has one."""
    stores = Store.open(postgres_url), Store.open(postgres_url)
    yield stores
    for store in stores:
        store.close()


class Mirror:
    """What is outside.  fails: how the next calls end."""

    name, kind, batch = "mirror", "ports", 3

    def __init__(self, there: dict[str, str] | None = None) -> None:
        self.there = {} if there is None else there
        self.fails: list[Exception | Callable[[Sequence[Step]], Outcome]] = []
        self.calls = 0

    def desired(self, row: Object) -> str:
        return str(row["name"])

    async def apply(self, steps: Sequence[Step]) -> Outcome:
        self.calls += 1
        await asyncio.sleep(0)
        if self.fails:
            fault = self.fails.pop(0)
            if isinstance(fault, Exception):
                raise fault
            return fault(steps)
        for step in steps:
            if step.now:
                self.there[str(step.key)] = step.now
            else:
                self.there.pop(str(step.key), None)
        return Outcome(frozenset(str(step.key) for step in steps))

    def close(self) -> None:
        pass


def put(store: Store, id: str, name: str) -> None:
    with store.write() as tx:
        if tx.lock("ports", id) is None:
            tx.insert("ports", {"id": id, "name": name})
        else:
            tx.update("ports", id, {"name": name})


def remove(store: Store, id: str) -> None:
    with store.write() as tx:
        tx.delete("ports", id)


@asynccontextmanager
async def following(store: Store, mirror: Mirror) -> AsyncIterator[None]:
    """Begun: what is written from now on is told."""
    async with Followers(store, [mirror]).running():
        await until(lambda: place(store) is not None)
        yield


def place(store: Store) -> int | None:
    with store.read() as tx:
        found = tx.followers.get("mirror")
    return found and found.revision


def nothing_left(store: Store, mirror: Mirror) -> bool:
    with store.read() as tx:
        return steps(tx, mirror) == []


def problem(store: Store) -> str:
    with store.read() as tx:
        found = tx.followers.get("mirror")
    return found.problem if found else ""


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.01)


async def test_rows_that_come_change_and_go(store: Store) -> None:
    mirror = Mirror()
    put(store, "before", "x")
    async with following(store, mirror):
        for number in range(10):
            put(store, f"p{number}", "a")
        await until(lambda: len(mirror.there) == 10)
        put(store, "p3", "b")
        remove(store, "p4")
        put(store, "before", "y")
        await until(lambda: mirror.there.get("p3") == "b" and "p4" not in mirror.there)
        await until(lambda: mirror.there.get("before") == "y")
        await until(lambda: nothing_left(store, mirror))


async def test_what_was_not_taken_comes_again_and_does_not_hold_up_others(store: Store) -> None:
    mirror = Mirror()
    async with following(store, mirror):
        mirror.fails = [lambda steps: Outcome(again={str(step.key): "not yet" for step in steps})]
        put(store, "slow", "a")
        await until(lambda: problem(store) == "not yet" or "slow" in mirror.there)
        put(store, "other", "a")
        await until(lambda: mirror.there.keys() == {"slow", "other"})
        await until(lambda: problem(store) == "")


async def test_what_is_away_is_not_tried_for_each_change(store: Store) -> None:
    mirror = Mirror()
    async with following(store, mirror):
        mirror.fails = [Unreachable("nobody there")] * 3
        put(store, "p", "a")
        await until(lambda: problem(store) == "nobody there")
        with store.read() as tx:
            assert [str(step) for step in steps(tx, mirror)] == ["+ ports a"]
        for number in range(20):
            put(store, f"p{number}", "a")
        assert mirror.calls <= 3
        await until(lambda: len(mirror.there) == 21)
        await until(lambda: problem(store) == "")


async def test_what_was_taken_without_an_answer_is_taken_away_too(store: Store) -> None:
    mirror = Mirror()

    def unanswered(steps: Sequence[Step]) -> Outcome:
        mirror.there |= {str(step.key): step.now for step in steps}
        remove(store, "p")
        raise Unreachable("no answer")

    async with following(store, mirror):
        mirror.fails = [unanswered]
        put(store, "p", "a")
        await until(lambda: mirror.calls and nothing_left(store, mirror))
        assert mirror.there == {}


async def test_an_error_of_ours_ends_nothing(store: Store) -> None:
    mirror = Mirror()
    async with following(store, mirror):
        mirror.fails = [RuntimeError("of ours")]
        put(store, "p", "a")
        await until(lambda: mirror.there == {"p": "a"})


async def test_the_next_one_goes_on_where_the_last_one_was(store: Store) -> None:
    there: dict[str, str] = {}
    async with following(store, Mirror(there)):
        put(store, "p", "a")
        await until(lambda: there == {"p": "a"})
    put(store, "p", "b")
    put(store, "q", "a")
    second = Mirror(there)
    async with following(store, second):
        await until(lambda: there == {"p": "b", "q": "a"})


@pytest.mark.postgres
async def test_one_server_at_a_time_and_another_takes_over(stores: tuple[Store, Store]) -> None:
    store, another = stores
    there: dict[str, str] = {}
    first, second = Mirror(there), Mirror(there)
    async with following(store, first), following(another, second):
        put(another, "p", "a")
        await until(lambda: there == {"p": "a"})
        await asyncio.sleep(0.2)
        assert second.calls == 0
    async with following(another, second):
        put(another, "p", "b")
        await until(lambda: there == {"p": "b"})
        assert second.calls > 0


@pytest.mark.postgres
async def test_a_holder_that_lost_its_lease_writes_nothing_more(stores: tuple[Store, Store]) -> None:
    store, _ = stores
    mirror = Mirror()
    async with following(store, mirror):
        with store.write() as tx:  # somebody else's, and for long: as after a pause of this process
            tx.followers.let_go("mirror", str(tx.followers.get("mirror").holder))  # type: ignore[union-attr]
            assert tx.followers.hold("mirror", "another", 60.0)
        put(store, "p", "a")
        await asyncio.sleep(0.5)
        with store.read() as tx:
            assert tx.followers.made("mirror") == {}


async def test_a_log_that_was_shortened_is_made_up_for(store: Store) -> None:
    there: dict[str, str] = {}
    async with following(store, Mirror(there)):
        put(store, "p", "a")
        put(store, "gone", "a")
        await until(lambda: len(there) == 2)
        await until(lambda: nothing_left(store, Mirror()))  # what was made so is written after it was
    put(store, "p", "b")
    remove(store, "gone")
    for number in range(5):
        put(store, f"q{number}", "a")
    store.prune(keep=1, seconds=0.0)
    async with following(store, Mirror(there)):
        await until(lambda: there == {"p": "b"} | {f"q{number}": "a" for number in range(5)})


@pytest.mark.parametrize("seed", range(4))
async def test_any_order_of_events_and_restarts_ends_the_same(store: Store, seed: int) -> None:
    chance = random.Random(seed)
    there: dict[str, str] = {}
    rows: dict[str, str] = {}
    for _ in range(4):
        mirror = Mirror(there)
        async with following(store, mirror):
            for _ in range(15):
                id = f"p{chance.randrange(6)}"
                if chance.random() < 0.3 and id in rows:
                    remove(store, id)
                    del rows[id]
                else:
                    rows[id] = str(chance.randrange(3))
                    put(store, id, rows[id])
                if chance.random() < 0.2:
                    mirror.fails.append(chance.choice([Unreachable("away"), RuntimeError("of ours")]))
                if chance.random() < 0.3:
                    await asyncio.sleep(0.01)
    async with following(store, Mirror(there)):
        await until(lambda: there == rows)


class Killed(BaseException):
    """No end of ours: nothing is tidied up."""


class Mortal(Run):
    """Ends at the nth time that it has been to the database, or asks what it follows for: before that, or after."""

    def __init__(self, store: Store, mirror: Mirror, at: int, *, after: bool) -> None:
        super().__init__(store, mirror)
        self.left, self.after = at, after
        self.mirror, self.reach = mirror, mirror.apply
        mirror.apply = self._reached  # type: ignore[method-assign]

    async def _reached(self, steps: Sequence[Step]) -> Outcome:
        self._count(before=True)
        outcome = await self.reach(steps)
        self._count(before=False)
        return outcome

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        self._count(before=True)
        done = await super()._in_thread(work, *arguments)
        self._count(before=False)
        return done

    def _count(self, *, before: bool) -> None:
        self.left -= before
        if self.left < 0 or (self.left == 0 and before != self.after):
            raise Killed


async def killed(store: Store, mirror: Mirror, at: int, *, after: bool) -> bool:
    """False: it was through before."""
    try:
        async with asyncio.timeout(PATIENCE):
            task = asyncio.create_task(Mortal(store, mirror, at, after=after).run())
            while not task.done() and not nothing_left(store, mirror):
                await asyncio.sleep(0.001)
            if not task.done():
                return False
            await task
    except Killed:
        return True
    finally:
        task.cancel()
        with suppress(Killed, asyncio.CancelledError):
            await task
        with store.write() as tx:
            tx.followers.let_go(mirror.name)  # as when its lease has run out
    raise AssertionError


async def lead_to(store: Store, there: dict[str, str], rows: dict[str, str]) -> None:
    async with following(store, Mirror(there)):
        await until(lambda: nothing_left(store, Mirror()) and there == rows)


@pytest.mark.parametrize("meanwhile", [None, "c", "b"], ids=["gone", "other", "as it was"])
@pytest.mark.parametrize("before", [None, "a"], ids=["new", "known"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_kill_at_any_step_leaves_nothing_out(
    store: Store, before: str | None, meanwhile: str | None, after: bool
) -> None:
    """What the next server finds outside, it knows of, whatever the row has become before it looked."""
    for at in range(1, 30):
        there: dict[str, str] = {}
        await lead_to(store, there, {})
        if before:
            put(store, "p", before)
            await lead_to(store, there, {"p": before})
        put(store, "p", "b")
        was_killed = await killed(store, Mirror(there), at, after=after)
        if meanwhile is None:
            remove(store, "p")
        else:
            put(store, "p", meanwhile)
            await lead_to(store, there, {"p": meanwhile})
            remove(store, "p")
        await lead_to(store, there, {})
        if not was_killed:
            break
    assert 5 < at < 29
