"""Explanations at the API: what a member is told of their own objects, what an admin is, and what nobody else is."""

import json
from typing import Any

import pytest
from starlette.applications import Starlette
from tests.api.network.conftest import Api, authenticate, refused
from tests.api.network.l3.test_floating_ips import make as make_floating_ip
from tests.api.network.l3.test_gateways import to
from tests.api.network.l3.test_interfaces import add, subnet
from tests.api.network.test_rbac import share

from netweft.api.app import routes
from netweft.control.explain.snapshot import Lag
from netweft.control.l2 import binding
from netweft.feed.queries import Silence
from netweft.model import NodeFacts, PortState, PortStatus
from netweft.settings import ServerSettings
from netweft.store import Object, Store
from netweft.wire.queries import Answer, Ask

PATH = "/netweft/explain"
FACTS = NodeFacts(tunnel_ip="198.51.100.7", bridge_mappings={"physnet9": "br-ex"})
# what the underlay is called here: nothing of it may be in a member's answer
UNDERLAY = ("hv-secret", "198.51.100.7", "physnet9", "br-ex", "br-int", "ovs", "vxlan", "segmentation", "netweft:")


def connect(store: Store, host: str = "hv-secret", facts: NodeFacts = FACTS) -> None:
    with store.write() as tx:
        binding.node_connected(tx, host, facts)


def reports(store: Store, port: Object, state: PortState = PortState.UP, detail: str = "") -> None:
    with store.write() as tx:
        binding.report_ports(tx, "hv-secret", [PortStatus(port["id"], state, detail)], complete=False)


def told(api: Api, one: Object, who: str = "alice") -> Object:
    found: Object = api.get(who, f"{PATH}/{one['id']}")["explanation"]
    return found


def codes(explanation: Object) -> list[str]:
    return [finding["code"] for finding in explanation["findings"]]


class Place:
    """red's: a VM's port that works, a router with a gateway, a floating IP that leads to the port."""

    def __init__(self, api: Api, store: Store) -> None:
        connect(store)
        flat = {"provider:network_type": "flat", "provider:physical_network": "physnet9"}
        self.outside = api.make("admin", "network", name="out", **{"router:external": True}, **flat)
        subnet(api, "192.0.2.0/24", "admin", self.outside["id"])
        self.network = api.make("alice", "network", name="inside")
        self.subnet = subnet(api, "10.0.0.0/24", network=self.network["id"])
        self.router = api.make("alice", "router", name="r", **to(self.outside))
        add(api, self.router, subnet_id=self.subnet["id"])
        self.port = api.make("alice", "port", network_id=self.network["id"], name="web")
        reports(store, self.port)
        self.floating_ip = make_floating_ip(api, self.outside, port_id=self.port["id"])
        (self.group,) = api.get("alice", "/security-groups")["security_groups"]
        (self.agent,) = api.get("admin", "/agents")["agents"]

    def mine(self) -> list[Object]:
        return [self.port, self.network, self.router, self.floating_ip, self.group]


@pytest.fixture
def there(api: Api, store: Store) -> Place:
    return Place(api, store)


def test_what_works_has_no_finding(api: Api, there: Place) -> None:
    for who in ("alice", "admin"):
        for one in there.mine():
            found = told(api, one, who)
            assert (found["works"], found["findings"]) == (True, []), found
    assert told(api, there.agent, "admin")["works"]


def test_the_facts_of_a_port(api: Api, there: Place) -> None:
    found = told(api, there.port, "admin")
    assert (found["type"], found["id"], found["name"]) == ("port", there.port["id"], "web")
    assert found["where"]["binding:host_id"] == "hv-secret"
    assert found["should_be"] == {"admin_state_up": True, "status": "ACTIVE"}
    assert found["is"] | found["should_be"] | {"binding:vif_type": "ovs"} == found["is"]
    assert [change["operation"] for change in found["changes"]][-1] == "insert"
    assert {change["by"] for change in found["changes"]} == {"server", "user alice"}
    assert found["changes"][-1]["by"] == "user alice"
    assert found["changes"][0]["revision"] > found["changes"][-1]["revision"]
    (node,) = found["nodes"]
    assert node | {"host": "hv-secret", "alive": True, "feed": None} == node
    assert found["unseen"] == ["openvswitch", "feed of hv-secret"]


