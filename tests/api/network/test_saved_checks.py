"""Saved checks at the API: whose they are, what is refused, how many; and that one is run when somebody asks."""

import json
from typing import Any

import pytest
from tests.api.network.conftest import Api, refused
from tests.api.network.l3.test_interfaces import subnet
from tests.api.network.test_trace import Pair

from netweft.store import Object, Store

PATH = "/netweft/checks"
CHECK: dict[str, Any] = {"name": "web serves", "from": "db", "to": "web", "protocol": "tcp", "port": 443}

FROM_OUTSIDE: dict[str, Any] = {"from": "outside", "must_pass": False}


@pytest.fixture
def there(api: Api, store: Store) -> Pair:
    return Pair(api, store)


def save(api: Api, who: str = "alice", **more: Any) -> Object:
    answer = api(who, "POST", PATH, {"check": CHECK | more})
    assert answer.status_code == 201, answer.text
    made: Object = answer.json()["check"]
    return made


def run(api: Api, check: Object, who: str = "alice") -> tuple[str, str | None]:
    answer = api(who, "POST", f"{PATH}/{check['id']}/run")
    assert answer.status_code == 200, answer.text
    found: Object = answer.json()["check"]
    return found["status"], found["code"]


def test_a_check_says_how_it_is(api: Api, there: Pair) -> None:
    made = save(api)
    assert (made["status"], made["code"], made["must_pass"], made["project_id"]) == ("PENDING", None, True, "red")
    assert run(api, made) == ("PASSING", None)
    shown = api.get("alice", f"{PATH}/{made['id']}")["check"]
    assert (shown["status"], shown["revision_number"]) == ("PASSING", made["revision_number"])
    blocked = save(api, "alice", **FROM_OUTSIDE)
    assert run(api, blocked) == ("PASSING", None)
    api.make("alice", "security_group_rule", security_group_id=there.group["id"], direction="ingress", protocol="tcp")
    assert run(api, blocked) == ("FAILING", "passes-but-must-not")
    answer = api("alice", "PUT", f"{PATH}/{blocked['id']}", {"check": {"must_pass": True}}).json()["check"]
    assert answer["status"] == "PENDING"
    assert run(api, blocked) == ("PASSING", None)
    answer = api("alice", "PUT", f"{PATH}/{blocked['id']}", {"check": {"name": "else"}}).json()["check"]
    assert answer["status"] == "PASSING", "its name is not what is asked for"
    assert sorted(api.names("alice", f"{PATH}?status=PASSING")) == ["else", "web serves"]
    assert api("alice", "DELETE", f"{PATH}/{made['id']}").status_code == 204
    assert refused(api("alice", "POST", f"{PATH}/{made['id']}/run")) == (404, "CheckNotFound")


def test_they_are_their_projects(api: Api, there: Pair) -> None:
    made = save(api)
    for verb, path, body in (
        ("GET", "", None), ("PUT", "", {"check": {"name": "x"}}), ("DELETE", "", None), ("POST", "/run", None),
    ):  # fmt: skip
        assert refused(api("bob", verb, f"{PATH}/{made['id']}{path}", body)) == (404, "CheckNotFound")
    assert api.get("bob", PATH)["checks"] == []
    assert [one["id"] for one in api.get("adam", PATH)["checks"]] == [made["id"]]
    assert refused(api("adam", "POST", PATH, {"check": CHECK}))[0] == 403
    assert refused(api("adam", "POST", f"{PATH}/{made['id']}/run"))[0] == 403
    assert run(api, made, "admin") == ("PASSING", None)
    assert [one["id"] for one in api.get("admin", PATH)["checks"]] == [made["id"]]


def test_what_is_anothers_is_as_if_it_were_not_there(api: Api, there: Pair) -> None:
    """Even where an admin runs it: it is run as its project."""
    mine = subnet(api, "10.0.0.0/24", "bob")
    api.make("bob", "port", network_id=mine["network_id"], name="bobs")
    told = []
    for name in ("web", there.port["id"], "nobody at all"):
        check = save(api, "bob", **{"from": "bobs", "to": name})
        assert run(api, check, "admin") == ("FAILING", "check-cannot-be-made")
        told.append(api.get("bob", f"{PATH}/{check['id']}")["check"]["reason"].replace(name, "X"))
    assert len(set(told)) == 1
    check = save(api, "bob", **{"from": "bobs", "to": there.floating_ip["floating_ip_address"]})
    run(api, check, "admin")
    said = json.dumps(api.get("bob", f"{PATH}/{check['id']}"))
    assert not [one for one in (there.port, there.router, there.group) if one["id"] in said]


def test_as_many_as_the_quota_says(api: Api, there: Pair) -> None:
    assert api.get("alice", "/quotas/red")["quota"]["check"] == 100
    assert api("admin", "PUT", "/quotas/red", {"quota": {"check": 1}}).status_code == 200
    save(api)
    assert refused(api("alice", "POST", PATH, {"check": CHECK})) == (409, "OverQuota")


WRONG: list[dict[str, Any]] = [
    {"from": ""}, {"to": "x" * 300}, {"to": None}, {"port": None}, {"port": 0}, {"port": "many"}, {"port": 70000},
    {"protocol": "nonsense"}, {"protocol": "icmp"}, {"from": "outside", "to": "outside"}, {"to": "224.0.0.1"},
    {"must_pass": "perhaps"}, {"status": "PASSING"}, {"code": "x"}, {"colour": 1},
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_what_is_refused(api: Api, there: Pair, wrong: dict[str, Any]) -> None:
    assert refused(api("alice", "POST", PATH, {"check": CHECK | wrong}))[0] == 400
    if not {"status", "code", "colour"} & wrong.keys():
        made = save(api)
        assert refused(api("alice", "PUT", f"{PATH}/{made['id']}", {"check": wrong}))[0] == 400
