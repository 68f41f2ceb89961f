"""The same API, over PostgreSQL."""

import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from .region import Pair, Region, deadlocks, two_servers


@pytest.fixture
def url(postgres_url: str) -> str:
    return postgres_url


@pytest.fixture(scope="session")
def shared_pair(cluster: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with two_servers(cluster, "races", tmp_path_factory.mktemp("races")) as pair:
        yield pair


@pytest.fixture(scope="module")
def pair(shared_pair: Pair) -> Pair:
    """A pair starts in three seconds of a processor.  A module that looks at all there is overrides it with its own."""
    return shared_pair


@pytest.fixture(scope="module")
def database_url(pair: Pair) -> str:
    return pair.database_url


@pytest.fixture(scope="module")
def servers(pair: Pair) -> Iterator[list[Any]]:
    """Two, on one database; no request may wait for one that waits for it: no deadlock is found while they run."""
    before = deadlocks(pair.database_url)
    yield pair.servers
    time.sleep(1.1)  # a deadlock is found after a second, and counted then
    assert deadlocks(pair.database_url) == before


@pytest.fixture
async def region(servers: list[Any]) -> AsyncIterator[Region]:
    async with Region(servers) as region:
        yield region
