"""firewall_groups, firewall_policies and firewall_rules"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from netweft.api import checks
from netweft.api.attributes import Attribute, BeforeList, Resource
from netweft.api.checks import Invalid
from netweft.api.resources.standard import ADMIN_STATE, READ_ONLY, STANDARD, flag
from netweft.control.fwaas import groups, policies, rules, status
from netweft.control.fwaas.errors import (
    FirewallGroupCannotRemoveDefault,
    FirewallGroupNotFound,
    FirewallPolicyNotFound,
    FirewallRuleNotFound,
)
from netweft.control.standard import UseCases
from netweft.model.fwaas import DESTINATION_ADDRESSES, SOURCE_ADDRESSES
from netweft.plugins.identity import Context
from netweft.store import Object, ReadTransaction, Store

_PREFIX = "fwaas/"
_MOST_PORTS = 16_384  # of a group
_PORTS = re.compile("[0-9]{1,5}(:[0-9]{1,5})?")  # in ASCII
_LAST_PORT = 65535
_SHARED = flag(post=True, put=True, default=False, filter=True, sort=True)
_POLICY = Attribute(check=checks.or_none(checks.uuid_text), post=True, put=True, default=None, filter=True, sort=True)


def lower(check: checks.Check) -> checks.Check:
    return lambda value: check(value.lower() if isinstance(value, str) else value)


def port_range(value: Any) -> str | None:
    """`first:last`, or one port, as text."""
    if value is None:
        return None
    text = str(value)
    if isinstance(value, bool) or not _PORTS.fullmatch(text):
        raise Invalid(f"'{value}' is not a port, nor a range of ports as first:last")
    first, _, last = text.partition(":")
    ends = int(first), int(last or first)
    if ends[1] > _LAST_PORT:
        raise Invalid(f"Invalid port: {ends[1]}, the port must be in the range [0, {_LAST_PORT}]")
    if ends[0] > ends[1]:
        raise Invalid("First port in a port range must be lower than the second port")
    return f"{ends[0]}:{ends[1]}" if last else str(ends[0])


def _said(check: checks.Check, default: Any = None) -> Attribute:
    return Attribute(check=check, parse=check, post=True, put=True, default=default, filter=True, sort=True)


def _ids(most: int) -> Attribute:
    check = checks.list_of(checks.uuid_text, unique=True, most=most)
    return Attribute(check=check, post=True, put=True, default=None, filter=True)


_ADDRESS = _said(checks.or_none(checks.ip_prefix))
_ADDRESSES = _said(checks.or_none(checks.uuid_text))
_RANGE = Attribute(check=port_range, post=True, put=True, default=None)

GROUP = STANDARD | {
    "status": Attribute(check=READ_ONLY, filter=True),
    "admin_state_up": ADMIN_STATE,
    "shared": _SHARED,
    **dict.fromkeys(status.POLICIES, _POLICY),
    "ports": _ids(_MOST_PORTS),
}
POLICY = STANDARD | {
    "audited": flag(post=True, put=True, default=False, filter=True, sort=True),
    "shared": _SHARED,
    rules.RULES: _ids(policies.MOST),
}
RULE = STANDARD | {
    "action": _said(lower(checks.one_of("allow", "deny", "reject")), "deny"),
    "protocol": _said(lower(checks.one_of("dccp", "icmp", "ipv6-icmp", "sctp", "tcp", "udp", None))),
    "ip_version": _said(checks.ip_version, 4),
    "source_ip_address": _ADDRESS,
    "destination_ip_address": _ADDRESS,
    SOURCE_ADDRESSES: _ADDRESSES,
    DESTINATION_ADDRESSES: _ADDRESSES,
    "source_port": _RANGE,
    "destination_port": _RANGE,
    "enabled": flag(post=True, put=True, default=True, filter=True, sort=True),
    "shared": _SHARED,
    "firewall_policy_id": Attribute(check=READ_ONLY),
    "position": Attribute(check=READ_ONLY),
}


def default_maker(store: Store) -> BeforeList:
    def make_default(context: Context, filters: Mapping[str, Sequence[Any]]) -> None:
        """Of the requested project, else of the caller's; only an admin makes another's."""
        project = next(iter(filters.get("project_id", ())), context.project_id)
        if not project or (project != context.project_id and not context.is_admin):
            return
        with store.read() as tx:
            there = groups.default_exists(tx, project)
        if not there:
            store.run(lambda tx: groups.default_of(tx, project))

    return make_default


def _of_policies(tx: ReadTransaction, found: Sequence[Object]) -> Sequence[Object]:
    """Which policies name each of the rules; in none of them has it a place of its own to tell."""
    users = rules.policies_with(tx, [rule["id"] for rule in found])
    return [rule | {"firewall_policy_id": users[rule["id"]] or None, "position": None} for rule in found]


def _refuse(tx: ReadTransaction, context: Context, current: Object | None, wanted: Object | None) -> None:
    if current is not None and wanted is not None and not context.is_admin:
        groups.refuse_to_change_default(current, wanted)


def _keep_default(group: Object) -> None:
    if groups.is_default(group):
        raise FirewallGroupCannotRemoveDefault()


Told = Callable[[], None] | None


def firewall_group(use_cases: UseCases, make_default: BeforeList, after: Told) -> Resource:
    return Resource(
        member="firewall_group",
        collection="firewall_groups",
        prefix=_PREFIX,
        keeps_underscores=True,
        quota=10,
        attributes=GROUP,
        use_cases=use_cases,
        not_found=FirewallGroupNotFound,
        present=status.with_status,
        before_list=make_default,
        after=after,
        refuse=_refuse,
        refuse_delete=_keep_default,
        computed=frozenset({"status"}),
    )


def firewall_policy(use_cases: UseCases, make_default: BeforeList, after: Told) -> Resource:
    return Resource(
        member="firewall_policy",
        collection="firewall_policies",
        prefix=_PREFIX,
        keeps_underscores=True,
        quota=10,
        attributes=POLICY,
        use_cases=use_cases,
        not_found=FirewallPolicyNotFound,
        before_list=make_default,
        after=after,
    )


def firewall_rule(use_cases: UseCases, make_default: BeforeList, after: Told) -> Resource:
    return Resource(
        member="firewall_rule",
        collection="firewall_rules",
        prefix=_PREFIX,
        keeps_underscores=True,
        quota=100,
        attributes=RULE,
        use_cases=use_cases,
        not_found=FirewallRuleNotFound,
        present=_of_policies,
        before_list=make_default,
        after=after,
        computed=frozenset({"firewall_policy_id", "position"}),
    )
