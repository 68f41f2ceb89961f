"""Who sees what, who may do what: admin, member, reader; owners and networks' owners; shared networks."""

from typing import Any

import pytest

from netweft.control.l2 import binding
from netweft.model import NodeFacts
from netweft.plugins.identity import Context
from netweft.store import Store

from .conftest import BLUE, PEOPLE, Api, refused

FORBIDDEN = (403, "PolicyNotAuthorized")


@pytest.mark.parametrize("token", ["", "nobody"])
def test_no_token_no_answer(api: Api, token: str) -> None:
    answer = api(token, "GET", "/networks")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Keystone uri='http://netweft.test/identity/v3'"
    assert answer.json()["error"].keys() == {"code", "title", "message"}
    assert api("", "POST", "/networks", {"network": {}}).status_code == 401


@pytest.mark.parametrize("scope", [{"domain_id": "north"}, {"system": True}])
def test_who_administers_a_domain_is_nobody_here(api: Api, monkeypatch: pytest.MonkeyPatch, scope: Any) -> None:
    """An admin's token for a domain or the system is for no project, and all rules are for projects."""
    roles = frozenset({"admin", "manager", "member", "reader"})
    monkeypatch.setitem(PEOPLE, "dora", Context(user_id="dora", user_name="dora", roles=roles, **scope))
    network = api.network("alice")
    for method, path in (("GET", ""), ("POST", ""), ("GET", f"/{network['id']}"), ("DELETE", f"/{network['id']}")):
        assert refused(api("dora", method, f"/networks{path}", {"network": {}})) == (403, "WrongScope")
    assert refused(api("dora", "GET", f"/quotas/{network['project_id']}")) == (403, "WrongScope")


def test_what_belongs_to_others_is_not_there(api: Api) -> None:
    network = api.network("alice", cidr="10.0.0.0/24")
    port = api.make("alice", "port", network_id=network["id"])
    for path in (f"/networks/{network['id']}", f"/ports/{port['id']}"):
        for method in ("GET", "PUT", "DELETE"):
            assert api("bob", method, path, {path.split("/")[1][:-1]: {"name": "x"}}).status_code == 404
        assert api("admin", "GET", path).status_code == 200
    for collection in ("networks", "subnets", "ports"):
        assert api.get("bob", f"/{collection}")[collection] == []
        assert len(api.get("admin", f"/{collection}")[collection]) == 1
    answer = api("bob", "POST", "/ports", {"port": {"network_id": network["id"]}})
    assert refused(answer) == (404, "NetworkNotFound")


def test_a_reader_reads(api: Api) -> None:
    network = api.network("alice")
    assert api("adam", "GET", f"/networks/{network['id']}").status_code == 200
    assert refused(api("adam", "POST", "/networks", {"network": {}})) == FORBIDDEN
    assert refused(api("adam", "PUT", f"/networks/{network['id']}", {"network": {"name": "x"}})) == FORBIDDEN
    assert refused(api("adam", "DELETE", f"/networks/{network['id']}")) == FORBIDDEN


@pytest.mark.parametrize("kind", ["network", "subnet", "port", "router", "security_group", "trunk", "subnetpool"])
def test_a_reader_tags_nothing_and_nor_does_another_project(api: Api, kind: str) -> None:
    """By the one tag, or by all: CVE-2026-49299, CVE-2024-53916."""
    network = api.network("alice", cidr="10.0.0.0/24")
    makes: dict[str, dict[str, Any]] = {
        "port": {"network_id": network["id"]},
        "router": {},
        "security_group": {"name": "g"},
        "trunk": {"port_id": api.make("alice", "port", network_id=network["id"])["id"]},
        "subnetpool": {"name": "p", "prefixes": ["10.9.0.0/16"]},
    }
    there = {"network": network, "subnet": api.get("alice", "/subnets")["subnets"][0]}
    made = there.get(kind) or api.make("alice", kind, **makes[kind])
    tags = f"/{kind.replace('_', '-')}s/{made['id']}/tags"
    assert api("alice", "PUT", f"{tags}/kept").status_code in (200, 201)
    asked: list[tuple[str, str, Any]] = [
        ("PUT", f"{tags}/mine", None), ("PUT", tags, {"tags": ["mine"]}), ("POST", tags, {"tags": ["mine"]}),
        ("DELETE", f"{tags}/kept", None), ("DELETE", tags, None),
    ]  # fmt: skip
    for who, codes in (("adam", (403, 405)), ("bob", (404, 405))):
        for method, path, body in asked:
            assert api(who, method, path, *([body] if body else [])).status_code in codes, (who, method, path)
    assert api.get("admin", tags)["tags"] == ["kept"]