def break_all(api: Api, store: Store, there: Place) -> None:
    """The port is reported with the agent's own words, and is switched off; so are others; the host is gone."""
    reports(store, there.port, PortState.ERROR, "hv-secret cannot set br-int up")
    for one, member in ((there.port, "port"), (there.network, "network"), (there.router, "router")):
        changed = api("alice", "PUT", f"/{member}s/{one['id']}", {member: {"admin_state_up": False}})
        assert changed.status_code == 200, changed.text
    for rule in api.get("alice", "/security-group-rules?direction=ingress")["security_group_rules"]:
        assert api("alice", "DELETE", f"/security-group-rules/{rule['id']}").status_code == 204
    with store.write() as tx:
        binding.node_gone(tx, "hv-secret")


BROKEN = {
    "port-admin-down",
    "port-host-dead",
    "port-not-wired",
    "port-nothing-let-in",
    "network-admin-down",
    "router-admin-down",
    "router-gateway-host-dead",
}


def test_everything_is_named(api: Api, store: Store, there: Place) -> None:
    break_all(api, store, there)
    found = told(api, there.port, "admin")
    assert not found["works"]
    assert set(codes(found)) == BROKEN
    by_code = {finding["code"]: finding for finding in found["findings"]}
    assert by_code["port-not-wired"]["detail"] == "hv-secret cannot set br-int up"
    assert by_code["port-admin-down"]["fix"] == f"openstack port set --enable {there.port['id']}"
    assert "hv-secret" in by_code["port-host-dead"]["fix"]
    assert by_code["router-admin-down"]["object"] == {"type": "router", "id": there.router["id"], "name": "r"}
    assert not found["nodes"][0]["alive"]
    assert set(codes(told(api, there.floating_ip, "admin"))) == BROKEN - {"port-nothing-let-in"}


def test_a_member_learns_nothing_of_the_underlay(api: Api, store: Store, there: Place) -> None:
    for _ in range(2):
        for who in ("alice", "adam"):
            for one in (*there.mine(), there.outside):
                answer = api(who, "GET", f"{PATH}/{one['id']}")
                assert answer.status_code == 200
                assert [word for word in UNDERLAY if word in answer.text] == []
                assert answer.json()["explanation"]["nodes"] == []
        break_all(api, store, there)
    found = told(api, there.port)
    assert set(codes(found)) == BROKEN
    dead = next(finding for finding in found["findings"] if finding["code"] == "port-host-dead")
    assert (dead["detail"], dead["fix"], dead["fixed_by"]) == ("", "", "admin")
    assert refused(api("alice", "GET", f"{PATH}/{there.agent['id']}")) == (404, "NothingToExplain")
    for name in (there.agent["id"], "hv-secret"):
        assert api.get("alice", f"{PATH}?name={name}")["objects"] == []


def test_others_learn_nothing(api: Api, there: Place) -> None:
    gateway = api.get("admin", f"/ports?device_id={there.router['id']}")["ports"]
    for one in (*there.mine(), *gateway, there.agent):
        assert refused(api("bob", "GET", f"{PATH}/{one['id']}")) == (404, "NothingToExplain")
        assert api.get("bob", f"{PATH}?name={one['id']}")["objects"] == []
    for name in ("web", "inside", "r", there.floating_ip["floating_ip_address"]):
        assert api.get("bob", f"{PATH}?name={name}")["objects"] == []
    for wrong in ("nobody", "'", "a%2Fb", "x" * 300):
        assert api("admin", "GET", f"{PATH}/{wrong}").status_code == 404


