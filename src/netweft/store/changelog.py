"""The change log: what changed, at which revision, without gaps.

A revision is a transaction.  In SQLite, with its one writer, they are counted.  In PostgreSQL transactions overlap and
commit in any order, so a number drawn from a sequence may become visible after a greater one.  There the revision is
the transaction's own id, and a reader takes only those below `pg_snapshot_xmin` of its snapshot: all of them are over,
and whatever commits later has a greater one.  (A long writing transaction elsewhere in the cluster thus holds the feed
up; it never makes it skip.)
"""

import time
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from typing import Literal, NamedTuple
from uuid import uuid4

from sqlalchemy import bindparam, delete, func, insert, select, text, update

from netweft.spans.recording import current
from netweft.store.errors import ChangesGone
from netweft.store.schema import changes, meta
from netweft.store.sql import Connection, Row, Statement

Operation = Literal["insert", "update", "delete"]
# for whom this task or thread works: `user ID`, `node NAME`; the server itself, where nobody said
actor: ContextVar[str] = ContextVar("actor", default="server")
# the id of the request that it works for; None: for none
request: ContextVar[str | None] = ContextVar("request", default=None)
CHANNEL = "netweft_changes"
_SETTLED = Statement(text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1"))
_NEXT = Statement(text("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"))
_NOTIFY = Statement(text(f"SELECT pg_current_xact_id()::text::bigint, pg_notify('{CHANNEL}', '')"))
_LAST = Statement(select(func.coalesce(func.max(changes.c.revision), 0)))
_insert = Statement(insert(changes))
_columns = (changes.c.revision, changes.c.kind, changes.c.id, changes.c.op)
_causes = (changes.c.request, changes.c.span)
_between = Statement(
    select(*_columns, *_causes)
    .where(changes.c.revision > bindparam("after"), changes.c.revision <= bindparam("until"))
    .order_by(changes.c.revision)
    .limit(bindparam("limit"))
)
_of = Statement(
    select(changes.c.revision, changes.c.op, changes.c.at, changes.c.actor)
    .where(changes.c.kind == bindparam("k"), changes.c.id == bindparam("i"))
    .order_by(changes.c.revision.desc())
    .limit(bindparam("limit"))
)
_newest = Statement(
    select(*_columns, changes.c.at, changes.c.actor, changes.c.project, changes.c.name)
    .where(changes.c.revision < bindparam("before"))
    .order_by(changes.c.revision.desc(), changes.c.kind, changes.c.id)
    .limit(bindparam("limit"))
)
_at = Statement(select(*_columns, *_causes).where(changes.c.revision == bindparam("revision")))
_pruned = Statement(select(meta.c.value).where(meta.c.key == "pruned"))
_locked = Statement(select(meta.c.value).where(meta.c.key == "history").with_for_update())
_set = Statement(update(meta).where(meta.c.key == bindparam("k")).values(value=bindparam("v")))
_forget = Statement(delete(changes).where(changes.c.revision <= bindparam("until")))
_nth = Statement(select(changes.c.revision).order_by(changes.c.revision.desc()).limit(1).offset(bindparam("n")))
_aged = Statement(select(func.max(changes.c.revision)).where(changes.c.at < bindparam("time")))


class Change(NamedTuple):
    """request: the id of the request that made it.  span: that in which it was made, as a `traceparent`; None: of
    none that is recorded."""

    revision: int
    kind: str
    id: str
    op: Operation
    request: str | None = None
    span: str | None = None


class Past(NamedTuple):
    """What happened to one object.  at: seconds since 1970.  actor: see there; None: it was not kept then."""

    revision: int
    op: Operation
    at: float
    actor: str | None


class Gone(NamedTuple):
    """Of what is deleted: whose it was, and what it was called."""

    project: str | None = None
    name: str | None = None


_NOT_GONE = Gone()


class Entry(NamedTuple):
    """A change with all that is known of it, as in Past and, of a deletion, Gone."""

    revision: int
    kind: str
    id: str
    op: Operation
    at: float
    actor: str | None
    project: str | None = None
    name: str | None = None


def append(
    connection: Connection,
    changed: Mapping[tuple[str, str], Operation],
    gone: Mapping[tuple[str, str], Gone],
) -> None:
    """At the end of a transaction: its one revision, all that it changed."""
    revision = connection.scalar(_NOTIFY) if connection.is_postgresql else settled(connection) + 1
    now = time.time()
    span = current.get()
    causes = {"request": request.get(), "span": str(span.as_parent) if span is not None else None}
    same = {"revision": revision, "at": now, "actor": actor.get(), **causes}
    rows = (
        {"kind": key[0], "id": key[1], "op": op} | gone.get(key, _NOT_GONE)._asdict() | same
        for key, op in changed.items()
    )
    connection.run(_insert, *rows)


def settled(connection: Connection) -> int:
    """The last revision that this snapshot has seen, and none before it can still come."""
    revision: int = connection.scalar(_SETTLED if connection.is_postgresql else _LAST) or 0
    return revision


def is_settling(connection: Connection) -> bool:
    """Whether there are changes that are committed, and must wait for an older transaction to end."""
    return connection.is_postgresql and (connection.scalar(_LAST) or 0) > settled(connection)


def read(connection: Connection, after: int, limit: int) -> list[Change]:
    """In order.  A transaction is never split: somewhat more than `limit` may come."""
    if after < int(connection.scalar(_pruned) or 0):
        raise ChangesGone
    until = settled(connection)
    rows = _as_changes(connection.rows(_between, after=after, until=until, limit=limit))
    if len(rows) < limit or not rows:
        return rows
    last = rows[-1].revision
    whole = _as_changes(connection.rows(_at, revision=last))
    return [row for row in rows if row.revision < last] + whole


def of(connection: Connection, kind: str, id: str, limit: int) -> list[Past]:
    """The newest first, as far back as the log goes."""
    return [Past(*row) for row in connection.rows(_of, k=kind, i=id, limit=limit)]


def newest(connection: Connection, before: int, limit: int) -> list[Entry]:
    """Of all objects, the newest first, before a revision."""
    return [Entry(*row) for row in connection.rows(_newest, before=before, limit=limit)]


def _as_changes(rows: Iterable[Row]) -> list[Change]:
    return [Change(*row) for row in rows]


def begin_again_if_restored(connection: Connection) -> None:
    """A dump that was restored into another PostgreSQL cluster has revisions that are not reached there yet: followers
    would wait for them, and then take others' for them.  So another history begins."""
    if not connection.is_postgresql:
        return
    connection.first(_locked)
    ahead = max(connection.scalar(_LAST) or 0, int(connection.scalar(_pruned) or 0))
    if ahead >= (connection.scalar(_NEXT) or 0):
        connection.run(_forget, {"until": ahead})
        connection.run(_set, {"k": "pruned", "v": "0"}, {"k": "history", "v": uuid4().hex})


def prune(connection: Connection, *, older_than: float, keep: int) -> None:
    """Forget what is older than a time stamp, and all but the newest `keep` rows.  The last one always stays."""
    last = connection.scalar(_nth, n=0)
    oldest_kept = connection.scalar(_nth, n=max(keep, 1) - 1)
    aged = connection.scalar(_aged, time=older_than)
    mark = max(aged or 0, (oldest_kept or 1) - 1)
    mark = min(mark, (last or 1) - 1)
    if mark > int(connection.scalar(_pruned) or 0):
        connection.run(_forget, {"until": mark})
        connection.run(_set, {"k": "pruned", "v": str(mark)})
