"""Whose turn it is: shares of time by project and user, in the event loop and in threads."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.waiting import PATIENCE, until

from netweft.store import fair_queue
from netweft.store.fair_queue import Shares
from netweft.store.turns import Turns, asking


def serve(queue: Shares[Sequence[str]], cost: float, rounds: int) -> list[Sequence[str]]:
    served = []
    for _ in range(rounds):
        names = queue.pop()
        queue.charge(names, cost)
        served.append(names)
    return served


def test_one_with_a_single_request_is_next_whatever_waits() -> None:
    queue: Shares[Sequence[str]] = Shares()
    for _ in range(1000):
        queue.push(("loud", "u"), ("loud", "u"))
    serve(queue, 1.0, 10)
    queue.push(("quiet", "u"), ("quiet", "u"))
    assert ("quiet", "u") in serve(queue, 1.0, 2)


@pytest.mark.parametrize("within", [(), ("project",)], ids=["project", "user of one project"])
def test_what_one_had_while_nobody_waited_is_hardly_held_against_it(within: tuple[str, ...]) -> None:
    """All day at once, without a turn: others that come in the evening are not served for a day in its place."""
    queue: Shares[Sequence[str]] = Shares()
    early, late = (*within, "early"), (*within, "late")
    queue.push(early, early)
    serve(queue, 0.01, 1)
    for _ in range(1000):
        queue.charge(early, 1.0)
    for _ in range(1000):
        queue.push(early, early)
        queue.push(late, late)
    served = serve(queue, 0.01, 400)
    assert sum(one == early for one in served) >= (400 - fair_queue.DEBT / 0.01) / 2 - 1


def test_projects_have_the_same_share_and_so_have_users_within_one() -> None:
    queue: Shares[Sequence[str]] = Shares()
    for user in range(30):
        for _ in range(30):
            queue.push(("many", f"u{user}"), ("many", f"u{user}"))
    for name, times in (("a", 300), ("b", 300)):
        for _ in range(times):
            queue.push(("few", name), ("few", name))
    served = serve(queue, 1.0, 200)
    counts = {whose: sum(one[0] == whose for one in served) for whose in ("many", "few")}
    assert counts == {"many": 100, "few": 100}
    assert abs(sum(one == ("few", "a") for one in served) - 50) <= 1


def test_who_takes_long_waits_long() -> None:
    """Shares are of time, not of turns."""
    queue: Shares[tuple[str, float]] = Shares()
    for _ in range(200):
        queue.push(("slow",), ("slow", 10.0))
        queue.push(("quick",), ("quick", 1.0))
    spent = {"slow": 0.0, "quick": 0.0}
    for _ in range(100):
        name, cost = queue.pop()
        queue.charge((name,), cost)
        spent[name] += cost
    assert abs(spent["slow"] - spent["quick"]) <= 10


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xy"), st.floats(0, 5)), max_size=60))
def test_everything_comes_out_once_and_in_order_for_each(pushed: list[tuple[str, str, float]]) -> None:
    queue: Shares[tuple[int, tuple[str, str], float]] = Shares()
    for number, (project, user, cost) in enumerate(pushed):
        queue.push((project, user), (number, (project, user), cost))
    out: list[tuple[int, tuple[str, str]]] = []
    while queue:
        number, names, cost = queue.pop()
        queue.charge(names, cost)
        out.append((number, names))
    assert sorted(number for number, _ in out) == list(range(len(pushed)))
    for names in {names for _, names in out}:
        mine = [number for number, whose in out if whose == names]
        assert mine == sorted(mine)
    with pytest.raises(IndexError):
        queue.pop()


NAMES = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(tuple)
COSTS = (0.5, 1.0, 3.0)


@given(st.sets(NAMES, min_size=2, max_size=6), st.data())
def test_at_each_level_all_that_wait_have_the_same_time(waiting: set[tuple[str, ...]], data: st.DataObject) -> None:
    """Names may be each other's beginnings: what a project asks for itself is one share among those of its users."""
    queue: Shares[tuple[str, ...]] = Shares()
    for names in sorted(waiting) * 60:
        queue.push(names, names)
    spent: dict[tuple[str, ...], float] = {}
    for cost in data.draw(st.lists(st.sampled_from(COSTS), min_size=60, max_size=60)):
        names = queue.pop()
        queue.charge(names, cost)
        path = (*names, "own") if any(other[: len(names)] == names != other for other in waiting) else names
        for depth in range(1, len(path) + 1):
            spent[path[:depth]] = spent.get(path[:depth], 0.0) + cost
    for parent in {path[:-1] for path in spent}:
        expected = {names[: len(parent) + 1] for names in waiting if names[: len(parent)] == parent != names}
        if parent in waiting and expected:
            expected.add((*parent, "own"))
        times = [spent.get(child, 0.0) for child in expected]
        assert max(times) - min(times) <= 2 * max(COSTS), (parent, spent)