def test_findings_of_what_others_own_are_left_out(api: Api, store: Store, there: Place) -> None:
    """On a shared network: its owner's router is no business of who has a port there, nor are others' addresses, nor
    how much room the owner's quota leaves."""
    share(api, "network", there.network, "*", who="admin")
    its = api.make("bob", "port", network_id=there.network["id"])
    reports(store, its)
    pair = {"ip_address": there.port["fixed_ips"][0]["ip_address"]}
    changed = api("admin", "PUT", f"/ports/{its['id']}", {"port": {"allowed_address_pairs": [pair]}})
    assert changed.status_code == 200, changed.text
    assert api("admin", "PUT", "/quotas/red", {"quota": {"port": 0, "force": True}}).status_code == 200
    api("alice", "PUT", f"/routers/{there.router['id']}", {"router": {"admin_state_up": False}})
    assert set(codes(told(api, its, "admin"))) == {"port-address-pair-taken", "router-admin-down"}
    assert codes(told(api, its, "bob")) == []
    assert codes(told(api, there.network, "alice")) == ["network-ports-quota-full"]
    of_network = told(api, there.network, "bob")
    assert (codes(of_network), of_network["changes"]) == ([], [])
    api("alice", "PUT", f"/networks/{there.network['id']}", {"network": {"admin_state_up": False}})
    assert codes(told(api, its, "bob")) == ["network-admin-down"], "that is shown to them"


def test_by_name(api: Api, there: Place) -> None:
    named = {one["type"]: one for one in api.get("alice", f"{PATH}?name=web")["objects"]}
    assert named == {"port": {"type": "port", "id": there.port["id"], "name": "web", "project_id": "red"}}
    api.make("alice", "network", name="web")
    assert {one["type"] for one in api.get("alice", f"{PATH}?name=web")["objects"]} == {"port", "network"}
    assert [one["type"] for one in api.get("alice", f"{PATH}?name=web&type=network")["objects"]] == ["network"]
    address = there.floating_ip["floating_ip_address"]
    assert [one["id"] for one in api.get("alice", f"{PATH}?name={address}")["objects"]] == [there.floating_ip["id"]]
    assert [one["type"] for one in api.get("admin", f"{PATH}?name=hv-secret")["objects"]] == ["agent"]
    for wrong in ("", "?name=", "?name=a&type=cat", "?name=a&fields=id", "?type=port"):
        assert refused(api("alice", "GET", f"{PATH}{wrong}")) == (400, "HTTPBadRequest")


def test_networks_without_room(api: Api, there: Place) -> None:
    pools: Any = [{"start": "10.1.0.2", "end": "10.1.0.3"}]
    small = subnet(api, "10.1.0.0/29", allocation_pools=pools, enable_dhcp=False)
    network = {"id": small["network_id"]}
    assert codes(told(api, network)) == ["network-no-dhcp"]
    ports = [api.make("alice", "port", network_id=network["id"]) for _ in range(2)]
    assert codes(told(api, network)) == ["network-no-dhcp", "network-no-addresses"]
    assert codes(told(api, ports[0])) == ["port-not-bound", "port-no-dhcp"]
    assert codes(told(api, api.make("alice", "network"))) == ["network-no-subnet"]
    slaac = subnet(api, "fd00::/64", ipv6_ra_mode="slaac", ipv6_address_mode="slaac")
    assert codes(told(api, {"id": slaac["network_id"]})) == []


