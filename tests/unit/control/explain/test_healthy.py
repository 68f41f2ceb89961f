"""Of a healthy region nothing is said; of one with one fault, that fault, about each object that suffers from it."""

import shlex
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples

from netweft.control.explain import balancers, codes
from netweft.control.explain.examine import CHECKS, examine
from netweft.control.explain.snapshot import Lag
from netweft.control.l2 import hosts
from netweft.control.l2.wires import LACKS
from netweft.control.l3 import attached
from netweft.model.node import OVN_AGENT
from netweft.testing import region as made
from netweft.testing.explained import Rows, rows_of, seen
from netweft.testing.region import Region

KINDS = ("ports", "networks", "subnets", "routers", "floatingips", "security_groups", "security_group_rules", "agents")


def build(nodes: int, types: list[str], vms: int) -> Region:
    """Networks of these types on one router with a gateway on the first node; each VM has a floating IP."""
    region, router = Region(nodes=nodes), made.router(1)
    outside = made.network(90, "flat", "public")
    region.create(router, outside, made.subnet(outside, "203.0.113.0/24", gateway_ip="203.0.113.1"))
    region.create(made.gateway(1, router, outside, "hv1", "203.0.113.2"))
    for number, network_type in enumerate(types, 1):
        net = made.network(number, network_type)
        region.create(net, made.subnet(net, f"10.0.{number}.0/24", gateway_ip=f"10.0.{number}.1"))
        region.create(made.interface(number, router, net, f"10.0.{number}.1"))
        for vm in range(1, vms + 1):
            of = 16 * number + vm
            address = f"10.0.{number}.{10 + vm}"
            port = made.port(of, net, address)
            region.create(port)
            region.plug(f"hv{1 + of % nodes}", port)
            region.create(made.floating_ip(of, router, outside, f"203.0.113.{of}", address, port))
    return region


@st.composite
def regions(draw: st.DrawFn) -> Region:
    types = draw(st.lists(st.sampled_from(["vxlan", "gre", "geneve", "vlan"]), min_size=1, max_size=3))
    return build(draw(st.integers(1, 3)), types, draw(st.integers(1, 3)))


def said(rows: Rows, kind: str, row: Any, **more: Any) -> list[str]:
    return [finding.code.code for finding in examine(seen(rows, **more), kind, row)]


@settings(max_examples=examples(30))
@given(regions())
def test_a_healthy_region_has_no_finding(region: Region) -> None:
    rows = rows_of(region)
    assert {kind: [said(rows, kind, row) for row in rows[kind].values()] for kind in KINDS} == {
        kind: [[]] * len(rows[kind]) for kind in KINDS
    }
    assert all(rows[kind] for kind in KINDS)


ONE = build(2, ["vxlan"], 1)
BALANCED = ("loadbalancers", "listeners", "l7policies", "l7rules", "healthmonitors", "pools", "members")
GUARDING = ("firewall_groups", "firewall_policies", "firewall_rules")
ALONE = ("trunks", "address_groups", "address_scopes", "policies", "port_forwardings")
MORE = (*ALONE, *GUARDING, *BALANCED)  # as `with_more` makes them


class Fault(NamedTuple):
    """breaks: the rows; returns what else is seen.  code: what is said of that object; suffers: and of what else."""

    code: str
    kind: str
    breaks: Callable[[Rows, dict[str, Any]], dict[str, Any] | None]
    suffers: tuple[str, ...] = ()


def becomes(**values: Any) -> Callable[[Rows, dict[str, Any]], None]:
    def breaks(rows: Rows, row: dict[str, Any]) -> None:
        row.update({name.replace("__", ":"): value for name, value in values.items()})

    return breaks


def its_agent(rows: Rows, port: dict[str, Any]) -> dict[str, Any]:
    return next(one for one in rows["agents"].values() if one["host"] == port[hosts.HOST])


def unknown_host(rows: Rows, port: dict[str, Any]) -> None:
    port |= {hosts.HOST: "nowhere", hosts.VIF_TYPE: hosts.FAILED, "status": "DOWN"}


