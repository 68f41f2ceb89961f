"""The change log: what changed, at which revision, without gaps.

A revision is a transaction.  In SQLite, with its one writer, they are counted.  In PostgreSQL transactions overlap and
commit in any order, so a number drawn from a sequence may become visible after a greater one.  There the revision is
the transaction's own id, and a reader takes only those below `pg_snapshot_xmin` of its snapshot: all of them are over,
and whatever commits later has a greater one.  (A long writing transaction elsewhere in the cluster thus holds the feed
up; it never makes it skip.)
"""

import time
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple
from uuid import uuid4

from sqlalchemy import Connection, bindparam, delete, func, insert, select, text, update

from netweft.store.errors import ChangesGone
from netweft.store.schema import changes, meta

Operation = Literal["insert", "update", "delete"]
CHANNEL = "netweft_changes"
_SETTLED = text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1")
_NEXT = text("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
_NOTIFY = text(f"SELECT pg_current_xact_id()::text::bigint, pg_notify('{CHANNEL}', '')")
_LAST = select(func.coalesce(func.max(changes.c.revision), 0))
_insert = insert(changes)
_columns = (changes.c.revision, changes.c.kind, changes.c.id, changes.c.op)
_between = (
    select(*_columns)
    .where(changes.c.revision > bindparam("after"), changes.c.revision <= bindparam("until"))
    .order_by(changes.c.revision)
    .limit(bindparam("limit"))
)
_at = select(*_columns).where(changes.c.revision == bindparam("revision"))
_pruned = select(meta.c.value).where(meta.c.key == "pruned")


class Change(NamedTuple):
    revision: int
    kind: str
    id: str
    op: Operation


def append(connection: Connection, changed: Mapping[tuple[str, str], Operation]) -> None:
    """At the end of a transaction: its one revision, all that it changed."""
    if connection.dialect.name == "postgresql":
        revision = connection.execute(_NOTIFY).one()[0]
    else:
        revision = settled(connection) + 1
    now = time.time()
    rows = [{"revision": revision, "kind": kind, "id": id, "op": op, "at": now} for (kind, id), op in changed.items()]
    connection.execute(_insert, rows)


def settled(connection: Connection) -> int:
    """The last revision that this snapshot has seen, and none before it can still come."""
    revision: int = connection.scalar(_SETTLED if connection.dialect.name == "postgresql" else _LAST) or 0
    return revision


def is_settling(connection: Connection) -> bool:
    """Whether there are changes that are committed, and must wait for an older transaction to end."""
    return connection.dialect.name == "postgresql" and (connection.scalar(_LAST) or 0) > settled(connection)


def read(connection: Connection, after: int, limit: int) -> list[Change]:
    """In order.  A transaction is never split: somewhat more than `limit` may come."""
    if after < int(connection.scalar(_pruned) or 0):
        raise ChangesGone
    until = settled(connection)
    rows = _as_changes(connection.execute(_between, {"after": after, "until": until, "limit": limit}))
    if len(rows) < limit or not rows:
        return rows
    last = rows[-1].revision
    whole = _as_changes(connection.execute(_at, {"revision": last}))
    return [row for row in rows if row.revision < last] + whole


def _as_changes(rows: Iterable[tuple[int, str, str, Operation]]) -> list[Change]:
    return [Change(*row) for row in rows]


def begin_again_if_restored(connection: Connection) -> None:
    """A dump that was restored into another PostgreSQL cluster has revisions that are not reached there yet: followers
    would wait for them, and then take others' for them.  So another history begins."""
    if connection.dialect.name != "postgresql":
        return
    connection.execute(select(meta.c.value).where(meta.c.key == "history").with_for_update())
    ahead = max(connection.scalar(_LAST) or 0, int(connection.scalar(_pruned) or 0))
    if ahead >= (connection.scalar(_NEXT) or 0):
        connection.execute(delete(changes))
        for key, value in (("pruned", "0"), ("history", uuid4().hex)):
            connection.execute(update(meta).where(meta.c.key == key).values(value=value))


def prune(connection: Connection, *, older_than: float, keep: int) -> None:
    """Forget what is older than a time stamp, and all but the newest `keep` rows.  The last one always stays."""
    newest = select(changes.c.revision).order_by(changes.c.revision.desc())
    last = connection.scalar(newest.limit(1))
    oldest_kept = connection.scalar(newest.offset(max(keep, 1) - 1).limit(1))
    aged = connection.scalar(select(func.max(changes.c.revision)).where(changes.c.at < older_than))
    mark = max(aged or 0, (oldest_kept or 1) - 1)
    mark = min(mark, (last or 1) - 1)
    if mark > int(connection.scalar(_pruned) or 0):
        connection.execute(delete(changes).where(changes.c.revision <= mark))
        connection.execute(update(meta).where(meta.c.key == "pruned").values(value=str(mark)))
