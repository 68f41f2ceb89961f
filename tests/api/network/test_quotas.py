"""How many a project may have."""

from typing import Any

import pytest

from .conftest import Api, refused


def make(api: Api, count: int = 1) -> Any:
    return api("alice", "POST", "/networks", {"networks": [{}] * count})


def test_the_defaults(api: Api) -> None:
    quota = api.get("adam", "/quotas/red")["quota"]
    assert quota == {
        "network": 100,
        "subnet": 100,
        "subnetpool": -1,
        "port": 500,
        "security_group": 10,
        "security_group_rule": 100,
        "rbac_policy": 10,
        "router": 10,
        "floatingip": 50,
        "firewall_group": 10,
        "firewall_policy": 10,
        "firewall_rule": 100,
        "log": 100,
        "router_route": 30,
        "check": 100,
        "project_id": "red",
        "tenant_id": "red",
    }
    assert api.get("adam", "/quotas/project")["quota"] == quota
    default = api.get("adam", "/quotas/red/default")["quota"]
    assert default.items() <= quota.items() and all(isinstance(limit, int) for limit in default.values())
    assert api.get("admin", "/quotas") == {"quotas": []}


def test_a_limit_holds_for_one_project(api: Api) -> None:
    changed = api("admin", "PUT", "/quotas/red", {"quota": {"network": 2}}).json()["quota"]
    assert (changed["network"], changed["port"]) == (2, 500)
    assert refused(make(api, 3)) == (409, "OverQuota")
    assert make(api, 2).status_code == 201
    answer = make(api)
    assert answer.json()["NeutronError"]["message"] == "Quota exceeded for resources: ['network']."
    assert api("bob", "POST", "/networks", {"networks": [{}] * 3}).status_code == 201
    details = api.get("alice", "/quotas/red/details.json")["quota"]["network"]
    assert details == {"limit": 2, "used": 2, "reserved": 0}
    assert [one["project_id"] for one in api.get("admin", "/quotas")["quotas"]] == ["red"]
    assert api("admin", "DELETE", "/quotas/red").status_code == 204
    assert make(api).status_code == 201


def test_no_limit_at_all(api: Api) -> None:
    api("admin", "PUT", "/quotas/red", {"quota": {"network": -1}})
    assert [make(api, 51).status_code for _ in range(2)] == [201, 201]


@pytest.mark.parametrize(
    "body", [{"quota": {"colour": 1}}, {"quota": {"network": "many"}}, {"quota": {"network": -2}}, {"x": 1}]
)
def test_limits_that_cannot_be(api: Api, body: Any) -> None:
    assert refused(api("admin", "PUT", "/quotas/red", body)) == (400, "HTTPBadRequest")


def test_quotas_are_for_admins_to_change(api: Api) -> None:
    for method, path in (
        ("PUT", "/quotas/red"),
        ("DELETE", "/quotas/red"),
        ("GET", "/quotas/blue"),
        ("GET", "/quotas"),
    ):
        assert refused(api("alice", method, path, {"quota": {"network": 9}})) == (403, "PolicyNotAuthorized")


def test_no_limit_below_what_is_used(api: Api) -> None:
    make(api, 2)
    answer = api("admin", "PUT", "/quotas/red", {"quota": {"network": 1, "check_limit": True}})
    assert refused(answer) == (400, "HTTPBadRequest")
    assert "must be greater than or equal to already used 2" in answer.json()["NeutronError"]["message"]
    assert refused(api("admin", "PUT", "/quotas/red", {"quota": {"network": 1}})) == (400, "HTTPBadRequest")
    for limits in ({"network": 2}, {"network": -1, "check_limit": True}, {"network": 1, "force": True}):
        assert api("admin", "PUT", "/quotas/red", {"quota": limits}).status_code == 200
    assert refused(api("admin", "PUT", "/quotas/red", {"quota": {"force": "perhaps"}})) == (400, "HTTPBadRequest")