def test_a_shared_network_is_seen_and_used_but_not_touched(api: Api) -> None:
    network = api.network("admin", cidr="10.0.0.0/24", shared=True)
    assert [one["id"] for one in api.get("bob", "/networks")["networks"]] == [network["id"]]
    assert len(api.get("bob", "/subnets")["subnets"]) == 1
    assert api.make("bob", "port", network_id=network["id"])["fixed_ips"]
    assert refused(api("bob", "DELETE", f"/networks/{network['id']}")) == FORBIDDEN
    subnet = {"network_id": network["id"], "ip_version": 4, "cidr": "10.1.0.0/24"}
    assert refused(api("bob", "POST", "/subnets", {"subnet": subnet})) == FORBIDDEN
    mine = api("alice", "GET", "/ports").json()["ports"]
    assert mine == []


def test_the_networks_owner_sees_and_removes_what_others_plug_in(api: Api) -> None:
    network = api.network("alice", cidr="10.0.0.0/24")
    port = api.make("admin", "port", network_id=network["id"], project_id=BLUE)
    assert [one["id"] for one in api.get("alice", "/ports")["ports"]] == [port["id"]]
    changes: list[Any] = [{"name": "mine"}, {"security_groups": []}, {"device_owner": ""}, {"qos_policy_id": None}]
    for change in changes:
        assert refused(api("alice", "PUT", f"/ports/{port['id']}", {"port": change})) == FORBIDDEN
    assert refused(api("alice", "PUT", f"/ports/{port['id']}/tags", {"tags": ["mine"]})) == FORBIDDEN
    assert api("alice", "DELETE", f"/ports/{port['id']}").status_code == 204


@pytest.mark.parametrize(
    "values",
    [
        {"shared": True},
        {"provider:network_type": "vxlan"},
        {"provider:segmentation_id": 7},
    ],
)
def test_attributes_for_admins(api: Api, values: Any) -> None:
    answer = api("alice", "POST", "/networks", {"network": values})
    assert refused(answer) == FORBIDDEN
    (name,) = values
    assert answer.json()["NeutronError"]["message"] == f"rule:create_network:{name} is disallowed by policy"
    network = api.network("alice")
    assert refused(api("alice", "PUT", f"/networks/{network['id']}", {"network": values})) == FORBIDDEN


def test_a_default_given_in_so_many_words_is_no_privilege(api: Api) -> None:
    assert api.network("alice", shared=False)["shared"] is False


def test_attributes_for_the_networks_owner(api: Api) -> None:
    shared = api.network("admin", cidr="10.0.0.0/24", shared=True)
    own = api.network("bob", cidr="10.0.0.0/24")
    for values in (
        {"fixed_ips": [{"ip_address": "10.0.0.9"}]},
        {"mac_address": "fa:16:3e:00:00:01"},
        {"port_security_enabled": False},
        {"allowed_address_pairs": [{"ip_address": "10.0.0.9"}]},
    ):
        body = {"port": {"network_id": shared["id"]} | values}
        assert refused(api("bob", "POST", "/ports", body)) == FORBIDDEN
        api.make("bob", "port", network_id=own["id"], **values)


