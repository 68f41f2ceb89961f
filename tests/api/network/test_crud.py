"""Create, show, list, update, delete, in single and in bulk, for every resource there is."""

from typing import Any

import pytest

from .conftest import Api, refused


def body_of(api: Api, member: str) -> dict[str, Any]:
    if member == "network":
        return {"name": "n"}
    if member == "subnet":
        return {"name": "n", "network_id": api.network()["id"], "ip_version": 4, "cidr": "10.0.0.0/24"}
    if member == "port":
        return {"name": "n", "network_id": api.network(cidr="10.0.0.0/24")["id"]}
    if member == "security_group":
        return {"name": "n"}
    group = api.make("alice", "security_group", name="g")
    return {"description": "n", "security_group_id": group["id"], "direction": "ingress", "protocol": "tcp"}


MEMBERS = ["network", "subnet", "port", "security_group", "security_group_rule"]


@pytest.mark.parametrize("member", MEMBERS)
def test_the_life_of_an_object(api: Api, member: str) -> None:
    path, body = f"/{member.replace('_', '-')}s", body_of(api, member)
    field = "name" if "name" in body else "description"
    answer = api("alice", "POST", path, {member: body})
    assert answer.status_code == 201
    made = answer.json()[member]
    assert made | body == made
    assert made["project_id"] == made["tenant_id"] == "red"
    assert made["created_at"] == made["updated_at"]
    shown = api.get("alice", f"{path}/{made['id']}")[member]
    assert shown == made
    answer = api("alice", "PUT", f"{path}/{made['id']}", {member: {field: "new"}})
    assert answer.status_code == 200
    assert answer.json()[member] == made | {
        field: "new",
        "revision_number": made["revision_number"] + 1,
        "updated_at": answer.json()[member]["updated_at"],
    }
    assert made["id"] in [one["id"] for one in api.get("alice", path)[f"{member}s"]]
    assert api("alice", "DELETE", f"{path}/{made['id']}").status_code == 204
    for method in ("GET", "PUT", "DELETE"):
        status, type = refused(api("alice", method, f"{path}/{made['id']}", {member: {field: "x"}}))
        assert (status, type.lower()) == (404, f"{member.replace('_', '')}notfound")


def test_a_bulk_is_made_together_or_not_at_all(api: Api) -> None:
    network = api.network(cidr="10.0.0.0/29")
    one = {"network_id": network["id"]}
    assert len(api.make_many("alice", "port", [one, one, one])) == 3
    assert refused(api("alice", "POST", "/ports", {"ports": [one, one, one]})) == (409, "IpAddressGenerationFailure")
    assert refused(api("alice", "POST", "/ports", {"ports": [one, {"network_id": "x"}]})) == (400, "HTTPBadRequest")
    assert len(api.get("alice", "/ports")["ports"]) == 3


def test_the_default_group_is_there_when_somebody_looks(api: Api) -> None:
    groups = api.get("adam", "/security-groups")["security_groups"]
    assert [group["name"] for group in groups] == ["default"]
    rules = groups[0]["security_group_rules"]
    assert sorted((rule["direction"], rule["ethertype"]) for rule in rules) == [
        ("egress", "IPv4"),
        ("egress", "IPv6"),
        ("ingress", "IPv4"),
        ("ingress", "IPv6"),
    ]
    assert api.get("alice", "/security-groups")["security_groups"] == groups


def test_the_subnets_of_a_network(api: Api) -> None:
    network = api.network(cidr="10.0.0.0/24")
    (subnet,) = api.get("alice", "/subnets")["subnets"]
    assert api.get("alice", f"/networks/{network['id']}")["network"]["subnets"] == [subnet["id"]]


def test_if_match(api: Api) -> None:
    network = api.network()
    path = f"/networks/{network['id']}"
    change = {"network": {"name": "new"}}
    stale = api("alice", "PUT", path, change, If_Match="revision_number=7")
    assert refused(stale) == (412, "RevisionNumberConstraintFailed")
    assert api("alice", "PUT", path, change, If_Match="revision_number=1").status_code == 200
    assert refused(api("alice", "DELETE", path, If_Match="revision_number=1"))[0] == 412
    assert refused(api("alice", "DELETE", path, If_Match="nonsense"))[0] == 400
    assert api("alice", "DELETE", path, If_Match="revision_number=2").status_code == 204
