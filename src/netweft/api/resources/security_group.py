"""security_groups and security_group_rules"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from netweft.api import checks
from netweft.api.attributes import REQUIRED, Attribute, Resource
from netweft.api.resources.standard import READ_ONLY, STANDARD, flag
from netweft.control.errors import SecurityGroupNotFound, SecurityGroupRuleNotFound
from netweft.control.security_groups import SecurityGroupRules, SecurityGroups, default_exists
from netweft.plugins.identity import Context
from netweft.store import Object, Query, ReadTransaction, Store

GROUP = STANDARD | {
    "security_group_rules": Attribute(check=READ_ONLY),
    "stateful": flag(post=True, put=True, default=True, filter=True),
    "shared": flag(filter=True),
}

_RULE = {name: attribute for name, attribute in STANDARD.items() if name != "name"}


def _given_once(check: checks.Check, default: Any = None, **values: Any) -> Attribute:
    return Attribute(check=check, post=True, default=default, filter=True, sort=True, **values)


RULE = _RULE | {
    "security_group_id": _given_once(checks.uuid_text, REQUIRED),
    "direction": _given_once(checks.one_of("ingress", "egress"), REQUIRED),
    "ethertype": _given_once(checks.ethertype, "IPv4"),
    "protocol": _given_once(checks.protocol),
    "port_range_min": _given_once(checks.port_number, parse=checks.integer),
    "port_range_max": _given_once(checks.port_number, parse=checks.integer),
    "remote_group_id": _given_once(checks.or_none(checks.uuid_text)),
    "remote_ip_prefix": _given_once(checks.or_none(checks.cidr_or_address)),
    "normalized_cidr": Attribute(check=READ_ONLY, filter=True, sort=True),
    "belongs_to_default_sg": flag(filter=True),
}


def with_rules(tx: ReadTransaction, groups: Sequence[Object]) -> Sequence[Object]:
    """Each group with its rules in full."""
    rules: dict[str, list[Object]] = defaultdict(list)
    if groups:
        for rule in tx.query("security_group_rules", Query({"security_group_id": [group["id"] for group in groups]})):
            rules[rule["security_group_id"]].append(rule | {"tenant_id": rule["project_id"]})
    return [group | {"security_group_rules": rules[group["id"]]} for group in groups]


def security_group(use_cases: SecurityGroups, store: Store) -> Resource:
    def make_default(context: Context) -> None:
        if context.project_id is None:
            return
        with store.read() as tx:
            there = default_exists(tx, context.project_id)
        if not there:
            with store.write() as tx:
                use_cases.default_of(tx, context.project_id)

    return Resource(
        member="security_group",
        collection="security_groups",
        quota=10,
        attributes=GROUP,
        use_cases=use_cases,
        not_found=SecurityGroupNotFound,
        present=with_rules,
        before_list=make_default,
        computed=frozenset({"security_group_rules"}),
    )


def security_group_rule(use_cases: SecurityGroupRules) -> Resource:
    return Resource(
        member="security_group_rule",
        collection="security_group_rules",
        quota=100,
        attributes=RULE,
        use_cases=use_cases,
        not_found=SecurityGroupRuleNotFound,
    )
