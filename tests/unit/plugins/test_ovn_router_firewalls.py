"""Firewall groups of routers' ports on OVN: at the VMs' ports, within what VMs' firewalls and groups decide."""

from typing import Any

from tests.unit.plugins.test_ovn import CHASSIS, GROUP, OTHERS, port, rows
from tests.unit.plugins.test_ovn_firewalls import FW, PERMITS, SSH, asked, rule

from netweft.model.fwaas import FIREWALL_GROUP
from netweft.plugins.mechanisms import Row, Wanted
from netweft.plugins.mechanisms.ovn import firewalls, router_firewalls
from netweft.plugins.mechanisms.ovn.rows import INTERFACE

MAC = "fa:16:3e:00:00:99"
IN = f"outport == @fwr_r_1 && eth.src == {MAC} && "
OUT = f"inport == @fwr_r_1 && eth.dst == {MAC} && "
OWN = "ip4 && ip4.src == {10.0.0.1}"


def interface(**values: Any) -> Row:
    fixed = [{"subnet_id": "s", "ip_address": "10.0.0.1"}]
    usual = {"device_owner": INTERFACE, "device_id": "router-1", "mac_address": MAC, "fixed_ips": fixed}
    return port("r-1", **usual, **{FIREWALL_GROUP: FW, "binding:host_id": ""}, **values)


def wanted(*ordered: Row, ports: list[Row] | None = None, **kinds: Any) -> dict[str, Wanted]:
    ids = [one["id"] for one in ordered]
    both = {"ingress_firewall_policy_id": "both", "egress_firewall_policy_id": "both"}
    found = rows(
        ports=[interface(), *([port()] if ports is None else ports)],
        security_group_rules=[SSH],
        firewall_groups=[{"id": FW, "admin_state_up": True, **both}, {"id": "f-2", "admin_state_up": True, **both}],
        firewall_policies=[{"id": "both", "firewall_rules": ids}],
        firewall_rules=ordered,
        **kinds,
    )
    return dict(router_firewalls.desired(found))


ALLOWS = rule("a", source_ip_address="10.9.0.7")
DENIES = rule("b", "deny", protocol="icmp")


def test_what_comes_in_is_allowed_within_what_groups_permit_in_the_order_of_the_rules() -> None:
    assert asked(wanted(ALLOWS, DENIES)) == [
        ("allow-related", f"{IN}{OWN} && (({PERMITS}))"),
        ("drop", f"{IN}{OWN}"),
        ("allow-related", f"{IN}ip4 && ip4.src == 10.9.0.7/32 && (({PERMITS}))"),
        ("drop", f"{IN}ip4 && ip4.src == 10.9.0.7/32"),
        ("drop", f"{IN}ip4 && icmp4"),
        ("drop", f"{IN}ip"),
    ]


def test_egress_is_evaluated_in_a_stage_of_its_own() -> None:
    found = wanted(ALLOWS, DENIES)
    assert asked(found, "from-lport") == [
        ("allow-related", f"{OUT}{OWN.replace('src', 'dst')}"),
        ("allow-related", f"{OUT}ip4 && ip4.src == 10.9.0.7/32"),
        ("drop", f"{OUT}ip4 && icmp4"),
        ("drop", f"{OUT}ip"),
    ]
    acls = [one.value for key, one in found.items() if key.startswith("ACL")]
    assert {one["direction"] for one in acls if one.get("options") == {"apply-after-lb": "true"}} == {"from-lport"}


def test_a_vms_own_firewall_decides_within_each_rule_before_groups_do() -> None:
    found = asked(wanted(ALLOWS, ports=[port(**{FIREWALL_GROUP: "f-2"})]))
    within = [
        match.removeprefix(IN) for _, match in found if match.startswith(f"{IN}ip4 && ip4.src == 10.9.0.7/32 && (")
    ]
    own = f"outport == @fw_f_2 && ip4 && ip4.src == 10.9.0.7/32 && (({PERMITS}))"
    assert f"ip4 && ip4.src == 10.9.0.7/32 && ({own})" == within[0]
    assert within[-1] == f"ip4 && ip4.src == 10.9.0.7/32 && (({PERMITS}))"
    rest = next(at for at, one in enumerate(within) if one.endswith("(outport == @fw_f_2 && ip)"))
    assert rest == len(within) - 2


def test_it_is_shown_on_its_port_and_group_and_is_there_with_vms_only() -> None:
    told = {(one.ports, one.parts) for one in wanted(ALLOWS).values()}
    assert told == {(frozenset({"r-1"}), frozenset({("firewall_groups", FW)}))}
    assert not wanted(ALLOWS, ports=[])


def test_one_that_is_too_much_lets_nothing_pass_and_says_so() -> None:
    many = [rule(str(number), source_ip_address=f"10.9.{number >> 8}.{number & 255}") for number in range(16_000)]
    found = wanted(*many)
    assert asked(found) == [("drop", f"{IN}ip")]
    assert asked(found, "from-lport") == [("drop", f"{OUT}ip")]
    assert {one.refused for one in found.values() if one.value is None} == {firewalls.TOO_MUCH}


def test_what_other_hosts_route_is_said_not_to_be_filtered() -> None:
    elsewhere = port("p-2", **{"binding:host_id": "hv2", "security_groups": [GROUP]})
    found = wanted(ALLOWS, ports=[port(), elsewhere], agents=[CHASSIS, OTHERS])
    assert router_firewalls.OTHERS_ROUTE in {one.refused for one in found.values()}
