"""What holds for every test: no test's logging outlives it; and a row that is shared is not wanted alone later."""

from collections.abc import Iterator

import pytest
import structlog

from netweft.store.holding import Held

pytest_plugins = ["tests.examples", "tests.garbage", "tests.databases", "tests.side_by_side"]

Held.upgrades_are_faults = True


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    yield
    structlog.reset_defaults()