def unwired_host(rows: Rows, port: dict[str, Any]) -> None:
    its_agent(rows, port)["configurations"] |= {"tunnel_ip": None, "bridge_mappings": {}}
    port |= {hosts.VIF_TYPE: hosts.FAILED, "status": "DOWN"}


def dead_host(rows: Rows, port: dict[str, Any]) -> dict[str, Any]:
    return {"silent": {port[hosts.HOST]: 99.0}}


def late_host(rows: Rows, port: dict[str, Any]) -> dict[str, Any]:
    return {"lags": {port[hosts.HOST]: Lag(True, 7, 3, 2, 5.0)}}


def gone_host(rows: Rows, port: dict[str, Any]) -> None:
    its_agent(rows, port)["status_detail"] = f"{hosts.GONE} 2026-11-29T12:00:00Z"


def deaf(agent: dict[str, Any], more: str = "") -> None:
    """As its agent tells of it, and perhaps of more."""
    agent["configurations"] |= {"metadata": "VMs are not answered"}
    agent["status_detail"] = f"metadata: VMs are not answered{more}"


def crowded(rows: Rows, row: dict[str, Any]) -> None:
    for agent in rows["agents"].values():
        agent["configurations"] |= {"crowded": [row["id"]]}


def without(direction: str) -> Callable[[Rows, dict[str, Any]], None]:
    def breaks(rows: Rows, _: dict[str, Any]) -> None:
        rules = rows["security_group_rules"]
        rows["security_group_rules"] = {id: rule for id, rule in rules.items() if rule["direction"] != direction}

    return breaks


def taken_pair(rows: Rows, port: dict[str, Any]) -> None:
    other = port | {"id": "other", "fixed_ips": [{"subnet_id": "s", "ip_address": "10.0.1.99"}]}
    rows["ports"]["other"] = other
    port["allowed_address_pairs"] = [{"ip_address": "10.0.1.99", "mac_address": port["mac_address"]}]


def no_dhcp(rows: Rows, _: dict[str, Any]) -> None:
    for subnet in rows["subnets"].values():
        subnet["enable_dhcp"] = False


def sub_port(**trunk: Any) -> Callable[[Rows, dict[str, Any]], None]:
    def breaks(rows: Rows, port: dict[str, Any]) -> None:
        rows["trunks"]["t"] = {"id": "t", "port_id": "parent", "admin_state_up": True} | trunk
        port["netweft:sub_port_of"] = "t"
        if not trunk:
            port |= {hosts.HOST: "", "status": "DOWN"}

    return breaks


def gateway(**values: Any) -> Callable[[Rows, dict[str, Any]], None]:
    def breaks(rows: Rows, _: dict[str, Any]) -> None:
        for port in rows["ports"].values():
            if port.get("device_owner") == "network:router_gateway":
                becomes(**values)(rows, port)

    return breaks


def interface_down(rows: Rows, _: dict[str, Any]) -> None:
    next(one for one in rows["ports"].values() if "router_interface" in one["device_owner"])["admin_state_up"] = False


def no_interface(rows: Rows, _: dict[str, Any]) -> None:
    rows["ports"] = {id: one for id, one in rows["ports"].items() if "router_interface" not in one["device_owner"]}


def no_gateway(rows: Rows, router: dict[str, Any]) -> None:
    router[attached.INFO] = None
    rows["ports"] = {id: one for id, one in rows["ports"].items() if "router_gateway" not in one["device_owner"]}


def lost_gateway(rows: Rows, floating_ip: dict[str, Any]) -> None:
    no_gateway(rows, rows["routers"][floating_ip["router_id"]])


def its_floating_ip_lost(rows: Rows, _: dict[str, Any]) -> None:
    (floating_ip,) = rows["floatingips"].values()
    lost_gateway(rows, floating_ip)


def leads_nowhere(rows: Rows, floating_ip: dict[str, Any]) -> None:
    floating_ip |= {"port_id": "", "router_id": None, "status": "DOWN"}
    rows["port_forwardings"].clear()


