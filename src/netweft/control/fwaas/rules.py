"""Firewall rules: what may be requested, and what a change of one means to the policies that name it."""

import ipaddress
from collections.abc import Iterable

from netweft.control import rbac
from netweft.control.errors import AddressGroupNotFound, InvalidInput
from netweft.control.fwaas import status
from netweft.control.fwaas.errors import (
    FirewallIpAddressConflict,
    FirewallRuleInUse,
    FirewallRuleInvalidICMPParameter,
    FirewallRuleWithPortWithoutProtocolInvalid,
)
from netweft.control.standard import born, bumped
from netweft.model.fwaas import DESTINATION_ADDRESSES, SOURCE_ADDRESSES
from netweft.store import Link, New, Object, ReadTransaction, WriteTransaction

KIND, POLICIES = "firewall_rules", "firewall_policies"
RULES = "firewall_rules"  # of a policy: the ids of its rules, in order
ADDRESS_GROUPS = (SOURCE_ADDRESSES, DESTINATION_ADDRESSES)
_FOR_PEOPLE = frozenset({"name", "description", "shared"})
CHANGED = (
    *(*_FOR_PEOPLE, "action", "protocol", "ip_version", "enabled"),
    *("source_ip_address", "destination_ip_address", "source_port", "destination_port", *ADDRESS_GROUPS),
)
_WITH_PORTS = ("tcp", "udp")  # of Neutron's; decision 0600


class FirewallRules:
    def create(self, tx: WriteTransaction, wanted: list[Object]) -> list[Object]:
        for one in wanted:
            check(one)
        _refuse_addresses(tx, wanted)
        rules = [born(one) for one in wanted]
        tx.insert_many(KIND, [New(rule, _links(rule, ADDRESS_GROUPS)) for rule in rules])
        return rules

    def update(self, tx: WriteTransaction, current: Object, changes: Object) -> Object:
        """Whoever has audited a policy has not seen it with this rule."""
        after = current | changes
        check(after)
        _refuse_addresses(tx, [after])
        users = {user.id for user in tx.referrers(KIND, current["id"], source_kind=POLICIES)}
        policies = tx.lock_many(POLICIES, users).values()
        if current["shared"] and not after["shared"]:
            _refuse_needed(current, policies)
        named = [name for name in ADDRESS_GROUPS if name in changes]
        updated = tx.update(KIND, current["id"], bumped(current, changes), {n: _links(after, [n]) for n in named})
        for policy in policies:
            if policy["audited"]:
                tx.update(POLICIES, policy["id"], bumped(policy, {"audited": False}))
        if any(updated[name] != current[name] for name in changes.keys() - _FOR_PEOPLE):
            status.pend_users(tx, users)
        return updated

    def delete(self, tx: WriteTransaction, current: Object) -> None:
        if tx.referrers(KIND, current["id"]):
            raise FirewallRuleInUse(firewall_rule_id=current["id"])
        tx.delete(KIND, current["id"])


def policies_with(tx: ReadTransaction, ids: Iterable[str]) -> dict[str, list[str]]:
    """The ids of the policies that name each of these rules."""
    found: dict[str, list[str]] = {id: [] for id in ids}
    users = {user.id for user in tx.referrers(KIND, list(found), source_kind=POLICIES)}
    for id, policy in sorted(tx.get_many(POLICIES, users).items()):
        for rule in policy[RULES]:
            if rule in found:
                found[rule].append(id)
    return found


def check(rule: Object) -> None:
    """Raises what Neutron does for what does not go together, and ours for address groups."""
    protocol, ports = rule["protocol"], (rule["source_port"], rule["destination_port"])
    if any(ports) and protocol is None:
        raise FirewallRuleWithPortWithoutProtocolInvalid()
    if any(ports) and protocol not in _WITH_PORTS:
        raise FirewallRuleInvalidICMPParameter(param="Source, destination port")
    for side, group in (("source", SOURCE_ADDRESSES), ("destination", DESTINATION_ADDRESSES)):
        address = rule[f"{side}_ip_address"]
        if address and ipaddress.ip_network(address, strict=False).version != rule["ip_version"]:
            raise FirewallIpAddressConflict()
        if address and rule[group]:
            raise InvalidInput(f"Only one of {side}_ip_address and {group} may be given")


def _refuse_addresses(tx: WriteTransaction, rules: Iterable[Object]) -> None:
    """Address groups that are not there, or not for the rule's project."""
    wanted = {(rule["project_id"], id) for rule in rules for name in ADDRESS_GROUPS if (id := rule[name])}
    groups = tx.get_many("address_groups", {id for _, id in wanted})
    for project, id in sorted(wanted):
        own = id in groups and groups[id]["project_id"] == project
        if not own and id not in rbac.shared_with(tx, "address_groups", project, among=groups):
            raise AddressGroupNotFound(id=id)


def _refuse_needed(rule: Object, policies: Iterable[Object]) -> None:
    """Those that could not have it if it were not shared."""
    if any(policy["shared"] or policy["project_id"] != rule["project_id"] for policy in policies):
        raise FirewallRuleInUse(firewall_rule_id=rule["id"])


def _links(rule: Object, names: Iterable[str]) -> list[Link]:
    return [Link(name, "address_groups", rule[name]) for name in names if rule[name]]
