"""A request that changes nothing is no revision, and nobody hears of it."""

from typing import Any

import pytest

from netweft.store import Object, Store

from .conftest import Api

PATHS = {
    "network": "networks",
    "subnet": "subnets",
    "subnetpool": "subnetpools",
    "port": "ports",
    "trunk": "trunks",
    "security_group": "security-groups",
    "security_group_rule": "security-group-rules",
    "address_group": "address-groups",
    "rbac_policy": "rbac-policies",
    "policy": "qos/policies",
}


@pytest.fixture
def made(api: Api) -> dict[str, Object]:
    """One of each, by the admin."""
    network = api.network("admin", shared=True)
    group = api.make("admin", "security_group")
    pair = {"ip_address": "10.0.0.9"}
    objects = {
        "network": network,
        "subnet": api.make("admin", "subnet", network_id=network["id"], ip_version=4, cidr="10.0.0.0/24"),
        "subnetpool": api.make("admin", "subnetpool", name="p", prefixes=["10.0.0.0/8"]),
        "port": api.make("admin", "port", network_id=network["id"], allowed_address_pairs=[pair]),
        "security_group": group,
        "address_group": api.make("admin", "address_group", addresses=["10.0.0.0/8"]),
        "policy": api("admin", "POST", "/qos/policies", {"policy": {"name": "gold"}}).json()["policy"],
    }
    rule = {"security_group_id": group["id"], "direction": "ingress", "description": "x"}
    objects["security_group_rule"] = api.make("admin", "security_group_rule", **rule)
    objects["trunk"] = api.make("admin", "trunk", port_id=objects["port"]["id"])
    entry = {"object_type": "security_group", "object_id": group["id"], "action": "access_as_shared"}
    body = {"rbac_policy": entry | {"target_tenant": "*"}}
    objects["rbac_policy"] = api("admin", "POST", "/rbac-policies", body).json()["rbac_policy"]
    return objects


CHANGES: list[tuple[str, Any]] = [
    ("network", {"name": "", "shared": True, "admin_state_up": True}),
    ("network", {}),
    ("subnet", {"gateway_ip": "10.0.0.1", "enable_dhcp": True, "dns_nameservers": []}),
    ("subnetpool", {"min_prefixlen": "8", "prefixes": ["10.0.0.1/8"]}),
    ("port", {"fixed_ips": [{"ip_address": "10.0.0.2"}], "binding:host_id": None, "binding:profile": {}}),
    ("port", {"allowed_address_pairs": [{"ip_address": "10.0.0.9"}], "extra_dhcp_opts": []}),
    ("trunk", {"admin_state_up": True}),
    ("security_group", {"stateful": True, "description": ""}),
    ("security_group_rule", {"description": "x"}),
    ("address_group", {"name": ""}),
    ("rbac_policy", {"target_tenant": "*"}),
    ("policy", {"shared": False, "is_default": False}),
]


@pytest.mark.parametrize(("member", "values"), CHANGES)
def test_a_put_of_what_is_so(api: Api, store: Store, made: dict[str, Object], member: str, values: Any) -> None:
    path = f"/{PATHS[member]}/{made[member]['id']}"
    before = api.get("admin", path)
    with store.read() as tx:
        revision = tx.revision()
    after = api("admin", "PUT", path, {member: values}).json()
    assert {n: (before[member][n], v) for n, v in after[member].items() if before[member][n] != v} == {}
    assert after == before
    assert api.get("admin", path) == before
    with store.read() as tx:
        assert tx.revision() == revision
    if "name" in before[member]:
        changed = api("admin", "PUT", path, {member: values | {"name": "other"}}).json()[member]
        assert changed["revision_number"] == before[member]["revision_number"] + 1


def test_actions_and_tags_that_change_nothing(api: Api, made: dict[str, Object]) -> None:
    network, group, trunk, policy = (made[name] for name in ("network", "address_group", "trunk", "policy"))
    tags = f"/networks/{network['id']}/tags"
    api("admin", "PUT", tags, {"tags": ["a"]})
    rule = f"/qos/policies/{policy['id']}/dscp_marking_rules"
    id = api("admin", "POST", rule, {"dscp_marking_rule": {"dscp_mark": 8}}).json()["dscp_marking_rule"]["id"]
    paths = [f"/{PATHS[name]}/{one['id']}" for name, one in made.items()]
    before = [api.get("admin", path) for path in paths]
    assert api("admin", "PUT", tags, {"tags": ["a"]}).json() == {"tags": ["a"]}
    assert api("admin", "PUT", f"{tags}/a").status_code == 201
    assert api("admin", "PUT", f"{rule}/{id}", {"dscp_marking_rule": {"dscp_mark": 8}}).status_code == 200
    assert api("admin", "PUT", f"/address-groups/{group['id']}/add_addresses", {"addresses": []}).status_code == 200
    assert api("admin", "PUT", f"/trunks/{trunk['id']}/remove_subports", {"sub_ports": []}).status_code == 200
    assert [api.get("admin", path) for path in paths] == before