def used_up(rows: Rows, network: dict[str, Any]) -> dict[str, Any]:
    return {"used_up": frozenset(network["subnets"])}


def full(member: str) -> Callable[[Rows, dict[str, Any]], dict[str, Any]]:
    return lambda rows, _: {"full": frozenset({member})}


def everywhere_dead(rows: Rows, _: dict[str, Any]) -> dict[str, Any]:
    return {"silent": {agent["host"]: 99.0 for agent in rows["agents"].values()}}


def on_ovn(rows: Rows, port: dict[str, Any]) -> None:
    for agent in rows["agents"].values():
        agent["agent_type"] = OVN_AGENT
        agent["configurations"] = agent["configurations"] | {"metadata": "no agent of ours runs there"}


def everywhere_late(rows: Rows, _: dict[str, Any]) -> dict[str, Any]:
    return {"lags": {agent["host"]: Lag(False, 7, 3, 2, 5.0) for agent in rows["agents"].values()}}


def shared_tunnel(rows: Rows, agent: dict[str, Any]) -> dict[str, Any]:
    return {"rivals": {agent["host"]: ("hv9",)}}


def advertised(rows: Rows, subnet: dict[str, Any]) -> None:
    subnet["ipv6_ra_mode"] = "slaac"
    no_interface(rows, subnet)


def used_by_none(rows: Rows, row: dict[str, Any]) -> dict[str, Any]:
    return {"unused": frozenset({row["id"]})}


def remote(rows: Rows, rule: dict[str, Any]) -> dict[str, Any]:
    (group,) = rows["security_groups"].values()
    rule["remote_group_id"] = group["id"]
    return {"unused": frozenset({group["id"]})}


def remote_addresses(rows: Rows, rule: dict[str, Any]) -> None:
    rule["remote_address_group_id"] = "addresses"
    rows["address_groups"]["addresses"]["addresses"] = []


def sub_port_with(**values: Any) -> Callable[[Rows, dict[str, Any]], None]:
    def breaks(rows: Rows, _: dict[str, Any]) -> None:
        rows["ports"]["sub"] |= {name.replace("__", ":"): value for name, value in values.items()}

    return breaks


def sub_port_mtu(rows: Rows, _: dict[str, Any]) -> None:
    network = rows["networks"][rows["ports"]["sub"]["network_id"]] | {"id": "jumbo", "mtu": 9000}
    rows["networks"]["jumbo"] = network
    rows["ports"]["sub"]["network_id"] = "jumbo"


def with_more(rows: Rows) -> Rows:
    """And a trunk on the port, a QoS policy, an address group, and a load balancer whose member is the port."""
    (port,) = (one for one in rows["ports"].values() if not one["device_owner"])
    sub = {"port_id": "sub", "segmentation_type": "vlan", "segmentation_id": 7}
    trunk = {"id": "trunk", "port_id": port["id"], "sub_ports": [sub], "admin_state_up": True, "status": "ACTIVE"}
    rows["ports"]["sub"] = port | {"id": "sub", "device_owner": "trunk:subport", "netweft:sub_port_of": "trunk"}
    rows["trunks"]["trunk"] = trunk
    rows["policies"] = {"policy": {"id": "policy", "project_id": "p", "rules": [{"type": "dscp_marking"}]}}
    rows["address_scopes"] = {"scope": {"id": "scope", "project_id": "p", "ip_version": 4}}
    (floating_ip,) = rows["floatingips"].values()
    forwarding = {"id": "forwarding", "floatingip_id": floating_ip["id"], "internal_port_id": port["id"]}
    rows["port_forwardings"] = {"forwarding": forwarding}
    rows["address_groups"] = {"addresses": {"id": "addresses", "project_id": "p", "addresses": ["10.0.0.0/8"]}}
    return rows | firewall(port) | balancer(port)


