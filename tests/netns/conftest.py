"""Labs for tests.  Everything here needs root, real namespaces and a real Open vSwitch."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.netns.harness import BFD_INTERVAL, ON_OVN, Lab, new_name
from tests.netns.keeping import Keeper

from netweft.lab import build
from netweft.lab.layout import Layout

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if str(item.path).startswith(f"{HERE}/"):
            item.add_marker(pytest.mark.root)
            if os.geteuid():
                item.add_marker(pytest.mark.skip(reason="needs root"))


@pytest.fixture(scope="module")
def nodes() -> int:
    """How many hypervisors `lab` has; a module overrides it."""
    return 2


@pytest.fixture(scope="module")
def plan(nodes: int) -> build.Plan:
    """What `lab` is; a module overrides it."""
    return build.Plan(nodes=nodes, bfd_interval=BFD_INTERVAL)


@pytest.fixture(scope="session")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keeper]:
    found = Keeper(lambda lab: lab.keep_logs(tmp_path_factory.mktemp("lab-logs")))
    try:
        yield found
    finally:
        found.take_down()


@pytest.fixture(scope="module")
def leaves_it_otherwise() -> bool:
    """Whether the module's lab can't be used again; a module overrides it and says why."""
    return False


@pytest.fixture(scope="module")
def lab(plan: build.Plan, keeper: Keeper, leaves_it_otherwise: bool, request: pytest.FixtureRequest) -> Iterator[Lab]:
    failed = request.session.testsfailed
    plan = msgspec.structs.replace(plan, ovn=plan.ovn or ON_OVN)
    yield keeper.lab(plan)
    if plan.ovn or leaves_it_otherwise or request.session.testsfailed > failed:
        keeper.take_down()
    else:
        keeper.sweep()


@pytest.fixture
def layout() -> Iterator[Layout]:
    """A name for a lab; what is there of it in the end goes."""
    found = Layout(new_name())
    yield found
    build.down(found)
