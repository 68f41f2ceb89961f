"""QoS policies and their rules, which are part of the policy; who has a policy, and which is a project's default."""

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from netweft.control.errors import Conflict, NotFound, UsedBy
from netweft.control.standard import Plain, born, bumped
from netweft.store import Claim, Link, New, Object, ReadTransaction, Taken, WriteTransaction

KIND = "policies"
POLICY = "qos_policy_id"  # of ports and networks
_DEFAULTS = "default_qos_policy"  # scope: a project holds one
_RULES = "qos_rule"  # scope: a policy holds its rules' ids


class QosPolicyNotFound(NotFound):
    message = "QoS policy %(id)s could not be found."


class QosRuleNotFound(NotFound):
    message = "QoS rule %(rule_id)s for policy %(policy_id)s could not be found."


class QosPolicyInUse(UsedBy):
    message = "QoS Policy %(policy_id)s is used by %(object_type)s %(object_id)s."
    unseen = "QoS Policy %(policy_id)s is used by another project."


class QoSPolicyDefaultAlreadyExists(Conflict):
    message = "A default QoS policy exists for project %(project_id)s."


class QoSRulesConflict(Conflict):
    message = "Rule %(new_rule_type)s conflicts with rule %(rule_id)s which already exists in QoS Policy %(policy_id)s."


class QoSRuleParameterConflict(Conflict):
    message = (
        "Unable to add the rule with value %(rule_value)s to the policy %(policy_id)s "
        "as the existing rule of type %(existing_rule)s has value %(existing_value)s."
    )


class QosPolicies(Plain):
    def __init__(self) -> None:
        super().__init__(KIND)

    def create(self, tx: WriteTransaction, wanted: list[Object]) -> list[Object]:
        policies = [born(one, rules=[]) for one in wanted]
        for policy in policies:
            claims = [_default_claim(policy)] if policy["is_default"] else []
            with _refusing_second_default(policy):
                tx.insert_many(KIND, [New(policy, claims=claims)])
        return policies

    def update(self, tx: WriteTransaction, current: Object, changes: Object) -> Object:
        is_default = changes.get("is_default", current["is_default"])
        if current["is_default"] and not is_default:
            tx.release(KIND, current["id"], [_default_claim(current)])
        elif is_default and not current["is_default"]:
            with _refusing_second_default(current):
                tx.claim(KIND, current["id"], [_default_claim(current)])
        return super().update(tx, current, changes)

    def delete(self, tx: WriteTransaction, current: Object) -> None:
        for user in tx.referrers(KIND, current["id"]):
            raise QosPolicyInUse(policy_id=current["id"], kind=user.kind, user=user.id)
        super().delete(tx, current)


@contextmanager
def _refusing_second_default(policy: Object) -> Iterator[None]:
    """What is claimed in this block is a project's one default policy."""
    try:
        yield
    except Taken as taken:
        raise QoSPolicyDefaultAlreadyExists(project_id=policy["project_id"]) from taken


# -- rules


def rule(policy: Object, type: str, id: str) -> Object:
    for one in policy["rules"]:
        if one["id"] == id and one["type"] == type:
            found: Object = one
            return found
    raise QosRuleNotFound(rule_id=id, policy_id=policy["id"])


def policy_of_rule(tx: ReadTransaction, id: str) -> str | None:
    """The id of the policy that has this rule."""
    holder = tx.holders(_RULES, [id]).get(id)
    return holder[1] if holder else None


def add_rule(tx: WriteTransaction, policy: Object, type: str, values: Object) -> Object:
    added = {"id": str(uuid.uuid4())} | values | {"type": type, POLICY: policy["id"]}
    _write(tx, policy, added)
    tx.claim(KIND, policy["id"], [Claim(_RULES, added["id"])])
    return added


def change_rule(tx: WriteTransaction, policy: Object, current: Object, changes: Object) -> Object:
    changed = current | changes
    _write(tx, policy, changed)
    return changed


def remove_rule(tx: WriteTransaction, policy: Object, current: Object) -> None:
    left = [one for one in policy["rules"] if one["id"] != current["id"]]
    tx.update(KIND, policy["id"], bumped(policy, {"rules": left}))
    tx.release(KIND, policy["id"], [Claim(_RULES, current["id"])])


def _write(tx: WriteTransaction, policy: Object, rule: Object) -> None:
    rules = {one["id"]: one for one in policy["rules"]} | {rule["id"]: rule}
    for other in policy["rules"]:
        if other["id"] != rule["id"]:
            _refuse_conflict(policy, rule, other)
    tx.update(KIND, policy["id"], bumped(policy, {"rules": list(rules.values())}))


def _refuse_conflict(policy: Object, rule: Object, other: Object) -> None:
    if rule["type"] == other["type"] and rule.get("direction") == other.get("direction"):
        raise QoSRulesConflict(new_rule_type=rule["type"], rule_id=other["id"], policy_id=policy["id"])
    least, most = (rule.get("min_kbps"), other.get("max_kbps")), (other.get("min_kbps"), rule.get("max_kbps"))
    for low, high in (least, most):
        if low is not None and high is not None and low > high:
            mine, theirs = (low, high) if rule.get("min_kbps") is not None else (high, low)
            raise QoSRuleParameterConflict(
                rule_value=mine, policy_id=policy["id"], existing_rule=other["type"], existing_value=theirs
            )


# -- who has a policy


def links(user: Object) -> list[Link]:
    return [Link(POLICY, KIND, user[POLICY])] if user.get(POLICY) else []


def refuse_missing(tx: ReadTransaction, users: Iterable[Object]) -> None:
    wanted = {id for user in users if (id := user.get(POLICY))}
    for id in wanted.difference(tx.get_many(KIND, wanted) if wanted else ()):
        raise QosPolicyNotFound(id=id)


def default_of(tx: ReadTransaction, project_id: str) -> str | None:
    """The id of the policy that the project's new networks get."""
    holder = tx.holders(_DEFAULTS, [project_id]).get(project_id)
    return holder[1] if holder else None


def _default_claim(policy: Object) -> Claim:
    return Claim(_DEFAULTS, policy["project_id"])
