"""The status of a firewall group, worked out when somebody looks: from what it is, and what nodes have said."""

from collections.abc import Sequence

from netweft.control.fwaas.groups import POLICIES
from netweft.store import Object, ReadTransaction

ACTIVE, INACTIVE, DOWN = "ACTIVE", "INACTIVE", "DOWN"


def with_status(tx: ReadTransaction, groups: Sequence[Object]) -> Sequence[Object]:
    return [group | {"status": _status(group)} for group in groups]


def _status(group: Object) -> str:
    """INACTIVE: it has nothing to do.  DOWN: its administrator has put it out of use: nothing passes."""
    if not group["ports"] or not any(group[name] for name in POLICIES):
        return INACTIVE
    return ACTIVE if group["admin_state_up"] else DOWN
