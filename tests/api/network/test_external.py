"""Networks that are external to some, or to all: `router:external` and the RBAC action `access_as_external`."""

from typing import Any

import pytest

from netweft.store import Object

from .conftest import BLUE, YELLOW, Api, refused
from .test_rbac import share

IN_USE, GATEWAY = (409, "RbacPolicyInUse"), "network:router_gateway"
EXTERNAL: dict[str, Any] = {"router:external": True}
INVALID = (400, "InvalidInput")


def try_open(api: Api, network: Object, target: str = BLUE, who: str = "admin", **values: Any) -> Any:
    entry = {"object_type": "network", "object_id": network["id"], "action": "access_as_external"}
    return api(who, "POST", "/rbac-policies", {"rbac_policy": entry | {"target_tenant": target} | values})


def open_to(api: Api, network: Object, target: str = BLUE, who: str = "admin") -> str:
    answer = try_open(api, network, target, who)
    assert answer.status_code == 201, answer.text
    return f"/rbac-policies/{answer.json()['rbac_policy']['id']}"


def entries(api: Api, network: Object) -> list[tuple[str, str]]:
    found = api.get("admin", f"/rbac-policies?object_id={network['id']}")["rbac_policies"]
    return sorted((one["action"], one["target_tenant"]) for one in found)


def seen(api: Api, who: str, network: Object) -> tuple[Any, list[str], int, int]:
    """What its attribute says; lists of external ones; how many subnets, and how many of these are on external ones."""
    shown = api(who, "GET", f"/networks/{network['id']}")
    external = shown.json()["network"]["router:external"] if shown.status_code == 200 else None
    subnets = [len(api.get(who, f"/subnets{query}")["subnets"]) for query in ("", "?router:external=true")]
    return external, api.names(who, "/networks?router:external=true"), subnets[0], subnets[1]


NOTHING: tuple[Any, list[str], int, int] = (None, [], 0, 0)
ALL: tuple[Any, list[str], int, int] = (True, ["out"], 1, 1)


def test_external_for_one_project_only(api: Api) -> None:
    network = api.network("admin", "10.0.0.0/24", name="out")
    assert [seen(api, who, network) for who in ("admin", "bob")] == [(False, [], 1, 0), NOTHING]
    entry = open_to(api, network)
    assert [seen(api, who, network) for who in ("admin", "nova", "bob", "carol")] == [ALL, ALL, ALL, NOTHING]
    shown = api.get("bob", f"/networks/{network['id']}")["network"]
    assert shown["shared"] is False
    assert api.names("bob", "/networks?shared=true") == []
    port = {"port": {"network_id": network["id"]}}
    assert refused(api("bob", "POST", "/ports", port)) == (403, "PolicyNotAuthorized")
    assert refused(api("carol", "POST", "/ports", port)) == (404, "NetworkNotFound")
    subnet = {"network_id": network["id"], "ip_version": 4, "cidr": "10.9.0.0/24"}
    assert refused(api("bob", "POST", "/subnets", {"subnet": subnet}))[0] == 403
    for method, body in (("PUT", {"network": {"name": "his"}}), ("DELETE", None)):
        assert refused(api("bob", method, f"/networks/{network['id']}", body)) == (403, "PolicyNotAuthorized")
    before = api.get("admin", f"/networks/{network['id']}")["network"]["revision_number"]
    assert api("admin", "DELETE", entry).status_code == 204
    assert [seen(api, who, network) for who in ("admin", "bob")] == [(False, [], 1, 0), NOTHING]
    assert api.get("admin", f"/networks/{network['id']}")["network"]["revision_number"] == before + 1


def test_the_attribute_is_an_entry_for_everybody(api: Api) -> None:
    network = api.network("admin", "10.0.0.0/24", name="out", **EXTERNAL)
    everybody = ("access_as_external", "*")
    path = f"/networks/{network['id']}"
    assert (entries(api, network), seen(api, "carol", network)) == ([everybody], ALL)
    assert refused(try_open(api, network, "*")) == (409, "DuplicateRbacPolicy")
    open_to(api, network)
    off = api("admin", "PUT", path, {"network": {"router:external": False}}).json()["network"]
    assert (off["router:external"], entries(api, network), seen(api, "bob", network)) == (False, [], NOTHING)
    on = api("admin", "PUT", path, {"network": {"router:external": True}}).json()["network"]
    assert (on["router:external"], entries(api, network)) == (True, [everybody])
    same = api("admin", "PUT", path, {"network": {"router:external": True}}).json()["network"]
    assert same["revision_number"] == on["revision_number"]
    assert api("admin", "DELETE", path).status_code == 204
    assert api.get("admin", "/rbac-policies")["rbac_policies"] == []


def test_it_is_external_while_there_is_an_entry(api: Api) -> None:
    network = api.network("admin", name="out", **EXTERNAL)
    (everybody,) = api.get("admin", "/rbac-policies")["rbac_policies"]
    blue, yellow = open_to(api, network), open_to(api, network, YELLOW)
    for path, left in ((f"/rbac-policies/{everybody['id']}", True), (blue, True), (yellow, False)):
        assert api("admin", "DELETE", path).status_code == 204
        assert api.get("admin", f"/networks/{network['id']}")["network"]["router:external"] is left
    assert seen(api, "carol", network) == NOTHING