def test_routers_and_floating_ips_that_lead_nowhere(api: Api, there: Place) -> None:
    assert codes(told(api, api.make("alice", "router"))) == ["router-no-interface", "router-no-gateway"]
    assert codes(told(api, make_floating_ip(api, there.outside))) == ["floatingip-no-port"]
    flat = {"provider:network_type": "flat", "provider:physical_network": "elsewhere"}
    nowhere = api.make("admin", "network", **{"router:external": True}, **flat)
    subnet(api, "203.0.113.0/24", "admin", nowhere["id"])
    router = api.make("alice", "router", **to(nowhere))
    assert codes(told(api, router)) == ["router-no-interface", "router-gateway-nowhere"]
    assert codes(told(api, nowhere)) == ["network-no-host"]
    detail = told(api, nowhere, "admin")["findings"][0]["detail"]
    assert detail == "none of 1 agents that answer can carry flat on elsewhere"


def test_bound_to_a_host_that_cannot(api: Api, store: Store, there: Place) -> None:
    connect(store, "bare", NodeFacts(tunnel_ip=None))
    for host, code in (("bare", "port-no-segment"), ("nobody", "port-host-unknown")):
        values = {"network_id": there.network["id"], "binding:host_id": host}
        assert codes(told(api, api.make("admin", "port", **values), "admin")) == [code]


def test_a_node_that_is_behind(store: Store, there: Place) -> None:
    lags = {"hv-secret": Lag(connected=False, revision=5, revisions=3, objects=2, seconds=9.0)}
    late = Api(Starlette(routes=routes(store, authenticate, ServerSettings(), lambda: lags)))
    found = told(late, there.port, "admin")
    assert codes(found) == ["port-host-behind", "router-gateway-host-behind"]
    assert "3 behind" in found["findings"][0]["detail"]
    assert found["nodes"][0]["feed"] == lags["hv-secret"]._asdict()
    assert found["unseen"] == ["openvswitch"]
    assert "hv-secret" not in json.dumps(told(late, there.port, "alice"))


def test_tunnel_address_of_two(api: Api, store: Store, there: Place) -> None:
    connect(store, "twin", NodeFacts(tunnel_ip=FACTS.tunnel_ip))
    assert codes(told(api, there.agent, "admin")) == ["agent-tunnel-address-shared"]


def test_subnets_groups_rules_and_policies(api: Api, store: Store, there: Place) -> None:
    assert codes(told(api, there.subnet)) == []
    assert told(api, there.subnet)["where"]["cidr"] == "10.0.0.0/24"
    (named,) = api.get("alice", f"{PATH}?name={there.subnet['id']}&type=subnet")["objects"]
    assert named["type"] == "subnet"
    alone = subnet(api, "10.9.0.0/24", enable_dhcp=False)
    assert codes(told(api, alone)) == ["subnet-no-dhcp", "subnet-gateway-nobody"]
    group = api.make("alice", "security_group", name="empty")
    addresses = api.make("alice", "address_group", name="none", addresses=[])
    ingress = {"security_group_id": there.group["id"], "direction": "ingress"}
    by_group = api.make("alice", "security_group_rule", remote_group_id=group["id"], **ingress)
    by_address = api.make("alice", "security_group_rule", remote_address_group_id=addresses["id"], **ingress)
    assert codes(told(api, group)) == ["security-group-nothing-let-in", "security-group-unused"]
    assert codes(told(api, by_group)) == ["rule-remote-group-unused"]
    assert codes(told(api, by_address)) == ["rule-address-group-empty"]
    assert codes(told(api, addresses)) == ["address-group-empty"]
    api.make("alice", "port", network_id=there.network["id"], security_groups=[group["id"]])
    assert codes(told(api, by_group)) == []
    policy = api("admin", "POST", "/qos/policies", {"policy": {"name": "gold", "project_id": "red", "shared": True}})
    gold = policy.json()["policy"]
    assert codes(told(api, gold)) == ["policy-no-rules", "policy-unused"]
    assert codes(told(api, gold, "bob")) == ["policy-no-rules"], "who else uses it is its owner's business"
    for one in (alone, group, by_group, addresses):
        assert refused(api("bob", "GET", f"{PATH}/{one['id']}")) == (404, "NothingToExplain")


