"""What can be done inside a transaction.  Reading never blocks; writing collects what goes into the change log."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import BindParameter, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIModule

from netweft.store import changelog
from netweft.store.changelog import Change, Entry, Gone, Operation, Past
from netweft.store.counters import Counters
from netweft.store.errors import Duplicate, InUse, Missing, Taken
from netweft.store.followers import Followers
from netweft.store.pools import Pools, is_used_up
from netweft.store.query import (
    Filters,
    JsonDialect,
    Parameters,
    PostgreSQLJson,
    Query,
    Shapes,
    bound,
    counting,
    matching,
    order_of,
    page,
    sort_keys,
)
from netweft.store.row_locks import Held, Row, rows_of, take_turns
from netweft.store.schema import LOOKED_UP, claims, links, objects
from netweft.store.sql import Among, Connection, Statement
from netweft.store.tokens import Tokens

Object: TypeAlias = dict[str, Any]


class Link(NamedTuple):
    """`attribute` of the source names the target, which cannot go while the link is there."""

    attribute: str
    kind: str
    id: str


class Claim(NamedTuple):
    """A value that only one object may hold within the scope.  Released with the object."""

    scope: str
    value: str


class New(NamedTuple):
    """An object to insert, with what comes along."""

    object: Object
    links: Sequence[Link] = ()
    claims: Sequence[Claim] = ()


class Referrer(NamedTuple):
    kind: str
    id: str
    attribute: str


PART = 100  # objects
_JSON: dict[bool, JsonDialect] = {False: JsonDialect(), True: PostgreSQLJson()}  # is it PostgreSQL?
_kind: BindParameter[str] = bindparam("k")
_this = (objects.c.kind == _kind, objects.c.id == bindparam("i"))
_get = Statement(select(objects.c.attrs).where(*_this))
_linked = select(links.c.source_kind, links.c.source_id, links.c.attribute).where(
    links.c.target_kind == _kind, Among(links.c.target_id, "ids")
)
# by whether the kind of who links, and the attribute, are given
_referrers = {
    (by_kind, by_attribute): Statement(
        _linked.where(
            *([links.c.source_kind == bindparam("s")] if by_kind else ()),
            *([links.c.attribute == bindparam("a")] if by_attribute else ()),
        )
    )
    for by_kind in (False, True)
    for by_attribute in (False, True)
}
_claimed = select(claims.c.value, claims.c.kind, claims.c.id).where(claims.c.scope == bindparam("s"))
_holders = Statement(_claimed.where(Among(claims.c.value, "values")))
_held = Statement(_claimed)
_mine = (claims.c.kind == _kind, claims.c.id == bindparam("i"))
_claims_of = Statement(select(claims.c.scope, claims.c.value).where(*_mine))
_insert = Statement(insert(objects))
_update = Statement(
    update(objects).where(*_this).values({name: bindparam(name) for name in (*LOOKED_UP.values(), "attrs")})
)
_delete = Statement(delete(objects).where(*_this).returning(objects.c.project_id, objects.c.name))
_release = Statement(delete(claims).where(claims.c.scope == bindparam("s"), claims.c.value == bindparam("v"), *_mine))
_link = Statement(insert(links))
_unlink = Statement(
    delete(links).where(
        links.c.source_kind == _kind, links.c.source_id == bindparam("i"), links.c.attribute == bindparam("a")
    )
)
_claim = {
    False: Statement(sqlite.insert(claims).on_conflict_do_nothing()),
    True: Statement(postgresql.insert(claims).on_conflict_do_nothing()),
}


class ReadTransaction:
    """One consistent snapshot."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._json = _JSON[connection.is_postgresql]
        self.tokens = Tokens(connection)
        self.followers = Followers(connection)
        self.counters = Counters(connection)

    def get(self, kind: str, id: str) -> Object | None:
        found: Object | None = self._connection.scalar(_get, k=kind, i=id)
        return found

    def get_many(self, kind: str, ids: Collection[str]) -> dict[str, Object]:
        """Those that are there."""
        return dict(self._connection.rows(rows_of, k=kind, ids=list(ids))) if ids else {}

    def query(self, kind: str, query: Query | None = None) -> list[Object]:
        """Raises Missing when the query's marker is not there."""
        return [one for part in self.parts(kind, query or Query()) for one in part]

    def parts(self, kind: str, query: Query) -> Iterator[list[Object]]:
        """The same, some at a time: what is decoded and let go is not there when the next come."""
        order = order_of(query)
        where, given = bound(self._json, query.filters)
        any_of, any_given = self._any_of(query.any_of)
        given |= any_given
        if query.limit is not None:
            given["limit"] = query.limit
        if query.marker is not None:
            after = self._connection.first(sort_keys(self._json, order), kind=kind, i=query.marker)
            if after is None:
                raise Missing(kind, query.marker)
            given |= {f"k{at}": value for at, value in enumerate(after)}
        marked, limited = query.marker is not None, query.limit is not None
        statement = page(self._json, where, any_of, order, marked=marked, limited=limited)
        return self._connection.parts(statement, PART, backwards=query.reverse, kind=kind, **given)

    def ids(self, kind: str, *any_of: Filters) -> list[str]:
        """Of the objects that match one of these."""
        shapes, given = self._any_of(any_of)
        return self._connection.column(matching(self._json, shapes), kind=kind, **given)

    def count(self, kind: str, filters: Filters) -> int:
        shapes, given = bound(self._json, filters)
        return int(self._connection.scalar(counting(self._json, shapes), kind=kind, **given))

    def referrers(
        self, kind: str, id: str | Collection[str], *, source_kind: str | None = None, attribute: str | None = None
    ) -> list[Referrer]:
        """Who links to this object, or to any of these."""
        by = {"s": source_kind} if source_kind is not None else {}
        by |= {"a": attribute} if attribute is not None else {}
        statement = _referrers["s" in by, "a" in by]
        rows = self._connection.rows(statement, k=kind, ids=[id] if isinstance(id, str) else list(id), **by)
        return [Referrer(*row) for row in rows]

    def holders(self, scope: str, values: Collection[str]) -> dict[str, tuple[str, str]]:
        """value -> (kind, id), for those that somebody holds."""
        rows = self._connection.rows(_holders, s=scope, values=list(values)) if values else ()
        return {value: (kind, id) for value, kind, id in rows}

    def held(self, scope: str) -> dict[str, tuple[str, str]]:
        """All that is claimed there: value -> (kind, id)."""
        return {value: (kind, id) for value, kind, id in self._connection.rows(_held, s=scope)}

    def _any_of(self, any_of: Sequence[Filters]) -> tuple[tuple[Shapes, ...], Parameters]:
        every = [bound(self._json, filters, place) for place, filters in enumerate(any_of, 1)]
        return tuple(shapes for shapes, _ in every), {
            name: value for _, given in every for name, value in given.items()
        }

    def changes(self, after: int, limit: int = 1000) -> list[Change]:
        """What was changed after a revision, in order, whole transactions.  Raises ChangesGone."""
        return changelog.read(self._connection, after, limit)

    def past(self, kind: str, id: str, limit: int) -> list[Past]:
        """What the change log still knows of one object, the newest first."""
        return changelog.of(self._connection, kind, id, limit)

    def newest_changes(self, before: int, limit: int) -> list[Entry]:
        """What the change log still knows of anything, the newest first."""
        return changelog.newest(self._connection, before, limit)

    def is_used_up(self, scope: str) -> bool:
        """Whether this pool has no number to give."""
        return is_used_up(self._connection, scope)

    def revision(self) -> int:
        """Everything up to this one is in this snapshot."""
        return changelog.settled(self._connection)

    def is_settling(self) -> bool:
        """More is committed than `changes` may tell yet.  No bell rings when it may."""
        return changelog.is_settling(self._connection)