def test_shared_and_external_are_told_apart(api: Api) -> None:
    """What the one lets does not stand in for the other: neither when it is seen nor when it is needed."""
    network = api.network("admin", "10.0.0.0/24", name="out")
    shared = share(api, "network", network, who="admin")
    everybody = open_to(api, network, "*")
    port = api.make("bob", "port", network_id=network["id"])
    assert refused(api("admin", "DELETE", f"/rbac-policies/{shared['id']}")) == IN_USE
    assert api("admin", "DELETE", everybody).status_code == 204
    api.make("admin", "port", network_id=network["id"], device_owner=GATEWAY, project_id=BLUE)
    assert api("bob", "DELETE", f"/ports/{port['id']}").status_code == 204
    assert api("admin", "DELETE", f"/rbac-policies/{shared['id']}").status_code == 204


def test_what_routers_use_stays_external_to_them(api: Api) -> None:
    network = api.network("admin", "10.0.0.0/24", **EXTERNAL)
    (everybody,) = api.get("admin", "/rbac-policies")["rbac_policies"]
    path, network_path = f"/rbac-policies/{everybody['id']}", f"/networks/{network['id']}"
    owned = {"network_id": network["id"], "device_owner": GATEWAY}
    gateway = api.make("admin", "port", project_id=BLUE, **owned)
    own = api.make("admin", "port", **owned)
    off = {"network": {"router:external": False}}
    assert refused(api("admin", "PUT", network_path, off)) == (409, "ExternalNetworkInUse")
    assert refused(api("admin", "DELETE", path)) == IN_USE
    move = {"rbac_policy": {"target_tenant": YELLOW}}
    assert refused(api("admin", "PUT", path, move)) == IN_USE
    his = open_to(api, network)
    assert api("admin", "PUT", path, move).status_code == 200  # they have an entry of their own
    for change in (
        ("DELETE", None),
        ("PUT", {"rbac_policy": {"target_tenant": "e1e1e1e1-0000-4000-8000-000000000000"}}),
    ):
        assert refused(api("admin", change[0], his, change[1])) == IN_USE
    assert api("admin", "PUT", his, {"rbac_policy": {"target_tenant": "*"}}).status_code == 200, "nobody loses by that"
    assert api("admin", "PUT", his, {"rbac_policy": {"target_tenant": BLUE}}).status_code == 200
    assert api("admin", "DELETE", f"/ports/{gateway['id']}").status_code == 204
    assert api("admin", "DELETE", his).status_code == 204
    assert refused(api("admin", "PUT", network_path, off)) == (409, "ExternalNetworkInUse")
    assert api("admin", "DELETE", f"/ports/{own['id']}").status_code == 204
    assert api("admin", "PUT", network_path, off).status_code == 200


def test_what_is_shared_may_be_shared_with_everybody_instead(api: Api) -> None:
    network = api.network("admin", "10.0.0.0/24")
    entry = share(api, "network", network, who="admin")
    api.make("bob", "port", network_id=network["id"])
    body = {"rbac_policy": {"target_tenant": "*"}}
    assert api("admin", "PUT", f"/rbac-policies/{entry['id']}", body).status_code == 200


def test_the_default_one_is_external_to_everybody(api: Api) -> None:
    some = api.network("admin")
    open_to(api, some)
    be_default = {"network": {"is_default": True}}
    assert refused(api("admin", "PUT", f"/networks/{some['id']}", be_default)) == INVALID
    network = api.network("admin", is_default=True, **EXTERNAL)
    (everybody,) = api.get("admin", f"/rbac-policies?object_id={network['id']}")["rbac_policies"]
    path = f"/rbac-policies/{everybody['id']}"
    open_to(api, network)
    assert refused(api("admin", "DELETE", path)) == IN_USE
    assert refused(api("admin", "PUT", path, {"rbac_policy": {"target_tenant": YELLOW}})) == IN_USE
    assert api("admin", "PUT", f"/networks/{network['id']}", {"network": {"is_default": False}}).status_code == 200
    assert api("admin", "DELETE", path).status_code == 204


def test_who_may_open_what(api: Api) -> None:
    """As Neutron's rules have it: an owner to single projects, an admin to everybody."""
    hers = api.network("alice", "10.0.0.0/24", name="out")
    assert refused(try_open(api, hers, "*", "alice")) == (403, "PolicyNotAuthorized")
    assert refused(try_open(api, hers, who="adam")) == (403, "PolicyNotAuthorized")
    assert refused(try_open(api, hers, who="bob")) == (404, "NotFound")
    path = open_to(api, hers, who="alice")
    assert seen(api, "bob", hers) == ALL
    assert refused(try_open(api, hers, YELLOW, who="bob")) == INVALID
    assert refused(api("bob", "DELETE", path))[0] == 404
    assert refused(api("alice", "PUT", path, {"rbac_policy": {"target_tenant": "*"}})) == (403, "PolicyNotAuthorized")
    change = {"network": {"router:external": False}}
    assert refused(api("alice", "PUT", f"/networks/{hers['id']}", change)) == (403, "PolicyNotAuthorized")
    assert api("alice", "DELETE", path).status_code == 204
    assert seen(api, "bob", hers) == NOTHING


@pytest.mark.parametrize("type", ["security_group", "address_group", "qos_policy", "subnetpool"])
def test_only_networks_are_external(api: Api, type: str) -> None:
    answer = try_open(api, {"id": BLUE}, object_type=type)
    assert refused(answer) == (400, "InvalidActionForType")
    assert "('access_as_shared',)" in answer.json()["NeutronError"]["message"]
