"""Workers that begin with labs, and workers that begin with everything else; nothing is left, nothing is run twice."""

from types import SimpleNamespace
from typing import Any

import pytest
from tests import side_by_side
from tests.side_by_side import LONGEST, SideBySide

SHORT_LAB, LONG_LAB = "tests/netns/test_short.py", f"tests/{LONGEST[0]}"
FEW, MANY = "tests/unit/test_few.py", "tests/unit/test_many.py"
TESTS = [
    f"{FEW}::test_a",
    f"{SHORT_LAB}::test_a",
    *(f"{MANY}::test_{n}" for n in range(5)),
    f"{LONG_LAB}::test_a[b::c]",
]


class Worker:
    def __init__(self, number: int) -> None:
        self.gateway = SimpleNamespace(id=f"gw{number}")
        self.shutting_down = False
        self.queue: list[str] = []
        self.collected = TESTS

    def send_runtest_some(self, indices: list[int]) -> None:
        self.queue += [self.collected[index] for index in indices]

    def shutdown(self) -> None:
        self.shutting_down = True


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> list[Worker]:
    """The second one begins with labs."""
    monkeypatch.setattr(side_by_side, "_cores", lambda: 1)
    return [Worker(0), Worker(1)]


@pytest.fixture
def scheduler(workers: list[Worker]) -> SideBySide:
    found = made(workers)
    found.schedule()
    return found


def made(workers: list[Worker]) -> SideBySide:
    option = SimpleNamespace(loadscopereorder=False)
    config: Any = SimpleNamespace(option=option, getvalue=lambda name: ["popen"] * len(workers))
    found = SideBySide(config)
    for worker in workers:
        found.add_node(worker)
    for worker in workers:
        found.add_node_collection(worker, worker.collected)
    return found


def files(tests: list[str]) -> list[str]:
    return list(dict.fromkeys(test.partition("::")[0] for test in tests))


def test_each_begins_with_its_own_kind_and_the_longest(scheduler: SideBySide, workers: list[Worker]) -> None:
    computing, lab = workers
    assert files(computing.queue) == [MANY]
    assert files(lab.queue) == [LONG_LAB, SHORT_LAB], (
        "one more, since a worker begins its last test when it knows the next"
    )


def test_who_has_nothing_left_takes_what_is_left(scheduler: SideBySide, workers: list[Worker]) -> None:
    lab = workers[1]
    done = 0
    while done < len(lab.queue):
        scheduler.mark_test_complete(lab, TESTS.index(lab.queue[done]))
        done += 1
    assert files(lab.queue) == [LONG_LAB, SHORT_LAB, FEW]
    assert sorted(workers[0].queue + lab.queue) == sorted(TESTS)
    assert lab.shutting_down


def test_who_has_collected_labs_only_gets_no_more_and_is_counted_on_for_nothing_else(workers: list[Worker]) -> None:
    computing, lab = workers
    lab.collected = [test for test in reversed(TESTS) if "netns" in test]
    scheduler = made([lab, computing])  # the order in which they were ready
    scheduler.schedule()
    assert scheduler.collection == TESTS
    for test in lab.queue:
        scheduler.mark_test_complete(lab, lab.collected.index(test))
    assert files(lab.queue) == [LONG_LAB, SHORT_LAB]
    assert lab.shutting_down
    done = 0
    while done < len(computing.queue):
        scheduler.mark_test_complete(computing, TESTS.index(computing.queue[done]))
        done += 1
    assert sorted(computing.queue + lab.queue) == sorted(TESTS)
    assert scheduler.tests_finished


def test_a_test_that_only_one_worker_has_is_reported(workers: list[Worker]) -> None:
    workers[1].collected = [test for test in TESTS if "netns" in test][1:]
    scheduler = made(workers)
    told: list[Any] = []
    scheduler.config.hook = SimpleNamespace(pytest_collectreport=lambda report: told.append(report))
    scheduler.schedule()
    assert told
    assert not workers[0].queue


def test_each_file_that_is_named_is_there() -> None:
    assert not [name for name in LONGEST if not (side_by_side.FOLDER / "tests" / name).exists()]


LABS = ("a3", "b2", "c2", "d3", "e2", "f2", "own")


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> None:
    """By what their names end with."""
    monkeypatch.setattr(side_by_side, "plan_of", lambda unit: {"2": "two", "3": "three"}.get(unit[-4], ""))
    monkeypatch.setattr(side_by_side, "_cores", lambda: 0)


@pytest.mark.usefixtures("plans")
def test_who_has_a_lab_goes_on_with_files_that_want_one_like_it() -> None:
    tests = [f"tests/netns/test_{name}.py::test" for name in LABS]
    workers: list[Any] = [SimpleNamespace(gateway=SimpleNamespace(id=f"gw{number}")) for number in (0, 1)]
    config: Any = SimpleNamespace(getvalue=lambda name: ["popen"] * len(workers))
    scheduler = SideBySide(config)
    scheduler._collected = dict.fromkeys(("gw0", "gw1"), frozenset(test.partition("::")[0] for test in tests))
    scheduler.workqueue.update({test.partition("::")[0]: {test: False} for test in tests})
    taken: dict[int, list[str]] = {0: [], 1: []}
    for turn in range(len(LABS)):
        unit = scheduler._next_for(workers[turn % 2])
        taken[turn % 2].append(unit.removeprefix("tests/netns/test_").removesuffix(".py"))
        del scheduler.workqueue[unit]
    assert {name[-1] for name in taken[0]} - {"n"} == {"2"}, "all of them, and that of which most are wanted first"
    assert [name[-1] for name in taken[1] if name != "own"] == ["3", "3", "2"], "the other, until none is left"


def test_plans_are_read_from_the_files() -> None:
    plan_of = side_by_side.plan_of
    assert (
        plan_of("tests/netns/l3/test_routing.py")
        == plan_of("tests/netns/restarts/test_faults.py")
        == side_by_side.DEFAULT
    )
    assert plan_of("tests/netns/l2/test_talk.py") == plan_of("tests/netns/explain/test_trace.py") == "return 3"
    assert plan_of("tests/netns/test_lab.py") == plan_of("tests/netns/l2/test_this_machine.py") == ""
    assert plan_of("tests/unit/testing/test_side_by_side.py") == ""
