"""Rows as the API shows them, to what a node is told: no more than it needs, and nothing it could not read."""

from typing import Any

import msgspec
import pytest

from netweft.feed import objects
from netweft.model import (
    AddressGroup,
    AddressPair,
    BandwidthLimit,
    FirewallGroup,
    FirewallPolicy,
    FirewallRule,
    FixedIp,
    GroupMember,
    LoadBalancer,
    Member,
    MinimumBandwidth,
    NamedPort,
    Network,
    Node,
    PacketRateLimit,
    Peer,
    Port,
    QosPolicy,
    SecurityGroup,
    SecurityGroupRule,
    Segment,
    Subnet,
)
from netweft.model.load_balancer import SessionPersistence
from netweft.wire import messages as wire

PORT: dict[str, Any] = {
    "id": "p1",
    "name": "web of a customer",
    "project_id": "secret",
    "network_id": "n1",
    "mac_address": "fa:16:3e:00:00:01",
    "fixed_ips": [{"subnet_id": "s1", "ip_address": "10.0.0.3"}, {"subnet_id": "s2", "ip_address": "fd00::3"}],
    "admin_state_up": True,
    "port_security_enabled": False,
    "allowed_address_pairs": [{"ip_address": "10.9.0.0/16", "mac_address": "fa:16:3e:00:00:01"}],
    "security_groups": ["g1"],
    "binding:host_id": "hv1",
    "binding:profile": {},
    "status": "ACTIVE",
    "tags": [],
}
NETWORK = {"id": "n1", "name": "net", "admin_state_up": True, "mtu": 1450, "shared": False, "subnets": ["s1"]}


BALANCER: dict[str, Any] = {
    "id": "b1",
    "name": "web",
    "project_id": "p",
    "vip_address": "10.0.0.9",
    "vip_port_id": "p9",
    "vip_network_id": "n1",
    "network_id": "n1",
    "vip_subnet_id": "s1",
    "netweft:vip_mac_address": "fa:16:3e:00:00:09",
    "netweft:vip_addresses": [
        {"ip_address": "10.0.0.9", "subnet_id": "s1"},
        {"ip_address": "fd00::9", "subnet_id": "s2"},
    ],
    "vip_qos_policy_id": None,
    "provisioning_status": "PENDING_CREATE",
    "operating_status": "OFFLINE",
    "admin_state_up": True,
}
MEMBER = {"id": "m1", "pool_id": "o1", "device_id": "b1", "address": "10.0.0.4", "protocol_port": 80, "weight": 5}


def test_a_load_balancer() -> None:
    told = objects.load_balancer(BALANCER)
    assert (told.vip_mac_address, told.vip_address) == ("fa:16:3e:00:00:09", "10.0.0.9")
    assert [vip.ip_address for vip in told.additional_vips] == ["fd00::9"]
    assert objects.load_balancer(BALANCER | {"provisioning_status": "ACTIVE", "operating_status": "ONLINE"}) == told
    assert isinstance(told, LoadBalancer)


@pytest.mark.parametrize(
    ("changes", "traffic"),
    [
        ({}, True),
        ({"operating_status": "ONLINE"}, True),
        ({"operating_status": "OFFLINE"}, False),
        ({"operating_status": "ERROR"}, False),
        ({"weight": 0, "operating_status": "DRAINING"}, False),
        ({"admin_state_up": False}, False),
    ],
)
def test_a_member(changes: dict[str, Any], *, traffic: bool) -> None:
    told = objects.member(MEMBER | {"monitor_port": None} | changes)
    assert isinstance(told, Member)
    assert told.load_balancer_id == "b1"
    assert told.gets_traffic == traffic