def firewall(port: dict[str, Any]) -> Rows:
    """Of the port: both policies are one."""
    port["netweft:firewall_group"] = "firewall"
    own = {"project_id": "p"}
    named = dict.fromkeys(("ingress_firewall_policy_id", "egress_firewall_policy_id"), "guard")
    return {
        "firewall_groups": {
            "firewall": own | {"id": "firewall", "admin_state_up": True, "ports": [port["id"]], **named}
        },
        "firewall_policies": {"guard": own | {"id": "guard", "firewall_rules": ["no", "web"]}},
        "firewall_rules": {
            "no": own | {"id": "no", "enabled": True, "action": "reject"},
            "web": own | {"id": "web", "enabled": True, "action": "allow"},
        },
    }


def its_policy(way: str) -> Callable[[Rows, dict[str, Any]], None]:
    """Lets nothing pass that way."""

    def change(rows: Rows, group: dict[str, Any]) -> None:
        rows["firewall_policies"]["none"] = rows["firewall_policies"]["guard"] | {
            "id": "none",
            "firewall_rules": ["no"],
        }
        group[f"{way}_firewall_policy_id"] = "none"

    return change


def balancer(port: dict[str, Any]) -> Rows:
    (fixed,) = port["fixed_ips"]
    own = {"project_id": "p", "device_id": "balancer", "admin_state_up": True, "operating_status": "ONLINE"}
    member = {"pool_id": "pool", "protocol_port": 80, "weight": 1, "subnet_id": fixed["subnet_id"]}
    vip = {"vip_network_id": port["network_id"], "vip_address": "10.0.1.99"}
    found = {
        "loadbalancers": {"id": "balancer", **vip, "provisioning_status": "ACTIVE"},
        "listeners": {"id": "listener", "default_pool_id": "pool", "protocol": "TCP"},
        "l7policies": {"id": "l7policy", "listener_id": "listener", "redirect_pool_id": None},
        "l7rules": {"id": "l7rule", "l7policy_id": "l7policy"},
        "pools": {"id": "pool"},
        "healthmonitors": {"id": "monitor", "pool_id": "pool", "type": "TCP"},
        "members": {"id": "member", "address": fixed["ip_address"], **member},
    }
    return {kind: {row["id"]: own | row} for kind, row in found.items()}


def elsewhere(rows: Rows, member: dict[str, Any]) -> None:
    member |= {"operating_status": "OFFLINE", "address": "10.0.1.250"}


def of_a_vip(rows: Rows, member: dict[str, Any]) -> None:
    port = balancers.port_of(seen(rows), member)
    assert port is not None
    rows["ports"][port["id"]] |= {"device_owner": "Octavia", "device_id": "lb-another"}


def goes(kind: str) -> Callable[[Rows, dict[str, Any]], None]:
    """All of that kind."""
    return lambda rows, _: rows[kind].clear()


def no_pool(rows: Rows, listener: dict[str, Any]) -> None:
    listener["default_pool_id"] = None
    rows["l7policies"].clear()


def refuses(rows: Rows, member: dict[str, Any]) -> None:
    """All that its groups let in is SSH."""
    member["operating_status"] = "ERROR"
    for rule in rows["security_group_rules"].values():
        if rule["direction"] == "ingress":
            rule |= {"protocol": "tcp", "port_range_min": 22, "port_range_max": 22}


def its_member(**values: Any) -> Callable[[Rows, dict[str, Any]], None]:
    return lambda rows, _: rows["members"]["member"].update(values)


