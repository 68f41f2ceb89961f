"""Firewall policies: rules in an order, the first that is true of a packet decides.

A policy names its rules; a rule may be in several.  Whatever changes what a policy does takes `audited` away, unless
the same request says that it was audited.
"""

from collections.abc import Sequence

from netweft.control.errors import InvalidInput
from netweft.control.fwaas import places, status
from netweft.control.fwaas.errors import (
    FirewallDefaultObjectUpdateRestricted,
    FirewallDefaultParameterExists,
    FirewallPolicyInUse,
    FirewallPolicySharingConflict,
    FirewallRuleAlreadyAssociated,
    FirewallRuleConflict,
    FirewallRuleNotAssociatedWithPolicy,
    FirewallRuleNotFound,
    FirewallRuleSharingConflict,
)
from netweft.control.fwaas.rules import POLICIES as KIND
from netweft.control.fwaas.rules import RULES
from netweft.control.standard import born, bumped
from netweft.model.fwaas import PLACES
from netweft.store import Link, New, Object, ReadTransaction, WriteTransaction

GROUPS = "firewall_groups"
DEFAULT_INGRESS, DEFAULT_EGRESS = DEFAULTS = ("default ingress", "default egress")  # names that a project's own have
MOST = 16_384  # rules of one


class FirewallPolicies:
    def create(self, tx: WriteTransaction, wanted: list[Object]) -> list[Object]:
        for one in wanted:
            _refuse_reserved(one["name"])
        policies = [born(one, **{RULES: list(one[RULES] or ())}) for one in wanted]
        insert(tx, policies)
        return policies

    def update(self, tx: WriteTransaction, current: Object, changes: Object) -> Object:
        if current["name"] in DEFAULTS:
            raise FirewallDefaultObjectUpdateRestricted(resource_type="Firewall Policy", resource_id=current["id"])
        _refuse_reserved(changes.get("name", ""))
        after = current | changes
        if current["shared"] and not after["shared"]:
            _refuse_used_by_others(tx, current)
        if RULES in changes:
            _check_rules(tx, after)
        elif after["shared"] and not current["shared"]:
            _refuse_unshared_rules(tx, after)
        changes = changes | {"audited": changes.get("audited", False)}
        if after[RULES] == current[RULES]:
            return _write(tx, current, changes)
        changes[PLACES] = places.renewed(current, after[RULES])
        return _write(tx, current, changes, sorted(set(current[RULES]) ^ set(after[RULES])))

    def delete(self, tx: WriteTransaction, current: Object) -> None:
        if tx.referrers(KIND, current["id"]):
            raise FirewallPolicyInUse(firewall_policy_id=current["id"])
        tx.delete(KIND, current["id"])


def insert(tx: WriteTransaction, policies: Sequence[Object]) -> None:
    for policy in policies:
        _check_rules(tx, policy)
        policy[PLACES] = places.spread(len(policy[RULES]))
    tx.insert_many(KIND, [New(policy, [_link(id) for id in policy[RULES]]) for policy in policies])


def insert_rule(tx: WriteTransaction, policy: Object, rule_id: str, before: str | None, after: str | None) -> Object:
    """Before or after one that is there, `before` counts; else first of all."""
    rules = list(policy[RULES])
    if rule_id in rules:
        raise FirewallRuleAlreadyAssociated(firewall_rule_id=rule_id, firewall_policy_id=policy["id"])
    other = before or after
    place = 0 if not other else _place(policy, other) + (0 if before else 1)
    rules.insert(place, rule_id)
    _check_rules(tx, policy | {RULES: rules}, only=[rule_id])
    return _write(tx, policy, _order(rules, places.with_one_more(policy, place)), [rule_id])


def remove_rule(tx: WriteTransaction, policy: Object, rule_id: str) -> Object:
    if tx.get("firewall_rules", rule_id) is None:
        raise FirewallRuleNotFound(id=rule_id)
    place = _place(policy, rule_id)
    left = [id for id in policy[RULES] if id != rule_id]
    return _write(tx, policy, _order(left, places.with_one_less(policy, place)), [rule_id])


def _order(rules: Sequence[str], where: Sequence[int]) -> Object:
    return {RULES: rules, PLACES: where, "audited": False}


def _place(policy: Object, rule_id: str) -> int:
    if rule_id not in policy[RULES]:
        raise FirewallRuleNotAssociatedWithPolicy(firewall_rule_id=rule_id, firewall_policy_id=policy["id"])
    place: int = policy[RULES].index(rule_id)
    return place


def _write(tx: WriteTransaction, current: Object, changes: Object, turned: Sequence[str] = ()) -> Object:
    """turned: the ids of rules that come into it, or go."""
    after = changes.get(RULES, ())
    links = {link.attribute: [link] if link.id in after else [] for link in map(_link, turned)}
    updated = tx.update(KIND, current["id"], bumped(current, changes), links)
    if PLACES in changes:
        status.pend_users(tx, [current["id"]])
    return updated


def _link(rule_id: str) -> Link:
    """Each by a name of its own, so that one rule more is one link more, whatever the length of the policy."""
    return Link(f"{RULES}:{rule_id}", "firewall_rules", rule_id)


def _check_rules(tx: WriteTransaction, policy: Object, only: Sequence[str] | None = None) -> None:
    """All there, and for this policy to have.  only: of these."""
    if len(policy[RULES]) > MOST:
        raise InvalidInput(f"a firewall policy has at most {MOST} rules")
    wanted: Sequence[str] = policy[RULES] if only is None else only
    rules = tx.get_many("firewall_rules", set(wanted))
    for id in wanted:
        rule = rules.get(id)
        if rule is None:
            raise FirewallRuleNotFound(id=id)
        if rule["shared"]:
            continue
        if policy["shared"]:
            raise FirewallRuleSharingConflict(firewall_rule_id=id, firewall_policy_id=policy["id"])
        if rule["project_id"] != policy["project_id"]:
            raise FirewallRuleConflict(firewall_rule_id=id, project_id=rule["project_id"])


def _refuse_unshared_rules(tx: WriteTransaction, policy: Object) -> None:
    for id, rule in tx.get_many("firewall_rules", set(policy[RULES])).items():
        if not rule["shared"]:
            raise FirewallPolicySharingConflict(firewall_rule_id=id, firewall_policy_id=policy["id"])


def _refuse_used_by_others(tx: ReadTransaction, policy: Object) -> None:
    groups = {user.id for user in tx.referrers(KIND, policy["id"], source_kind=GROUPS)}
    if any(group["project_id"] != policy["project_id"] for group in _glance(tx, groups)):
        raise FirewallPolicyInUse(firewall_policy_id=policy["id"])


def _glance(tx: ReadTransaction, groups: set[str]) -> Sequence[Object]:
    """Whose they are does not change."""
    reading = tx.glance if isinstance(tx, WriteTransaction) else tx
    return list(reading.get_many(GROUPS, groups).values())


def _refuse_reserved(name: str) -> None:
    if name in DEFAULTS:
        raise FirewallDefaultParameterExists(resource_type="Firewall Policy", name=name)
