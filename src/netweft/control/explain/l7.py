"""Checks of what steers a load balancer's requests and members: L7 policies, their rules, health monitors."""

from collections.abc import Iterator

from netweft.control.explain import codes
from netweft.control.explain.snapshot import Row, Snapshot, Told
from netweft.control.lb.vocabulary import L7RULES


def no_rules(seen: Snapshot, policy: Row) -> Iterator[Told]:
    """One that has none is true of nothing."""
    if not any(seen.all(L7RULES, l7policy_id=policy["id"], admin_state_up=True)):
        yield Told(codes.L7POLICY_NO_RULES)


def rule_admin_down(seen: Snapshot, rule: Row) -> Iterator[Told]:
    if not rule["admin_state_up"]:
        yield Told(codes.L7RULE_ADMIN_DOWN, values={"policy": rule["l7policy_id"]})
