"""The firewall rule that decides about a packet is named, at VMs' ports and at routers'."""

from typing import Any

import pytest
from tests.unit.control.trace.faults import HEALTHY, ONE, THREE, all_rows, interface, port, ways

from netweft.model.fwaas import DESTINATION_ADDRESSES, FIREWALL_GROUP, SOURCE_ADDRESSES
from netweft.testing.explained import Rows

WAY = HEALTHY["two networks"][:3]
ALLOW = {"action": "allow", "protocol": None}
HTTPS = {"action": "allow", "protocol": "tcp", "destination_port": "400:443"}
DENY = {"action": "deny", "protocol": "tcp", "source_ip_address": "10.0.1.0/24"}


def guarded(where: str, direction: str, *rules: dict[str, Any], **group: Any) -> Rows:
    """where: the sending or the receiving port, or the router's on its network."""
    rows = all_rows()
    at = {"sender": port(rows, ONE), "receiver": port(rows, THREE), "near": interface(rows, 1)}.get(where)
    (at or interface(rows, 2))[FIREWALL_GROUP] = "fw"
    policies = {f"{name}_firewall_policy_id": "p" if name == direction else None for name in ("ingress", "egress")}
    rows["firewall_groups"] = {"fw": {"id": "fw", "admin_state_up": True, **policies, **group}}
    rows["firewall_policies"] = {"p": {"id": "p", "firewall_rules": [f"r{at}" for at in range(len(rules))]}}
    blank = {f"{end}_{what}": None for end in ("source", "destination") for what in ("ip_address", "port")}
    rows["firewall_rules"] = {
        f"r{at}": {"id": f"r{at}", "enabled": True, "ip_version": 4, **blank, **one} for at, one in enumerate(rules)
    }
    rows["address_groups"] = {"set": {"id": "set", "addresses": ["10.0.1.11/32"]}}
    return rows


PLACES = [("sender", "egress"), ("near", "egress"), ("far", "ingress"), ("receiver", "ingress")]


@pytest.mark.parametrize(("where", "direction"), PLACES)
def test_what_a_rule_allows_passes_and_its_answer(where: str, direction: str) -> None:
    there, back = ways(guarded(where, direction, DENY | {"enabled": False}, HTTPS), *WAY)
    assert there.findings == []
    assert back is not None
    assert back.findings == []
    assert any(
        "rule r1 of firewall policy p: allow IPv4 tcp to anybody port 400:443" in one.does for one in there.steps
    )


@pytest.mark.parametrize(("where", "direction"), PLACES)
@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ((DENY, ALLOW), "rule r0 of firewall policy p: deny IPv4 tcp from 10.0.1.0/24"),
        (({**HTTPS, "destination_port": "80"},), "no rule of firewall policy p is true of it"),
        (({**DENY, "source_ip_address": None, SOURCE_ADDRESSES: "set"}, ALLOW), "rule r0"),
        (({**ALLOW, DESTINATION_ADDRESSES: "set"},), "no rule"),
        ((), "no rule"),
    ],
)
def test_what_refuses_is_named(where: str, direction: str, rules: tuple[dict[str, Any], ...], why: str) -> None:
    there, _ = ways(guarded(where, direction, *rules), *WAY)
    (finding,) = there.findings
    assert finding.code.code == "firewall-refuses"
    assert why in finding.told.detail
    assert "{" not in finding.fix


def test_a_group_that_is_down_or_has_no_policy_that_way() -> None:
    for rows in (guarded("receiver", "ingress", ALLOW, admin_state_up=False), guarded("receiver", "egress", ALLOW)):
        there, _ = ways(rows, *WAY)
        assert [one.code.code for one in there.findings] == ["firewall-refuses"]


def test_packets_to_the_router_itself_are_not_filtered() -> None:
    there, _ = ways(guarded("near", "egress"), *HEALTHY["the router"][:3])
    assert there.findings == []
