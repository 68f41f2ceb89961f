"""What OVN's northbound database should have, from rows of the API; and how that is written."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from netweft.plugins.mechanisms import BareMetal, Host, Row
from netweft.plugins.mechanisms.ovn import qos, routing, security, switching
from netweft.plugins.mechanisms.ovn.load import load_ovn
from netweft.plugins.mechanisms.ovn.northbound import Writing, in_order
from netweft.plugins.mechanisms.ovn.rows import AGENT, Rows
from netweft.plugins.mechanisms.ovn.schema import TABLES, row
from netweft.reconcile.plan import Step
from netweft.settings import ServerSettings, SettingsError

NET, SUBNET, PORT, GROUP = "net-1", "subnet-1", "port-1", "0a-b"


class Sight:
    def __init__(self, **kinds: Sequence[Row]) -> None:
        self._rows: dict[str, dict[str, Row]] = defaultdict(dict)
        for kind, rows in kinds.items():
            self._rows[kind] = {one["id"]: one for one in rows}

    def host(self, name: str) -> Host:
        return Host()

    def bare_metal(self) -> Sequence[BareMetal]:
        return ()

    def rows(self, kind: str) -> Mapping[str, Row]:
        return self._rows[kind]


def network(**values: Any) -> Row:
    geneve = {"provider:network_type": "geneve", "provider:segmentation_id": 77, "provider:physical_network": None}
    return {"id": NET, "mtu": 1442, **geneve, **values}


def subnet(**values: Any) -> Row:
    v4 = {"id": SUBNET, "network_id": NET, "ip_version": 4, "cidr": "10.0.0.0/24", "gateway_ip": "10.0.0.1"}
    return {**v4, "enable_dhcp": True, "dns_nameservers": [], "host_routes": [], **values}


def port(id: str = PORT, **values: Any) -> Row:
    fixed = [{"subnet_id": SUBNET, "ip_address": "10.0.0.5"}]
    usual = {"network_id": NET, "mac_address": "fa:16:3e:00:00:05", "fixed_ips": fixed, "device_owner": "compute:nova"}
    more = {"security_groups": [GROUP], "port_security_enabled": True, "admin_state_up": True, "binding:host_id": "hv1"}
    return {"id": id, "device_id": "", **usual, **more, **values}


CHASSIS: Row = {"id": "agent-1", "host": "hv1", "agent_type": AGENT}
OTHERS: Row = {"id": "agent-2", "host": "hv2", "agent_type": "Open vSwitch agent"}


def sight(**kinds: Any) -> Sight:
    usual = {"networks": [network()], "subnets": [subnet()], "ports": [port()], "agents": [CHASSIS, OTHERS]}
    return Sight(**{"security_groups": [{"id": GROUP, "stateful": True}], **usual, **kinds})


def rows(**kinds: Any) -> Rows:
    return Rows(sight(**kinds))


def switched(**kinds: Any) -> dict[str, Any]:
    return {key: one.value for key, one in switching.desired(rows(**kinds), {}, {})}


def test_a_network_is_a_switch_and_has_no_key() -> None:
    assert switched()["Logical_Switch neutron-net-1"] == {
        "name": "neutron-net-1",
        "other_config": {"vlan-passthru": "false"},
    }


def test_a_port_is_where_it_is_bound_with_its_addresses_and_no_others() -> None:
    assert switched()["Logical_Switch_Port port-1"] == {
        "in": "Logical_Switch neutron-net-1",
        "name": "port-1",
        "addresses": ["fa:16:3e:00:00:05 10.0.0.5"],
        "port_security": ["fa:16:3e:00:00:05 10.0.0.5"],
        "options": {"requested-chassis": "hv1", "hostname": '"host-10-0-0-5"'},
        "enabled": True,
        "dhcpv4_options": ["DHCP_Options subnet-1"],
    }


def test_a_port_on_a_host_of_ours_is_reached_by_the_wire() -> None:
    assert "Logical_Switch_Port port-1" not in switched(ports=[port(**{"binding:host_id": "hv2"})])


def test_pairs_may_be_used_and_those_with_a_mac_of_their_own_be_reached() -> None:
    pairs = [{"ip_address": "10.0.0.9"}, {"ip_address": "10.0.0.8", "mac_address": "fa:16:3e:00:00:99"}]
    found = switched(ports=[port(allowed_address_pairs=pairs)])["Logical_Switch_Port port-1"]
    assert found["port_security"] == ["fa:16:3e:00:00:05 10.0.0.5 10.0.0.9", "fa:16:3e:00:00:99 10.0.0.8"]
    assert found["addresses"] == ["fa:16:3e:00:00:05 10.0.0.5", "unknown"]


VIP: Row = {"fixed_ips": [{"subnet_id": SUBNET, "ip_address": "10.0.0.50"}], "binding:host_id": "", "device_owner": ""}


def test_an_address_that_ports_share_is_a_virtual_port_of_theirs() -> None:
    """Else routers lead to the MAC of a port that is plugged in nowhere."""
    pair: dict[str, Any] = {"allowed_address_pairs": [{"ip_address": "10.0.0.50"}]}
    ports = [port(**pair), port("port-2", **pair), port("port-3", network_id="other", **pair), port("vip", **VIP)]
    found = switched(networks=[network(), network(id="other")], ports=ports)["Logical_Switch_Port vip"]
    assert found["type"] == "virtual"
    assert found["options"] == {"virtual-ip": "10.0.0.50", "virtual-parents": "port-1,port-2"}
    assert "type" not in switched(ports=[port(), port("vip", **VIP)])["Logical_Switch_Port vip"]


def test_without_port_security_nothing_is_kept_from_it() -> None:
    found = switched(ports=[port(port_security_enabled=False)])["Logical_Switch_Port port-1"]
    assert "port_security" not in found
    assert "unknown" in found["addresses"]


def test_a_network_on_a_wire_has_its_way_there() -> None:
    vlan = {"provider:network_type": "vlan", "provider:segmentation_id": 142, "provider:physical_network": "physnet1"}
    assert switched(networks=[network(**vlan)])["Logical_Switch_Port provnet-net-1"] == {
        "in": "Logical_Switch neutron-net-1",
        "name": "provnet-net-1",
        "type": "localnet",
        "addresses": ["unknown"],
        "options": {"network_name": "physnet1"},
        "tag": 142,
    }


def test_a_sub_port_is_inside_its_parent() -> None:
    trunk = {"id": "trunk-1", "port_id": "parent", "sub_ports": [{"port_id": PORT, "segmentation_id": 7}]}
    found = switched(trunks=[trunk])["Logical_Switch_Port port-1"]
    assert (found["parent_name"], found["tag"]) == ("parent", 7)


def rule(**values: Any) -> Row:
    nothing = dict.fromkeys(
        (
            "protocol",
            "port_range_min",
            "port_range_max",
            "remote_ip_prefix",
            "remote_group_id",
            "remote_address_group_id",
        )
    )
    return {
        "id": "rule-1",
        "security_group_id": GROUP,
        "direction": "ingress",
        "ethertype": "IPv4",
        **nothing,
        **values,
    }


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({}, "outport == @pg_0a_b && ip4"),
        ({"direction": "egress", "ethertype": "IPv6"}, "inport == @pg_0a_b && ip6"),
        (
            {"protocol": "tcp", "port_range_min": 80, "port_range_max": 80},
            "outport == @pg_0a_b && ip4 && tcp && tcp.dst == 80",
        ),
        (
            {"protocol": "udp", "port_range_min": 5, "port_range_max": 9, "remote_ip_prefix": "10.0.0.0/8"},
            "outport == @pg_0a_b && ip4 && ip4.src == 10.0.0.0/8 && udp && udp.dst >= 5 && udp.dst <= 9",
        ),
        (
            {"protocol": "icmp", "port_range_min": 8, "port_range_max": 0},
            "outport == @pg_0a_b && ip4 && icmp4 && icmp4.type == 8 && icmp4.code == 0",
        ),
        ({"ethertype": "IPv6", "protocol": "ipv6-icmp"}, "outport == @pg_0a_b && ip6 && icmp6"),
        ({"remote_group_id": "0a-b"}, "outport == @pg_0a_b && ip4 && ip4.src == $sg_0a_b_v4"),
        ({"protocol": "esp"}, "outport == @pg_0a_b && ip4 && ip.proto == 50"),
        ({"protocol": "112"}, "outport == @pg_0a_b && ip4 && ip.proto == 112"),
    ],
)  # fmt: skip
def test_a_rule_is_an_acl(values: dict[str, Any], match: str) -> None:
    told = dict(security.desired(rows(security_group_rules=[rule(**values)])))
    found = told["ACL rule-1"].value
    assert found == {
        "in": "Port_Group pg_0a_b",
        "priority": 1002,
        "direction": "from-lport" if values.get("direction") == "egress" else "to-lport",
        "match": match,
        "action": "allow-related",
    }


def test_members_of_a_remote_group_are_meant_wherever_they_are() -> None:
    away = port("port-2", **{"binding:host_id": "hv2"}, fixed_ips=[{"subnet_id": SUBNET, "ip_address": "10.0.0.6"}])
    pairs = [{"ip_address": one} for one in ("10.0.0.9", "10.0.0.64/26", "0.0.0.0/0", "2001:db8::9/128")]
    here = port(allowed_address_pairs=pairs)
    told = dict(security.desired(rows(ports=[here, away], security_group_rules=[rule(remote_group_id=GROUP)])))
    assert told["Address_Set sg_0a_b_v4"].value["addresses"] == ["10.0.0.5", "10.0.0.6", "10.0.0.9"]
    assert told["Address_Set sg_0a_b_v6"].value["addresses"] == ["2001:db8::9"]
    assert told["Port_Group pg_0a_b"].value["ports"] == ["Logical_Switch_Port port-1"]


ROUTER: Row = {
    "id": "router-1",
    "admin_state_up": True,
    "routes": [],
    "external_gateway_info": {"network_id": "outside", "enable_snat": True},
}
OUTSIDE = network(id="outside", **{"provider:network_type": "flat", "provider:physical_network": "public"})
OUTSIDE_SUBNET = subnet(id="out-1", network_id="outside", cidr="203.0.113.0/24", gateway_ip="203.0.113.1")


def routed(**kinds: Any) -> dict[str, Any]:
    inside = port("inside", device_owner="network:router_interface", device_id="router-1")
    gateway = port(
        "gateway",
        network_id="outside",
        device_owner="network:router_gateway",
        device_id="router-1",
        **{"netweft:gateway_hosts": ["hv3", "hv2", "hv1"]},
        fixed_ips=[{"subnet_id": "out-1", "ip_address": "203.0.113.20"}],
    )
    every = rows(
        networks=[network(), OUTSIDE],
        subnets=[subnet(), OUTSIDE_SUBNET],
        ports=[port(), inside, gateway, *kinds.pop("more_ports", ())],
        routers=[ROUTER],
        **kinds,
    )
    return {key: one.value for key, one in routing.desired(every, {"hv1": "ch1", "hv3": "ch3"}, {})}


def test_a_router_leads_out_by_snat_on_gateway_chassis() -> None:
    told = routed()
    assert told["NAT router-1-snat-10.0.0.0/24"] == {
        "in": "Logical_Router neutron-router-1",
        "type": "snat",
        "external_ip": "203.0.113.20",
        "logical_ip": "10.0.0.0/24",
    }
    assert told["Logical_Router_Static_Route router-1-0.0.0.0/0-203.0.113.1"]["output_port"] == "lrp-gateway"
    chassis = {one["chassis_name"]: one["priority"] for key, one in told.items() if key.startswith("Gateway_Chassis")}
    assert chassis == {"ch3": 5, "ch1": 4}


@pytest.mark.parametrize("distributed", [True, False])
def test_a_floating_ip_is_on_the_vms_own_chassis_if_it_may(distributed: bool) -> None:
    one = {"id": "f1", "router_id": "router-1", "fixed_ip_address": "10.0.0.5", "floating_ip_address": "203.0.113.50"}
    its_port = port("fip-port", device_owner="network:floatingip", device_id="f1", mac_address="fa:16:3e:00:00:50")
    floating = [{**one, "port_id": PORT, "distributed": distributed}]
    found = routed(floatingips=floating, more_ports=[its_port])["NAT floatingip-f1"]
    assert (found["type"], found["external_ip"], found["logical_ip"]) == ("dnat_and_snat", "203.0.113.50", "10.0.0.5")
    assert (found.get("external_mac"), found.get("logical_port")) == (
        ("fa:16:3e:00:00:50", PORT) if distributed else (None, None)
    )


@pytest.mark.parametrize("shared", [True, False])
def test_a_floating_ip_of_what_is_nowhere_is_on_the_gateway(shared: bool) -> None:
    """Unless ports share its address: one of them has it."""
    one = {"id": "f1", "router_id": "router-1", "fixed_ip_address": "10.0.0.50", "floating_ip_address": "203.0.113.50",
           "port_id": "vip", "distributed": True}  # fmt: skip
    owner = port("owner", allowed_address_pairs=[{"ip_address": "10.0.0.50"}] if shared else [])
    its_port = port("fip-port", device_owner="network:floatingip", device_id="f1", mac_address="fa:16:3e:00:00:50")
    found = routed(floatingips=[one], more_ports=[its_port, port("vip", **VIP), owner])["NAT floatingip-f1"]
    assert found.get("logical_port") == ("vip" if shared else None)


@pytest.mark.parametrize("distributed", [True, False])
def test_a_floating_ip_is_limited_where_it_is_translated(distributed: bool) -> None:
    rule = {"type": "bandwidth_limit", "direction": "ingress", "max_kbps": 1000, "max_burst_kbps": 0}
    gateway = port("gateway", network_id="outside", device_owner="network:router_gateway", device_id="router-1",
                   fixed_ips=[{"subnet_id": "out-1", "ip_address": "203.0.113.20"}])  # fmt: skip
    one = {"id": "f1", "router_id": "router-1", "fixed_ip_address": "10.0.0.5", "floating_ip_address": "203.0.113.50",
           "port_id": PORT, "distributed": distributed, "qos_policy_id": "slow"}  # fmt: skip
    info = {"network_id": "outside", "qos_policy_id": "slow"}
    every = rows(
        networks=[network(), OUTSIDE],
        ports=[port(), gateway],
        routers=[{**ROUTER, "external_gateway_info": info}],
        floatingips=[one],
        policies=[{"id": "slow", "rules": [rule]}],
    )
    found = {key: one.value for key, one in qos.desired(every)}
    where = PORT if distributed else "cr-lrp-gateway"
    match = f'outport == "gateway" && ip4.dst == 203.0.113.50 && is_chassis_resident("{where}")'
    assert found["QoS floatingip-f1-ingress-limit"] == {
        "in": "Logical_Switch neutron-outside",
        "priority": 2301,
        "direction": "to-lport",
        "match": match,
        "bandwidth": {"rate": 1000, "burst": 800},
    }
    assert "203.0.113.20" in found["QoS router-1-gateway-ingress-limit"]["match"]


# -- as operations of OVSDB


@pytest.mark.parametrize(
    ("outside", "inside", "vips"),
    [
        ("80:80", "8080:8080", {"203.0.113.9:80": "10.0.0.5:8080"}),
        ("80:81", "90:91", {"203.0.113.9:80": "10.0.0.5:90", "203.0.113.9:81": "10.0.0.5:91"}),
        ("80:81", "53:53", {"203.0.113.9:80": "10.0.0.5:53", "203.0.113.9:81": "10.0.0.5:53"}),
        ("1:65535", "1:65535", None),
    ],
)
def test_forwarded_ports_are_a_balancer_of_the_router(outside: str, inside: str, vips: dict[str, str] | None) -> None:
    forwarding = {"id": "f", "floatingip_id": "fip", "protocol": "tcp", "internal_port_id": PORT,
                  "internal_ip_address": "10.0.0.5", "external_port_range": outside,
                  "internal_port_range": inside}  # fmt: skip
    said = rows(
        routers=[{"id": "r", "admin_state_up": True}],
        floatingips=[{"id": "fip", "router_id": "r", "floating_ip_address": "203.0.113.9"}],
        port_forwardings=[forwarding],
    )
    found = dict(routing.desired(said, {}, {}))
    balancer, router = found["Load_Balancer pf-floatingip-fip-tcp"], found["Logical_Router neutron-r"].value
    if vips is None:
        assert (balancer.refused[:5], "load_balancer" in router) == ("65535", False)
    else:
        assert (balancer.value["vips"], router["load_balancer"]) == (vips, ["Load_Balancer pf-floatingip-fip-tcp"])
    assert balancer.ports == {PORT}


def test_what_is_made_can_be_named_and_hung_in_the_same_transaction() -> None:
    made = [
        Step("device", "Logical_Switch_Port p", None, row({"name": "p"}, "Logical_Switch s")),
        Step("device", "Logical_Switch s", None, row({"name": "s"})),
        Step("device", "Port_Group g", None, row({"name": "g", "ports": ["Logical_Switch_Port p"]})),
    ]
    writing = Writing({})
    for step in in_order(made):
        writing.take(step)
    switch, port_row, hung, group = writing.operations
    assert [one["op"] for one in writing.operations] == ["insert", "insert", "mutate", "insert"]
    assert hung["where"] == [["_uuid", "==", ["named-uuid", switch["uuid-name"]]]]
    assert hung["mutations"] == [["ports", "insert", ["set", [["named-uuid", port_row["uuid-name"]]]]]]
    assert group["row"]["ports"] == ["set", [["named-uuid", port_row["uuid-name"]]]]


def test_of_a_groups_ports_only_the_difference_is_written() -> None:
    ports = {f"Logical_Switch_Port {name}": f"uuid-{name}" for name in "abc"}
    writing = Writing({"Port_Group g": "uuid-g", **ports})
    before, after = (sorted(f"Logical_Switch_Port {name}" for name in names) for names in ("ab", "bc"))
    writing.take(
        Step("device", "Port_Group g", row({"name": "g", "ports": before}), row({"name": "g", "ports": after}))
    )
    (mutate,) = writing.operations
    assert mutate["mutations"] == [
        ["ports", "delete", ["set", [["uuid", "uuid-a"]]]],
        ["ports", "insert", ["set", [["uuid", "uuid-c"]]]],
    ]


def test_of_names_only_the_difference_is_written() -> None:
    was, now = ({"a": "1", "b": "2", "c": "3"}, {"b": "2", "c": "4", "d": "5"})
    writing = Writing({"DNS n": "uuid-n"})
    writing.take(Step("device", "DNS n", row({"records": was}), row({"records": now})))
    (mutate,) = writing.operations
    assert mutate["mutations"] == [
        ["records", "delete", ["set", ["a", "c"]]],
        ["records", "insert", ["map", [["c", "4"], ["d", "5"]]]],
    ]


def test_what_goes_is_taken_off_what_it_hangs_on_and_before_it() -> None:
    gone = [
        Step("device", "Logical_Switch s", row({"name": "s"}), None),
        Step("device", "Logical_Switch_Port p", row({"name": "p"}, "Logical_Switch s"), None),
    ]
    writing = Writing({"Logical_Switch s": "us", "Logical_Switch_Port p": "up"})
    for step in in_order(gone):
        writing.take(step)
    assert [(one["op"], one["table"]) for one in writing.operations] == [
        ("mutate", "Logical_Switch"),
        ("delete", "Logical_Switch"),
    ]


def test_each_table_comes_after_what_it_hangs_on() -> None:
    order = list(TABLES)
    for table, spec in TABLES.items():
        assert spec.parent is None or order.index(spec.parent[0]) < order.index(table)


@pytest.mark.parametrize("remote", ["", "nb.sock", "unix:nb.sock", "tcp:6641", "pssl:10.0.0.1:6641"])
def test_an_address_that_is_none(remote: str) -> None:
    with pytest.raises(SettingsError, match="ovn_southbound"):
        load_ovn(ServerSettings(ovn_northbound="unix:/run/ovn/nb.sock", ovn_southbound=remote))


def test_tls_needs_its_files(tmp_path: Path) -> None:
    remotes: Any = {"ovn_northbound": "ssl:10.0.0.1:6641", "ovn_southbound": "unix:/run/ovn/sb.sock"}
    with pytest.raises(SettingsError, match="ovn_ca_cert: is needed"):
        load_ovn(ServerSettings(**remotes))
    nothing = tmp_path / "nothing"
    nothing.write_text("")
    files: Any = dict.fromkeys(("ovn_ca_cert", "ovn_certificate", "ovn_private_key"), str(nothing))
    with pytest.raises(SettingsError, match="ovn_private_key: "):
        load_ovn(ServerSettings(**remotes, **files))


def test_a_port_that_moves_is_on_both_chassis_until_it_has_moved() -> None:
    """Where it is stands first; what is no chassis is left to others."""
    ahead: Any = [{"binding:host_id": host} for host in ("hv3", "hv2")]
    third = {**CHASSIS, "id": "agent-3", "host": "hv3"}
    found = switched(ports=[{**port(), "netweft:ahead": ahead}], agents=[CHASSIS, OTHERS, third])
    assert found[f"Logical_Switch_Port {PORT}"]["options"]["requested-chassis"] == "hv1,hv3"
