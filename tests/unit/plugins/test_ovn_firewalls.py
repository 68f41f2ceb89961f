"""Firewall groups on OVN: ACLs in an order, of which each is what a rule says and what security groups permit."""

from typing import Any

import pytest
from tests.unit.plugins.test_ovn import GROUP, PORT, port, rows

from netweft.model.fwaas import FIREWALL_GROUP, SOURCE_ADDRESSES
from netweft.plugins.mechanisms import Row, Wanted
from netweft.plugins.mechanisms.ovn import firewalls

FW = "f-1"
TCP = {"protocol": "tcp", "port_range_min": 22, "port_range_max": 22}
SSH: Row = {"id": "sg-rule", "security_group_id": GROUP, "direction": "ingress", "ethertype": "IPv4", **TCP}
PERMITS = "outport == @pg_0a_b && ip4 && tcp && tcp.dst == 22"


def rule(id: str, action: str = "allow", **values: Any) -> Row:
    return {"id": id, "action": action, "enabled": True, "ip_version": 4, **values}


def wanted(
    *ordered: Row, ports: list[Row] | None = None, groups: list[Row] | None = None, **group: Any
) -> dict[str, Wanted]:
    policies = {"ingress_firewall_policy_id": "in", "egress_firewall_policy_id": None}
    found = rows(
        ports=[port(**{FIREWALL_GROUP: FW})] if ports is None else ports,
        security_group_rules=[SSH] if groups is None else groups,
        firewall_groups=[{"id": FW, "admin_state_up": True, **policies, **group}],
        firewall_policies=[{"id": "in", "firewall_rules": [one["id"] for one in ordered]}],
        firewall_rules=ordered,
    )
    return dict(firewalls.desired(found))


def asked(found: dict[str, Wanted], direction: str = "to-lport") -> list[tuple[str, str]]:
    """Action and match, in the order in which OVN asks them."""
    acls = [one.value for key, one in found.items() if key.startswith("ACL") and one.value["direction"] == direction]
    return [(one["action"], one["match"]) for one in sorted(acls, key=lambda one: -int(one["priority"]))]


def test_what_is_allowed_has_to_be_permitted_by_groups_too() -> None:
    first, second = rule("a", source_ip_address="10.0.0.7"), rule("b", "deny", protocol="icmp")
    assert asked(wanted(first, second, rule("c", "reject"))) == [
        ("allow-related", f"outport == @fw_f_1 && ip4 && ip4.src == 10.0.0.7/32 && (({PERMITS}))"),
        ("drop", "outport == @fw_f_1 && ip4 && ip4.src == 10.0.0.7/32"),
        ("drop", "outport == @fw_f_1 && ip4 && icmp4"),
        ("reject", "outport == @fw_f_1 && ip4"),
        ("drop", "outport == @fw_f_1 && ip"),
    ]


def test_a_direction_without_a_policy_lets_out_requests_to_the_node_and_nothing_else() -> None:
    assert [action for action, _ in asked(wanted(rule("a")), "from-lport")] == [
        "allow",
        "allow",
        "allow-related",
        "allow-related",
        "drop",
    ]


@pytest.mark.parametrize("group", [{"admin_state_up": False}, {"ingress_firewall_policy_id": None}])
def test_one_that_is_down_lets_nothing_pass(group: Row) -> None:
    assert asked(wanted(rule("a"), **group)) == [("drop", "outport == @fw_f_1 && ip")]


def test_where_groups_permit_nothing_nothing_passes() -> None:
    assert {action for action, _ in asked(wanted(rule("a"), groups=[]))} == {"drop"}


def test_a_rule_that_is_off_is_not_there_and_others_keep_their_place() -> None:
    both, one = (wanted(rule("a", enabled=is_on), rule("b", "deny")) for is_on in (True, False))
    key = "ACL fw_f_1-ingress-b"
    assert both[key] == one[key]
    assert "ACL fw_f_1-ingress-a" not in one


def test_without_port_security_the_firewall_alone_decides() -> None:
    free = port(port_security_enabled=False, **{FIREWALL_GROUP: FW})
    assert asked(wanted(rule("a"), ports=[free]))[0] == (
        "allow-related",
        f'outport == @fw_f_1 && ip4 && ((outport == {{"{PORT}"}}))',
    )


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ({"protocol": "udp", "source_port": "5"}, "udp && udp.src == 5"),
        ({"protocol": "tcp", "destination_port": "7:9"}, "tcp && tcp.dst >= 7 && tcp.dst <= 9"),
        ({"protocol": "ipv6-icmp", "ip_version": 6}, "icmp6"),
        ({"protocol": "ipv6-icmp"}, "ip.proto == 58"),
        ({"protocol": "dccp"}, "ip.proto == 33"),
        ({SOURCE_ADDRESSES: "0-1"}, "ip4.src == $ag_0_1_v4"),
        ({"destination_ip_address": "2001:db8::1/64", "ip_version": 6}, "ip6.dst == 2001:db8::/64"),
    ],
)
def test_a_rule_says(said: Row, match: str) -> None:
    version = said.get("ip_version", 4)
    assert asked(wanted(rule("a", "deny", **said)))[0] == ("drop", f"outport == @fw_f_1 && ip{version} && {match}")


def test_too_much_is_refused_and_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firewalls, "MOST_TEXT", 100)
    found = wanted(rule("a"))
    refused = [one for one in found.values() if one.refused]
    assert [(one.parts, one.ports) for one in refused] == [(frozenset({("firewall_groups", FW)}), frozenset({PORT}))]
    assert asked(found) == [("drop", "outport == @fw_f_1 && ip")]