class WriteTransaction(ReadTransaction):
    """All or nothing; committed when its `with` block ends without an exception.

    What `get` and `get_many` found stays as it is until then: whoever decides by it need not think of others.  What a
    query, a count or the referrers say may change; it is a decision's ground only while something is held without
    which nobody changes it (decision 0260).  glance: the same reading, of what is only shown or can't change.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.pools = Pools(connection)
        self.glance = ReadTransaction(connection)
        self._held = Held(connection)
        self._changed: dict[Row, Operation] = {}
        self._gone: dict[Row, Gone] = {}

    def hold(self, shared: Iterable[Row], alone: Iterable[Row]) -> None:
        """Before all else, in a queue: who waits longest is first, and no two such calls wait for each other."""
        self._held.queue_for(shared, alone)

    def take_turns(self, topic: str, *, shared: bool = False) -> None:
        """Until this transaction ends, no other one is past this call: for what no single row can guard.
        shared: those who share it do not wait for each other."""
        take_turns(self._connection, topic, shared=shared)

    def get(self, kind: str, id: str) -> Object | None:
        return self._held.read(kind, [id], alone=False).get(id)

    def get_many(self, kind: str, ids: Collection[str]) -> dict[str, Object]:
        return self._held.read(kind, set(ids), alone=False)

    def lock(self, kind: str, id: str) -> Object | None:
        """Like `get`, and for what is changed then: nobody else decides by it meanwhile."""
        return self._held.read(kind, [id], alone=True).get(id)

    def lock_many(self, kind: str, ids: Collection[str]) -> dict[str, Object]:
        return self._held.read(kind, set(ids), alone=True)

    def insert(self, kind: str, object: Object, links: Sequence[Link] = (), claims: Sequence[Claim] = ()) -> None:
        """Raises Duplicate, Taken, or Missing for a link to nowhere."""
        self.insert_many(kind, [New(object, links, claims)])

    def insert_many(self, kind: str, new: Sequence[New]) -> None:
        """Raises Duplicate, Taken, or Missing for a link to nowhere."""
        if not new:
            return
        with _refusing(self._connection.driver, lambda _: Duplicate(kind, new[0].object["id"]), "UNIQUE"):
            self._connection.run(_insert, *({"kind": kind, "id": n.object["id"]} | _columns(n.object) for n in new))
        self._link(kind, [(n.object["id"], link) for n in new for link in dict.fromkeys(n.links)])
        self._claim(kind, [(n.object["id"], claim) for n in new for claim in n.claims])
        self._changed.update({(kind, n.object["id"]): "insert" for n in new})

    def update(
        self, kind: str, id: str, changes: Mapping[str, Any], links: Mapping[str, Iterable[Link]] | None = None
    ) -> Object:
        """The object as it is now.  links: attribute -> all links of that attribute, for those that change."""
        object = self.touch(kind, id, changes)
        for attribute, now in (links or {}).items():
            self._connection.run(_unlink, {"k": kind, "i": id, "a": attribute})
            self._link(kind, [(id, link) for link in dict.fromkeys(now)])
        if self._changed.get((kind, id)) != "insert":
            self._changed[kind, id] = "update"
        return object

    def touch(self, kind: str, id: str, changes: Mapping[str, Any]) -> Object:
        """Like `update`, and followers need not hear of it: heartbeats."""
        object = self.lock(kind, id)
        if object is None:
            raise Missing(kind, id)
        object.update(changes)
        self._connection.run(_update, {"k": kind, "i": id} | _columns(object))
        self._held.changed(kind, object)
        return object

    def update_many(self, kind: str, objects: Sequence[Object]) -> None:
        """Write back objects that were read with `lock_many`, in one go.  Their links stay as they are."""
        if objects:
            self._connection.run(_update, *({"k": kind, "i": object["id"]} | _columns(object) for object in objects))
            for object in objects:
                self._held.changed(kind, object)
                if self._changed.get((kind, object["id"])) != "insert":
                    self._changed[kind, object["id"]] = "update"

    def delete(self, kind: str, id: str) -> None:
        """With its links and claims; claimed numbers go back to their pools.  Raises Missing, InUse."""
        self._held.refuse_upgrade(kind, id)
        held = self._connection.rows(_claims_of, k=kind, i=id)
        self.release(kind, id, [Claim(*row) for row in sorted(held)])
        with _refusing(self._connection.driver, lambda _: InUse(kind, id), "FOREIGN KEY"):
            deleted = self._connection.rows(_delete, k=kind, i=id)
        if not deleted:
            raise Missing(kind, id)
        self._held.gone(kind, id)
        self._changed[kind, id] = "delete"
        self._gone[kind, id] = Gone(*deleted[0])

    def claim(self, kind: str, id: str, claims: Sequence[Claim]) -> None:
        """For an object that is there already.  Raises Taken."""
        self._claim(kind, [(id, claim) for claim in claims])

    def release(self, kind: str, id: str, claims: Sequence[Claim]) -> None:
        """Decimal values go back to the pool of their scope, if it has one."""
        if claims:
            self._connection.run(_release, *({"k": kind, "i": id, "s": c.scope, "v": c.value} for c in claims))
        numbers = [(scope, int(value)) for scope, value in claims if value.isascii() and value.isdigit()]
        self.pools.hold({scope for scope, _ in numbers})
        for scope, number in numbers:
            self.pools.give_back(scope, number)

    def revoke_token(self, hash: str) -> None:
        """In the change log, so that every server forgets it.  Nothing happens when it is gone already."""
        if self.tokens.remove(hash):
            self._changed["tokens", hash] = "delete"

    def has_changed_only(self, kind: str, id: str) -> bool:
        """Nothing else, so far."""
        return self._changed.keys() <= {(kind, id)}

    def finish(self) -> bool:
        """Write the change log entry.  Says whether there was anything to tell."""
        if self._changed:
            changelog.append(self._connection, self._changed, self._gone)
        return bool(self._changed)

    def _link(self, kind: str, rows: Sequence[tuple[str, Link]]) -> None:
        if rows:
            values = [
                {"source_kind": kind, "source_id": id, "attribute": a, "target_kind": to, "target_id": to_id}
                for id, (a, to, to_id) in rows
            ]
            with _refusing(self._connection.driver, lambda error: self._first_missing(rows, error), "FOREIGN KEY"):
                self._connection.run(_link, *values)

    def _first_missing(self, rows: Sequence[tuple[str, Link]], error: Exception) -> Missing:
        """PostgreSQL says which; SQLite does not, and can still be queried."""
        detail = str(getattr(getattr(error, "diag", None), "message_detail", "") or "")
        for _, link in rows:
            if f"({link.kind}, {link.id})" in detail or (not detail and self.glance.get(link.kind, link.id) is None):
                return Missing(link.kind, link.id)
        return Missing(rows[0][1].kind, rows[0][1].id)

    def _claim(self, kind: str, rows: Sequence[tuple[str, Claim]]) -> None:
        if not rows:
            return
        values = [{"scope": scope, "value": value, "kind": kind, "id": id} for id, (scope, value) in rows]
        if self._connection.run(_claim[self._connection.is_postgresql], *values) != len(values):
            raise self._first_taken(rows)

    def _first_taken(self, rows: Sequence[tuple[str, Claim]]) -> Taken:
        seen: set[Claim] = set()
        for id, claim in rows:
            holder = self.holders(claim.scope, [claim.value]).get(claim.value)
            if claim in seen or (holder is not None and holder[1] != id):
                return Taken(*claim)
            seen.add(claim)
        return Taken(*rows[0][1])


def _columns(object: Object) -> Object:
    """The columns of an object's row, but for its key."""
    row: Object = {column: object.get(attribute) or None for attribute, column in LOOKED_UP.items()}
    row["attrs"] = object
    return row


_STATES = {"FOREIGN KEY": "23503", "UNIQUE": "23505"}


@contextmanager
def _refusing(driver: DBAPIModule, refusal: Callable[[Exception], Exception], constraint: str) -> Iterator[None]:
    """A broken constraint of this kind becomes this refusal; another one is a fault of ours."""
    try:
        yield
    except driver.IntegrityError as error:
        state = getattr(error, "sqlstate", None)
        if state == _STATES[constraint] or (state is None and str(error).startswith(constraint)):
            raise refusal(error) from error
        raise
