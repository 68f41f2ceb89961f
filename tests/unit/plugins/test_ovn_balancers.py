"""What a balancer becomes in OVN's northbound database, and what is said of what cannot be there."""

from typing import Any

import pytest
from tests.unit.plugins.test_ovn import NET, PORT, SUBNET, network, port, rows, subnet

from netweft.model.load_balancer import ASKING_OWNER
from netweft.plugins.mechanisms import Row
from netweft.plugins.mechanisms.ovn.balancing import Balancing
from netweft.plugins.mechanisms.ovn.members import in_turns
from netweft.plugins.mechanisms.ovn.rows import INTERFACE

LB = "lb-1"
VIP: Row = {"ip_address": "10.0.0.100", "subnet_id": SUBNET}
ROW = "Load_Balancer listener-listener-1"


def balancer(**values: Any) -> Row:
    usual = {"vip_port_id": "vip-port", "network_id": NET, "admin_state_up": True, "vip_sg_ids": []}
    return {"id": LB, "netweft:vip_addresses": [VIP], "netweft:vip_mac_address": "fa:16:3e:00:00:64", **usual, **values}


def listener(**values: Any) -> Row:
    usual = {"device_id": LB, "protocol": "TCP", "protocol_port": 80, "default_pool_id": "pool-1"}
    return {"id": "listener-1", "admin_state_up": True, "allowed_cidrs": [], "connection_limit": -1, **usual, **values}


def pool(**values: Any) -> Row:
    usual = {"device_id": LB, "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN", "session_persistence": None}
    return {"id": "pool-1", "admin_state_up": True, "tls_enabled": False, **usual, **values}


def member(number: int, **values: Any) -> Row:
    usual = {"pool_id": "pool-1", "address": f"10.0.0.{number}", "protocol_port": 8080, "weight": 1, "backup": False}
    more = {"subnet_id": SUBNET, "admin_state_up": True, "operating_status": "NO_MONITOR", "device_id": LB}
    return {"id": f"member-{number}", **usual, **more, **values}


def monitor(**values: Any) -> Row:
    usual = {"pool_id": "pool-1", "type": "TCP", "delay": 5, "timeout": 3, "max_retries": 2, "max_retries_down": 4}
    return {"id": "monitor-1", "admin_state_up": True, **usual, **values}


def balancing(**kinds: Any) -> Balancing:
    usual = {"loadbalancers": [balancer()], "listeners": [listener()], "pools": [pool()], "members": [member(5)]}
    return Balancing(rows(**{**usual, **kinds}))


def test_a_listener_is_on_the_switches_of_its_clients_and_no_others() -> None:
    interfaces = [
        port(f"if-{net}", network_id=net, device_owner=INTERFACE, device_id="router-1") for net in (NET, "behind")
    ]
    told = balancing(
        networks=[network(), network(id="behind"), network(id="elsewhere")],
        ports=[port(), *interfaces],
        routers=[{"id": "router-1", "admin_state_up": True}],
    )
    assert told.wanted[ROW].value == {
        "name": "listener-listener-1",
        "protocol": "tcp",
        "vips": {"10.0.0.100:80": "10.0.0.5:8080"},
        "options": {"ct_flush": "true", "reject": "true"},
    }
    assert told.switches == {f"Logical_Switch neutron-{net}": [ROW] for net in (NET, "behind")}
    assert told.wanted["Logical_Router_Port lrp-vip-port"].value["networks"] == ["10.0.0.100/24"]
    assert told.wanted["Logical_Switch_Port vip-port"].value["type"] == "router"


def test_one_that_no_host_of_ovns_has_clients_of_is_nothing_to_it() -> None:
    assert balancing(ports=[port(**{"binding:host_id": "hv2"})]).wanted == {}
    assert balancing(loadbalancers=[balancer(admin_state_up=False)]).wanted == {}


@pytest.mark.parametrize(
    ("of_listener", "of_pool", "of_balancer", "of_member", "why"),
    [
        ({"protocol": "HTTP"}, {}, {}, {}, "no HTTP"),
        ({"protocol": "TERMINATED_HTTPS"}, {}, {}, {}, "no TERMINATED_HTTPS"),
        ({"allowed_cidrs": ["10.0.0.0/8"]}, {}, {}, {}, "allowed_cidrs"),
        ({}, {}, {"vip_sg_ids": ["a"]}, {}, "vip_sg_ids"),
        ({"connection_limit": 0}, {}, {}, {}, "connection_limit"),
        ({}, {"lb_algorithm": "LEAST_CONNECTIONS"}, {}, {}, "LEAST_CONNECTIONS"),
        ({}, {"protocol": "PROXYV2"}, {}, {}, "PROXYV2"),
        ({}, {"tls_enabled": True}, {}, {}, "tls_enabled"),
        ({}, {"session_persistence": {"type": "APP_COOKIE"}}, {}, {}, "APP_COOKIE"),
        ({}, {}, {}, {"address": "2001:db8::5"}, "IP version"),
    ],
)
def test_what_ovn_cannot_is_said_and_not_served(
    of_listener: Row, of_pool: Row, of_balancer: Row, of_member: Row, why: str
) -> None:
    told = balancing(
        loadbalancers=[balancer(**of_balancer)],
        listeners=[listener(**of_listener)],
        pools=[pool(**of_pool)],
        members=[member(5, **of_member)],
    )
    assert ROW not in told.wanted
    (said,) = [one for one in told.wanted.values() if one.refused]
    assert why in said.refused
    assert (set(said.parts), set(said.ports)) == ({("listeners", "listener-1")}, {"vip-port"})
    assert not told.switches


