"""The change log: one revision a transaction, in order, without gaps, and not for ever."""

import asyncio
import threading

import pytest
from tests.waiting import PATIENCE

from netweft.store import ChangesGone, New, Store
from netweft.store.changelog import actor
from netweft.store.doorbell import Doorbell


def write(store: Store, id: str) -> None:
    with store.write() as tx:
        tx.insert("things", {"id": id})


def test_one_transaction_is_one_revision(store: Store) -> None:
    with store.write() as tx:
        tx.insert_many("things", [New({"id": id}) for id in "abc"])
        tx.update("things", "a", {"x": 1})
        tx.delete("things", "b")
    with store.read() as tx:
        changes = tx.changes(0)
        assert {(change.id, change.op) for change in changes} == {("a", "insert"), ("b", "delete"), ("c", "insert")}
        assert {change.revision for change in changes} == {tx.revision()}


def test_following_step_by_step_sees_everything_once(store: Store) -> None:
    for id in "abcdefg":
        write(store, id)
    seen, after = [], 0
    with store.read() as tx:
        while changes := tx.changes(after, limit=2):
            seen += [change.id for change in changes]
            after = changes[-1].revision
    assert seen == list("abcdefg")


def test_a_transaction_is_never_split(store: Store) -> None:
    write(store, "first")
    with store.write() as tx:
        tx.insert_many("things", [New({"id": str(n)}) for n in range(10)])
    with store.read() as tx:
        assert len(tx.changes(0, limit=4)) == 11
        first = tx.changes(0, limit=1)
        assert [change.id for change in first] == ["first"]
        assert len(tx.changes(first[0].revision, limit=4)) == 10


def test_reading_changes_nothing(store: Store) -> None:
    write(store, "a")
    with store.read() as tx:
        before = tx.revision()
    with store.write() as tx:
        tx.get("things", "a")
    with store.read() as tx:
        assert tx.changes(before) == []


def test_pruned_changes_are_gone_and_said_to_be(store: Store) -> None:
    revisions = [0]
    for id in "abcdef":
        write(store, id)
        with store.read() as tx:
            revisions.append(tx.revision())
    store.prune(keep=2)
    with store.read() as tx:
        assert [change.id for change in tx.changes(revisions[4])] == ["e", "f"]
        with pytest.raises(ChangesGone):
            tx.changes(revisions[3])
    store.prune(seconds=-1)  # all are too old: the last one stays, so that revisions go on
    with store.read() as tx:
        assert [change.id for change in tx.changes(revisions[5])] == ["f"]
        assert tx.revision() >= revisions[6]


def test_a_database_keeps_its_history(url: str) -> None:
    first = Store.open(url)
    second = Store.open(url)
    assert first.history == second.history != ""
    first.close()
    second.close()


async def test_one_look_is_for_all_that_rang_shortly_after_the_last() -> None:
    doorbell, loop = Doorbell(), asyncio.get_running_loop()
    with doorbell.subscribe() as bell:
        await bell.wait(0.05)
        started = loop.time()
        for _ in range(3):
            doorbell.ring()
            await asyncio.sleep(0)
        await bell.wait(0.05)
        assert loop.time() - started > 0.04
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await bell.wait()


async def test_the_doorbell_rings_after_commits_of_any_thread(store: Store) -> None:
    with store.doorbell.subscribe() as bell:
        await bell.wait()  # rung at first, so that nothing is missed
        thread = threading.Thread(target=write, args=(store, "a"))
        thread.start()
        async with asyncio.timeout(PATIENCE):
            while True:
                await bell.wait()
                with store.read() as tx:
                    if tx.get("things", "a") is not None:
                        break
        thread.join()


def test_what_happened_to_one_object(store: Store) -> None:
    write(store, "a")
    write(store, "b")
    for x in range(3):
        with store.write() as tx:
            tx.update("things", "a", {"x": x})
    with store.read() as tx:
        past = tx.past("things", "a", 3)
        assert [one.op for one in past] == ["update"] * 3
        assert past[0].revision == tx.revision() > past[1].revision > past[2].revision
        assert [one.op for one in tx.past("things", "a", 9)] == ["update"] * 3 + ["insert"]
        assert tx.past("things", "c", 9) == tx.past("others", "a", 9) == []


def test_who_did_it(store: Store) -> None:
    write(store, "a")
    before = actor.set("user u")
    write(store, "b")
    actor.reset(before)
    with store.read() as tx:
        assert [tx.past("things", id, 1)[0].actor for id in "ab"] == ["server", "user u"]


@pytest.mark.parametrize("long", [False, True])
async def test_it_is_done_in_the_callers_name(store: Store, long: bool) -> None:
    """Some wait for their turn, and are done by others' tasks or in threads."""

    async def ask(who: str) -> None:
        actor.set(who)
        await store.turns.write(lambda: write(store, who), long=long)

    people = [f"user {number}" for number in range(8)]
    await asyncio.gather(*map(ask, people))
    with store.read() as tx:
        assert [tx.past("things", who, 1)[0].actor for who in people] == people


def test_a_revoked_token_is_a_change_once(store: Store) -> None:
    """So that every server forgets it."""
    with store.write() as tx:
        tx.tokens.add("hash", 2e9, {"issued_at": 1e9})
    for changed in (["hash"], []):
        with store.write() as tx:
            before = tx.revision()
            tx.revoke_token("hash")
        with store.read() as tx:
            assert [(one.kind, one.id, one.op) for one in tx.changes(before)] == [
                ("tokens", id, "delete") for id in changed
            ]
