"""What a database driver raises, in the store's words."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from netweft.store.errors import Busy, Unavailable

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIModule

# serialization_failure, deadlock_detected, lock_not_available
_CONTENTION = ("40001", "40P01", "55P03")
# PostgreSQL's: no connection, out of disk, memory or connections, shut down, read-only (a standby)
_AWAY = ("08", "53", "57P", "25006")
_SQLITE_AWAY = ("SQLITE_FULL", "SQLITE_READONLY", "SQLITE_IOERR", "SQLITE_CANTOPEN")


@contextmanager
def translating(driver: "DBAPIModule", failed: Callable[[str], None]) -> Iterator[None]:
    """Contention becomes Busy, a database that is away Unavailable; any other fault passes.  failed: called with it."""
    try:
        yield
    except driver.Error as error:
        state = getattr(error, "sqlstate", None)
        if state in _CONTENTION or "database is locked" in str(error):
            failed("busy")
            raise Busy(str(error)) from error
        failed("fault")
        if _is_away(error, state, isinstance(error, driver.OperationalError)):
            raise Unavailable(str(error)) from error
        raise


def _is_away(error: Exception, state: str | None, is_operational: bool) -> bool:
    sqlite: str | None = getattr(error, "sqlite_errorname", None)
    if sqlite is not None:
        return sqlite.startswith(_SQLITE_AWAY)
    if state is not None:
        return state.startswith(_AWAY)
    return is_operational and hasattr(error, "sqlstate")  # psycopg's, of a connection that is lost or never was
