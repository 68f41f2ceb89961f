"""What OVN answers VMs with: DHCP options and names."""

from typing import Any

import pytest
from tests.unit.plugins.test_ovn import NET, PORT, SUBNET, network, port, rows, sight, subnet, switched

from netweft.model import NodeFacts, PortStatus
from netweft.model.status import PortState
from netweft.plugins.mechanisms import Row, Seen
from netweft.plugins.mechanisms.ovn import dhcp, dhcp_extras, names, switching
from netweft.plugins.mechanisms.ovn.mechanism import OvnMechanism
from netweft.plugins.mechanisms.ovn.southbound import Chassis


def test_dhcp_says_what_the_subnet_says() -> None:
    routes = [{"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}]
    servers = ["9.9.9.9", "2001:db8::1", "0.0.0.0"]
    told = dict(dhcp.desired(rows(subnets=[subnet(dns_nameservers=servers, host_routes=routes)]), "a.example."))
    options = told["DHCP_Options subnet-1"].value["options"]
    assert options["classless_static_route"] == "{10.9.0.0/16,10.0.0.9, 0.0.0.0/0,10.0.0.1}"
    assert (options["dns_server"], options["router"], options["mtu"]) == ("{9.9.9.9}", "10.0.0.1", "1442")
    assert options["domain_name"] == '"a.example"'


@pytest.mark.parametrize(
    "modes", [{"ipv6_address_mode": "slaac"}, {"ipv6_ra_mode": "dhcpv6-stateful"}, {"enable_dhcp": False}]
)
def test_where_another_gives_addresses_nobody_is_answered(modes: Row) -> None:
    six = subnet(**{"ip_version": 6, "cidr": "2001:db8::/64", "gateway_ip": "2001:db8::1", **modes})
    assert dict(dhcp.desired(rows(subnets=[six]), "")) == {}


def test_where_nobody_is_named_as_name_server_the_router_is() -> None:
    inside = port("inside", device_owner="network:router_interface", device_id="router-1",
                  fixed_ips=[{"subnet_id": SUBNET, "ip_address": "10.0.0.1"}])  # fmt: skip

    def told(**of: Any) -> Any:
        return dict(dhcp.desired(rows(ports=[inside], subnets=[subnet(**of)]), ""))["DHCP_Options subnet-1"].value

    assert told()["options"]["dns_server"] == "{10.0.0.1}"
    assert "dns_server" not in told(dns_nameservers=["0.0.0.0"])["options"]


def test_a_ports_own_options_replace_the_subnets() -> None:
    extras = [
        {"opt_name": "option:lease-time", "opt_value": "6", "ip_version": 4},
        {"opt_name": "26", "opt_value": "", "ip_version": 4},
        {"opt_name": "server-ip-address", "opt_value": "10.0.0.9", "ip_version": 4},
        {"opt_name": "smtp-server", "opt_value": "10.0.0.9", "ip_version": 4},
        {"opt_name": "bootfile-name", "opt_value": 'x"); drop; ("', "ip_version": 4},
        {"opt_name": "router", "opt_value": "10.0.0.1); drop", "ip_version": 4},
        {"opt_name": "classless-static-route", "opt_value": "10.8.0.0/16,10.0.0.8", "ip_version": 4},
    ]
    own = port(extra_dhcp_opts=extras)
    told = dict(dhcp.desired(rows(ports=[own]), ""))
    options = told["DHCP_Options port-1-subnet-1"].value["options"]
    assert options["lease_time"] == "6"
    assert "mtu" not in options
    assert options["router"] == "10.0.0.1"
    assert options["bootfile_name"] == r'"x\"); drop; (\""'
    assert options["classless_static_route"] == "{10.8.0.0/16,10.0.0.8}"
    assert switched(ports=[own])["Logical_Switch_Port port-1"]["dhcpv4_options"] == ["DHCP_Options port-1-subnet-1"]
    assert options["next_server"] == "10.0.0.9"
    (why,) = dhcp.unsaid(rows(ports=[own, port("port-2")])).values()
    assert "'smtp-server'" in why
    assert "'10.0.0.1); drop'" in why


def test_what_ovn_needs_is_said_even_if_a_port_wants_it_left_out() -> None:
    own = port(extra_dhcp_opts=[{"opt_name": "lease-time", "opt_value": "", "ip_version": 4}])
    told = dict(dhcp.desired(rows(ports=[own]), ""))["DHCP_Options port-1-subnet-1"].value
    assert told["options"]["lease_time"] == str(dhcp.LEASE_SECONDS)


@pytest.mark.parametrize("value", ["\n", "a\x00b"])
def test_what_cannot_be_printed_is_no_text(value: str) -> None:
    with pytest.raises(ValueError, match="printable"):
        dhcp_extras.quoted(value)


def test_ports_are_found_by_their_names_in_their_own_network() -> None:
    six = {"subnet_id": "subnet-6", "ip_address": "fd00::5"}
    web = port(dns_name="Web", fixed_ips=[{"subnet_id": SUBNET, "ip_address": "10.0.0.5"}, six])
    again = port("port-2", dns_name="web", fixed_ips=[{"subnet_id": SUBNET, "ip_address": "10.0.0.6"}],
                 **{"binding:host_id": "hv2"})  # fmt: skip
    nowhere = port("port-3", dns_name="late", **{"binding:host_id": ""})
    vip = {**port("vip", dns_name="vip", **{"binding:host_id": ""})}
    balancers = [{"id": "lb", "vip_port_id": "vip"}]
    ports = [web, again, nowhere, port("p"), vip | {"fixed_ips": [{"subnet_id": SUBNET, "ip_address": "10.0.0.7"}]}]
    found = names.desired(rows(networks=[network(dns_domain="corp.")], ports=ports, loadbalancers=balancers), "a.b.")
    both = "10.0.0.5 fd00::5 10.0.0.6"
    records = found[NET].value["records"]
    pointers = {name: value for name, value in records.items() if name.endswith(".arpa")}
    assert set(pointers.values()) == {"web.corp", "vip.corp"}
    assert "5.0.0.10.in-addr.arpa" in pointers
    assert {name: value for name, value in records.items() if name[:3] == "vip"} == dict.fromkeys(
        ("vip", "vip.corp", "vip.a.b"), "10.0.0.7"
    )
    assert {name: value for name, value in records.items() if name not in pointers and name[:3] != "vip"} == {
        "web": both,
        "web.corp": both,
        "web.a.b": both,
    }


def test_a_networks_switch_has_its_names() -> None:
    found = dict(switching.desired(rows(), {}, {NET: names.key_of(NET)}))
    assert found["Logical_Switch neutron-net-1"].value["dns_records"] == ["DNS net-1"]


def test_what_is_left_out_is_said_of_the_port_that_is_well() -> None:
    mechanism = OvnMechanism("unix:/nobody", "unix:/nobody")
    own = port(extra_dhcp_opts=[{"opt_name": "smtp-server", "opt_value": "10.0.0.9", "ip_version": 4}])
    mechanism.desired(sight(ports=[own]))
    assert mechanism.changed.is_set()
    up = [PortStatus(id, PortState.UP) for id in (PORT, "port-2")]
    told = mechanism._told(Chassis("ch", Seen(NodeFacts(), tuple(up))))
    assert [(one.state, "smtp-server" in one.detail) for one in told] == [(PortState.UP, True), (PortState.UP, False)]