DOWN = {"admin_state_up": False}
FAULTS = (
    Fault("port-admin-down", "ports", becomes(**DOWN), ("floatingips",)),
    Fault("port-not-bound", "ports", becomes(binding__host_id="", status="DOWN"), ("floatingips",)),
    Fault("port-trunk-not-bound", "ports", sub_port()),
    Fault("port-trunk-admin-down", "ports", sub_port(**DOWN)),
    Fault("port-host-unknown", "ports", unknown_host),
    Fault("port-no-segment", "ports", unwired_host),
    Fault("port-binding-failed", "ports", becomes(binding__vif_type=hosts.FAILED, status="DOWN")),
    Fault("port-host-dead", "ports", dead_host, ("floatingips",)),
    Fault("port-host-dead", "ports", gone_host),
    Fault("port-host-behind", "ports", late_host),
    Fault("port-not-plugged", "ports", becomes(status="DOWN"), ("floatingips",)),
    Fault("port-not-wired", "ports", becomes(status="DOWN", status_detail="no bridge"), ("floatingips",)),
    Fault("port-switch-lacks-it", "ports", lambda _, port: port.update({LACKS: {"switch:tor1": "no resources"}})),
    Fault("port-switch-pending", "ports", becomes(binding__vnic_type="baremetal", status="DOWN"), ("floatingips",)),
    Fault("port-host-problems", "ports", lambda rows, row: its_agent(rows, row).update(status_detail="no br-ex")),
    Fault("port-metadata-down", "ports", lambda rows, port: deaf(its_agent(rows, port))),
    Fault("port-nothing-let-in", "ports", without("ingress")),
    Fault("port-nothing-let-out", "ports", without("egress")),
    Fault("port-address-pair-taken", "ports", taken_pair),
    Fault("port-no-dhcp", "ports", no_dhcp),
    Fault("port-no-metadata", "ports", on_ovn),
    Fault("network-admin-down", "networks", becomes(**DOWN), ("routers", "ports", "floatingips")),
    Fault("network-no-host", "networks", everywhere_dead),
    Fault("network-no-subnet", "networks", becomes(subnets=[])),
    Fault("network-no-dhcp", "networks", no_dhcp),
    Fault("network-no-addresses", "networks", used_up),
    Fault("network-too-many-connections", "networks", crowded, ("routers", "ports", "floatingips")),
    Fault("network-ports-quota-full", "networks", full("port")),
    Fault("subnet-no-dhcp", "subnets", no_dhcp),
    Fault("subnet-no-addresses", "subnets", lambda rows, row: {"used_up": frozenset({row["id"]})}),
    Fault("subnet-gateway-nobody", "subnets", no_interface),
    Fault("subnet-dns-nobody", "subnets", becomes(dns_nameservers=["8.8.8.8", "10.0.1.99"])),
    Fault("subnet-not-advertised", "subnets", advertised),
    Fault("network-admin-down", "subnets", lambda rows, row: rows["networks"][row["network_id"]].update(DOWN)),
    Fault("trunk-admin-down", "trunks", becomes(**DOWN)),
    Fault("trunk-sub-port-down", "trunks", sub_port_with(status="DOWN")),
    Fault("port-admin-down", "trunks", lambda rows, row: rows["ports"][row["port_id"]].update(DOWN)),
    Fault("trunk-sub-port-mtu", "trunks", sub_port_mtu),
    Fault("router-admin-down", "routers", becomes(**DOWN), ("ports", "floatingips")),
    Fault("router-no-interface", "routers", no_interface),
    Fault("router-interface-admin-down", "routers", interface_down),
    Fault("router-no-gateway", "routers", no_gateway),
    Fault("router-gateway-nowhere", "routers", gateway(binding__host_id=""), ("ports", "floatingips")),
    Fault("router-gateway-nowhere", "routers", gateway(binding__vif_type=hosts.FAILED), ("ports", "floatingips")),
    Fault("router-gateway-host-dead", "routers", everywhere_dead, ("ports", "floatingips")),
    Fault("router-gateway-host-behind", "routers", everywhere_late, ("ports", "floatingips")),
    Fault("router-too-many-connections", "routers", crowded, ("ports", "floatingips")),
    Fault("floatingip-no-port", "floatingips", leads_nowhere),
    Fault("floatingip-no-gateway", "floatingips", lost_gateway, ("ports",)),
    Fault("floatingip-not-active", "floatingips", becomes(status="DOWN"), ("ports",)),
    Fault("security-group-nothing-let-in", "security_groups", without("ingress")),
    Fault("security-group-nothing-let-out", "security_groups", without("egress")),
    Fault("security-group-rules-quota-full", "security_groups", full("security_group_rule")),
    Fault("security-group-unused", "security_groups", used_by_none),
    Fault("rule-remote-group-unused", "security_group_rules", remote),
    Fault("rule-address-group-empty", "security_group_rules", remote_addresses),
    Fault("address-group-empty", "address_groups", becomes(addresses=[])),
    Fault("address-group-unused", "address_groups", used_by_none),
    Fault("policy-no-rules", "policies", becomes(rules=[])),
    Fault("policy-unused", "policies", used_by_none),
    Fault("firewall-group-not-enforced", "firewall_groups", becomes(**{"netweft:lacks": {"ovn": "why"}})),
    Fault("firewall-group-admin-down", "firewall_groups", becomes(admin_state_up=False), ("ports",)),
    Fault("firewall-group-nothing-let-in", "firewall_groups", its_policy("ingress")),
    Fault("firewall-group-nothing-let-out", "firewall_groups", its_policy("egress")),
    Fault("firewall-group-no-ports", "firewall_groups", becomes(ports=[])),
    Fault("firewall-policy-allows-nothing", "firewall_policies", becomes(firewall_rules=["no"])),
    Fault("firewall-policy-unused", "firewall_policies", used_by_none),
    Fault("firewall-rule-disabled", "firewall_rules", becomes(enabled=False)),
    Fault("firewall-rule-unused", "firewall_rules", used_by_none),
    Fault("address-scope-unused", "address_scopes", used_by_none),
    Fault("floatingip-no-gateway", "port_forwardings", its_floating_ip_lost),
    Fault("loadbalancer-admin-down", "loadbalancers", becomes(**DOWN), ("pools", "members")),
    Fault("loadbalancer-no-listener", "loadbalancers", goes("listeners"), ("pools", "members")),
    Fault("loadbalancer-pending", "loadbalancers", becomes(provisioning_status="PENDING_UPDATE")),
    Fault("pool-admin-down", "pools", becomes(**DOWN), ("loadbalancers", "listeners", "members")),
    Fault("listener-admin-down", "listeners", becomes(**DOWN), ("l7policies", "l7rules")),
    Fault("listener-no-pool", "listeners", no_pool),
    Fault("l7policy-admin-down", "l7policies", becomes(**DOWN), ("l7rules",)),
    Fault("l7policy-no-rules", "l7policies", goes("l7rules")),
    Fault("l7rule-admin-down", "l7rules", becomes(**DOWN)),
    Fault("health-monitor-admin-down", "healthmonitors", becomes(**DOWN)),
    Fault("pool-no-member", "pools", goes("members"), ("loadbalancers",)),
    Fault("pool-no-member-well", "pools", its_member(weight=0), ("loadbalancers",)),
    Fault("pool-unused", "pools", lambda rows, _: rows["listeners"]["listener"].update(default_pool_id=None)),
    Fault("member-admin-down", "members", becomes(**DOWN)),
    Fault("member-refuses-monitor", "members", refuses),
    Fault("member-failed", "members", becomes(operating_status="ERROR")),
    Fault("member-not-answered-yet", "members", becomes(operating_status="OFFLINE")),
    Fault("member-address-nobody", "members", elsewhere),
    Fault("member-is-a-vip", "members", of_a_vip),
    Fault("member-drained", "members", becomes(weight=0)),
    Fault("agent-dead", "agents", everywhere_dead),
    Fault("agent-admin-down", "agents", becomes(**DOWN)),
    Fault("agent-behind", "agents", everywhere_late),
    Fault("agent-problems", "agents", becomes(status_detail="bridge br-ex is not there")),
    Fault("agent-metadata-down", "agents", lambda _, agent: deaf(agent)),
    Fault("agent-tunnel-address-shared", "agents", shared_tunnel),
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.code)
def test_each_fault_is_named(fault: Fault) -> None:
    """First, and with a fix that can be told; and of objects that need the broken one too."""
    rows = with_more(rows_of(ONE))
    *_, row = (one for one in rows[fault.kind].values() if not one.get("device_owner"))
    more = fault.breaks(rows, row) or {}
    found = examine(seen(rows, **more), fault.kind, row)
    mine = next(one for one in found if one.code.code == fault.code)
    assert not any(one.code.blocks for one in found[: found.index(mine)]), "it is named first"
    assert all("{" not in one.fix and one.fix for one in found)
    for kind in fault.suffers:
        (other,) = (one for one in rows[kind].values() if one.get("device_owner", "") == "")
        assert fault.code in said(rows, kind, other, **more)


