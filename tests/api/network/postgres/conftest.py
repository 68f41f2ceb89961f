"""The same API, over PostgreSQL."""

import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from .region import Region, deadlocks, two_servers


@pytest.fixture
def url(postgres_url: str) -> str:
    return postgres_url


@pytest.fixture(scope="module")
def database_url(cluster: Path, request: pytest.FixtureRequest) -> str:
    name = request.module.__name__.rpartition(".")[2]
    with psycopg.connect(f"postgresql://postgres@/postgres?host={cluster}", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"postgresql+psycopg://postgres@/{name}?host={cluster}"


@pytest.fixture(scope="module")
def servers(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Any]]:
    """Two, on one database; no request may wait for one that waits for it: no deadlock is found while they run."""
    with two_servers(database_url, tmp_path_factory.mktemp("races")) as servers:
        before = deadlocks(database_url)
        yield servers
        time.sleep(1.1)  # a deadlock is found after a second, and counted then
        assert deadlocks(database_url) == before


@pytest.fixture
async def region(servers: list[Any]) -> AsyncIterator[Region]:
    async with Region(servers) as region:
        yield region
