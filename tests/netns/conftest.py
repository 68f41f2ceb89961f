"""Labs for tests.  Everything here needs root, real namespaces and a real Open vSwitch."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.netns.harness import Lab, new_name

from netweft.lab import build
from netweft.lab.layout import Layout

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
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
    return build.Plan(nodes=nodes)


@pytest.fixture(scope="module")
def lab(plan: build.Plan, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    found = Lab(new_name())
    build.up(found.layout, plan)
    try:
        yield found
    finally:
        found.keep_logs(tmp_path_factory.mktemp("lab-logs"))
        build.down(found.layout)


@pytest.fixture
def layout() -> Iterator[Layout]:
    """A name for a lab; what is there of it in the end goes."""
    found = Layout(new_name())
    yield found
    build.down(found)
