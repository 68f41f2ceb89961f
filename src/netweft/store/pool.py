"""The connections of one engine, and that none of them outlives it."""

from sqlalchemy.pool import ConnectionPoolEntry, QueuePool


class Pool(QueuePool):
    """Closes, too, what a thread brings back after `dispose`: a store is closed while one is at work, such as one whose
    task was cancelled, or just before it begins.  QueuePool, and the one that an engine has after it was disposed of,
    keep that until the garbage collector comes, and the database keeps its end."""

    _disposed = False

    def dispose(self) -> None:
        self._disposed = True
        super().dispose()

    def recreate(self) -> "Pool":
        """For who comes after the end: each connection is of one transaction."""
        found = super().recreate()
        assert isinstance(found, Pool)
        found._disposed = self._disposed
        return found

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        super()._do_return_conn(record)
        if self._disposed:
            super().dispose()