def test_what_else_a_load_balancer_has() -> None:
    of = {"id": "x", "device_id": "b1", "pool_id": None, "netweft:unknown": 1}
    assert objects.listener(of | {"protocol": "HTTP", "protocol_port": 80}).timeout_client_data == 50_000
    persistence = {"type": "APP_COOKIE", "cookie_name": "c", "persistence_timeout": None}
    pool = objects.pool(of | {"protocol": "TCP", "lb_algorithm": "SOURCE_IP", "session_persistence": persistence})
    assert pool.session_persistence == SessionPersistence(type="APP_COOKIE", cookie_name="c")
    monitor = {"pool_id": "o1", "type": "PING", "delay": 1, "timeout": 1, "max_retries": 1, "expected_codes": None}
    assert objects.health_monitor(of | monitor).type == "PING"
    policy = of | {"listener_id": "l1", "action": "REJECT", "position": 1}
    rule = of | {"l7policy_id": "y", "type": "PATH", "compare_type": "REGEX", "value": "/"}
    told = (objects.l7_policy(policy), objects.l7_rule(rule), pool, objects.health_monitor(of | monitor))
    delta = wire.Delta(revision=1, upserts=told)
    assert wire.decode_downward(wire.encode(delta)) == delta


def test_a_port() -> None:
    assert objects.port(PORT) == Port(
        id="p1",
        network_id="n1",
        mac_address="fa:16:3e:00:00:01",
        fixed_ips=(FixedIp("s1", "10.0.0.3"), FixedIp("s2", "fd00::3")),
        port_security_enabled=False,
        allowed_address_pairs=(AddressPair("10.9.0.0/16", "fa:16:3e:00:00:01"),),
        security_groups=("g1",),
        host_id="hv1",
    )


def test_a_peer_is_its_addresses_and_its_place_and_no_more() -> None:
    peer = objects.peer(PORT)
    assert peer == Peer(
        id="p1",
        network_id="n1",
        mac_address="fa:16:3e:00:00:01",
        ip_addresses=("10.0.0.3", "fd00::3"),
        port_security_enabled=False,
        allowed_address_pairs=(AddressPair("10.9.0.0/16", "fa:16:3e:00:00:01"),),
        host_id="hv1",
    )
    frame = wire.encode(wire.Delta(revision=1, upserts=(peer,)))
    assert b"secret" not in frame
    assert b"customer" not in frame


@pytest.mark.parametrize("host", ["", None])
def test_an_unbound_port_is_nobodys_peer(host: str | None) -> None:
    assert objects.peer({**PORT, "binding:host_id": host}) is None


@pytest.mark.parametrize("host", ["", None])
def test_an_unbound_port_is_what_it_is_called(host: str | None) -> None:
    unbound = {**PORT, "binding:host_id": host}
    assert objects.named_port(unbound) is None
    named = {"dns_name": "vip", "dns_domain": "corp.test."}
    assert objects.named_port({**unbound, **named}) == NamedPort(
        id="p1", network_id="n1", ip_addresses=("10.0.0.3", "fd00::3"), **named
    )
    assert objects.named_port({**PORT, **named}) is None, "a peer tells it"


@pytest.mark.parametrize(
    ("row", "segments"),
    [
        ({}, ()),
        ({"provider:network_type": "vxlan", "provider:segmentation_id": 7}, (Segment("vxlan", None, 7),)),
        (
            {
                "provider:network_type": "flat",
                "provider:physical_network": "physnet1",
                "provider:segmentation_id": None,
            },
            (Segment("flat", "physnet1"),),
        ),
        (
            {
                "segments": [
                    {"provider:network_type": "vlan", "provider:physical_network": "a", "provider:segmentation_id": 5},
                    {"provider:network_type": "vxlan", "provider:segmentation_id": 6},
                ]
            },
            (Segment("vlan", "a", 5), Segment("vxlan", None, 6)),
        ),
    ],
)
def test_a_network_and_its_segments(row: dict[str, Any], segments: tuple[Segment, ...]) -> None:
    assert objects.network({**NETWORK, **row}) == Network(id="n1", name="net", mtu=1450, segments=segments)


@pytest.mark.parametrize("asked", [None, False, True])
def test_a_network_is_vlan_transparent_only_on_request(asked: bool | None) -> None:
    assert objects.network({**NETWORK, "vlan_transparent": asked}).vlan_transparent is bool(asked)


