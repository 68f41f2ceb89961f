"""The status of a firewall group, worked out on request: from what it is, and whether its nodes have it.

A change of a group, or of a policy or rule that it uses, makes it pending: the group counts its changes, and claims its
place among those that are pending.  `feed.settling` asks the nodes and gives the place back when they have it.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from netweft.control.fwaas.attachment import GROUPS
from netweft.control.unsupported import LACKS
from netweft.store import Claim, Object, ReadTransaction, WriteTransaction

ACTIVE, INACTIVE, DOWN, ERROR = "ACTIVE", "INACTIVE", "DOWN", "ERROR"
PENDING_CREATE, PENDING_UPDATE = "PENDING_CREATE", "PENDING_UPDATE"
POLICIES: Final = ("ingress_firewall_policy_id", "egress_firewall_policy_id")  # of a group
CHANGE: Final = "netweft:change"  # kept on a group: how often what it does has changed
_PENDING: Final = "pending_firewall_groups"  # scope


def pend(tx: WriteTransaction, ids: Collection[str]) -> None:
    """What these groups do has changed: they are written in this transaction."""
    groups = {id: group for id, group in tx.lock_many(GROUPS, set(ids)).items() if _has_work(group)}
    there = tx.holders(_PENDING, list(groups))
    for id, group in groups.items():
        tx.update(GROUPS, id, {CHANGE: change_of(group) + 1})
        if id not in there:
            tx.claim(GROUPS, id, [_claim(id)])


def pend_users(tx: WriteTransaction, policies: Iterable[str]) -> None:
    """All groups that have one of these policies."""
    ids = list(policies)
    pend(tx, {user.id for user in tx.referrers("firewall_policies", ids, source_kind=GROUPS)} if ids else ())


def users_of_policy(tx: ReadTransaction, policy: Object) -> list[tuple[str, str]]:
    """What changes with it, see control/locks.py."""
    return [(GROUPS, user.id) for user in tx.referrers("firewall_policies", policy["id"], source_kind=GROUPS)]


def users_of_rule(tx: ReadTransaction, rule: Object) -> list[tuple[str, str]]:
    policies = {user.id for user in tx.referrers("firewall_rules", rule["id"], source_kind="firewall_policies")}
    groups = tx.referrers("firewall_policies", policies, source_kind=GROUPS) if policies else []
    return [*(("firewall_policies", id) for id in sorted(policies)), *((GROUPS, user.id) for user in groups)]


def change_of(group: Object) -> int:
    return int(group.get(CHANGE, 0))


def pending(tx: ReadTransaction) -> list[str]:
    """The ids of groups whose last change may not be in place everywhere."""
    return sorted(tx.held(_PENDING))


def change_under_way(tx: ReadTransaction, id: str) -> int | None:
    group = tx.get(GROUPS, id)
    return change_of(group) if group is not None and tx.holders(_PENDING, [id]) else None


def in_place(tx: WriteTransaction, id: str, change: int) -> None:
    """Nothing, when it was changed again since."""
    group = tx.lock(GROUPS, id)
    if group is not None and change_of(group) == change and tx.holders(_PENDING, [id]):
        tx.release(GROUPS, id, [_claim(id)])


def with_status(tx: ReadTransaction, groups: Sequence[Object]) -> Sequence[Object]:
    waiting = tx.holders(_PENDING, [group["id"] for group in groups])
    return [group | {"status": _status(group, is_pending=group["id"] in waiting)} for group in groups]


def _status(group: Object, *, is_pending: bool) -> str:
    """INACTIVE: it has nothing to do.  ERROR: it is not enforced everywhere.  DOWN: its administrator has put it out
    of use: nothing passes."""
    if group.get(LACKS):
        return ERROR
    if not _has_work(group):
        return INACTIVE
    if not group["admin_state_up"]:
        return DOWN
    if not is_pending:
        return ACTIVE
    return PENDING_CREATE if change_of(group) == 1 else PENDING_UPDATE


def _has_work(group: Object) -> bool:
    return bool(group["ports"]) and any(group[name] for name in POLICIES)


def _claim(id: str) -> Claim:
    return Claim(_PENDING, id)
