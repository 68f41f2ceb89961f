"""What a write transaction holds: the rows that it decides by, so that they still say so when it commits.

A row is held *shared* (nobody changes it) or *alone* (nobody else holds it either).  PostgreSQL does that with the
row's own lock, which whoever writes the row respects; and where rows are named beforehand, with a place in a queue
before that: a row that some always share would never be free for the one who wants it alone.  SQLite has one writer
anyway.  See decision 0260.
"""

import hashlib
from collections.abc import Collection, Iterable
from typing import Any, TypeAlias

from sqlalchemy import bindparam, select, text

from netweft.store.schema import objects
from netweft.store.sql import Among, Connection, Statement

Row: TypeAlias = tuple[str, str]
"""kind, id"""
Object: TypeAlias = dict[str, Any]

_MOST_QUEUED = 256  # of one transaction: PostgreSQL keeps them in a table of fixed size
_these = select(objects.c.id, objects.c.attrs).where(objects.c.kind == bindparam("k"), Among(objects.c.id, "ids"))
rows_of = Statement(_these)
_in_order = _these.order_by(objects.c.id)
# what refers to a row that is held alone, by a foreign key, may come and go
_locking = {
    False: Statement(_in_order.with_for_update(read=True)),
    True: Statement(_in_order.with_for_update(key_share=True)),
}
_queue = Statement(
    text(
        "SELECT CASE WHEN alone THEN pg_advisory_xact_lock(number) ELSE pg_advisory_xact_lock_shared(number) END"
        " FROM unnest(CAST(:numbers AS bigint[]), CAST(:alone AS boolean[])) AS wanted (number, alone)"
    )
)
_turn = Statement(text("SELECT pg_advisory_xact_lock(hashtextextended(:topic, 0))"))
_turns = Statement(
    text(
        "SELECT pg_advisory_xact_lock(hashtextextended(topic, 0))"
        " FROM unnest(CAST(:topics AS text[])) AS wanted (topic)"
    )
)
_turn_shared = Statement(text("SELECT pg_advisory_xact_lock_shared(hashtextextended(:topic, 0))"))


def take_turns(connection: Connection, topic: str, *, shared: bool = False) -> None:
    """Until this transaction ends, no other one is past this call, unless both share the turn."""
    if connection.is_postgresql:
        connection.first(_turn_shared if shared else _turn, topic=topic)


def take_all_turns(connection: Connection, topics: Iterable[str]) -> None:
    """In one order, that of their names, so that there is no deadlock."""
    wanted = sorted(topics)
    if connection.is_postgresql and wanted:
        connection.rows(_turns, topics=wanted)


class Held:
    """The rows that one transaction holds, as they are now."""

    # Two who share a row and then both want it alone wait for each other.  With tests it is a fault to come to that.
    upgrades_are_faults = False

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._alone: dict[Row, bool] = {}
        self._rows: dict[Row, Object] = {}

    def queue_for(self, shared: Iterable[Row], alone: Iterable[Row]) -> None:
        """All at once and in one order, so that there is no deadlock."""
        wanted = dict.fromkeys(shared, False) | dict.fromkeys(alone, True)
        if not wanted:
            return
        if self._connection.is_postgresql and len(wanted) <= _MOST_QUEUED:
            places = sorted((_number(row), is_alone) for row, is_alone in wanted.items())
            numbers, modes = [place[0] for place in places], [place[1] for place in places]
            self._connection.rows(_queue, numbers=numbers, alone=modes)
        for kind, is_alone in sorted({(row[0], is_alone) for row, is_alone in wanted.items()}):
            ids = [id for (of, id), mode in wanted.items() if of == kind and mode == is_alone]
            self.read(kind, ids, alone=is_alone)

    def read(self, kind: str, ids: Collection[str], *, alone: bool) -> dict[str, Object]:
        """Those that are there, in the order of their ids; held from now on."""
        missing = [id for id in ids if not self._holds((kind, id), alone)]
        for id, attrs in self._connection.rows(_locking[alone], k=kind, ids=missing) if missing else ():
            self._alone[kind, id] = alone
            self._rows[kind, id] = attrs
        return {id: dict(self._rows[kind, id]) for id in sorted(ids) if (kind, id) in self._rows}

    def changed(self, kind: str, object: Object) -> None:
        """Written by this transaction, which holds it alone by that."""
        self._alone[kind, object["id"]] = True
        self._rows[kind, object["id"]] = dict(object)

    def gone(self, kind: str, id: str) -> None:
        self._alone.pop((kind, id), None)
        self._rows.pop((kind, id), None)

    def refuse_upgrade(self, kind: str, id: str) -> None:
        """Before a row is written."""
        if self.upgrades_are_faults and self._alone.get((kind, id)) is False:
            raise AssertionError(f"{kind} {id} is shared, and then wanted alone: lock it first")

    def _holds(self, row: Row, alone: bool) -> bool:
        if alone:
            self.refuse_upgrade(*row)
        return self._alone.get(row, False) if alone else row in self._alone


def _number(row: Row) -> int:
    """A row's place among all locks."""
    return int.from_bytes(hashlib.blake2b("\0".join(row).encode(), digest_size=8).digest(), signed=True)