@pytest.mark.parametrize("values", [{"lb_algorithm": "SOURCE_IP"}, {"session_persistence": {"type": "SOURCE_IP"}}])
def test_a_client_keeps_its_member_with_session_persistence(values: Row) -> None:
    assert balancing(pools=[pool(**values)]).wanted[ROW].value["selection_fields"] == ["ip_dst", "ip_src"]


def test_a_member_stands_there_as_often_as_its_weight_says() -> None:
    assert in_turns([member(5, weight=2), member(6, weight=6)]) == [
        ("10.0.0.5", 8080),
        *[("10.0.0.6", 8080)] * 3,
    ]
    many = in_turns([member(5, weight=1), member(6, weight=256)])
    assert (len(many) <= 256, many.count(("10.0.0.5", 8080))) == (True, 1)
    assert in_turns([]) == []


@pytest.mark.parametrize(
    ("values", "ends"),
    [
        ({"weight": 0}, "10.0.0.6:8080"),
        ({"admin_state_up": False}, "10.0.0.6:8080"),
        ({"operating_status": "ERROR"}, "10.0.0.6:8080"),
        ({"backup": True}, "10.0.0.6:8080"),
    ],
)
def test_who_gets_no_new_connections(values: Row, ends: str) -> None:
    told = balancing(members=[member(5, **values), member(6)])
    assert told.wanted[ROW].value["vips"] == {"10.0.0.100:80": ends}


def test_a_backup_serves_where_nobody_else_does() -> None:
    told = balancing(members=[member(5, backup=True), member(6, operating_status="ERROR")])
    assert told.wanted[ROW].value["vips"] == {"10.0.0.100:80": "10.0.0.5:8080"}


def test_members_on_ovns_hosts_are_probed_from_an_address_of_their_subnet() -> None:
    asking = port(
        "asks",
        device_owner=ASKING_OWNER,
        device_id="ovn",
        fixed_ips=[{"subnet_id": SUBNET, "ip_address": "10.0.0.250"}],
    )
    told = balancing(
        ports=[port(), asking], healthmonitors=[monitor()], members=[member(5, operating_status="OFFLINE")]
    )
    assert told.wanted[ROW].value["ip_port_mappings"] == {"10.0.0.5": f"{PORT}:10.0.0.250"}
    assert told.wanted["Load_Balancer_Health_Check listener-listener-1 10.0.0.100:80"].value == {
        "in": ROW,
        "vip": "10.0.0.100:80",
        "options": {"interval": "5", "timeout": "3", "success_count": "2", "failure_count": "4"},
    }
    assert told.wanted[ROW].value["vips"] == {"10.0.0.100:80": "10.0.0.5:8080"}
    assert told.members.sources == {SUBNET}
    ((asked, whom),) = told.members.asked.items()
    assert (asked.port_id, asked.address, asked.port, asked.protocol) == (PORT, "10.0.0.5", 8080, "tcp")
    assert whom == {"member-5": "OFFLINE"}


@pytest.mark.parametrize(
    ("values", "of_member", "why"),
    [({"type": "HTTP"}, {}, "not by HTTP"), ({}, {"monitor_port": 9}, "monitor_port")],
)
def test_a_monitor_that_ovn_has_not_is_said_and_its_members_serve(values: Row, of_member: Row, why: str) -> None:
    told = balancing(healthmonitors=[monitor(**values)], members=[member(5, operating_status="OFFLINE", **of_member)])
    (said,) = [one for one in told.wanted.values() if one.refused]
    assert why in said.refused
    assert said.parts == {("healthmonitors", "monitor-1")}
    assert told.wanted[ROW].value["vips"] == {"10.0.0.100:80": "10.0.0.5:8080"}


def test_addresses_of_version_6_are_in_brackets() -> None:
    six = subnet(id="six", ip_version=6, cidr="2001:db8::/64", gateway_ip="2001:db8::1")
    told = balancing(
        subnets=[subnet(), six],
        loadbalancers=[
            balancer(**{"netweft:vip_addresses": [VIP, {"ip_address": "2001:db8::64", "subnet_id": "six"}]})
        ],
        members=[member(5), member(6, address="2001:db8::6", subnet_id="six")],
    )
    assert told.wanted[ROW].value["vips"] == {
        "10.0.0.100:80": "10.0.0.5:8080",
        "[2001:db8::64]:80": "[2001:db8::6]:8080",
    }


def test_a_port_that_a_user_names_so_probes_nothing() -> None:
    theirs = port("theirs", device_owner=ASKING_OWNER, fixed_ips=[{"subnet_id": SUBNET, "ip_address": "10.0.0.250"}])
    told = balancing(ports=[port(), theirs], healthmonitors=[monitor()])
    assert "ip_port_mappings" not in told.wanted[ROW].value
    assert told.members.asks_in() == frozenset({SUBNET})
