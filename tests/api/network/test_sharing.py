"""`shared`: what RBAC entries say to each, and the entry for everybody that setting it makes."""

from typing import Any

import pytest

from netweft.store import Object

from .conftest import BLUE, Api, refused
from .test_rbac import share, try_share

MEMBERS: dict[str, tuple[str, str, Object]] = {
    "network": ("network", "networks", {}),
    "security_group": ("security_group", "security-groups", {}),
    "policy": ("qos_policy", "qos/policies", {"name": "gold"}),
    "subnetpool": ("subnetpool", "subnetpools", {"name": "pool", "prefixes": ["10.0.0.0/8"]}),
}
FLAGGED = [member for member in MEMBERS if member != "security_group"]


def make(api: Api, member: str, **values: Any) -> tuple[Object, str]:
    """The admin's, so that all of them can be made by one."""
    _, path, needed = MEMBERS[member]
    answer = api("admin", "POST", f"/{path}", {member: needed | values})
    assert answer.status_code == 201, answer.text
    made: Object = answer.json()[member]
    return made, f"/{path}/{made['id']}"


def entries(api: Api, object: Object) -> list[tuple[str, str]]:
    found = api.get("admin", f"/rbac-policies?object_id={object['id']}")["rbac_policies"]
    return [(entry["target_tenant"], entry["project_id"]) for entry in found]


def listed(api: Api, who: str, member: str, query: str) -> list[str]:
    (found,) = api.get(who, f"/{MEMBERS[member][1]}?name=x{query}").values()
    return [one["name"] for one in found]


@pytest.mark.parametrize("member", MEMBERS)
def test_it_is_true_to_whom_it_is_shared_with(api: Api, member: str) -> None:
    made, path = make(api, member, name="x")
    assert made["shared"] is False
    entry = share(api, MEMBERS[member][0], made, who="admin")
    assert api.get("admin", path)[member]["shared"] is False
    assert api.get("bob", path)[member]["shared"] is True
    assert api.get("bob", f"{path}?fields=shared")[member] == {"shared": True}
    assert api("alice", "GET", path).status_code == 404
    for query, his, hers in (("&shared=true", ["x"], []), ("&shared=false", [], ["x"])):
        assert (listed(api, "bob", member, query), listed(api, "admin", member, query)) == (his, hers)
    assert listed(api, "bob", member, "&shared=true&shared=false") == ["x"]
    everybody = share(api, MEMBERS[member][0], made, "*", who="admin")
    assert api.get("admin", path)[member]["shared"] is True
    assert api.get("alice", path)[member]["shared"] is True
    for gone in (entry, everybody):
        assert api("admin", "DELETE", f"/rbac-policies/{gone['id']}").status_code == 204
    assert api("bob", "GET", path).status_code == 404


@pytest.mark.parametrize("member", FLAGGED)
def test_it_is_an_entry_for_everybody(api: Api, member: str) -> None:
    made, path = make(api, member, shared=True)
    assert (made["shared"], entries(api, made)) == (True, [("*", "admins")])
    assert refused(try_share(api, MEMBERS[member][0], made, "*", who="admin")) == (409, "DuplicateRbacPolicy")
    if member != "subnetpool":  # which cannot be changed so
        off = api("admin", "PUT", path, {member: {"shared": False}}).json()[member]
        assert (off["shared"], entries(api, made)) == (False, [])
        assert off["revision_number"] == made["revision_number"] + 1
        assert api("bob", "GET", path).status_code == 404
        on = api("admin", "PUT", path, {member: {"shared": True, "name": "y"}}).json()[member]
        assert (on["shared"], on["name"], entries(api, made)) == (True, "y", [("*", "admins")])
    assert api("admin", "DELETE", path).status_code == 204
    assert api.get("admin", "/rbac-policies")["rbac_policies"] == []


