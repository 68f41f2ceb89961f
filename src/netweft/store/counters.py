"""What nodes have counted of objects' traffic, within one transaction.  None of it is in the change log.

A node reports totals, so that one that is reported twice, or late, changes nothing.  When a total begins anew, the one
before
is added to what was earlier: sums never shrink.
"""

import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, ColumnElement, and_, bindparam, case, delete, exists, select
from sqlalchemy.dialects import postgresql, sqlite

from netweft.model.counting import OF_LISTENERS
from netweft.store.schema import COUNTS, counters, objects
from netweft.store.sql import Among, Connection, Statement

MOST = 2**62  # of what is added up: a column holds twice as much

_kind: BindParameter[str] = bindparam("k")


class Counts(NamedTuple):
    packets_in: int = 0
    bytes_in: int = 0
    packets_out: int = 0
    bytes_out: int = 0
    at: float = 0.0  # when a node has reported it last; 0: never


class Told(NamedTuple):
    """life: another one than before: the total began anew."""

    kind: str
    id: str
    life: int
    counts: Counts


def _upsert(insert: Any) -> Statement:
    statement = insert(counters)
    new, old = statement.excluded, counters.c
    same = new.life == old.life

    def least(value: ColumnElement[Any]) -> ColumnElement[Any]:
        return case((value > MOST, MOST), else_=value)

    changes: dict[str, Any] = {"life": new.life, "at": new.at}
    for name in COUNTS:
        earlier = old[f"earlier_{name}"]
        changes[name] = case((and_(same, new[name] < old[name]), old[name]), else_=new[name])
        changes[f"earlier_{name}"] = case((same, earlier), else_=least(earlier + old[name]))
    return Statement(statement.on_conflict_do_update(index_elements=["kind", "id", "node"], set_=changes))


def _set_to(insert: Any) -> Statement:
    statement = insert(counters)
    changes = {name: statement.excluded[name] for name in ("life", "at", *COUNTS)}
    return Statement(statement.on_conflict_do_update(index_elements=["kind", "id", "node"], set_=changes))


_set = {False: _set_to(sqlite.insert), True: _set_to(postgresql.insert)}
_tell = {False: _upsert(sqlite.insert), True: _upsert(postgresql.insert)}
_of = Statement(
    select(
        counters.c.id,
        counters.c.at,
        *(counters.c[name] for name in COUNTS),
        *(counters.c[f"earlier_{name}"] for name in COUNTS),
    ).where(counters.c.kind == _kind, Among(counters.c.id, "ids"))
)
_kind_of_row = case(OF_LISTENERS, value=counters.c.kind, else_=counters.c.kind)
_there = select(objects.c.id).where(objects.c.kind == _kind_of_row, objects.c.id == counters.c.id)
_tidy_up = Statement(delete(counters).where(~exists(_there)))


class Counters:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def tell(self, node: str, told: Iterable[Told]) -> None:
        """In one order, so that two nodes' reports do not wait for each other."""
        self._write(_tell, node, told)

    def set(self, node: str, told: Iterable[Told]) -> None:
        """What is no total, but as it is now."""
        self._write(_set, node, told)

    def _write(self, statement: Mapping[bool, Statement], node: str, told: Iterable[Told]) -> None:
        now, nothing = time.time(), {f"earlier_{name}": 0 for name in COUNTS}
        rows = [
            {"kind": one.kind, "id": one.id, "node": node, "life": one.life}
            | dict(zip(COUNTS, one.counts[:-1], strict=True))
            | nothing
            | {"at": now}
            for one in sorted(told)
        ]
        if rows:
            self._connection.run(statement[self._connection.is_postgresql], *rows)

    def sums(self, kind: str, ids: Collection[str], since: float = 0.0) -> dict[str, Counts]:
        """Of all nodes together; of those with reports.  since: by nodes that have reported it since."""
        found: dict[str, Counts] = {}
        for id, at, *values in self._connection.rows(_of, k=kind, ids=list(ids)) if ids else ():
            if at < since:
                continue
            before = found.get(id, Counts())
            parts = zip(before[:-1], values[: len(COUNTS)], values[len(COUNTS) :], strict=True)
            found[id] = Counts(*[sum(each) for each in parts])._replace(at=max(before.at, at))
        return found

    def tidy_up(self) -> None:
        self._connection.run(_tidy_up, {})
