"""Security groups and their rules.  Each project has one called `default`, made when first needed."""

import ipaddress
from collections.abc import Iterable

from netweft.control import protocols
from netweft.control.errors import (
    SecurityGroupCannotRemoveDefault,
    SecurityGroupCannotUpdateDefault,
    SecurityGroupDefaultAlreadyExists,
    SecurityGroupInUse,
    SecurityGroupMultipleRemoteParameters,
    SecurityGroupNotFound,
    SecurityGroupRuleExists,
    SecurityGroupRuleParameterConflict,
)
from netweft.control.standard import born, bumped
from netweft.store import Busy, Claim, Link, New, Object, ReadTransaction, Taken, WriteTransaction

DEFAULT = "default"
_DEFAULTS = "default_security_group"  # scope: a project holds one


def default_exists(tx: ReadTransaction, project_id: str) -> bool:
    return bool(tx.holders(_DEFAULTS, [project_id]))


class SecurityGroups:
    def default_of(self, tx: WriteTransaction, project_id: str) -> str:
        """The id of the project's default group, which is made if it is not there."""
        holder = tx.holders(_DEFAULTS, [project_id]).get(project_id)
        if holder is not None:
            return holder[1]
        wanted = {"name": DEFAULT, "description": "Default security group", "project_id": project_id}
        group = born(wanted, stateful=True, shared=False)
        try:
            tx.insert("security_groups", group, claims=[Claim(_DEFAULTS, project_id)])
        except Taken as taken:  # another server made it just now
            raise Busy(str(taken)) from taken
        members = [_rule(group, "ingress", version, remote_group_id=group["id"]) for version in protocols.ETHERTYPES]
        _insert_rules(tx, [*_anything_out(group), *members])
        id: str = group["id"]
        return id

    def create(self, tx: WriteTransaction, wanted: list[Object]) -> list[Object]:
        if any(one["name"] == DEFAULT for one in wanted):
            raise SecurityGroupDefaultAlreadyExists()
        groups = [born(one, shared=False) for one in wanted]
        tx.insert_many("security_groups", [New(group) for group in groups])
        _insert_rules(tx, [rule for group in groups for rule in _anything_out(group)])
        return groups

    def update(self, tx: WriteTransaction, current: Object, changes: Object) -> Object:
        if current["name"] == DEFAULT and changes.get("name", DEFAULT) != DEFAULT:
            raise SecurityGroupCannotUpdateDefault()
        if current["name"] != DEFAULT and changes.get("name") == DEFAULT:
            raise SecurityGroupDefaultAlreadyExists()
        return tx.update("security_groups", current["id"], bumped(current, changes))

    def delete(self, tx: WriteTransaction, current: Object) -> None:
        users = tx.referrers("security_groups", current["id"])
        if any(user.kind == "ports" for user in users):
            raise SecurityGroupInUse(id=current["id"])
        if current["name"] == DEFAULT:
            raise SecurityGroupCannotRemoveDefault()
        for id in {user.id for user in users}:  # its own rules, and others' that name it as the remote end
            tx.delete("security_group_rules", id)
        tx.delete("security_groups", current["id"])


class SecurityGroupRules:
    def create(self, tx: WriteTransaction, wanted: list[Object]) -> list[Object]:
        groups: dict[str, Object] = {}
        rules = []
        for one in wanted:
            id = one["security_group_id"]
            if id not in groups:
                group = tx.lock("security_groups", id)
                if group is None:
                    raise SecurityGroupNotFound(id=id)
                groups[id] = group
            rules.append(_checked(tx, groups[id], one))
        _insert_rules(tx, rules)
        _changed(tx, groups.values())
        return rules

    def update(self, tx: WriteTransaction, current: Object, changes: Object) -> Object:
        """Only the description can change."""
        return tx.update("security_group_rules", current["id"], bumped(current, changes))

    def delete(self, tx: WriteTransaction, current: Object) -> None:
        tx.delete("security_group_rules", current["id"])
        group = tx.lock("security_groups", current["security_group_id"])
        if group is not None:
            _changed(tx, [group])


def _changed(tx: WriteTransaction, groups: Iterable[Object]) -> None:
    for group in groups:
        tx.update("security_groups", group["id"], bumped(group, {}))


def _rule(group: Object, direction: str, ethertype: str, **values: object) -> Object:
    wanted = dict.fromkeys(("protocol", "port_range_min", "port_range_max", "remote_ip_prefix", "remote_group_id"))
    wanted |= {"security_group_id": group["id"], "project_id": group["project_id"], "description": ""} | values
    derived = {"normalized_cidr": None, "belongs_to_default_sg": group["name"] == DEFAULT}
    return born(wanted, direction=direction, ethertype=ethertype, **derived)


def _anything_out(group: Object) -> list[Object]:
    return [_rule(group, "egress", ethertype) for ethertype in protocols.ETHERTYPES]


def _checked(tx: WriteTransaction, group: Object, wanted: Object) -> Object:
    remote, prefix = wanted["remote_group_id"], wanted["remote_ip_prefix"]
    if remote is not None and prefix is not None:
        raise SecurityGroupMultipleRemoteParameters()
    if remote is not None and tx.get("security_groups", remote) is None:
        raise SecurityGroupNotFound(id=remote)
    protocols.check(wanted)
    normalized = None
    if prefix is not None:
        network = ipaddress.ip_network(prefix, strict=False)
        if protocols.ETHERTYPES[wanted["ethertype"]] != network.version:
            raise SecurityGroupRuleParameterConflict(ethertype=wanted["ethertype"], cidr=prefix)
        normalized = str(network)
    return born(wanted, normalized_cidr=normalized, belongs_to_default_sg=group["name"] == DEFAULT)


def _claim(rule: Object) -> Claim:
    """What makes two rules of a group the same; any prefix is as good as none."""
    prefix = rule["normalized_cidr"]
    parts = (
        rule["direction"],
        rule["ethertype"],
        protocols.number(rule["protocol"], rule["ethertype"]),
        rule["port_range_min"],
        rule["port_range_max"],
        None if prefix in ("0.0.0.0/0", "::/0") else prefix,
        rule["remote_group_id"],
    )
    return Claim(f"rule:{rule['security_group_id']}", "/".join("" if part is None else str(part) for part in parts))


def _insert_rules(tx: WriteTransaction, rules: list[Object]) -> None:
    new = []
    for rule in rules:
        links = [Link("security_group_id", "security_groups", rule["security_group_id"])]
        if rule["remote_group_id"] is not None:
            links.append(Link("remote_group_id", "security_groups", rule["remote_group_id"]))
        new.append(New(rule, links, [_claim(rule)]))
    try:
        tx.insert_many("security_group_rules", new)
    except Taken as taken:
        holder = tx.holders(taken.scope, [taken.value]).get(taken.value)
        raise SecurityGroupRuleExists(rule_id=holder[1] if holder else "") from taken