def test_the_segment_and_the_host_are_shown_to_admins(api: Api) -> None:
    network = api.network("alice", cidr="10.0.0.0/24")
    port = api.make("alice", "port", network_id=network["id"])
    hidden = {"provider:network_type", "provider:segmentation_id", "provider:physical_network"}
    assert not hidden & network.keys()
    assert hidden <= api.get("admin", f"/networks/{network['id']}")["network"].keys()
    hidden = {"binding:host_id", "binding:vif_type", "binding:vif_details", "binding:profile"}
    assert not hidden & port.keys()
    assert hidden <= api.get("admin", f"/ports/{port['id']}")["port"].keys()
    assert "status_detail" in port
    assert refused(api("alice", "PUT", f"/ports/{port['id']}", {"port": {"binding:host_id": "hv1"}})) == FORBIDDEN


def test_an_admin_makes_things_for_others(api: Api) -> None:
    assert api.make("admin", "network", project_id="red", name="a")["tenant_id"] == "red"
    assert api.make("admin", "network", tenant_id="red", name="b")["project_id"] == "red"
    assert sorted(api.names("alice", "/networks")) == ["a", "b"]


def test_agents_are_for_admins(api: Api, store: Store) -> None:
    with store.write() as tx:
        binding.node_connected(tx, "hv1", NodeFacts(tunnel_ip="192.0.2.1"))
    (agent,) = api.get("admin", "/agents")["agents"]
    assert (agent["host"], agent["alive"], agent["admin_state_up"]) == ("hv1", True, True)
    assert agent["configurations"]["tunnel_ip"] == "192.0.2.1"
    path = f"/agents/{agent['id']}"
    assert api.get("admin", "/agents?alive=false")["agents"] == []
    assert len(api.get("admin", "/agents?alive=true&host=hv1")["agents"]) == 1
    assert api.get("alice", "/agents")["agents"] == []
    assert api("alice", "GET", path).status_code == 404
    changed = api("admin", "PUT", path, {"agent": {"admin_state_up": False, "description": "off"}}).json()["agent"]
    assert (changed["admin_state_up"], changed["description"]) == (False, "off")
    assert api("admin", "POST", "/agents", {"agent": {}}).status_code == 405
    assert api("admin", "DELETE", path).status_code == 204


def test_a_tunnel_address_of_two_nodes_is_said_of_both(api: Api, store: Store) -> None:
    ends = {"hv1": "2001:db8::1", "hv2": "2001:DB8:0::1", "hv3": "2001:db8::3", "hv4": None, "hv5": None}
    with store.write() as tx:
        for host, ip in ends.items():
            binding.node_connected(tx, host, NodeFacts(tunnel_ip=ip, problems=("no bridge",) if host == "hv2" else ()))

    def said() -> dict[str, str]:
        return {agent["host"]: agent["status_detail"] for agent in api.get("admin", "/agents")["agents"]}

    quiet = dict.fromkeys(("hv3", "hv4", "hv5"), "")
    also = "tunnel_ip 2001:db8::1 is also that of"
    assert said() == quiet | {"hv1": f"{also} hv2", "hv2": f"no bridge; {also} hv1"}
    with store.write() as tx:
        binding.node_connected(tx, "hv2", NodeFacts(tunnel_ip="2001:db8::2"))
    assert said() == quiet | {"hv1": "", "hv2": ""}


def test_an_agents_configurations_are_all_there(api: Api, store: Store) -> None:
    with store.write() as tx:
        binding.node_connected(tx, "hv1", NodeFacts())
    (agent,) = api.get("admin", "/agents")["agents"]
    assert agent["configurations"]["tunnel_types"] == ["vxlan"]
    assert agent["configurations"]["bridge_mappings"] == {}


def test_services_ports_are_not_for_everybody(api: Api) -> None:
    shared = api.network("admin", cidr="10.0.0.0/24", shared=True)
    (subnet,) = shared["subnets"] or api.get("bob", f"/networks/{shared['id']}")["network"]["subnets"]
    body = {"port": {"network_id": shared["id"], "device_owner": "network:dhcp"}}
    assert refused(api("bob", "POST", "/ports", body)) == FORBIDDEN
    port = api.make("bob", "port", network_id=shared["id"], device_owner="compute:nova")
    change = {"port": {"device_owner": "network:dhcp"}}
    assert refused(api("bob", "PUT", f"/ports/{port['id']}", change)) == FORBIDDEN
    assert api.make("bob", "port", network_id=shared["id"], fixed_ips=[{"subnet_id": subnet}])["fixed_ips"]


