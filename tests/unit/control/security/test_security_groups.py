"""Groups, the default one, and rules."""

from typing import Any

import pytest

from netweft.control.errors import (
    AddressesAlreadyExist,
    AddressesNotFound,
    AddressGroupInUse,
    AddressGroupNotFound,
    DefaultSecurityGroupRuleExists,
    DuplicateSecurityGroupRuleInPost,
    Refused,
    SecurityGroupCannotUpdateDefault,
    SecurityGroupDefaultAlreadyExists,
    SecurityGroupEthertypeConflictWithProtocol,
    SecurityGroupInUse,
    SecurityGroupInvalidIcmpValue,
    SecurityGroupInvalidPortRange,
    SecurityGroupInvalidPortValue,
    SecurityGroupInvalidProtocolForPort,
    SecurityGroupMissingIcmpType,
    SecurityGroupMultipleRemoteEntites,
    SecurityGroupNotFound,
    SecurityGroupNotSingleGroupRules,
    SecurityGroupProtocolRequiredWithPorts,
    SecurityGroupRuleExists,
    SecurityGroupRuleInvalidEtherType,
    SecurityGroupRuleInvalidProtocol,
    SecurityGroupRuleParameterConflict,
)
from netweft.control.security.address_groups import AddressGroups
from netweft.control.security.default_rules import DefaultRules
from netweft.store import Object, Query

from ..conftest import Cloud

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
    "remote_address_group_id": None,
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
    before = cloud.get("security_groups", other)["revision_number"]
    cloud.delete("security_groups", group)
    assert cloud.get("security_groups", other)["revision_number"] == before + 1
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
        ({"protocol": "58"}, SecurityGroupEthertypeConflictWithProtocol),
        ({"port_range_min": 1, "port_range_max": 2}, SecurityGroupProtocolRequiredWithPorts),
        ({"protocol": "tcp", "port_range_min": 2, "port_range_max": 1}, SecurityGroupInvalidPortRange),
        ({"protocol": "tcp", "port_range_min": 2}, SecurityGroupInvalidPortRange),
        ({"protocol": "gre", "port_range_min": 1, "port_range_max": 2}, SecurityGroupInvalidProtocolForPort),
        ({"protocol": "tcp", "port_range_min": 0, "port_range_max": 2}, SecurityGroupInvalidPortValue),
        ({"protocol": "udp", "port_range_min": 1, "port_range_max": 65536}, SecurityGroupInvalidPortValue),
        ({"protocol": "icmp", "port_range_min": 256}, SecurityGroupInvalidIcmpValue),
        ({"protocol": "icmp", "port_range_max": 1}, SecurityGroupMissingIcmpType),
        ({"remote_ip_prefix": "fd00::/64"}, SecurityGroupRuleParameterConflict),
        ({"remote_group_id": "nowhere"}, SecurityGroupNotFound),
        ({"remote_group_id": "nowhere", "remote_ip_prefix": "10.0.0.0/8"}, SecurityGroupMultipleRemoteEntites),
        ({"remote_address_group_id": "nowhere"}, AddressGroupNotFound),
        ({"remote_address_group_id": "nowhere", "remote_group_id": "nowhere"}, SecurityGroupMultipleRemoteEntites),
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


@pytest.mark.parametrize(
    ("asked", "kept"), [("icmp", "ipv6-icmp"), ("icmpv6", "ipv6-icmp"), ("1", "58"), ("tcp", "tcp"), (None, None)]
)
def test_icmp_in_ipv6_has_one_name(cloud: Cloud, asked: str | None, kept: str | None) -> None:
    rule = make_rule(cloud, make_group(cloud), ethertype="IPv6", protocol=asked, direction="ingress")
    assert rule["protocol"] == kept


def test_a_rules_change_is_one_of_its_group(cloud: Cloud) -> None:
    """That is how the feed hears of it."""
    group = make_group(cloud)
    rule = make_rule(cloud, group)
    assert cloud.get("security_groups", group)["revision_number"] == 2
    cloud.delete("security_group_rules", rule)
    assert cloud.get("security_groups", group)["revision_number"] == 3


def test_a_bulk_of_rules_is_for_one_group_and_no_rule_twice(cloud: Cloud) -> None:
    one, other = make_group(cloud), make_group(cloud)
    rule = RULE | {"security_group_id": one["id"]}
    with pytest.raises(SecurityGroupNotSingleGroupRules), cloud.store.write() as tx:
        cloud.rules.create(tx, [rule, rule | {"security_group_id": other["id"]}])
    with pytest.raises(DuplicateSecurityGroupRuleInPost), cloud.store.write() as tx:
        cloud.rules.create(tx, [rule, dict(rule)])


def test_a_group_on_a_port_stays_stateful(cloud: Cloud) -> None:
    group = make_group(cloud)
    port = cloud.port(cloud.network(), security_groups=[group["id"]])
    with pytest.raises(SecurityGroupInUse):
        cloud.update("security_groups", group, stateful=False)
    assert cloud.update("security_groups", group, stateful=True)["stateful"]
    cloud.update("ports", port, security_groups=[])
    assert not cloud.update("security_groups", group, stateful=False)["stateful"]


def test_new_groups_begin_with_what_the_templates_say(cloud: Cloud) -> None:
    with cloud.store.read() as tx:
        templates = tx.query("default_security_group_rules")
    assert len(templates) == 4
    for template in templates:
        cloud.delete("default_security_group_rules", template)
    with cloud.store.write() as tx:
        DefaultRules().prepare(tx)  # the server starts again
    assert rules(cloud, make_group(cloud)) == set()

    ssh = RULE | {"protocol": "tcp", "port_range_min": 22, "port_range_max": 22}
    use = {"used_in_default_sg": False, "used_in_non_default_sg": True}
    cloud.create("default_security_group_rules", **ssh, **use)
    among = cloud.create("default_security_group_rules", **RULE | use | {"remote_group_id": "PARENT"})
    group = make_group(cloud)
    assert rules(cloud, group) == {("ingress", "IPv4", None), ("ingress", "IPv4", group["id"])}
    assert rules(cloud, default(cloud)) == set()
    with pytest.raises(DefaultSecurityGroupRuleExists, match=among["id"]):
        cloud.create("default_security_group_rules", **RULE | use | {"remote_group_id": "PARENT"})


def test_addresses_come_and_go_in_a_group_of_addresses(cloud: Cloud) -> None:
    offices = cloud.create("address_groups", name="offices", addresses=["10.1.0.0/16"])
    groups = AddressGroups()
    with cloud.store.write() as tx:
        offices = groups.add(tx, offices, ["fd00::/8"])
        assert offices["addresses"] == ["10.1.0.0/16", "fd00::/8"]
        with pytest.raises(AddressesAlreadyExist):
            groups.add(tx, offices, ["fd00::/8"])
        with pytest.raises(AddressesNotFound):
            groups.remove(tx, offices, ["10.2.0.0/16"])
        assert groups.remove(tx, offices, ["10.1.0.0/16"])["addresses"] == ["fd00::/8"]
    rule = make_rule(cloud, make_group(cloud), remote_address_group_id=offices["id"])
    with pytest.raises(AddressGroupInUse):
        cloud.delete("address_groups", offices)
    cloud.delete("security_group_rules", rule)
    cloud.delete("address_groups", offices)
