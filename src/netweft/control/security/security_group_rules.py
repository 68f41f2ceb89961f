"""Security group rules: what may be requested, and when two are the same.

Whoever writes a rule writes its group too: the group's revision counts its rules' changes, and the feed hears of them.
"""

import ipaddress
from collections.abc import Iterable

from netweft.control.errors import (
    AddressGroupNotFound,
    DuplicateSecurityGroupRuleInPost,
    SecurityGroupMultipleRemoteEntites,
    SecurityGroupNotFound,
    SecurityGroupNotSingleGroupRules,
    SecurityGroupRuleExists,
    SecurityGroupRuleParameterConflict,
    SecurityGroupRulesNotSingleTenant,
)
from netweft.control.security import protocols
from netweft.control.standard import born, bumped
from netweft.store import Claim, Link, New, Object, Taken, WriteTransaction

KIND = "security_group_rules"
QUOTA = 100  # a project's, unless an admin says otherwise
DEFAULT = "default"  # the name of the group that each project has
ANYTHING: Object = {
    "description": "",
    "ethertype": "IPv4",
    "protocol": None,
    "port_range_min": None,
    "port_range_max": None,
    "remote_ip_prefix": None,
    "remote_group_id": None,
    "remote_address_group_id": None,
}
_EVERY_PORT = (1, 65535)  # is kept as none at all
_ANYWHERE = ("0.0.0.0/0", "::/0")


class SecurityGroupRules:
    def create(self, tx: WriteTransaction, wanted: list[Object]) -> list[Object]:
        """All for one group: so it is with Neutron, and so a bulk is one change for whoever follows."""
        ids = {one["security_group_id"] for one in wanted}
        if len(ids) > 1:
            raise SecurityGroupNotSingleGroupRules()
        if len({one["project_id"] for one in wanted}) > 1:
            raise SecurityGroupRulesNotSingleTenant()
        group = tx.lock("security_groups", *ids)
        if group is None:
            raise SecurityGroupNotFound(id=ids.pop())
        rules = [of_group(checked(one), group) for one in wanted]
        insert(tx, rules)
        changed(tx, [group["id"]])
        return rules

    def update(self, tx: WriteTransaction, current: Object, changes: Object) -> Object:
        """Only the description can change."""
        return tx.update(KIND, current["id"], bumped(current, changes))

    def delete(self, tx: WriteTransaction, current: Object) -> None:
        tx.delete(KIND, current["id"])
        changed(tx, [current["security_group_id"]])


def changed(tx: WriteTransaction, group_ids: Iterable[str]) -> None:
    """Of these groups the rules are others now."""
    for group in tx.lock_many("security_groups", set(group_ids)).values():
        tx.update("security_groups", group["id"], bumped(group, {}))


def checked(wanted: Object) -> Object:
    """As it is kept.  Raises what Neutron does for what does not go together."""
    ethertype, prefix = wanted["ethertype"], wanted["remote_ip_prefix"]
    rule = wanted | {"protocol": protocols.canonical(wanted["protocol"], ethertype)}
    if (rule["port_range_min"], rule["port_range_max"]) == _EVERY_PORT:
        rule["port_range_min"] = rule["port_range_max"] = None
    protocols.check(rule)
    if prefix is not None and ipaddress.ip_network(prefix, strict=False).version != protocols.ETHERTYPES[ethertype]:
        raise SecurityGroupRuleParameterConflict(ethertype=ethertype, cidr=prefix)
    remotes = (prefix, wanted["remote_group_id"], wanted["remote_address_group_id"])
    if sum(remote is not None for remote in remotes) > 1:
        raise SecurityGroupMultipleRemoteEntites()
    return rule


def of_group(wanted: Object, group: Object) -> Object:
    """The rule as the group has it."""
    prefix = wanted["remote_ip_prefix"]
    return born(
        {"project_id": group["project_id"]} | wanted,
        security_group_id=group["id"],
        normalized_cidr=None if prefix is None else str(ipaddress.ip_network(prefix, strict=False)),
        belongs_to_default_sg=group["name"] == DEFAULT,
    )


def insert(tx: WriteTransaction, rules: list[Object]) -> None:
    new = [New(rule, [_group_link(rule), *remote_links(rule)], [_claim(rule)]) for rule in rules]
    if len({one.claims[0] for one in new}) < len(new):
        raise DuplicateSecurityGroupRuleInPost()
    refuse_missing(tx, rules)
    try:
        tx.insert_many(KIND, new)
    except Taken as taken:
        raise SecurityGroupRuleExists(rule_id=holder(tx, taken)) from taken


def remote_links(rule: Object) -> list[Link]:
    """What the rule names as its far end, and cannot go while the rule is there."""
    links = {"remote_group_id": "security_groups", "remote_address_group_id": "address_groups"}
    return [Link(name, kind, rule[name]) for name, kind in links.items() if rule[name] is not None]


def sameness(rule: Object) -> str:
    """Equal for rules that let the same through; any prefix is as good as none."""
    prefix = rule["remote_ip_prefix"]
    normalized = None if prefix is None else str(ipaddress.ip_network(prefix, strict=False))
    parts = (
        rule["direction"],
        rule["ethertype"],
        protocols.number(rule["protocol"], rule["ethertype"]),
        rule["port_range_min"],
        rule["port_range_max"],
        None if normalized in _ANYWHERE else normalized,
        rule["remote_group_id"],
        rule["remote_address_group_id"],
    )
    return "/".join("" if part is None else str(part) for part in parts)


def holder(tx: WriteTransaction, taken: Taken) -> str:
    """The id of the rule that is there already."""
    found = tx.holders(taken.scope, [taken.value]).get(taken.value)
    return found[1] if found else ""


def _claim(rule: Object) -> Claim:
    return Claim(f"rule:{rule['security_group_id']}", sameness(rule))


def _group_link(rule: Object) -> Link:
    return Link("security_group_id", "security_groups", rule["security_group_id"])


def refuse_missing(tx: WriteTransaction, rules: list[Object]) -> None:
    groups = {id for rule in rules if (id := rule["remote_group_id"])}
    for id in groups.difference(tx.get_many("security_groups", groups)):
        raise SecurityGroupNotFound(id=id)
    addresses = {id for rule in rules if (id := rule["remote_address_group_id"])}
    for id in addresses.difference(tx.get_many("address_groups", addresses)):
        raise AddressGroupNotFound(id=id)