def test_a_policy_that_is_not_for_the_project_stays_on(api: Api) -> None:
    """An admin has put it on; who may use it may also take it off."""
    kept, shared = (
        api("admin", "POST", "/qos/policies", {"policy": {"name": "q", "shared": flag}}).json()["policy"]["id"]
        for flag in (False, True)
    )
    network = api.make("admin", "network", project_id="red", qos_policy_id=kept)
    port = api.make("admin", "port", project_id="red", network_id=network["id"], qos_policy_id=kept)
    for path, member in ((f"/networks/{network['id']}", "network"), (f"/ports/{port['id']}", "port")):
        for change in (None, shared):
            answer = api("alice", "PUT", path, {member: {"qos_policy_id": change}})
            assert refused(answer) == (403, "PolicyRemoveAuthorizationError")
        assert api.get("admin", path)[member]["qos_policy_id"] == kept
        assert api("admin", "PUT", path, {member: {"qos_policy_id": shared}}).status_code == 200
        assert api("alice", "PUT", path, {member: {"qos_policy_id": None}}).status_code == 200


def test_what_is_named_must_be_seen_and_what_a_trunk_is_made_of_be_ones_own(api: Api) -> None:
    network = api.network("bob", "10.0.0.0/24")
    (subnet,) = api.get("bob", f"/networks/{network['id']}")["network"]["subnets"]
    group = api.make("bob", "security_group", name="g")["id"]
    addresses = api.make("bob", "address_group", name="a")["id"]
    pool = api.make("bob", "subnetpool", name="p", prefixes=["10.0.0.0/8"])["id"]
    policy = api("admin", "POST", "/qos/policies", {"policy": {"name": "q"}}).json()["policy"]["id"]
    port = api.make("bob", "port", network_id=network["id"])["id"]
    own = api.network("alice", "10.0.0.0/24")["id"]
    own_group = api.make("alice", "security_group", name="g")["id"]
    guest = api.make("admin", "port", network_id=own, project_id="green")["id"]
    rule = {"security_group_id": own_group, "direction": "ingress"}
    cases: list[tuple[str, Any, str | None]] = [
        ("port", {"network_id": network["id"]}, "NetworkNotFound"),
        ("subnet", {"network_id": network["id"], "ip_version": 4, "cidr": "10.1.0.0/24"}, "NetworkNotFound"),
        ("port", {"network_id": own, "security_groups": [group]}, "SecurityGroupNotFound"),
        ("port", {"network_id": own, "qos_policy_id": policy}, "QosPolicyNotFound"),
        ("network", {"qos_policy_id": policy}, "QosPolicyNotFound"),
        ("security_group_rule", rule | {"security_group_id": group}, "SecurityGroupNotFound"),
        ("security_group_rule", rule | {"remote_group_id": group}, "SecurityGroupNotFound"),
        ("security_group_rule", rule | {"remote_address_group_id": addresses}, "AddressGroupNotFound"),
        ("subnet", {"network_id": own, "ip_version": 4, "subnetpool_id": pool}, "SubnetPoolNotFound"),
        ("port", {"network_id": own, "fixed_ips": [{"subnet_id": subnet}]}, None),
        ("trunk", {"port_id": port}, "PortNotFound"),
    ]
    for member, values, error in cases:
        there = api("alice", "POST", f"/{member.replace('_', '-')}s", {member: values})
        assert there.status_code in (400, 404)
        assert error is None or refused(there) == (404, error), member
    assert refused(api("alice", "POST", "/trunks", {"trunk": {"port_id": guest}})) == FORBIDDEN
    trunk = api.make("alice", "trunk", port_id=api.make("alice", "port", network_id=own)["id"])["id"]
    for id, expected in ((port, (404, "PortNotFound")), (guest, FORBIDDEN)):
        sub_ports = {"sub_ports": [{"port_id": id, "segmentation_type": "vlan", "segmentation_id": 5}]}
        assert refused(api("alice", "PUT", f"/trunks/{trunk}/add_subports", sub_ports)) == expected
