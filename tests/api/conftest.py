"""Every test has an application of its own; what its paths match is the same each time, and compiled once."""

from collections.abc import Iterator
from functools import cache

import pytest
from starlette import routing


@pytest.fixture(scope="session", autouse=True)
def _paths_compiled_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(routing, "compile_path", cache(routing.compile_path))
        yield
