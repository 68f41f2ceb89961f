"""security_groups, security_group_rules and default_security_group_rules"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from netweft.api import checks
from netweft.api.attributes import REQUIRED, Attribute, BeforeList, Resource
from netweft.api.resources.standard import READ_ONLY, STANDARD, flag
from netweft.control.errors import (
    DefaultSecurityGroupRuleNotFound,
    OverQuota,
    SecurityGroupCannotRemoveDefault,
    SecurityGroupNotFound,
    SecurityGroupRuleNotFound,
)
from netweft.control.security import security_group_rules
from netweft.control.security.default_rules import PARENT, DefaultRules
from netweft.control.security.security_group_rules import SecurityGroupRules
from netweft.control.security.security_groups import SecurityGroups, default_exists
from netweft.control.standard import UseCases
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


_WHAT = {
    "direction": _given_once(checks.one_of("ingress", "egress"), REQUIRED),
    "ethertype": _given_once(checks.ethertype, "IPv4"),
    "protocol": _given_once(checks.protocol, parse=checks.protocol),
    "port_range_min": _given_once(checks.port_number, parse=checks.integer),
    "port_range_max": _given_once(checks.port_number, parse=checks.integer),
    "remote_ip_prefix": _given_once(checks.or_none(checks.cidr_or_address), parse=checks.cidr_or_address),
    "remote_address_group_id": _given_once(checks.or_none(checks.uuid_text)),
}

RULE = (
    _RULE
    | _WHAT
    | {
        "security_group_id": _given_once(checks.uuid_text, REQUIRED),
        "remote_group_id": _given_once(checks.or_none(checks.string(255))),
        "normalized_cidr": Attribute(check=READ_ONLY, parse=checks.cidr, filter=True, sort=True),
        "belongs_to_default_sg": flag(filter=True),
    }
)


def _group_or_parent(value: Any) -> str:
    return PARENT if value == PARENT else checks.uuid_text(value)


_USED = flag(post=True, default=False, filter=True)

TEMPLATE = (
    {name: attribute for name, attribute in _RULE.items() if name not in ("project_id", "tags")}
    | _WHAT
    | {
        "description": Attribute(check=checks.string(255), post=True, default="", filter=True),
        "remote_group_id": _given_once(checks.or_none(_group_or_parent)),
        "used_in_default_sg": _USED,
        "used_in_non_default_sg": flag(post=True, default=True, filter=True),
    }
)


def with_rules(tx: ReadTransaction, groups: Sequence[Object]) -> Sequence[Object]:
    """Each group with its rules in full."""
    rules: dict[str, list[Object]] = defaultdict(list)
    if groups:
        for rule in tx.query("security_group_rules", Query({"security_group_id": [group["id"] for group in groups]})):
            rules[rule["security_group_id"]].append(rule | {"tenant_id": rule["project_id"]})
    return [group | {"security_group_rules": rules[group["id"]]} for group in groups]


def default_maker(groups: SecurityGroups, store: Store) -> BeforeList:
    def make_default(context: Context, filters: Mapping[str, Sequence[Any]]) -> None:
        """Of the requested project, else of the caller's; only an admin makes another's."""
        project = next(iter(filters.get("project_id", ())), context.project_id)
        if not project or (project != context.project_id and not context.is_admin):
            return
        with store.read() as tx:
            there = default_exists(tx, project)
        if not there:
            with suppress(OverQuota):
                store.run(lambda tx: groups.default_of(tx, project))

    return make_default


def security_group(use_cases: UseCases, make_default: BeforeList) -> Resource:
    def keep_default(group: Object) -> None:
        if group["name"] == security_group_rules.DEFAULT:
            raise SecurityGroupCannotRemoveDefault()

    return Resource(
        member="security_group",
        collection="security_groups",
        quota=10,
        attributes=GROUP,
        use_cases=use_cases,
        not_found=SecurityGroupNotFound,
        present=with_rules,
        before_list=make_default,
        refuse_delete=keep_default,
        computed=frozenset({"security_group_rules"}),
        shared_as=("id", "security_groups"),
    )


def security_group_rule(use_cases: SecurityGroupRules, make_default: BeforeList) -> Resource:
    return Resource(
        member="security_group_rule",
        collection="security_group_rules",
        quota=security_group_rules.QUOTA,
        attributes=RULE,
        use_cases=use_cases,
        not_found=SecurityGroupRuleNotFound,
        before_list=make_default,
    )


def default_security_group_rule(use_cases: DefaultRules) -> Resource:
    return Resource(
        member="default_security_group_rule",
        collection="default_security_group_rules",
        attributes=TEMPLATE,
        use_cases=use_cases,
        not_found=DefaultSecurityGroupRuleNotFound,
        actions=frozenset({"create", "delete"}),
    )
