"""A balancer that is held alone, with all below it: who may change it now, and what is marked as changing.

Statuses of children are not kept: which change of the balancer a child was last part of is (decision 0561).  So a
balancer becomes ACTIVE, with all below it, by one row that is written.
"""

import uuid
from collections.abc import Iterable
from typing import Final

from netweft.control import locks
from netweft.control.lb import vocabulary
from netweft.control.lb.errors import Immutable, LbNotFound, PendingState
from netweft.control.lb.vocabulary import ACTIVE, BALANCERS, PENDING_CREATE, PENDING_DELETE, PENDING_UPDATE
from netweft.control.standard import now
from netweft.model.load_balancer import LOAD_BALANCER
from netweft.store import New, Object, Query, ReadTransaction, WriteTransaction

CHANGE: Final = "netweft:change"  # of a balancer: how often it was changed; of a child: which of these it was part of
PENDING: Final = "netweft:pending"  # of a child: what it is until that change is in place
AFFECTED: Final = "netweft:affected"  # of a balancer: the children that its last change is about besides those


class Tree:
    """begin: says that it is about to change; raises when it may not."""

    def __init__(self, tx: WriteTransaction, balancer: Object) -> None:
        self.tx, self.balancer = tx, balancer
        self.id: str = balancer["id"]
        self._rows: dict[str, dict[str, Object]] = {}

    @classmethod
    def of(cls, tx: WriteTransaction, id: str | None, title: str = vocabulary.TITLES[BALANCERS]) -> "Tree":
        balancer = tx.lock(BALANCERS, id) if id else None
        if balancer is None:
            raise LbNotFound(resource=title, id=id)
        return cls(tx, balancer)

    def begin(self, *, child: bool = True) -> None:
        status = self.balancer["provisioning_status"]
        if status != ACTIVE and child:
            raise Immutable(resource="Load Balancer", id=self.id)
        self._becomes(PENDING_UPDATE)

    def begin_to_go(self) -> None:
        self._becomes(PENDING_DELETE)

    def _becomes(self, status: str) -> None:
        if self.balancer["provisioning_status"] != ACTIVE:
            raise PendingState(state=self.balancer["provisioning_status"], id=self.id)
        changes = {"provisioning_status": status, CHANGE: self.balancer[CHANGE] + 1, AFFECTED: []}
        self.balancer = self.tx.update(BALANCERS, self.id, changes)

    def affects(self, ids: Iterable[str | None]) -> None:
        """Children that are not written and are PENDING_UPDATE too."""
        more = {id for id in ids if id} - set(self.balancer[AFFECTED])
        if more:
            self.balancer = self.tx.update(BALANCERS, self.id, {AFFECTED: sorted({*self.balancer[AFFECTED], *more})})

    # -- what is below

    def rows(self, kind: str) -> dict[str, Object]:
        """Of this tree, by id; a copy of what is kept, in the order in which they were made."""
        if kind not in self._rows:
            found = self.tx.glance.query(kind, Query({LOAD_BALANCER: [self.id]}, sort=[("created_at", False)]))
            self._rows[kind] = {row["id"]: row for row in found}
        return self._rows[kind]

    def of_pool(self, kind: str, pool_id: str) -> list[Object]:
        return [row for row in self.rows(kind).values() if row["pool_id"] == pool_id]

    def insert(self, kind: str, wanted: Iterable[Object]) -> list[Object]:
        made = [self._born(one) for one in wanted]
        self.tx.insert_many(kind, [New(one) for one in made])
        if kind in self._rows:
            self._rows[kind] |= {one["id"]: one for one in made}
        return made

    def update(self, kind: str, id: str, changes: Object) -> Object:
        marks = {CHANGE: self.balancer[CHANGE], PENDING: PENDING_UPDATE, "updated_at": now()}
        return self._kept(kind, self.tx.update(kind, id, changes | marks))

    def write(self, kind: str, id: str, changes: Object) -> Object:
        """What changes with something else of the tree, and is not itself what was requested."""
        return self._kept(kind, self.tx.update(kind, id, changes))

    def delete(self, kind: str, ids: Iterable[str]) -> None:
        for id in ids:
            self.tx.delete(kind, id)
            self._rows.get(kind, {}).pop(id, None)

    def _kept(self, kind: str, row: Object) -> Object:
        if kind in self._rows:
            self._rows[kind][row["id"]] = row
        return row

    def _born(self, wanted: Object) -> Object:
        marks = {CHANGE: self.balancer[CHANGE], PENDING: PENDING_CREATE, LOAD_BALANCER: self.id}
        project = {"project_id": self.balancer["project_id"]}
        time = now()
        return {"id": str(uuid.uuid4())} | wanted | project | marks | {"created_at": time, "updated_at": time}


def held(tx: WriteTransaction, kind: str, id: str) -> tuple[Tree, Object]:
    """A child, and its tree.  Raises LbNotFound."""
    found = locks.to_change(tx, kind, id, {})
    if found is None:
        raise LbNotFound(resource=vocabulary.TITLES[kind], id=id)
    return Tree.of(tx, found[LOAD_BALANCER]), found


def under_way(balancer: Object | None, change: int) -> bool:
    """Whether it is this change of it that is, and no later one."""
    return balancer is not None and balancer["provisioning_status"] != ACTIVE and balancer[CHANGE] == change


def in_place(tx: WriteTransaction, id: str, change: int) -> bool:
    """What the balancer is to be since that change is so on its nodes.  Nothing, when it was changed again since, or
    goes."""
    balancer = tx.lock(BALANCERS, id)
    if balancer is None or not under_way(balancer, change) or balancer["provisioning_status"] == PENDING_DELETE:
        return False
    tx.update(BALANCERS, id, {"provisioning_status": ACTIVE, AFFECTED: [], "updated_at": now()})
    return True


def unfinished(tx: ReadTransaction) -> list[Object]:
    """Balancers whose last change may not be in place everywhere."""
    return tx.query(BALANCERS, Query({"provisioning_status": [PENDING_CREATE, PENDING_UPDATE, PENDING_DELETE]}))
