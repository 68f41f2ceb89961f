"""What the database refuses is counted by its kind; what we refuse is not."""

import pytest

from netweft.store import Busy, Missing, Store, Unavailable, WriteTransaction


def test_by_kind(store: Store) -> None:
    driver = store._driver
    with pytest.raises(Busy), store.read():
        raise driver.OperationalError("database is locked")
    with pytest.raises((driver.Error, Unavailable)), store.write():
        raise driver.OperationalError("disk I/O error")
    with pytest.raises(Missing), store.write():
        raise Missing("ports")
    assert store.errors == {"busy": 1, "fault": 1}


def test_a_database_that_is_full_or_ends_the_connection(store: Store, each_url: str) -> None:
    """SQLite's file may have no page more; PostgreSQL ends what it is connected by."""
    tried = 0

    def fill(tx: WriteTransaction) -> None:
        nonlocal tried
        tried += 1
        cursor = tx._connection._cursor
        if store.embedded:
            cursor.execute("PRAGMA max_page_count = 1")
        else:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        for number in range(300):
            tx.insert("networks", {"id": f"n{number}", "name": "x" * 1000})

    with pytest.raises(Unavailable):
        store.run(fill)
    assert tried == 1, "whether a commit was done is not known: once"
    assert store.errors["fault"] == 1
    with store.read() as tx:
        assert tx.get("networks", "n1") is None