@pytest.mark.parametrize("member", MEMBERS)
def test_to_share_is_a_revision(api: Api, member: str) -> None:
    made, path = make(api, member)
    entry = share(api, MEMBERS[member][0], made, who="admin")
    assert api.get("admin", path)[member]["revision_number"] == made["revision_number"] + 1
    body = {"rbac_policy": {"target_tenant": "*"}}
    assert api("admin", "PUT", f"/rbac-policies/{entry['id']}", body).status_code == 200
    assert api.get("admin", path)[member]["revision_number"] == made["revision_number"] + 2
    assert api("admin", "DELETE", f"/rbac-policies/{entry['id']}").status_code == 204
    assert api.get("admin", path)[member]["revision_number"] == made["revision_number"] + 3


def test_an_entry_for_everybody_is_shared_as_the_attribute_is(api: Api) -> None:
    """And taken away as that is."""
    network, path = make(api, "network")
    share(api, "network", network, "*", who="admin")
    off = api("admin", "PUT", path, {"network": {"shared": False}}).json()["network"]
    assert (off["shared"], entries(api, network)) == (False, [])


def test_what_others_use_stays_shared(api: Api) -> None:
    network, path = make(api, "network", shared=True)
    port = api.make("bob", "port", network_id=network["id"])
    off = {"network": {"shared": False}}
    assert refused(api("admin", "PUT", path, off)) == (409, "InvalidSharedSetting")
    entry = share(api, "network", network, BLUE, who="admin")
    assert api("admin", "PUT", path, off).status_code == 200
    assert api.get("bob", path)["network"]["shared"] is True
    assert refused(api("admin", "DELETE", f"/rbac-policies/{entry['id']}")) == (409, "RbacPolicyInUse")
    assert api("bob", "DELETE", f"/ports/{port['id']}").status_code == 204
    assert api("admin", "DELETE", f"/rbac-policies/{entry['id']}").status_code == 204


def test_a_service_of_the_network_is_no_user_of_it(api: Api) -> None:
    network, path = make(api, "network", shared=True)
    api.make("admin", "port", network_id=network["id"], project_id="red", device_owner="network:dhcp")
    assert api("admin", "PUT", path, {"network": {"shared": False}}).status_code == 200


def test_subnets_are_shared_as_their_network(api: Api) -> None:
    for shared in (True, False):
        network = api.network("admin", shared=shared)
        values = {"network_id": network["id"], "ip_version": 4, "cidr": "10.0.0.0/24", "name": f"{shared}"}
        assert "shared" not in api.make("admin", "subnet", **values)
    assert api.names("admin", "/subnets?shared=true") == api.names("bob", "/subnets?shared=True") == ["True"]
    assert (api.names("admin", "/subnets?shared=false"), api.names("bob", "/subnets?shared=0")) == (["False"], [])
    assert refused(api("bob", "GET", "/subnets?shared=perhaps")) == (400, "HTTPBadRequest")
    subnet = {"network_id": network["id"], "ip_version": 4, "cidr": "10.1.0.0/24", "shared": True}
    assert refused(api("admin", "POST", "/subnets", {"subnet": subnet})) == (400, "HTTPBadRequest")


@pytest.mark.parametrize("member", ["network", "security_group"])
def test_only_the_owner_shares_further(api: Api, member: str) -> None:
    mine = api.make("alice", member)
    assert refused(try_share(api, member, mine, who="bob")) == (404, "NotFound")
    share(api, member, mine)
    assert refused(try_share(api, member, mine, "a11a11a1-0000-4000-8000-000000000000", who="bob")) == (
        400,
        "InvalidInput",
    )


def test_a_pool_is_used_by_whom_it_is_shared_with(api: Api) -> None:
    pool = api.make("alice", "subnetpool", name="p", prefixes=["10.0.0.0/8"])
    subnet = {"network_id": api.network("bob")["id"], "ip_version": 4, "subnetpool_id": pool["id"]}
    assert refused(api("bob", "POST", "/subnets", {"subnet": subnet})) == (404, "SubnetPoolNotFound")
    entry = share(api, "subnetpool", pool)
    made = api.make("bob", "subnet", **subnet)
    assert refused(api("alice", "DELETE", f"/rbac-policies/{entry['id']}")) == (409, "RbacPolicyInUse")
    assert api("bob", "DELETE", f"/subnets/{made['id']}").status_code == 204
    assert api("alice", "DELETE", f"/rbac-policies/{entry['id']}").status_code == 204
