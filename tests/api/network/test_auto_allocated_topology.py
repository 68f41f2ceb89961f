"""A network for who asks for any: what it takes, what is made, whose it is, and what is refused."""

from typing import Any

import pytest

from .conftest import BLUE, Api, refused

FAILED = (409, "AutoAllocationFailure")
FORBIDDEN = (403, "PolicyNotAuthorized")


def ask(api: Api, who: str = "alice", project: str = "red", query: str = "") -> Any:
    return api(who, "GET", f"/auto-allocated-topology/{project}{query}")


def dry_run(api: Api, who: str = "alice", project: str = "None") -> Any:
    return ask(api, who, project, "?fields=dry-run")


def make_pool(api: Api, prefix: str = "10.0.0.0/8", length: int = 26, **values: Any) -> Any:
    values = {
        "name": "p",
        "prefixes": [prefix],
        "default_prefixlen": length,
        "is_default": True,
        "shared": True,
    } | values
    return api.make("admin", "subnetpool", **values)


@pytest.fixture
def ready(api: Api) -> None:
    api.make("admin", "network", name="public", is_default=True, **{"router:external": True})
    make_pool(api)
    make_pool(api, "fd00::/48", 64)


def test_what_is_missing_is_said(api: Api) -> None:
    for answer in (dry_run(api), ask(api)):
        assert refused(answer) == FAILED
        message = "Deployment error: No default router:external network."
        assert answer.json()["NeutronError"]["message"] == message
    api.make("admin", "network", is_default=True, **{"router:external": True})
    make_pool(api, "10.9.0.0/16", shared=False)  # is not for them
    assert dry_run(api).json()["NeutronError"]["message"] == "Deployment error: No default subnetpools defined."
    message = "Deployment error: Unable to provide project private network."
    assert ask(api).json()["NeutronError"]["message"] == message
    assert api.names("alice", "/networks?name=auto_allocated_network") == []


def test_a_dry_run_makes_nothing(api: Api, ready: None) -> None:
    for project in ("None", "red"):
        shown = {"id": "dry-run=pass", "project_id": "red", "tenant_id": "red"}
        assert dry_run(api, "adam", project).json() == {"auto_allocated_topology": shown}
    assert api.names("alice", "/networks?router:external=false") == []
    assert refused(ask(api, query="?fields=id")) == (400, "HTTPBadRequest")


def test_a_network_with_a_subnet_of_each_default_pool(api: Api, ready: None) -> None:
    shown = ask(api).json()["auto_allocated_topology"]
    assert (shown["project_id"], shown["tenant_id"]) == ("red", "red")
    network = api.get("alice", f"/networks/{shown['id']}")["network"]
    assert (network["name"], network["admin_state_up"], network["shared"]) == ("auto_allocated_network", True, False)
    assert "no router" in network["description"]
    subnets = api.get("alice", f"/subnets?network_id={shown['id']}&sort_key=ip_version")["subnets"]
    assert [(one["name"], one["cidr"], one["project_id"]) for one in subnets] == [
        ("auto_allocated_subnet_v4", "10.0.0.0/26", "red"),
        ("auto_allocated_subnet_v6", "fd00::/64", "red"),
    ]
    assert ask(api).json() == ask(api, "adam", "None").json() == {"auto_allocated_topology": shown}
    assert ask(api, "bob", BLUE).json()["auto_allocated_topology"]["id"] != shown["id"]
    assert len(api.make("alice", "port", network_id=shown["id"])["fixed_ips"]) == 2


def test_it_goes_when_nobody_is_on_it(api: Api, ready: None) -> None:
    path = "/auto-allocated-topology/red"
    assert api("alice", "DELETE", path).status_code == 204, "there was none"
    first = ask(api).json()["auto_allocated_topology"]["id"]
    port = api.make("alice", "port", network_id=first)
    assert refused(api("alice", "DELETE", path)) == (409, "NetworkInUse")
    assert api("alice", "DELETE", f"/ports/{port['id']}").status_code == 204
    assert api("alice", "DELETE", path).status_code == 204
    assert api("alice", "GET", f"/networks/{first}").status_code == 404
    second = ask(api).json()["auto_allocated_topology"]["id"]
    assert api("alice", "DELETE", f"/networks/{second}").status_code == 204, "it is a network like any other"
    assert ask(api).json()["auto_allocated_topology"]["id"] not in (first, second)


def test_to_whom(api: Api, ready: None) -> None:
    path = "/auto-allocated-topology/red"
    for answer in (
        ask(api, "bob"),
        dry_run(api, "bob", "red"),
        api("bob", "DELETE", path),
        api("adam", "DELETE", path),
    ):
        assert refused(answer) == FORBIDDEN
    assert refused(ask(api, "adam")) == FORBIDDEN, "who may only read makes nothing"
    made = ask(api, "admin").json()["auto_allocated_topology"]
    assert api.get("alice", f"/networks/{made['id']}")["network"]["project_id"] == "red"
    assert ask(api, "adam").json()["auto_allocated_topology"] == made


def test_quotas_hold(api: Api, ready: None) -> None:
    api("admin", "PUT", "/quotas/red", {"quota": {"subnet": 1}})
    assert refused(ask(api)) == (409, "OverQuota")
    assert api.names("alice", "/networks?router:external=false") == []
