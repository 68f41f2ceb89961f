"""Saved checks: what concerns them, whose turn it is, and what is made of a trace; and the follower that runs them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from netweft.api.resources.checks import runner, verdict
from netweft.api.resources.checks.concern import Concerns, looked_at
from netweft.api.resources.checks.due import Due
from netweft.api.resources.checks.runner import Rows, Runner
from netweft.api.resources.checks.verdict import Verdict
from netweft.api.resources.trace.arguments import Wanted
from netweft.control import checks
from netweft.control.checks import FAILING, PASSING, PENDING, UNKNOWN, Checks
from netweft.control.errors import BadRequest
from netweft.feed import lease
from netweft.plugins.identity import Context
from netweft.store import Object, Store

PATIENCE = 60.0

# -- what concerns a check


def test_what_concerns_a_check() -> None:
    port: Object = {
        "id": "p1",
        "name": "web",
        "fixed_ips": [{"ip_address": "10.0.0.2"}],
        "device_owner": "compute:nova",
    }
    other = port | {"id": "p2", "name": "db", "fixed_ips": [{"ip_address": "10.0.0.3"}]}
    rows = {"ports": {"p1": port, "p2": other}, "networks": {"n": {"id": "n"}}, "security_groups": {"g": {"id": "g"}}}
    concerns = Concerns()
    concerns.depends("c", looked_at(rows, ("web", "10.9.0.9")))
    fresh: Object = {"id": "new", "name": "x", "network_id": "n", "device_owner": "compute:nova", "fixed_ips": []}
    told: list[tuple[str, Object | None, bool]] = [
        ("ports", port, True), ("ports", None, False), ("ports", fresh, False),
        ("ports", fresh | {"fixed_ips": [{"ip_address": "10.0.0.2"}]}, True),
        ("ports", fresh | {"fixed_ips": [{"ip_address": "10.9.0.9"}]}, True),
        ("ports", fresh | {"name": "web"}, True), ("ports", fresh | {"device_owner": "network:router_interface"}, True),
        ("security_group_rules", {"id": "r", "security_group_id": "g"}, True),
        ("security_group_rules", {"id": "r", "security_group_id": "another"}, False),
        ("subnets", {"id": "s", "network_id": "n"}, True), ("floatingips", {"id": "f", "port_id": "p1"}, True),
        ("networks", {"id": "another", "project_id": "n"}, False),
    ]  # fmt: skip
    for kind, row, concerned in told:
        assert bool(concerns.concerned(kind, row["id"] if row else "gone", row)) == concerned, (kind, row)
    assert concerns.concerned("security_groups", "g", None) == {"c"}, "it is gone"
    concerns.depends("c", ["else"])
    assert concerns.concerned("ports", "p1", port) == set()
    concerns.forget("c")
    assert concerns.concerned("ports", "else", None) == set()


def test_projects_have_their_turns() -> None:
    due = Due()
    for number in range(1000):
        due.mark(f"many{number}", "many", 0.0)
    due.mark("one", "few", 0.0)
    assert "one" in [due.take(1.0) for _ in range(3)]
    assert len(due) == 998


def test_what_goes_on_and_on_puts_nothing_off() -> None:
    due = Due()
    for number in range(100):
        due.mark("c", "p", 1.0 + number)
    assert (due.next_at(), due.take(0.9), due.take(1.0), due.take(500.0)) == (1.0, None, "c", None)


def found(passes: bool | None, *codes: str, unseen: tuple[str, ...] = ()) -> dict[str, Any]:
    of = {"type": "port", "id": "p"}
    blocks = passes is False
    return {
        "passes": passes,
        "unseen": unseen,
        "findings": [{"code": one, "blocks": blocks, "object": of, "message": "m"} for one in codes],
    }


LETS_PASS = found(False, "no-rule-lets-it-in", "openvswitch-lets-pass")


@pytest.mark.parametrize(
    ("must", "told", "rows", "nodes"),
    [
        (True, found(True), None, (PASSING, None)),
        (True, found(False, "a", "b"), (FAILING, "a"), (FAILING, "a")),
        (True, found(None, unseen=("hv1",)), None, (UNKNOWN, None)),
        (False, found(True), (FAILING, "passes-but-must-not"), (FAILING, "passes-but-must-not")),
        (False, found(False, "a"), None, (PASSING, None)),
        (False, LETS_PASS, None, (FAILING, "passes-but-must-not")),
        (False, found(None), None, (UNKNOWN, None)),
    ],
)
def test_what_is_made_of_a_trace(must: bool, told: Any, rows: Any, nodes: Any) -> None:
    by_rows, by_nodes = verdict.by_rows(must, told), verdict.by_nodes(must, told)
    assert (by_rows and by_rows[:2]) == rows
    assert by_nodes[:2] == nodes


# -- the follower


class Traces:
    """says: of each end `to`: what the rows say, what nodes say."""

    down_seconds = 10.0

    def __init__(self) -> None:
        self.says: dict[str, tuple[Any, Any]] = {}
        self.asked: list[tuple[str, bool]] = []
        self.contexts: list[Context] = []
        self.rows: Rows = {"security_groups": {"g": {"id": "g"}}}

    async def look(self, context: Context, wanted: Wanted, *, nodes: bool) -> tuple[Object, Rows]:
        self.asked.append((wanted.to, nodes))
        self.contexts.append(context)
        said = self.says.get(wanted.to, (found(True), found(True)))[nodes]
        if isinstance(said, Exception):
            raise said
        return said, self.rows


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {
        "IDLE_SECONDS": 0.01, "APART_SECONDS": 0.0, "LOOK_SECONDS": 0.05, "DEBOUNCE": 0.01, "SETTLE": 0.01,
        "CONFIRM": 0.01, "ROWS_APART": 0.0, "NODES_APART": 0.0,
    }.items():  # fmt: skip
        monkeypatch.setattr(runner, name, seconds)


def save(store: Store, to: str, project: str = "red", **more: Any) -> str:
    made: Object = {"project_id": project, "name": to, "from": "a", "to": to, "protocol": "icmp", "port": None}
    with store.write() as tx:
        return str(Checks().create(tx, [made | {"must_pass": True} | more])[0]["id"])


def state(store: Store, id: str) -> tuple[str, str | None]:
    with store.read() as tx:
        row = tx.get(checks.KIND, id)
    assert row is not None
    return row["status"], row["code"]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running(store: Store, traces: Traces) -> AsyncIterator[Runner]:
    made = Runner(store, traces)
    async with made.running():
        yield made


def touch(store: Store, kind: str, id: str, **values: Any) -> None:
    with store.write() as tx:
        if tx.lock(kind, id) is None:
            tx.insert(kind, {"id": id, **values})
        else:
            tx.update(kind, id, values)


async def test_it_is_run_again_when_what_it_depends_on_changes(store: Store) -> None:
    traces = Traces()
    async with running(store, traces):
        id = save(store, "web")
        await until(lambda: state(store, id) == (PASSING, None))
        assert all((one.project_id, one.is_admin) == ("red", False) for one in traces.contexts), "as its project"
        seen = len(traces.asked)
        touch(store, "security_groups", "another")
        traces.says["web"] = (found(False, "no-rule-lets-it-in"), found(False, "no-rule-lets-it-in"))
        await asyncio.sleep(0.1)
        assert len(traces.asked) == seen, "what does not concern it does not run it, nor does its own state"
        touch(store, "security_group_rules", "r", security_group_id="g")
        await until(lambda: state(store, id) == (FAILING, "no-rule-lets-it-in"))
        traces.says.clear()
        touch(store, "security_group_rules", "r", security_group_id="g", more=1)
        await until(lambda: state(store, id) == (PASSING, None))


async def test_what_nodes_say_once_is_queried_again(store: Store) -> None:
    """For they may be about to do what has just changed."""
    traces = Traces()
    async with running(store, traces):
        id = save(store, "web")
        await until(lambda: state(store, id) == (PASSING, None))
        traces.says["web"] = (found(True), found(False, "openvswitch-drops"))
        traces.asked.clear()
        touch(store, "security_groups", "g")
        await until(lambda: state(store, id) == (FAILING, "openvswitch-drops"))
        assert traces.asked.count(("web", True)) >= 2


async def test_what_is_requested_changes_or_goes(store: Store) -> None:
    traces = Traces()
    traces.says["nobody"] = (BadRequest(reason="nobody is there"),) * 2
    async with running(store, traces):
        id = save(store, "nobody")
        await until(lambda: state(store, id) == (FAILING, "check-cannot-be-made"))
        with store.write() as tx:
            row = tx.lock(checks.KIND, id)
            assert row is not None
            assert Checks().update(tx, row, {"to": "web"})["status"] == PENDING
        await until(lambda: state(store, id) == (PASSING, None))
        with store.write() as tx:
            tx.delete(checks.KIND, id)
        other = save(store, "web")
        await until(lambda: state(store, other) == (PASSING, None))


async def test_a_thousand_of_one_project_keep_no_other_waiting(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "ROWS_APART", 0.005)
    monkeypatch.setattr(runner, "NODES_APART", 0.02)
    traces = Traces()
    with store.write() as tx:
        made: Object = {"project_id": "many", "name": "", "from": "a", "protocol": "icmp", "port": None}
        Checks().create(tx, [made | {"to": f"m{number}", "must_pass": True} for number in range(1000)])
    one = save(store, "web", "few")
    async with running(store, traces):
        await until(lambda: state(store, one) == (PASSING, None))
        assert len(traces.asked) < 500


def test_a_run_that_is_overtaken_says_nothing(store: Store) -> None:
    id = save(store, "web")
    with store.write() as tx:
        row = tx.lock(checks.KIND, id)
        assert row is not None
        Checks().update(tx, dict(row), {"to": "else"})
    runner.settle(store, row, Verdict(FAILING, "a", ""))
    assert state(store, id) == (PENDING, None)


@pytest.fixture
def stores(postgres_url: str) -> Iterator[tuple[Store, Store]]:
    """Of two servers; an SQLite file has one."""
    stores = Store.open(postgres_url), Store.open(postgres_url)
    yield stores
    for store in stores:
        store.close()


@pytest.mark.postgres
async def test_one_of_two_servers_runs_them_and_the_other_goes_on(
    stores: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "SECONDS", 3.0)  # a busy machine may leave one of them alone for a second
    sides = [Traces(), Traces()]
    id = save(stores[0], "web")
    async with running(stores[1], sides[1]):
        async with running(stores[0], sides[0]):
            await until(lambda: state(stores[0], id) == (PASSING, None))
            assert [bool(side.asked) for side in sides].count(True) == 1
        first = next(side for side in sides if side.asked)
        for side in sides:
            side.says["web"] = (found(False, "a"), found(False, "a"))
        touch(stores[0], "security_groups", "g")
        await until(lambda: state(stores[0], id) == (FAILING, "a"))
        assert sides[1].asked, "the other one has the lease, or has had it"
        assert first.asked