def test_a_trunk(api: Api, store: Store, there: Place) -> None:
    sub = api.make("alice", "port", network_id=there.network["id"])
    its = [{"port_id": sub["id"], "segmentation_type": "vlan", "segmentation_id": 5}]
    trunk = api.make("alice", "trunk", name="t", port_id=there.port["id"], sub_ports=its)
    found = told(api, trunk)
    assert (found["works"], codes(found)) == (False, ["trunk-sub-port-down", "port-not-plugged"])
    assert found["findings"][0]["fix"] == f"netweft explain {sub['id']}"
    assert found["nodes"] == []
    assert [node["host"] for node in told(api, trunk, "admin")["nodes"]] == ["hv-secret"]
    reports(store, sub)
    assert told(api, trunk)["works"]
    api("alice", "PUT", f"/trunks/{trunk['id']}", {"trunk": {"admin_state_up": False}})
    assert codes(told(api, trunk)) == ["trunk-admin-down"]


class Hangs:
    async def ask(self, node: str, question: Ask) -> Answer | Silence:
        return Silence("its agent does not answer within 2 s")


def test_which_node_was_not_seen_and_what_is_wrong_with_it(store: Store, there: Place) -> None:
    """Told to who sees nodes; to others neither."""
    hanging = Api(Starlette(routes=routes(store, authenticate, ServerSettings(), asks=Hangs())))
    with store.write() as tx:
        (agent,) = (one for one in tx.query("agents") if one["host"] == "hv-secret")
        tx.touch("agents", agent["id"], {"status_detail": "metadata: VMs are not answered"})
    found = told(hanging, there.port, "admin")
    assert found["unseen"][0] == "openvswitch of hv-secret: its agent does not answer within 2 s"
    assert (codes(found), found["works"]) == (["port-host-problems"], True)
    found = told(hanging, there.port, "alice")
    assert (found["unseen"], codes(found)) == (["openvswitch"], [])


def test_pools_and_scopes(api: Api) -> None:
    scope = api.make("alice", "address_scope", name="s", ip_version=4)
    assert codes(told(api, scope)) == ["address-scope-unused"]
    pool = api.make("alice", "subnetpool", name="p", prefixes=["10.9.0.0/16"], address_scope_id=scope["id"])
    assert (codes(told(api, scope)), codes(told(api, pool))) == ([], [])
    assert told(api, pool)["where"]["prefixes"] == ["10.9.0.0/16"]
    for one in (scope, pool):
        assert refused(api("bob", "GET", f"{PATH}/{one['id']}"))[0] == 404


def test_a_port_forwarding_needs_its_floating_ip_and_its_port(api: Api, store: Store, there: Place) -> None:
    inside = api.make("alice", "port", network_id=there.network["id"])
    reports(store, inside)
    floating_ip = make_floating_ip(api, there.outside)
    wanted = {
        "protocol": "tcp",
        "external_port": 2222,
        "internal_port": 22,
        "internal_port_id": inside["id"],
        "internal_ip_address": inside["fixed_ips"][0]["ip_address"],
    }
    path = f"/floatingips/{floating_ip['id']}/port_forwardings"
    made = api("alice", "POST", path, {"port_forwarding": wanted}).json()["port_forwarding"]
    found = told(api, made)
    assert (found["type"], found["works"]) == ("port_forwarding", True), found
    assert found["where"]["floatingip_id"] == floating_ip["id"]
    assert api("alice", "PUT", f"/ports/{inside['id']}", {"port": {"admin_state_up": False}}).status_code == 200
    assert "port-admin-down" in codes(told(api, made))
    assert [one["id"] for one in api.get("alice", f"{PATH}?name={made['id']}")["objects"]] == [made["id"]]
    assert refused(api("bob", "GET", f"{PATH}/{made['id']}"))[0] == 404
    assert api.get("bob", f"{PATH}?name={made['id']}")["objects"] == []
