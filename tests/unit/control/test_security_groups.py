"""Groups, the default one, and rules."""

from typing import Any

import pytest

from netweft.control.errors import (
    Refused,
    SecurityGroupCannotRemoveDefault,
    SecurityGroupCannotUpdateDefault,
    SecurityGroupDefaultAlreadyExists,
    SecurityGroupEthertypeConflictWithProtocol,
    SecurityGroupInUse,
    SecurityGroupInvalidIcmpValue,
    SecurityGroupInvalidPortRange,
    SecurityGroupInvalidPortValue,
    SecurityGroupMissingIcmpType,
    SecurityGroupMultipleRemoteParameters,
    SecurityGroupNotFound,
    SecurityGroupProtocolRequiredWithPorts,
    SecurityGroupRuleExists,
    SecurityGroupRuleInvalidEtherType,
    SecurityGroupRuleInvalidProtocol,
    SecurityGroupRuleParameterConflict,
)
from netweft.store import Object, Query

from .conftest import Cloud

RULE: Object = {
    "project_id": "p",
    "description": "",
    "direction": "ingress",
    "ethertype": "IPv4",
    "protocol": None,
    "port_range_min": None,
    "port_range_max": None,
    "remote_ip_prefix": None,
    "remote_group_id": None,
}


def make_group(cloud: Cloud, name: str = "web") -> Object:
    with cloud.store.write() as tx:
        return cloud.groups.create(tx, [{"name": name, "project_id": "p", "stateful": True}])[0]


def default(cloud: Cloud) -> Object:
    with cloud.store.write() as tx:
        id = cloud.groups.default_of(tx, "p")
        found = tx.get("security_groups", id)
    assert found is not None
    return found


def make_rule(cloud: Cloud, group: Object, **values: object) -> Object:
    with cloud.store.write() as tx:
        return cloud.rules.create(tx, [RULE | {"security_group_id": group["id"]} | values])[0]


def rules(cloud: Cloud, group: Object) -> set[tuple[str, str, str | None]]:
    with cloud.store.read() as tx:
        found = tx.query("security_group_rules", Query({"security_group_id": [group["id"]]}))
    return {(rule["direction"], rule["ethertype"], rule["remote_group_id"]) for rule in found}


def test_a_new_group_lets_everything_out(cloud: Cloud) -> None:
    assert rules(cloud, make_group(cloud)) == {("egress", "IPv4", None), ("egress", "IPv6", None)}


def test_the_default_group_lets_its_members_in(cloud: Cloud) -> None:
    group = default(cloud)
    assert group == default(cloud)
    members = {("ingress", "IPv4", group["id"]), ("ingress", "IPv6", group["id"])}
    assert rules(cloud, group) == {("egress", "IPv4", None), ("egress", "IPv6", None)} | members


def test_there_is_one_default_and_it_stays(cloud: Cloud) -> None:
    group = default(cloud)
    with pytest.raises(SecurityGroupDefaultAlreadyExists):
        make_group(cloud, "default")
    with pytest.raises(SecurityGroupCannotRemoveDefault):
        cloud.delete("security_groups", group)
    with pytest.raises(SecurityGroupCannotUpdateDefault):
        cloud.update("security_groups", group, name="mine")
    with pytest.raises(SecurityGroupDefaultAlreadyExists):
        cloud.update("security_groups", make_group(cloud), name="default")
    assert cloud.update("security_groups", group, description="ours")["description"] == "ours"


def test_a_group_in_use_stays(cloud: Cloud) -> None:
    group = make_group(cloud)
    port = cloud.port(cloud.network(), security_groups=[group["id"]])
    with pytest.raises(SecurityGroupInUse):
        cloud.delete("security_groups", group)
    cloud.update("ports", port, security_groups=[])
    cloud.delete("security_groups", group)


def test_rules_that_name_a_group_go_with_it(cloud: Cloud) -> None:
    group, other = make_group(cloud), make_group(cloud, "db")
    make_rule(cloud, other, remote_group_id=group["id"])
    cloud.delete("security_groups", group)
    assert rules(cloud, other) == {("egress", "IPv4", None), ("egress", "IPv6", None)}


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ({"protocol": "tcp", "port_range_min": 22, "port_range_max": 22},) * 2,
        ({"protocol": "tcp"}, {"protocol": "6"}),
        ({"remote_ip_prefix": "0.0.0.0/0"}, {}),
        ({"remote_ip_prefix": "10.0.0.1/8"}, {"remote_ip_prefix": "10.0.0.0/8"}),
        ({"protocol": "icmpv6", "ethertype": "IPv6"}, {"protocol": "ipv6-icmp", "ethertype": "IPv6"}),
    ],
)
def test_the_same_rule_twice(cloud: Cloud, one: Any, same: Any) -> None:
    group = make_group(cloud)
    first = make_rule(cloud, group, **one)
    with pytest.raises(SecurityGroupRuleExists, match=first["id"]):
        make_rule(cloud, group, **same)
    make_rule(cloud, make_group(cloud, "other"), **same)
    cloud.delete("security_group_rules", first)
    make_rule(cloud, group, **same)


@pytest.mark.parametrize(
    ("values", "refusal"),
    [
        ({"ethertype": "ARP"}, SecurityGroupRuleInvalidEtherType),
        ({"protocol": "carrier-pigeon"}, SecurityGroupRuleInvalidProtocol),
        ({"protocol": "256"}, SecurityGroupRuleInvalidProtocol),
        ({"protocol": "icmpv6"}, SecurityGroupEthertypeConflictWithProtocol),
        ({"port_range_min": 1, "port_range_max": 2}, SecurityGroupProtocolRequiredWithPorts),
        ({"protocol": "tcp", "port_range_min": 2, "port_range_max": 1}, SecurityGroupInvalidPortRange),
        ({"protocol": "tcp", "port_range_min": 2}, SecurityGroupInvalidPortRange),
        ({"protocol": "gre", "port_range_min": 1, "port_range_max": 2}, SecurityGroupInvalidPortRange),
        ({"protocol": "tcp", "port_range_min": 0, "port_range_max": 2}, SecurityGroupInvalidPortValue),
        ({"protocol": "udp", "port_range_min": 1, "port_range_max": 65536}, SecurityGroupInvalidPortValue),
        ({"protocol": "icmp", "port_range_min": 256}, SecurityGroupInvalidIcmpValue),
        ({"protocol": "icmp", "port_range_max": 1}, SecurityGroupMissingIcmpType),
        ({"remote_ip_prefix": "fd00::/64"}, SecurityGroupRuleParameterConflict),
        ({"remote_group_id": "nowhere"}, SecurityGroupNotFound),
        ({"remote_group_id": "nowhere", "remote_ip_prefix": "10.0.0.0/8"}, SecurityGroupMultipleRemoteParameters),
        ({"security_group_id": "nowhere"}, SecurityGroupNotFound),
    ],
)
def test_rules_that_cannot_be(cloud: Cloud, values: Any, refusal: type[Refused]) -> None:
    group = make_group(cloud)
    with pytest.raises(refusal):
        make_rule(cloud, group, **values)
    assert cloud.get("security_groups", group)["revision_number"] == 1


def test_icmp_has_type_and_code(cloud: Cloud) -> None:
    rule = make_rule(cloud, make_group(cloud), protocol="icmp", port_range_min=8, port_range_max=0)
    assert (rule["port_range_min"], rule["port_range_max"]) == (8, 0)