def test_a_name_that_gets_names_within_it_keeps_what_waits_in_order() -> None:
    queue: Shares[int] = Shares()
    queue.push(("p",), 1)
    queue.push(("p",), 2)
    queue.push(("p", "u"), 3)
    out = [queue.pop() for _ in range(3)]
    assert sorted(out) == [1, 2, 3]
    assert out.index(1) < out.index(2)


def test_names_are_not_remembered_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fair_queue, "REMEMBERED", 10)
    queue: Shares[int] = Shares()
    for number in range(1000):
        queue.push((str(number), "u"), number)
        queue.pop()
    assert len(queue._lines) <= 12


@pytest.fixture
def turns() -> Iterator[Turns]:
    turns = Turns(embedded=True)
    yield turns
    turns.close()


async def _as(name: str, ask: Callable[..., Any], work: Callable[[], Any], **options: bool) -> Any:
    asking.set((name, "u"))
    return await ask(work, **options)


async def test_a_quiet_one_waits_for_one_piece_of_a_loud_one(turns: Turns) -> None:
    done: list[str] = []
    loud = [asyncio.create_task(_as("loud", turns.write, lambda: done.append("loud"))) for _ in range(100)]
    while len(done) < 3:
        await asyncio.sleep(0)
    before = len(done)
    await _as("quiet", turns.read, lambda: done.append("quiet"))
    assert done.index("quiet") - before <= 2
    await asyncio.gather(*loud)
    assert done.count("loud") == 100


async def _request(name: str, turns: Turns, work: Callable[[], object]) -> None:
    """As they come: in turn, with work of its own before and between what it asks the database for."""
    asking.set((name, "u"))
    await turns.begin()
    await turns.read(lambda: None)
    work()
    await turns.write(lambda: None)


async def test_a_request_waits_for_the_one_before_it_and_not_for_all_that_one_client_sent(turns: Turns) -> None:
    done: list[str] = []
    loud = [asyncio.create_task(_request("loud", turns, lambda: done.append("loud"))) for _ in range(100)]
    while len(done) < 3:
        await asyncio.sleep(0)
    before = len(done)
    await _request("quiet", turns, lambda: done.append("quiet"))
    assert done.index("quiet") - before <= 2
    await asyncio.gather(*loud)
    assert done.count("loud") == 100


async def test_who_takes_long_over_its_own_work_comes_later(turns: Turns) -> None:
    """Not the database's time counts, but the loop's."""
    done: list[str] = []

    def slow() -> None:
        time.sleep(0.02)
        done.append("slow")

    def quick() -> None:
        done.append("quick")

    first = asyncio.create_task(_request("slow", turns, slow))
    await asyncio.sleep(0)
    waiting = [asyncio.create_task(_request("slow", turns, slow)) for _ in range(5)]
    waiting += [asyncio.create_task(_request("quick", turns, quick)) for _ in range(10)]
    await asyncio.gather(first, *waiting)
    assert done[:13].count("slow") <= 3


async def test_what_a_request_does_until_it_waits_is_one_piece(turns: Turns) -> None:
    """Nothing else is between its first look at the database and its last, and it waits for one turn only."""
    order: list[int] = []

    async def request(number: int) -> None:
        await turns.begin()
        await turns.begin()
        for _ in range(3):
            await turns.read(lambda: order.append(number))

    await asyncio.gather(*(request(number) for number in range(20)))
    assert order == [number for number in range(20) for _ in range(3)]


