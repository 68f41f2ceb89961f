"""What only PostgreSQL does: transactions that overlap, and servers that wake each other."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, event
from tests.waiting import PATIENCE

from netweft.store import Busy, Change, Store, Unavailable, WriteTransaction, postgresql
from netweft.store.errors import UnknownSchema

pytestmark = pytest.mark.postgres


def test_a_dump_restored_into_a_younger_cluster_begins_another_history(postgres_url: str) -> None:
    """Where transactions have smaller numbers than the change log that came with the dump."""
    store = Store.open(postgres_url)
    with store.write() as tx:
        tx.insert("things", {"id": "old"})
    store.close()
    again = Store.open(postgres_url)
    assert again.history == store.history, "nothing was restored"
    again.close()
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as connection:
        connection.execute("UPDATE changes SET revision = revision + 1000000000")
        connection.execute("UPDATE meta SET value = '999999999' WHERE key = 'pruned'")
    restored = Store.open(postgres_url)
    assert restored.history != store.history
    with restored.read() as tx:
        revision = tx.revision()
        assert tx.get("things", "old")
    with restored.write() as tx:
        tx.insert("things", {"id": "new"})
    seen, _ = follow(restored, revision)
    assert {change.id for change in seen} == {"new"}
    restored.close()


def test_a_follower_misses_no_transaction_that_commits_late(postgres_url: str) -> None:
    """The first to begin is the last to commit; by sequence numbers its change would come too late to be seen."""
    store = Store.open(postgres_url)
    began, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        with store.write() as tx:
            tx.insert("things", {"id": "slow"})
            began.set()
            go_on.wait(10)

    thread = threading.Thread(target=slow)
    thread.start()
    began.wait(10)
    with store.write() as tx:
        tx.insert("things", {"id": "fast"})
    seen, after = follow(store, 0)
    assert seen == []  # `fast` is committed; it has to wait for what began before it
    go_on.set()
    thread.join()
    seen, after = follow(store, after)
    assert {change.id for change in seen} == {"slow", "fast"}
    assert follow(store, after) == ([], after)
    store.close()


def follow(store: Store, after: int) -> tuple[list[Change], int]:
    with store.read() as tx:
        changes = tx.changes(after)
    return changes, changes[-1].revision if changes else after


async def test_a_commit_of_another_server_rings_the_doorbell(postgres_url: str) -> None:
    here, there = Store.open(postgres_url), Store.open(postgres_url)
    await heard(here, there)
    await asyncio.to_thread(here.close)
    await asyncio.to_thread(there.close)


async def heard(here: Store, there: Store) -> None:
    """What is written there has been told here."""
    with here.doorbell.subscribe() as bell:
        await asyncio.to_thread(write, there)
        async with asyncio.timeout(PATIENCE):
            while not await asyncio.to_thread(has_arrived, here):
                await bell.wait()


def write(store: Store) -> None:
    with store.write() as tx:
        tx.insert("things", {"id": "a"})


def has_arrived(store: Store) -> bool:
    with store.read() as tx:
        return bool(tx.changes(0))


async def test_a_store_that_listens_is_closed_at_once(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "_LOOK_SECONDS", PATIENCE)
    here, there = Store.open(postgres_url), Store.open(postgres_url)
    await heard(here, there)
    start = time.monotonic()
    await asyncio.to_thread(here.close)
    await asyncio.to_thread(there.close)
    assert time.monotonic() - start < PATIENCE / 2


def test_whoever_takes_from_a_pool_that_is_being_redefined_waits_for_it(postgres_url: str) -> None:
    store = Store.open(postgres_url)

    def take(_: int) -> list[int]:
        with store.write() as tx:
            return tx.pools.take("p", 1)

    with store.write() as tx:
        tx.pools.define("p", [(1, 4)])
    with ThreadPoolExecutor(4) as threads:
        with store.write() as tx:
            tx.pools.define("p", [(5, 8)])
            waiting = [threads.submit(take, number) for number in range(4)]
            time.sleep(0.2)
            assert not any(one.done() for one in waiting)
        assert sorted(one.result()[0] for one in waiting) == [5, 6, 7, 8]
    store.close()


def test_a_connection_that_the_database_ended_is_replaced(postgres_url: str) -> None:
    def end_all() -> None:
        with psycopg.connect(postgres_url.replace("+psycopg", "")) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )

    store = Store.open(postgres_url)
    with store.write() as tx:
        tx.insert("networks", {"id": "kept"})
    end_all()
    with store.read() as reading:
        assert reading.get("networks", "kept")
    with pytest.raises(Unavailable), store.write() as tx:
        tx.insert("networks", {"id": "lost"})
        end_all()
        tx.get("networks", "kept")
    with store.write() as tx:
        assert tx.get_many("networks", ["kept", "lost"]) == {"kept": {"id": "kept"}}
    store.close()


def test_no_connection_outlives_its_store(postgres_url: str) -> None:
    """Not even one that a thread is still at work with when the store is closed, or that begins after it."""
    made: list[psycopg.Connection[Any]] = []
    store = Store.open(postgres_url)
    event.listen(store._engine, "connect", lambda connection, _: made.append(connection))
    with store.read() as one, store.read() as other:
        assert one.revision() == other.revision()
        store.close()
        assert [connection.closed for connection in made] == [False]
    assert [connection.closed for connection in made] == [True]
    with store.read() as late:
        assert late.revision() >= 0
    assert [connection.closed for connection in made] == [True, True]


def test_nor_does_one_where_it_could_not_be_opened(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[psycopg.Connection[Any]] = []

    def refuse(engine: Engine) -> None:
        with engine.connect() as connection:
            made.append(connection.connection.dbapi_connection)  # type: ignore[arg-type]
        raise UnknownSchema("made by a newer one")

    monkeypatch.setattr("netweft.store.store.migrate", refuse)
    with pytest.raises(UnknownSchema):
        Store.open(postgres_url)
    assert [connection.closed for connection in made] == [True]


def test_one_of_many_at_one_row_gets_no_busy_error(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time that a transaction is in vain another one got through."""
    monkeypatch.setattr("netweft.store.store._LONGEST_PAUSE", 0.001)
    store, left = Store.open(postgres_url), list(range(30))

    def work(_: WriteTransaction) -> str:
        if left:
            raise Busy(f"{left.pop()} more were first")
        return "done"

    assert store.run(work) == "done"
    store.close()
