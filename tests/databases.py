"""The databases of the tests: SQLite as a copy of one that was set up before, and a real PostgreSQL, a private cluster
that listens on a unix socket only.

`store` opens what `url` says; a folder whose tests want another database overrides `url`, with `each_url` for both.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from netweft.api.app import resources
from netweft.settings import ServerSettings
from netweft.store import Store, engine


@pytest.fixture(scope="session", autouse=True)
def _no_power_cut() -> Iterator[None]:
    """In this process: nobody waits for the disk.  Servers that a test starts do, as always."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "SYNCHRONOUS", "OFF")
        yield


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With today's tables; that migrations make these is what tests/unit/store/test_migrations.py is about."""
    file = tmp_path_factory.mktemp("empty") / "netweft.db"
    Store.open(f"sqlite:///{file}").close()
    return file


@pytest.fixture(scope="session")
def template(empty: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As a server of default settings leaves it after its start: setting one up takes longer than most tests."""
    file = Path(shutil.copy(empty, tmp_path_factory.mktemp("template")))
    store = Store.open(f"sqlite:///{file}")
    resources(store, ServerSettings())
    store.close()
    return file


@pytest.fixture
def sqlite_url(template: Path, tmp_path: Path) -> str:
    return f"sqlite:///{shutil.copy(template, tmp_path)}"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def each_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty one of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{shutil.copy(request.getfixturevalue('empty'), tmp_path)}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = Store.open(url)
    yield store
    store.close()


def _run(binary: Path, *arguments: str, user: str | None) -> None:
    subprocess.run(
        [binary, *arguments], user=user, group=user, extra_groups=[], check=True, capture_output=True, cwd="/"
    )


@pytest.fixture(scope="session")
def cluster() -> Iterator[Path]:
    """The folder with the socket of a running PostgreSQL."""
    binaries = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
    assert binaries, "no PostgreSQL: install Debian's package `postgresql`"
    user = "postgres" if os.getuid() == 0 else None  # initdb refuses to run as root
    folder = Path(tempfile.mkdtemp(prefix="netweft-pg-"))
    if user:
        shutil.chown(folder, user)
    data = str(folder / "data")
    options = f"-k {folder} -c listen_addresses='' -c fsync=off -c max_connections=60"
    try:
        _run(binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", user=user)
        _run(binaries / "pg_ctl", "-D", data, "-o", options, "-l", f"{data}/log", "-w", "start", user=user)
        try:
            yield folder
        finally:
            _run(binaries / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop", user=user)
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def database(cluster: Path) -> str:
    """One for all tests: making one takes longer than most tests."""
    url = f"postgresql+psycopg://postgres@/postgres?host={cluster}"
    Store.open(url).close()
    return url


@pytest.fixture
def postgres_url(cluster: Path, database: str) -> str:
    """A database without a row."""
    with psycopg.connect(f"postgresql://postgres@/postgres?host={cluster}") as connection:
        connection.execute(
            "TRUNCATE objects, links, claims, pools, free_ranges, changes, tokens, counters, followers CASCADE"
        )
        connection.execute("UPDATE meta SET value = '0' WHERE key = 'pruned'")
    return database