async def test_a_request_that_has_waited_for_something_else_waits_for_its_turn_again(turns: Turns) -> None:
    order: list[str] = []

    async def uploads() -> None:
        await turns.begin()
        await asyncio.sleep(0.01)  # for the rest of its body
        await turns.begin()
        order.append("body")

    async def others() -> None:
        while "body" not in order:
            await turns.begin()
            order.append("other")
            await asyncio.sleep(0)

    await asyncio.gather(uploads(), others(), others())
    assert order.index("body") > 2


async def test_a_beginning_that_nobody_waits_for_any_more_keeps_nobody_waiting(turns: Turns) -> None:
    await turns.begin()
    given_up = [asyncio.create_task(turns.begin()) for _ in range(5)]
    await asyncio.sleep(0)
    for task in given_up:
        task.cancel()
    async with asyncio.timeout(PATIENCE):
        await asyncio.create_task(_request("other", turns, lambda: None))


async def test_a_call_in_turn_that_fails_is_no_end(turns: Turns) -> None:
    failed: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failed.append(context["exception"]))
    done = asyncio.Event()
    turns.soon(("a",), lambda: 1 / 0)
    turns.soon(("a",), done.set)
    async with asyncio.timeout(PATIENCE):
        await done.wait()
    assert [type(error) for error in failed] == [ZeroDivisionError]


async def test_the_event_loop_looks_at_its_sockets_between_two_pieces(turns: Turns) -> None:
    looks = 0

    async def look() -> None:
        nonlocal looks
        while True:
            looks += 1
            await asyncio.sleep(0)

    looking = asyncio.create_task(look())
    await asyncio.gather(*(turns.read(lambda: time.sleep(0.001)) for _ in range(20)))
    looking.cancel()
    assert looks >= 19


async def test_reads_go_on_while_somebody_writes_for_long_and_writers_wait_for_their_turn(turns: Turns) -> None:
    go, begun, order = threading.Event(), threading.Event(), []

    def long() -> None:
        begun.set()
        assert go.wait(PATIENCE)
        order.append("long")

    writing = asyncio.create_task(_as("loud", turns.write, long, long=True))
    await until(begun.is_set)
    waiting = asyncio.create_task(_as("quiet", turns.write, lambda: order.append("short")))
    for _ in range(5):
        assert await _as("quiet", turns.read, lambda: 7) == 7
        assert await _as("quiet", turns.read, lambda: 8, long=True) == 8
    assert order == []
    go.set()
    await asyncio.gather(writing, waiting)
    assert order == ["long", "short"]


@pytest.mark.parametrize("embedded", [True, False])
@pytest.mark.parametrize("long", [True, False])
async def test_what_the_work_raises_is_raised_to_the_caller(embedded: bool, long: bool) -> None:
    turns = Turns(embedded=embedded)

    def fail() -> None:
        raise LookupError("x")

    for ask in (turns.read, turns.write):
        answers = await asyncio.gather(*(ask(fail, long=long) for _ in range(20)), return_exceptions=True)
        assert {type(answer) for answer in answers} == {LookupError}
        assert await ask(lambda: 1, long=long) == 1
    turns.close()


async def test_work_that_nobody_waits_for_any_more_is_not_begun(turns: Turns) -> None:
    go, writes, begun = threading.Event(), threading.Event(), []

    def long() -> None:
        writes.set()
        go.wait(PATIENCE)

    first = asyncio.create_task(turns.write(long, long=True))
    await until(writes.is_set)
    given_up = [asyncio.create_task(turns.write(lambda: begun.append(1), long=long)) for long in (True, False)]
    await asyncio.sleep(0.02)  # they would begin, if they could
    for task in given_up:
        task.cancel()
    go.set()
    await first
    assert await turns.write(lambda: 1) == 1
    assert begun == []


def test_another_event_loop_finds_it_as_new(turns: Turns) -> None:
    async def abandon() -> None:
        for _ in range(5):
            asyncio.get_running_loop().create_task(turns.read(lambda: 1))

    async def ask() -> int:
        return await turns.read(lambda: 1) + await turns.read(lambda: 2, long=True)

    asyncio.run(abandon())
    assert asyncio.run(ask()) == 3
