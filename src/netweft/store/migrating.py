"""Brings a database to the newest schema.  Imported when there is something to do: Alembic takes its time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine

from netweft.store.errors import UnknownSchema


def upgrade(engine: Engine, migrations: Path) -> None:
    """migrations: Alembic's folder.  Raises UnknownSchema."""
    config = Config()
    config.set_main_option("script_location", str(migrations))
    with engine.begin() as connection, _json_decoded(connection):
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise UnknownSchema(f"this version does not know its tables: made by a newer one? ({error})") from error


@contextmanager
def _json_decoded(connection: Connection) -> Iterator[None]:
    """As SQLAlchemy expects it of PostgreSQL's driver."""
    if connection.dialect.name != "postgresql":
        yield
        return
    from netweft.store.postgresql import as_it_is, set_json_loads

    driver = connection.connection.driver_connection
    set_json_loads(msgspec.json.decode, driver)
    try:
        yield
    finally:
        set_json_loads(as_it_is, driver)