# of a port: these hide each other's nothing
APART = ("port-admin-down", "port-host-dead", "port-host-behind", "port-nothing-let-in", "port-nothing-let-out")


@settings(max_examples=examples(25))
@given(st.sets(st.sampled_from(APART)))
def test_all_are_named_not_only_the_first(wanted: set[str]) -> None:
    rows, more = rows_of(ONE), dict[str, Any]()
    (port,) = (one for one in rows["ports"].values() if not one["device_owner"])
    for fault in {fault.code: fault for fault in FAULTS if fault.code in wanted and fault.kind == "ports"}.values():
        more |= fault.breaks(rows, port) or {}
    assert set(said(rows, "ports", port, **more)) == wanted


def test_what_has_a_code_of_its_own_is_said_once() -> None:
    rows = with_more(rows_of(ONE))
    port = next(one for one in rows["ports"].values() if not one["device_owner"])
    deaf(its_agent(rows, port))
    assert said(rows, "ports", port) == ["port-metadata-down"]
    deaf(its_agent(rows, port), "; bridge br-ex is not there")
    assert said(rows, "ports", port) == ["port-metadata-down", "port-host-problems"]
    (problem,) = (one for one in examine(seen(rows), "ports", port) if one.code is codes.PORT_HOST_PROBLEMS)
    assert problem.told.detail == "bridge br-ex is not there"


