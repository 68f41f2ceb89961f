"""What state a database is in, without changing anything of it: for doctor, before there is a server."""

import sqlite3
from pathlib import Path
from typing import NamedTuple

from netweft.store import address
from netweft.store.engine import NEWEST
from netweft.store.errors import UnknownAddress

CONNECT_SECONDS = 5
_VERSION = "SELECT version_num FROM alembic_version"


class Looked(NamedTuple):
    """problem: why it cannot be used, without its password.  schema: its newest migration; empty: none yet."""

    problem: str = ""
    schema: str = ""
    newest: str = NEWEST


def look(url: str) -> Looked:
    """Blocks."""
    try:
        database = address.parse(url)
        if database.get_backend_name() == "sqlite":
            return Looked(schema=_of_file(Path(database.database or "")))
        return Looked(
            schema=_of_postgresql(database.set(drivername="postgresql").render_as_string(hide_password=False))
        )
    except (UnknownAddress, OSError, sqlite3.Error) as error:
        return Looked(address.without_password(str(error), url))


def _of_file(path: Path) -> str:
    """No file of SQLite's own is made beside it."""
    if not path.exists():
        return ""
    with path.open("r+b"):  # whether it may be written
        pass
    alone = not path.with_name(f"{path.name}-wal").exists()
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if alone else ''}", uri=True)
    try:
        (there,) = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
        rows = connection.execute(_VERSION).fetchall() if there else []
    finally:
        connection.close()
    return str(rows[0][0]) if rows else ""


def _of_postgresql(url: str) -> str:
    import psycopg  # only who has one waits for its driver

    try:
        with psycopg.connect(url, connect_timeout=CONNECT_SECONDS, autocommit=True) as connection:
            there = connection.execute("SELECT to_regclass('alembic_version')").fetchone()
            rows = connection.execute(_VERSION).fetchall() if there and there[0] else []
    except psycopg.Error as error:
        raise OSError(" ".join(str(error).split())) from None
    return str(rows[0][0]) if rows else ""
