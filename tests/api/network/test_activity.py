"""Who changed what: to whom it is told, and in which pages."""

from typing import Any

import msgspec
import pytest
from tests.api.network.conftest import PEOPLE, Api, refused
from tests.api.network.test_explain import connect, reports
from tests.api.network.test_rbac import share

from netweft.api.app import resources
from netweft.api.resources import activity
from netweft.settings import ServerSettings
from netweft.store import Store
from netweft.store.changelog import Entry

PATH = "/netweft/activity"


def told(api: Api, who: str, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get(who, PATH + query)["activity"]
    return found


def in_short(entries: list[dict[str, Any]]) -> list[tuple[str, str, str, str]]:
    return [(one["by"], one["operation"], one["type"], one["name"]) for one in entries]


def test_the_newest_first_with_who_did_it(api: Api) -> None:
    network = api.network("alice", name="mine")
    api("ann", "PUT", f"/networks/{network['id']}", {"network": {"name": "ours"}})
    for who in ("alice", "admin"):
        assert in_short(told(api, who))[:2] == [
            ("user ann", "update", "network", "ours"),
            ("user alice", "insert", "network", "ours"),
        ]
    assert told(api, "alice")[0]["at"] >= told(api, "alice")[1]["at"] > "2026-"


def test_a_project_hears_of_its_own_only(api: Api) -> None:
    network = api.network("alice", name="mine")
    share(api, "network", network)
    assert api.get("bob", f"/networks/{network['id']}")  # seen, and not theirs
    assert told(api, "bob") == told(api, "nick") == []
    api("alice", "DELETE", f"/networks/{network['id']}")
    gone = api.make("bob", "network", name="bob's")
    api("bob", "DELETE", f"/networks/{gone['id']}")
    assert [one["id"] for one in told(api, "bob")] == [gone["id"]] * 2
    assert network["id"] not in str(told(api, "nick")) and gone["id"] not in str(told(api, "alice"))


def test_what_others_of_the_project_delete(api: Api) -> None:
    """With its name; who is of no project, or of another, hears nothing."""
    network = api.network("alice", name="mine")
    share(api, "network", network)
    foreign = api.make("bob", "port", network_id=network["id"], name="bob's")
    policy = api("admin", "POST", "/qos/policies", {"policy": {"name": "gold", "project_id": "red"}}).json()["policy"]
    for path in (f"ports/{foreign['id']}", f"networks/{network['id']}", f"qos/policies/{policy['id']}"):
        assert api("admin", "DELETE", f"/{path}").status_code == 204
    assert in_short(told(api, "ann"))[:2] == [
        ("user admin", "delete", "policy", "gold"),
        ("user admin", "delete", "network", "mine"),
    ]
    assert ("user admin", "delete", "port", "bob's") in in_short(told(api, "admin"))
    assert "bob's" not in str(told(api, "ann")) and "mine" not in str(told(api, "bob"))
    assert told(api, "nick") == []


def test_of_each_kind_it_can_be_said_who_may_have_seen_what_is_gone(api: Api, store: Store) -> None:
    every = activity.Activity(resources(store, ServerSettings()), store)
    gone = [Entry(at, kind, "x", "delete", 0.0, None, "red", "n") for at, kind in enumerate(every._members)]
    with store.read() as tx:
        for who, least in (("admin", len(gone)), ("alice", 5), ("bob", 0)):
            assert len(every._were_seen(tx, PEOPLE[who], gone)) >= least
        assert not every._were_seen(tx, PEOPLE["bob"], gone)


def test_in_another_project_names_of_the_one_before_are_hidden(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.network("alice", name="red's")
    monkeypatch.setitem(PEOPLE, "alice", msgspec.structs.replace(PEOPLE["alice"], project_id="green"))
    api.network("alice", name="green's")
    assert [one["name"] for one in told(api, "alice")] == ["green's", ""]


def test_nodes_are_the_server_to_who_does_not_see_them(api: Api, store: Store) -> None:
    network = api.network("alice", "10.0.0.0/24")
    port = api.make("alice", "port", network_id=network["id"])
    connect(store)
    reports(store, port)
    assert "hv-secret" not in str(told(api, "alice"))


def test_pages_have_everything_once(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    for at in range(7):
        api.make_many("alice", "network", [{"name": f"n{at}{of}"} for of in range(3)])
    every = told(api, "alice")
    monkeypatch.setattr(activity, "READ", 10)
    for limit in (1, 2, 4, 100):
        found, place = [], f"?limit={limit}"
        while place:
            page = api.get("alice", PATH + place)
            found += page["activity"]
            place = f"?limit={limit}&before={page['next']}" if page["next"] else ""
        assert [(one["revision"], one["id"]) for one in found] == [(one["revision"], one["id"]) for one in every]


@pytest.mark.parametrize("query", ["?limit=0", "?limit=x", "?before=-1", "?name=x", "?before=1&before=", "?limit=-1"])
def test_bad_requests(api: Api, query: str) -> None:
    assert refused(api("alice", "GET", PATH + query)) == (400, "HTTPBadRequest")