def test_nor_has_what_is_made_besides() -> None:
    rows = with_more(rows_of(ONE))
    assert {kind: [said(rows, kind, row) for row in rows[kind].values()] for kind in MORE} == {
        kind: [[] for _ in rows[kind]] for kind in MORE
    }


def test_each_code_has_its_fault() -> None:
    assert {one.code for one in FAULTS} == {code.code for check in CHECKS for code in check.codes}


def test_a_fix_is_one_command_whatever_users_call_things() -> None:
    rows = rows_of(ONE)
    (port,) = (one for one in rows["ports"].values() if not one["device_owner"])
    port |= {"status": "DOWN", "device_id": "a; reboot $(id)\nreboot"}
    (found,) = (one for one in examine(seen(rows), "ports", port) if one.code.code == "port-not-plugged")
    assert shlex.split(found.fix) == ["openstack", "server", "start", "a; reboot $(id)?reboot"]
    assert "\n" not in found.fix


def test_what_is_on_its_way_is_no_fault() -> None:
    rows = rows_of(ONE)
    agent = next(iter(rows["agents"].values()))
    assert said(rows, "agents", agent, lags={"hv1": Lag(True, 7, 3, 2, 0.01)}) == []
    assert said(rows, "agents", agent, lags={"hv1": Lag(False, 7, 0, 0, 99.0)}) == []


def test_an_address_that_is_kept_for_a_pair_is_not_taken() -> None:
    """VRRP's: a port that is bound nowhere holds the address, those that take turns with it have it as a pair."""
    rows = rows_of(ONE)
    (port,) = (one for one in rows["ports"].values() if not one["device_owner"])
    taken_pair(rows, port)
    rows["ports"]["other"] |= {hosts.HOST: "", "status": "DOWN"}
    assert said(rows, "ports", port) == []


def test_without_port_security_there_are_no_rules() -> None:
    rows = rows_of(ONE)
    (port,) = (one for one in rows["ports"].values() if not one["device_owner"])
    port["security_groups"] = []
    assert said(rows, "ports", port) == ["port-nothing-let-in", "port-nothing-let-out"]
    port["port_security_enabled"] = False
    assert said(rows, "ports", port) == []
