"""How each kind below a balancer comes, changes and goes, in one form: what the API has no need to tell apart."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from netweft.control.lb import l7, listeners, members, monitors, pools
from netweft.control.lb.tls import Looked
from netweft.control.lb.tree import Tree
from netweft.control.lb.vocabulary import L7RULES, LISTENERS, MEMBERS, MONITORS, POLICIES, POOLS
from netweft.store import Object


class Uses(NamedTuple):
    """update: a row of the tree, and what changes.  delete: a row.  create: the row that it belongs to, and what is
    wanted; None: of the tree itself, by way of another use case."""

    update: Callable[[Tree, Object, Object, Looked], Object]
    delete: Callable[[Tree, Object], None]
    create: Callable[[Tree, Object, Object], Object] | None = None


def _pool(tree: Tree, row: Object) -> Object:
    return tree.rows(POOLS)[row["pool_id"]]


def _policy(tree: Tree, row: Object) -> Object:
    return tree.rows(POLICIES)[row["l7policy_id"]]


USES: Final[Mapping[str, Uses]] = {
    LISTENERS: Uses(listeners.update, listeners.delete),
    POOLS: Uses(pools.update, pools.delete),
    MEMBERS: Uses(
        lambda tree, row, changes, _: members.update(tree, _pool(tree, row), row, changes),
        lambda tree, row: members.delete(tree, _pool(tree, row), row),
        lambda tree, pool, wanted: members.create(tree, pool, [wanted])[0],
    ),
    MONITORS: Uses(
        lambda tree, row, changes, _: monitors.update(tree, _pool(tree, row), row, changes),
        lambda tree, row: monitors.delete(tree, _pool(tree, row), row),
        monitors.create,
    ),
    POLICIES: Uses(lambda tree, row, changes, _: l7.update(tree, row, changes), l7.delete, l7.create),
    L7RULES: Uses(
        lambda tree, row, changes, _: l7.update_rule(tree, _policy(tree, row), row, changes),
        lambda tree, row: l7.delete_rule(tree, _policy(tree, row), row),
        l7.create_rule,
    ),
}
