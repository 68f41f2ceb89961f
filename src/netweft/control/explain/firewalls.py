"""Checks of firewall groups, policies and rules: whether they let anything pass, and whether anything has them."""

from collections.abc import Iterator

from netweft.control import unsupported
from netweft.control.explain import codes
from netweft.control.explain.snapshot import Row, Snapshot, Told
from netweft.model.fwaas import FIREWALL_GROUP


def group_of(seen: Snapshot, port: Row) -> Iterator[Row]:
    return seen.many("firewall_groups", [port.get(FIREWALL_GROUP) or ""])


def not_enforced(seen: Snapshot, group: Row) -> Iterator[Told]:
    if why := unsupported.detail(dict(group)):
        yield Told(codes.FIREWALL_NOT_ENFORCED, why)


def admin_down(seen: Snapshot, group: Row) -> Iterator[Told]:
    if group["ports"] and not group["admin_state_up"]:
        yield Told(codes.FIREWALL_ADMIN_DOWN)


def no_ports(seen: Snapshot, group: Row) -> Iterator[Told]:
    if not group["ports"]:
        yield Told(codes.FIREWALL_NO_PORTS)


def nothing_in(seen: Snapshot, group: Row) -> Iterator[Told]:
    if not _lets(seen, group["ingress_firewall_policy_id"]):
        yield Told(codes.FIREWALL_NOTHING_IN)


def nothing_out(seen: Snapshot, group: Row) -> Iterator[Told]:
    if not _lets(seen, group["egress_firewall_policy_id"]):
        yield Told(codes.FIREWALL_NOTHING_OUT)


def allows_nothing(seen: Snapshot, policy: Row) -> Iterator[Told]:
    if not _lets(seen, policy["id"]):
        yield Told(codes.FIREWALL_POLICY_ALLOWS_NOTHING)


def rule_disabled(seen: Snapshot, rule: Row) -> Iterator[Told]:
    if not rule["enabled"]:
        yield Told(codes.FIREWALL_RULE_DISABLED)


def _lets(seen: Snapshot, policy_id: str | None) -> bool:
    """Something pass, by a rule that is enabled."""
    policy = seen.get("firewall_policies", policy_id)
    rules = seen.many("firewall_rules", policy["firewall_rules"] if policy is not None else ())
    return any(rule["enabled"] and rule["action"] == "allow" for rule in rules)
