"""What holds for every test: no test's logging outlives it."""

from collections.abc import Iterator

import pytest
import structlog

pytest_plugins = ["tests.examples", "tests.databases"]


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    yield
    structlog.reset_defaults()
