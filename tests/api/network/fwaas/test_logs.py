"""The `logging` API for firewall groups: whose, of what, and that it goes with that."""

from typing import Any

import httpx
import pytest
from tests.api.network.conftest import BLUE, Api, refused

from netweft.model import FirewallLog
from netweft.store import Object, Store

from ..l2.test_told_to_nodes import Followers
from .stage import changed, delete, group, policy, vm_port
from .test_firewalls_told import bound

LOGS = "/log/logs"


def ask(api: Api, who: str, **values: Any) -> httpx.Response:
    return api(who, "POST", LOGS, {"log": {"resource_type": "firewall_group", **values}})


def make(api: Api, **values: Any) -> Object:
    answer = ask(api, "ann", **values)
    assert answer.status_code == 201, answer.text
    made: Object = answer.json()["log"]
    return made


def there(api: Api) -> list[str]:
    return [one["id"] for one in api.get("ann", LOGS)["logs"]]


def test_the_life_of_a_log(api: Api) -> None:
    made = make(api, name="l", description="d")
    said = {name: value for name, value in made.items() if name not in ("id", "created_at", "updated_at")}
    assert said == {
        "name": "l",
        "description": "d",
        "project_id": "red",
        "tenant_id": "red",
        "resource_type": "firewall_group",
        "resource_id": None,
        "target_id": None,
        "event": "ALL",
        "enabled": True,
        "revision_number": 1,
    }
    path = f"{LOGS}/{made['id']}"
    assert api.get("ann", path) == {"log": made}
    after = api("ann", "PUT", path, {"log": {"enabled": False, "name": "m"}}).json()["log"]
    assert (after["enabled"], after["name"], after["revision_number"]) == (False, "m", 2)
    for fixed in ("event", "resource_type", "resource_id", "target_id"):
        assert api("ann", "PUT", path, {"log": {fixed: made[fixed]}}).status_code == 400
    assert api("ann", "DELETE", path).status_code == 204
    assert refused(api("ann", "GET", path)) == (404, "LogResourceNotFound")


def test_who_may(api: Api) -> None:
    assert api.get("ann", "/log/loggable-resources") == {
        "loggable_resources": [{"type": "firewall_group"}, {"type": "security_group"}]
    }
    assert api.get("alice", "/log/loggable-resources") == {"loggable_resources": []}
    assert ask(api, "alice").status_code == 403
    made = make(api)
    for who in ("alice", "bob", "nora"):
        assert api(who, "GET", f"{LOGS}/{made['id']}").status_code == 404
        assert api(who, "DELETE", f"{LOGS}/{made['id']}").status_code == 404
    assert ask(api, "nora", project_id="red").status_code in (400, 403)
    assert ask(api, "admin", project_id=BLUE).status_code == 201


def test_what_is_refused(api: Api) -> None:
    port, free = vm_port(api), vm_port(api)
    made, other = group(api, ports=[port["id"]]), group(api)
    plain = api.make("alice", "port", network_id=port["network_id"])
    theirs = vm_port(api, "bob", api.network("bob", cidr="10.7.0.0/24"))
    nobody = "aaaaaaaa-0000-4000-8000-000000000000"
    for wanted, expected in (
        ({"resource_type": "router"}, (400, "InvalidLogResourceType")),
        ({"resource_id": nobody}, (404, "ResourceNotFound")),
        ({"target_id": nobody}, (404, "TargetResourceNotFound")),
        ({"target_id": theirs["id"]}, (404, "TargetResourceNotFound")),
        ({"target_id": plain["id"]}, (409, "LoggingTypeNotSupported")),
        ({"target_id": free["id"]}, (400, "TargetResourceNotAssociated")),
        ({"target_id": port["id"], "resource_id": other["id"]}, (400, "InvalidResourceConstraint")),
        ({"event": "REJECT"}, (400, "HTTPBadRequest")),
        ({"target_id": "x"}, (400, "HTTPBadRequest")),
    ):
        assert refused(ask(api, "ann", **wanted)) == expected, wanted
    assert refused(ask(api, "nora", resource_id=made["id"])) == (404, "ResourceNotFound")
    assert refused(api("ann", "POST", LOGS, {"log": {}}))[0] == 400
    assert not there(api)


@pytest.mark.parametrize("goes", ["group", "port"])
def test_it_goes_with_what_it_is_about(api: Api, goes: str) -> None:
    port = vm_port(api)
    made = group(api, ports=[port["id"]])
    make(api, **({"resource_id": made["id"]} if goes == "group" else {"target_id": port["id"]}))
    stays = make(api)
    if goes == "port":
        assert api("alice", "DELETE", f"/ports/{port['id']}").status_code == 204
    else:
        changed(api, "alice", "firewall_group", made, ports=[])
        assert delete(api, "alice", "firewall_group", made).status_code == 204
    assert there(api) == [stays["id"]]


def test_nodes_with_a_group_of_the_project_hear_of_it(api: Api, store: Store) -> None:
    network = api.network("alice", cidr="10.0.0.0/24")
    port, _ = bound(api, network["id"], "hv1"), bound(api, network["id"], "hv2")
    made = group(api, ports=[port["id"]], ingress_firewall_policy_id=policy(api)["id"])
    nodes = Followers(store)
    log = make(api, resource_id=made["id"], event="DROP")
    told = FirewallLog(id=log["id"], project_id="red", resource_id=made["id"], event="DROP")
    assert nodes.news() == {"hv1": {("firewall_log", log["id"]): told}}
    api("ann", "PUT", f"{LOGS}/{log['id']}", {"log": {"enabled": False}})
    assert nodes.news() == {"hv1": {("firewall_log", log["id"]): None}}


def test_security_groups_are_logged(api: Api, store: Store) -> None:
    """Nodes with one of the project hear of it; it goes with what it names."""
    network = api.network("alice", cidr="10.0.0.0/24")
    port = bound(api, network["id"], "hv1")
    theirs = vm_port(api, "bob", api.network("bob", cidr="10.7.0.0/24"))
    other = api.make("alice", "security_group", name="other")
    nodes = Followers(store)
    kind = {"resource_type": "security_group"}
    for wanted, expected in (
        ({"resource_id": theirs["security_groups"][0]}, (404, "ResourceNotFound")),
        ({"target_id": port["id"], "resource_id": other["id"]}, (400, "InvalidResourceConstraint")),
        ({"target_id": theirs["id"]}, (404, "TargetResourceNotFound")),
    ):
        assert refused(ask(api, "ann", **kind, **wanted)) == expected, wanted
    log = make(api, **kind, resource_id=port["security_groups"][0], target_id=port["id"], event="DROP")
    told = FirewallLog(
        id=log["id"],
        project_id="red",
        resource_type="security_group",
        resource_id=port["security_groups"][0],
        target_id=port["id"],
        event="DROP",
    )
    assert nodes.news() == {"hv1": {("firewall_log", log["id"]): told}}
    make(api, **kind, resource_id=other["id"])
    assert api("alice", "DELETE", f"/security-groups/{other['id']}").status_code == 204
    assert there(api) == [log["id"]]
    api("alice", "PUT", f"/ports/{port['id']}", {"port": {"security_groups": []}})
    bare = {"target_id": port["id"]}
    assert refused(ask(api, "ann", **kind, **bare)) == (400, "TargetResourceNotAssociated")
    assert api("alice", "DELETE", f"/ports/{port['id']}").status_code == 204
    assert not there(api)
