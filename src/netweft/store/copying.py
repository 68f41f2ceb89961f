"""A copy of a database, to try on it what a change would do."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from netweft.store.engine import connect, migrate
from netweft.store.store import Store


@contextmanager
def copied(source: Store) -> Iterator[Store]:
    """All of it as it is now, in a SQLite file that goes afterwards."""
    with tempfile.TemporaryDirectory(prefix="netweft-copy-") as folder:
        target = connect(f"sqlite:///{Path(folder) / 'netweft.db'}")
        migrate(target)
        source.copy_into(target)
        store = Store(target)
        try:
            yield store
        finally:
            store.close()
