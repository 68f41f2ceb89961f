"""Connections to SQLite or PostgreSQL, set up the way the store needs them, and the migrations."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from psycopg.types.json import set_json_loads
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from netweft.store import address
from netweft.store.errors import UnknownSchema

# An answered write survives a power cut, not only a kill -9 (NORMAL would do for that).  See decision 0002.
SYNCHRONOUS = "FULL"


def connect(url: str) -> Engine:
    """Raises UnknownAddress, and OSError for a file that others can read and that is not ours."""
    database = address.parse(url)
    if database.get_backend_name() != "sqlite":
        return _postgresql(database)
    address.make_private(database.database)
    return _sqlite(database)


def migrate(engine: Engine) -> None:
    """To the newest schema.  Several servers may do this at the same time.  Raises UnknownSchema."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection, _json_decoded(connection):
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise UnknownSchema(f"this version does not know its tables: made by a newer one? ({error})") from error


def _sqlite(url: URL) -> Engine:
    # One connection per thread in use; a reader never waits for the writer (WAL).
    engine = create_engine(
        url,
        paramstyle="named",
        poolclass=QueuePool,
        pool_size=8,
        max_overflow=32,
        pool_reset_on_return="rollback",
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {SYNCHRONOUS}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA busy_timeout = 10000")
        connection.execute("PRAGMA cache_size = -8000")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:  # of migrations; all others say it themselves, see sql.py
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _postgresql(url: URL) -> Engine:
    engine = create_engine(url, pool_size=8, max_overflow=32, pool_pre_ping=True, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def prepare(connection: psycopg.Connection[Any], record: object) -> None:
        set_json_loads(_as_it_is, connection)  # decoded by whoever reads it, see sql.py
        # nobody waits for ever for somebody who is stuck, or whose machine stands still
        connection.execute("SELECT set_config('lock_timeout', '10s', false)")
        connection.execute("SELECT set_config('idle_in_transaction_session_timeout', '60s', false)")
        connection.commit()

    return engine


@contextmanager
def _json_decoded(connection: Connection) -> Iterator[None]:
    """As SQLAlchemy expects it of PostgreSQL's driver."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        yield
        return
    set_json_loads(msgspec.json.decode, driver)
    try:
        yield
    finally:
        set_json_loads(_as_it_is, driver)


def _as_it_is(value: str | bytes) -> str | bytes:
    return value