def test_a_subnet() -> None:
    row = {
        "id": "s1",
        "network_id": "n1",
        "ip_version": 6,
        "cidr": "fd00::/64",
        "gateway_ip": None,
        "enable_dhcp": False,
    }
    more = {"allocation_pools": [{"start": "fd00::2", "end": "fd00::9"}], "dns_nameservers": []}
    assert objects.subnet(row | more) == Subnet(
        id="s1", network_id="n1", ip_version=6, cidr="fd00::/64", enable_dhcp=False
    )


def test_a_node_is_made_of_its_agent() -> None:
    facts = {"tunnel_ip": "192.0.2.1", "tunnel_types": ["vxlan", "gre"], "bridge_mappings": {"physnet1": "br-eth1"}}
    row = {"id": "a1", "host": "hv1", "agent_type": "Open vSwitch agent", "configurations": facts}
    assert objects.node(row) == Node(name="hv1", tunnel_ip="192.0.2.1", tunnel_types=("vxlan", "gre"))
    assert objects.node({**row, "configurations": {}}) == Node(name="hv1")
    assert objects.node({**row, "agent_type": "Linux bridge agent"}) == objects.node(row)
    assert objects.node({**row, "agent_type": "DHCP agent"}) is None


@pytest.mark.parametrize("wrong", [{"mac_address": None}, {"fixed_ips": "none"}, {"network_id": 7}])
def test_what_an_agent_could_not_read_is_an_error_here(wrong: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        objects.port({**PORT, **wrong})


RULE = {
    "id": "r1",
    "project_id": "secret",
    "security_group_id": "g1",
    "direction": "ingress",
    "ethertype": "IPv4",
    "protocol": None,
    "port_range_min": None,
    "port_range_max": None,
    "remote_ip_prefix": None,
    "remote_group_id": None,
    "remote_address_group_id": None,
}


@pytest.mark.parametrize(
    ("said", "ethertype", "number"),
    [
        (None, "IPv4", None),
        ("tcp", "IPv4", 6),
        ("6", "IPv6", 6),
        ("icmp", "IPv4", 1),
        ("icmp", "IPv6", 58),
        ("1", "IPv6", 58),
        ("ipv6-icmp", "IPv6", 58),
        ("vrrp", "IPv4", 112),
        ("200", "IPv4", 200),
    ],
)
def test_a_rules_protocol_is_the_number_in_the_packet(said: str | None, ethertype: str, number: int | None) -> None:
    group = objects.security_group(
        {"id": "g1", "security_group_rules": [{**RULE, "protocol": said, "ethertype": ethertype}]}
    )
    assert group.rules[0].protocol == number


def test_a_group_is_its_rules_in_whatever_order_they_are_read() -> None:
    rules = [{**RULE, "id": "r2", "port_range_min": 80, "port_range_max": 90, "protocol": "udp"}, RULE]
    row = {"id": "g1", "name": "web of a customer", "stateful": False}
    expected = SecurityGroup(
        id="g1",
        stateful=False,
        rules=(
            SecurityGroupRule(id="r1", direction="ingress", ethertype="IPv4"),
            SecurityGroupRule(
                id="r2", direction="ingress", ethertype="IPv4", protocol=17, port_range_min=80, port_range_max=90
            ),
        ),
    )
    assert objects.security_group({**row, "security_group_rules": rules}) == expected
    assert objects.security_group({**row, "security_group_rules": rules[::-1]}) == expected


def test_a_member_is_all_the_addresses_it_may_send_from() -> None:
    again = {"ip_address": "10.0.0.3", "mac_address": "fa:16:3e:00:00:02"}
    pairs = [*PORT["allowed_address_pairs"], again]
    member = objects.group_member({**PORT, "allowed_address_pairs": pairs, "binding:host_id": ""})
    mac = PORT["allowed_address_pairs"][0]["mac_address"]
    ranges = (AddressPair("10.9.0.0/16", mac),)
    assert member == GroupMember(group_id="g1", port_id="p1", ip_addresses=("10.0.0.3", "fd00::3"), ranges=ranges)
    assert objects.group_member({**PORT, "fixed_ips": [], "allowed_address_pairs": []}) is None


def test_an_address_group() -> None:
    row = {"id": "a1", "name": "offices", "addresses": ["10.1.0.0/16", "fd00::/8"]}
    assert objects.address_group(row) == AddressGroup(id="a1", addresses=("10.1.0.0/16", "fd00::/8"))


def test_a_policy_is_its_rules_by_type() -> None:
    rules = [
        {"id": "1", "type": "bandwidth_limit", "max_kbps": 1000, "max_burst_kbps": 100, "direction": "ingress"},
        {"id": "2", "type": "bandwidth_limit", "max_kbps": 2000, "max_burst_kbps": 0, "direction": "egress"},
        {"id": "3", "type": "dscp_marking", "dscp_mark": 46},
        {"id": "4", "type": "minimum_bandwidth", "min_kbps": 500, "direction": "egress"},
        {"id": "5", "type": "packet_rate_limit", "max_kpps": 10, "max_burst_kpps": 0, "direction": "egress"},
    ]
    assert objects.qos_policy({"id": "q1", "name": "gold", "rules": rules}) == QosPolicy(
        id="q1",
        bandwidth_limits=(
            BandwidthLimit(direction="ingress", max_kbps=1000, max_burst_kbps=100),
            BandwidthLimit(max_kbps=2000),
        ),
        packet_rate_limits=(PacketRateLimit(max_kpps=10),),
        minimum_bandwidths=(MinimumBandwidth(min_kbps=500),),
        dscp_mark=46,
    )
    assert objects.qos_policy({"id": "q1", "rules": []}) == QosPolicy(id="q1")


def test_a_firewall_is_sent_without_what_is_for_people() -> None:
    kept = {"project_id": "red", "name": "mine", "description": "why", "shared": True, "ports": ["p1"]}
    group = {"id": "f1", "ingress_firewall_policy_id": "y1", "egress_firewall_policy_id": None, "admin_state_up": False}
    told = FirewallGroup(id="f1", project_id="red", ingress_firewall_policy_id="y1", admin_state_up=False)
    assert objects.firewall_group(group | kept | {"status": "DOWN"}) == told
    policy = {"id": "y1", "firewall_rules": ["u2", "u1"], "audited": True}
    assert objects.firewall_policy(policy | kept) == FirewallPolicy(id="y1", firewall_rules=("u2", "u1"))
    rule = {
        "id": "u1",
        "action": "reject",
        "ip_version": 6,
        "protocol": "tcp",
        "enabled": False,
        "source_ip_address": "fd00::/64",
        "destination_ip_address": None,
        "source_port": None,
        "destination_port": "80:90",
        "netweft:source_address_group_id": None,
        "netweft:destination_address_group_id": "a1",
    }
    assert objects.firewall_rule(rule | kept) == FirewallRule(
        id="u1",
        action="reject",
        enabled=False,
        ip_version=6,
        protocol=6,
        source_ip_address="fd00::/64",
        destination_address_group_id="a1",
        destination_port_range_min=80,
        destination_port_range_max=90,
    )


@pytest.mark.parametrize(("version", "protocol", "number"), [(4, "icmp", 1), (6, "ipv6-icmp", 58), (6, "icmp", 58)])
def test_a_firewall_rules_protocol_is_a_number(version: int, protocol: str, number: int) -> None:
    rule = {"id": "u1", "action": "allow", "ip_version": version, "protocol": protocol}
    assert objects.firewall_rule(rule).protocol == number


def test_a_port_says_which_firewall_group_it_is_in() -> None:
    port = objects.port({**PORT, "netweft:firewall_group": "f1"})
    assert port is not None
    assert port.firewall_group_id == "f1"
