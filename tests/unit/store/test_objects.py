"""Objects, links and claims: what goes in comes out, and what must be refused is."""

import pytest

from netweft.store import Claim, Duplicate, InUse, Link, Missing, New, Store, Taken

NETWORK = {"id": "n1", "name": "one", "project_id": "p"}
PORT = {"id": "p1", "network_id": "n1", "nested": {"list": [1, None, True, "ü"]}}
TO_NETWORK = [Link("network_id", "networks", "n1")]


@pytest.fixture(autouse=True)
def network(store: Store) -> None:
    with store.write() as tx:
        tx.insert("networks", NETWORK)


def test_what_goes_in_comes_out(store: Store) -> None:
    with store.write() as tx:
        tx.insert("ports", PORT, TO_NETWORK)
    with store.read() as tx:
        assert tx.get("ports", "p1") == PORT
        assert tx.get("ports", "p2") is None
        assert tx.get("networks", "p1") is None
        assert tx.get_many("ports", ["p1", "p2"]) == {"p1": PORT}


def test_an_exception_leaves_nothing_behind(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.write() as tx:
        tx.insert("ports", PORT, TO_NETWORK, [Claim("scope", "value")])
        raise ZeroDivisionError
    with store.read() as tx:
        assert tx.get("ports", "p1") is None
        assert tx.holders("scope", ["value"]) == {}
        assert [change.id for change in tx.changes(0)] == ["n1"]


def test_update_merges_and_touch_is_no_news(store: Store) -> None:
    with store.read() as tx:
        before = tx.revision()
    with store.write() as tx:
        assert tx.update("networks", "n1", {"name": "two"}) == NETWORK | {"name": "two"}
    with store.write() as tx:
        assert tx.touch("networks", "n1", {"seen": 1})["seen"] == 1
    with store.read() as tx:
        assert tx.get("networks", "n1") == NETWORK | {"name": "two", "seen": 1}
        assert [(change.id, change.op) for change in tx.changes(before)] == [("n1", "update")]


def test_links_hold_their_target(store: Store) -> None:
    with store.write() as tx:
        tx.insert("ports", PORT, TO_NETWORK)
    with pytest.raises(InUse), store.write() as tx:
        tx.delete("networks", "n1")
    with store.read() as tx:
        assert tx.referrers("networks", "n1") == [("ports", "p1", "network_id")]
        assert tx.referrers("networks", ["n1", "n2"], source_kind="subnets") == []
    with store.write() as tx:
        tx.delete("ports", "p1")
        tx.delete("networks", "n1")
    with store.read() as tx:
        assert tx.get("networks", "n1") is None


def test_update_replaces_the_links_of_an_attribute(store: Store) -> None:
    with store.write() as tx:
        tx.insert("networks", {"id": "n2"})
        tx.insert("ports", PORT, [*TO_NETWORK, Link("other", "networks", "n1")])
        tx.update("ports", "p1", {}, {"other": [Link("other", "networks", "n2")]})
        assert tx.referrers("networks", "n1") == [("ports", "p1", "network_id")]
        assert tx.referrers("networks", "n2") == [("ports", "p1", "other")]


def test_a_link_to_nowhere_is_refused(store: Store) -> None:
    with pytest.raises(Missing), store.write() as tx:
        tx.insert("ports", PORT, [Link("network_id", "networks", "n9")])


def test_the_same_id_twice_is_refused(store: Store) -> None:
    with pytest.raises(Duplicate), store.write() as tx:
        tx.insert("networks", NETWORK)


@pytest.mark.parametrize("action", ["update", "delete"])
def test_what_is_not_there_cannot_change(store: Store, action: str) -> None:
    with pytest.raises(Missing), store.write() as tx:
        if action == "update":
            tx.update("networks", "n9", {"name": "x"})
        else:
            tx.delete("networks", "n9")


def test_a_value_has_one_holder(store: Store) -> None:
    with store.write() as tx:
        tx.insert("ports", {"id": "p1"}, claims=[Claim("mac:n1", "aa"), Claim("mac:n2", "aa")])
    with pytest.raises(Taken) as refusal, store.write() as tx:
        tx.insert_many(
            "ports", [New({"id": "p2"}, (), [Claim("mac:n1", "bb")]), New({"id": "p3"}, (), [Claim("mac:n1", "aa")])]
        )
    assert (refusal.value.scope, refusal.value.value) == ("mac:n1", "aa")
    with pytest.raises(Taken), store.write() as tx:  # also within one request
        tx.insert_many("ports", [New({"id": id}, (), [Claim("mac:n1", "cc")]) for id in ("p2", "p3")])
    with store.write() as tx:
        tx.delete("ports", "p1")
        tx.insert("ports", {"id": "p2"}, claims=[Claim("mac:n1", "aa")])
        assert tx.holders("mac:n1", ["aa", "bb"]) == {"aa": ("ports", "p2")}


def test_update_many_writes_what_was_locked(store: Store) -> None:
    with store.write() as tx:
        tx.insert_many("ports", [New({"id": f"p{i}", "network_id": "n1"}) for i in range(700)])
    with store.write() as tx:
        locked = tx.lock_many("ports", [f"p{i}" for i in range(800)])
        assert len(locked) == 700
        tx.update_many("ports", [port | {"network_id": "n2"} for port in locked.values()])
    with store.read() as tx:
        assert tx.count("ports", {"network_id": ["n2"]}) == 700
        assert len(tx.changes(0, 10_000)) == 1401
