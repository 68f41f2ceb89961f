"""What is shared with a project is seen and used there, and nowhere else; the owner's it stays."""

from typing import Any

import pytest

from netweft.store import Object

from .conftest import BLUE, Api, refused

GREEN = "93ee0000-0000-4000-8000-000000000000"
FORBIDDEN = (403, "PolicyNotAuthorized")


def try_share(api: Api, type: str, shared: Object, target: Any = BLUE, who: str = "alice", **values: Any) -> Any:
    entry = {"object_type": type, "object_id": shared["id"], "action": "access_as_shared", "target_tenant": target}
    return api(who, "POST", "/rbac-policies", {"rbac_policy": entry | values})


def share(api: Api, type: str, shared: Object, target: str = BLUE, who: str = "alice") -> Object:
    answer = try_share(api, type, shared, target, who)
    assert answer.status_code == 201, answer.text
    entry: Object = answer.json()["rbac_policy"]
    return entry


@pytest.mark.parametrize("member", ["network", "security_group", "address_group"])
def test_what_is_shared_is_seen_and_not_touched(api: Api, member: str) -> None:
    mine = api.make("alice", member, name="mine")
    path = f"/{member.replace('_', '-')}s"
    assert mine["id"] not in {one["id"] for one in api.get("bob", path)[f"{member}s"]}
    entry = share(api, member, mine)
    assert mine["id"] in {one["id"] for one in api.get("bob", path)[f"{member}s"]}
    assert refused(api("bob", "PUT", f"{path}/{mine['id']}", {member: {"name": "his"}})) == FORBIDDEN
    assert refused(api("bob", "DELETE", f"{path}/{mine['id']}")) == FORBIDDEN
    assert refused(api("bob", "DELETE", f"/rbac-policies/{entry['id']}"))[0] == 404
    assert api("alice", "DELETE", f"/rbac-policies/{entry['id']}").status_code == 204
    assert refused(api("bob", "GET", f"{path}/{mine['id']}"))[0] == 404
    share(api, member, mine)
    assert api("alice", "DELETE", f"{path}/{mine['id']}").status_code == 204
    assert api.get("alice", "/rbac-policies")["rbac_policies"] == []


def test_a_shared_group_is_put_on_ports_and_named_in_rules_and_gets_none_from_others(api: Api) -> None:
    hers, his = api.make("alice", "security_group", name="web"), api.make("bob", "security_group", name="db")
    network = api.network("bob", cidr="10.0.0.0/24")
    port = {"port": {"network_id": network["id"], "security_groups": [hers["id"]]}}
    assert refused(api("bob", "POST", "/ports", port)) == (404, "SecurityGroupNotFound")
    entry = share(api, "security_group", hers)
    made = api("bob", "POST", "/ports", port).json()["port"]
    rule = {"security_group_id": his["id"], "direction": "ingress", "remote_group_id": hers["id"]}
    assert api("bob", "POST", "/security-group-rules", {"security_group_rule": rule}).status_code == 201
    rule = {"security_group_id": hers["id"], "direction": "ingress"}
    assert refused(api("bob", "POST", "/security-group-rules", {"security_group_rule": rule})) == FORBIDDEN
    assert refused(api("alice", "DELETE", f"/rbac-policies/{entry['id']}")) == (409, "RbacPolicyInUse")
    (shown,) = api.get("bob", "/security-groups?shared=true")["security_groups"]
    assert shown["id"] == hers["id"]
    assert api("bob", "DELETE", f"/ports/{made['id']}").status_code == 204


def test_a_network_is_used_by_those_it_is_shared_with(api: Api) -> None:
    network = api.network("alice", cidr="10.0.0.0/24")
    entry = share(api, "network", network)
    port = api.make("bob", "port", network_id=network["id"])
    assert len(api.get("bob", "/subnets")["subnets"]) == 1
    change = {"rbac_policy": {"target_tenant": GREEN}}
    path = f"/rbac-policies/{entry['id']}"
    assert refused(api("alice", "PUT", path, change)) == (409, "RbacPolicyInUse")
    assert refused(api("alice", "DELETE", path)) == (409, "RbacPolicyInUse")
    everybody = share(api, "network", network, "*", who="admin")
    assert api("alice", "PUT", path, change).status_code == 200
    assert refused(api("admin", "DELETE", f"/rbac-policies/{everybody['id']}")) == (409, "RbacPolicyInUse")
    assert api("bob", "DELETE", f"/ports/{port['id']}").status_code == 204
    assert api("admin", "DELETE", f"/rbac-policies/{everybody['id']}").status_code == 204


def test_what_everybody_may_use_is_not_taken_back_while_anybody_does(api: Api) -> None:
    """The owner, too, and not for another project instead: as neutron-tempest-plugin has it of QoS policies."""
    policy = api("admin", "POST", "/qos/policies", {"policy": {"name": "p", "shared": True}}).json()["policy"]
    (entry,) = api.get("admin", f"/rbac-policies?object_id={policy['id']}")["rbac_policies"]
    path, shared = f"/qos/policies/{policy['id']}", f"/rbac-policies/{entry['id']}"
    for who, project in (("admin", GREEN), ("bob", BLUE)):
        network = api.network(who, qos_policy_id=policy["id"])
        narrower = {"rbac_policy": {"target_tenant": project}}
        answers = (
            api("admin", "PUT", path, {"policy": {"shared": False}}),
            api("admin", "DELETE", shared),
            api("admin", "PUT", shared, narrower),
        )
        assert [refused(answer) for answer in answers] == [(409, "RbacPolicyInUse")] * 3
        assert api(who, "DELETE", f"/networks/{network['id']}").status_code == 204
    assert api("admin", "PUT", path, {"policy": {"shared": False}}).status_code == 200


def test_what_cannot_be_shared(api: Api) -> None:
    mine, foreign = api.network("alice"), api.network("bob")
    assert refused(try_share(api, "network", mine, "*")) == FORBIDDEN
    assert refused(try_share(api, "network", foreign))[0] == 404
    assert refused(try_share(api, "port", mine)) == (400, "InvalidInput")
    assert refused(try_share(api, "network", mine, action="access_as_magic")) == (400, "InvalidActionForType")
    entry = share(api, "network", mine)
    for nobody in ("blue", "", 5, None, "all", "b10eb10e-0000-4000-8000-00000000000"):
        assert refused(try_share(api, "network", mine, nobody)) == (400, "InvalidInput")
        body = {"rbac_policy": {"target_tenant": nobody}}
        assert refused(api("alice", "PUT", f"/rbac-policies/{entry['id']}", body)) == (400, "InvalidInput")
    assert refused(try_share(api, "network", mine)) == (409, "DuplicateRbacPolicy")
