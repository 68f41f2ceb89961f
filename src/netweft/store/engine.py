"""Connections to SQLite or PostgreSQL, set up the way the store needs them, and whether the schema is today's."""

import sqlite3
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event

from netweft.store import address
from netweft.store.pool import Pool

# An answered write survives a power cut, not only a kill -9 (NORMAL would do for that).  See decision 0002.
SYNCHRONOUS = "FULL"
MIGRATIONS = Path(__file__).parent / "migrations"
NEWEST = max(file.name for file in (MIGRATIONS / "versions").glob("[0-9]*.py")).partition("_")[0]


def connect(url: str) -> Engine:
    """Raises UnknownAddress, and OSError for a file that others can read and that is not ours."""
    database = address.parse(url)
    if database.get_backend_name() != "sqlite":
        from netweft.store import postgresql  # only who has one waits for its driver

        return postgresql.connect(database)
    address.make_private(database.database)
    return _sqlite(database)


def migrate(engine: Engine) -> None:
    """To the newest schema.  Several servers may do this at the same time.  Raises UnknownSchema."""
    if not _is_newest(engine):
        from netweft.store import migrating  # a quarter of a server's start, for one of many

        migrating.upgrade(engine, MIGRATIONS)


def _is_newest(engine: Engine) -> bool:
    with engine.connect() as connection:
        if not engine.dialect.has_table(connection, "alembic_version"):
            return False
        return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars().all() == [NEWEST]


def _sqlite(url: URL) -> Engine:
    # One connection per thread in use; a reader never waits for the writer (WAL).
    engine = create_engine(
        url,
        paramstyle="named",
        poolclass=Pool,
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
