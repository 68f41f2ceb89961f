"""What is told of balancers and what is below them besides what is kept: who belongs to whom, and how they are.

One look at the balancers of all that are shown, and one for each kind of children that they tell of.

Operating statuses are worked out, not kept, but for what health monitors say of members (decision 0561): whatever is
disabled, or is below what is, is OFFLINE; a pool is as its members are, a balancer as its pools.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from netweft.control.lb.members import SAID
from netweft.control.lb.tree import AFFECTED, CHANGE, PENDING
from netweft.control.lb.vocabulary import (
    ACTIVE,
    BALANCERS,
    L7RULES,
    LISTENERS,
    MEMBERS,
    MONITORS,
    PENDING_CREATE,
    PENDING_DELETE,
    PENDING_UPDATE,
    POLICIES,
    POOLS,
)
from netweft.control.unsupported import LACKS
from netweft.model.load_balancer import DEGRADED, DRAINING, ERROR, LOAD_BALANCER, OFFLINE, ONLINE
from netweft.store import Object, Query, ReadTransaction

COMPUTED: Final = frozenset({"provisioning_status", "operating_status"})


class Around:
    """Of rows of one kind: the balancers that they belong to, and on demand what else these have."""

    def __init__(self, tx: ReadTransaction, rows: Sequence[Object], *, of_balancers: bool = False) -> None:
        self._tx = tx
        self._ids = list(dict.fromkeys(row["id" if of_balancers else LOAD_BALANCER] for row in rows))
        self.balancers = {row["id"]: row for row in rows} if of_balancers else tx.get_many(BALANCERS, self._ids)
        self._below: dict[str, list[Object]] = {}

    def below(self, kind: str) -> list[Object]:
        if kind not in self._below:
            query = Query({LOAD_BALANCER: self._ids}, sort=[("created_at", False)])
            self._below[kind] = self._tx.query(kind, query)
        return self._below[kind]

    def ids_by(self, kind: str, attribute: str) -> Mapping[str, list[Object]]:
        """What an attribute names -> [{"id": ...}] of those that name it."""
        found: dict[str, list[Object]] = {}
        for row in self.below(kind):
            if row[attribute]:
                found.setdefault(row[attribute], []).append({"id": row["id"]})
        return found

    def pools(self) -> dict[str, Object]:
        return {row["id"]: row for row in self.below(POOLS)}

    def status(self, row: Object) -> str:
        """Provisioning, of a child."""
        balancer = self.balancers[row[LOAD_BALANCER]]
        if balancer["provisioning_status"] in (ACTIVE, PENDING_DELETE):  # what is below it goes with it
            return str(balancer["provisioning_status"])
        if row[CHANGE] == balancer[CHANGE]:
            return str(row[PENDING])
        return PENDING_UPDATE if row["id"] in balancer[AFFECTED] else ACTIVE

    def is_up(self, row: Object) -> bool:
        """Neither it nor its balancer is disabled, and it has been there before."""
        balancer = self.balancers[row[LOAD_BALANCER]]
        return bool(row["admin_state_up"] and balancer["admin_state_up"] and self.status(row) != PENDING_CREATE)


def present(tx: ReadTransaction, kind: str, rows: Sequence[Object]) -> list[Object]:
    if not rows:
        return []
    around = Around(tx, rows, of_balancers=kind == BALANCERS)
    told = _OF[kind](around, rows)
    return [row | more for row, more in zip(rows, told, strict=True)]


def _balancers(around: Around, rows: Sequence[Object]) -> Iterable[Object]:
    of_listeners, of_pools = (around.ids_by(kind, LOAD_BALANCER) for kind in (LISTENERS, POOLS))
    healths = _pools_health(around)
    by_balancer: dict[str, list[str]] = {}
    for pool in around.below(POOLS):
        by_balancer.setdefault(pool[LOAD_BALANCER], []).append(healths[pool["id"]])
    lacked = _lacked(around, rows)
    for row in rows:
        up = row["admin_state_up"] and row["provisioning_status"] != PENDING_CREATE
        yield {
            "listeners": of_listeners.get(row["id"], []),
            "pools": of_pools.get(row["id"], []),
            "operating_status": worst([*by_balancer.get(row["id"], ()), *lacked.get(row["id"], ())]) if up else OFFLINE,
        }


def _lacked(around: Around, rows: Sequence[Object]) -> dict[str, list[str]]:
    """balancer -> what follows from what some mechanism does not carry of it."""
    found: dict[str, list[str]] = {}
    listeners = [(row[LOAD_BALANCER], row) for row in around.below(LISTENERS) if row["admin_state_up"]]
    for id, row in [*((row["id"], row) for row in rows), *listeners]:
        if row.get(LACKS):
            found.setdefault(id, []).append(ERROR)
    return found


def _common(around: Around, row: Object) -> Object:
    status = around.status(row)
    well = DEGRADED if row.get(LACKS) else ONLINE
    return {
        "provisioning_status": status,
        "operating_status": well if around.is_up(row) else OFFLINE,
        "updated_at": None if status == PENDING_CREATE else row["updated_at"],
    }


def _listeners(around: Around, rows: Sequence[Object]) -> Iterable[Object]:
    policies = around.ids_by(POLICIES, "listener_id")
    for row in rows:
        more = {"loadbalancers": [{"id": row[LOAD_BALANCER]}], "l7policies": policies.get(row["id"], [])}
        told = _common(around, row) | more
        yield told | ({"operating_status": ERROR} if told["operating_status"] == DEGRADED else {})


def _pools(around: Around, rows: Sequence[Object]) -> Iterable[Object]:
    members, healths = around.ids_by(MEMBERS, "pool_id"), _pools_health(around)
    leading = _leading(around)
    for row in rows:
        yield _common(around, row) | {
            "loadbalancers": [{"id": row[LOAD_BALANCER]}],
            "listeners": [{"id": id} for id in leading.get(row["id"], ())],
            "members": members.get(row["id"], []),
            "operating_status": healths.get(row["id"], OFFLINE) if leading.get(row["id"]) else OFFLINE,
        }


def _leading(around: Around) -> Mapping[str, list[str]]:
    """Pool -> listeners: by default, and by L7 policies."""
    found: dict[str, dict[str, None]] = {}
    for listener in around.below(LISTENERS):
        if listener["default_pool_id"]:
            found.setdefault(listener["default_pool_id"], {})[listener["id"]] = None
    for policy in around.below(POLICIES):
        if policy["redirect_pool_id"]:
            found.setdefault(policy["redirect_pool_id"], {})[policy["listener_id"]] = None
    return {pool: list(listeners) for pool, listeners in found.items()}


def _pools_health(around: Around) -> dict[str, str]:
    healths: dict[str, list[str]] = {}
    for member in around.below(MEMBERS):
        healths.setdefault(member["pool_id"], []).append(member["operating_status"])
    return {row["id"]: _of_members(healths.get(row["id"], ()), up=around.is_up(row)) for row in around.below(POOLS)}


def _of_members(statuses: Sequence[str], *, up: bool) -> str:
    if not up:
        return OFFLINE
    failed = sum(status == ERROR for status in statuses)
    return ONLINE if not failed else ERROR if failed == len(statuses) else DEGRADED


def worst(statuses: Iterable[str]) -> str:
    """Of pools, for what leads to them; what is disabled is no fault."""
    found = set(statuses)
    return ERROR if ERROR in found else DEGRADED if DEGRADED in found else ONLINE


def _members(around: Around, rows: Sequence[Object]) -> Iterable[Object]:
    pools = around.pools()
    for row in rows:
        up = around.is_up(row | {"admin_state_up": row["admin_state_up"] and pools[row["pool_id"]]["admin_state_up"]})
        born = around.status(row) == PENDING_CREATE
        yield _common(around, row) | row[SAID] | {"operating_status": _of_member(row) if up or born else OFFLINE}


def _of_member(row: Object) -> str:
    """One that is well and gets nothing new is drained."""
    kept = str(row["operating_status"])
    if kept not in (ONLINE, DRAINING):
        return kept
    return ONLINE if row["weight"] else DRAINING


def _monitors(around: Around, rows: Sequence[Object]) -> Iterable[Object]:
    for row in rows:
        yield _common(around, row) | {"pools": [{"id": row["pool_id"]}]}


def _policies(around: Around, rows: Sequence[Object]) -> Iterable[Object]:
    rules = around.ids_by(L7RULES, "l7policy_id")
    for row in rows:
        yield _common(around, row) | {"rules": rules.get(row["id"], [])}


def _rules(around: Around, rows: Sequence[Object]) -> Iterable[Object]:
    for row in rows:
        yield _common(around, row)


_OF: Final[Mapping[str, Callable[[Around, Sequence[Object]], Iterable[Object]]]] = {
    BALANCERS: _balancers,
    LISTENERS: _listeners,
    POOLS: _pools,
    MEMBERS: _members,
    MONITORS: _monitors,
    POLICIES: _policies,
    L7RULES: _rules,
}
