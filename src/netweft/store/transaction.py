"""What can be done inside a transaction.  Reading never blocks; writing collects what goes into the change log."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import Connection, Insert, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, IntegrityError

from netweft.store import changelog
from netweft.store.changelog import Change, Operation
from netweft.store.errors import Busy, Duplicate, InUse, Missing, Taken
from netweft.store.followers import Followers
from netweft.store.holding import Held, Row, chunks, rows_of, take_turns
from netweft.store.pools import Pools
from netweft.store.query import Filters, JsonDialect, PostgreSQLJson, Query, matches, order_of, page
from netweft.store.schema import LOOKED_UP, claims, links, objects
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


_JSON: dict[str, JsonDialect] = {"sqlite": JsonDialect(), "postgresql": PostgreSQLJson()}
_get = select(objects.c.attrs).where(objects.c.kind == bindparam("k"), objects.c.id == bindparam("i"))
_referrers = select(links.c.source_kind, links.c.source_id, links.c.attribute).where(
    links.c.target_kind == bindparam("k"), links.c.target_id.in_(bindparam("ids", expanding=True))
)
_holders = select(claims.c.value, claims.c.kind, claims.c.id).where(
    claims.c.scope == bindparam("s"), claims.c.value.in_(bindparam("values", expanding=True))
)
_held = select(claims.c.value, claims.c.kind, claims.c.id).where(claims.c.scope == bindparam("s"))
_claims_of = select(claims.c.scope, claims.c.value).where(
    claims.c.kind == bindparam("k"), claims.c.id == bindparam("i")
)
_insert = insert(objects)
_update = (
    update(objects)
    .where(objects.c.kind == bindparam("k"), objects.c.id == bindparam("i"))
    .values({name: bindparam(name) for name in (*LOOKED_UP.values(), "attrs")})
)
_delete = delete(objects).where(objects.c.kind == bindparam("k"), objects.c.id == bindparam("i"))
_release = delete(claims).where(
    claims.c.scope == bindparam("s"),
    claims.c.value == bindparam("v"),
    claims.c.kind == bindparam("k"),
    claims.c.id == bindparam("i"),
)
_link = insert(links)
_unlink = delete(links).where(
    links.c.source_kind == bindparam("k"), links.c.source_id == bindparam("i"), links.c.attribute == bindparam("a")
)
_CLAIM: dict[str, Insert] = {
    "sqlite": sqlite.insert(claims).on_conflict_do_nothing().execution_options(preserve_rowcount=True),
    "postgresql": postgresql.insert(claims).on_conflict_do_nothing().execution_options(preserve_rowcount=True),
}


class ReadTransaction:
    """One consistent snapshot."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._json = _JSON[connection.dialect.name]
        self.tokens = Tokens(connection)
        self.followers = Followers(connection)

    def get(self, kind: str, id: str) -> Object | None:
        found: Object | None = self._connection.execute(_get, {"k": kind, "i": id}).scalar()
        return found

    def get_many(self, kind: str, ids: Collection[str]) -> dict[str, Object]:
        """Those that are there."""
        result: dict[str, Object] = {}
        for part in chunks(ids):
            result.update((id, attrs) for id, attrs in self._connection.execute(rows_of, {"k": kind, "ids": part}))
        return result

    def query(self, kind: str, query: Query | None = None) -> list[Object]:
        """Raises Missing when the query's marker is not there."""
        query = query or Query()
        order = order_of(self._json, query)
        after: Sequence[Any] = ()
        if query.marker is not None:
            keys = select(*(key for key, _ in order)).where(objects.c.kind == kind, objects.c.id == query.marker)
            row = self._connection.execute(keys).first()
            if row is None:
                raise Missing(kind, query.marker)
            after = tuple(row)
        found: list[Object] = list(self._connection.scalars(page(self._json, kind, query, order, after)))
        return found[::-1] if query.reverse else found

    def ids(self, kind: str, *any_of: Filters) -> list[str]:
        """Of the objects that match one of these."""
        conditions = or_(*(matches(self._json, kind, filters) for filters in any_of))
        return list(self._connection.scalars(select(objects.c.id).where(conditions)))

    def count(self, kind: str, filters: Filters) -> int:
        statement = select(func.count()).select_from(objects).where(matches(self._json, kind, filters))
        return self._connection.scalar(statement) or 0

    def referrers(
        self, kind: str, id: str | Collection[str], *, source_kind: str | None = None, attribute: str | None = None
    ) -> list[Referrer]:
        """Who links to this object, or to any of these."""
        statement = _referrers
        if source_kind is not None:
            statement = statement.where(links.c.source_kind == source_kind)
        if attribute is not None:
            statement = statement.where(links.c.attribute == attribute)
        result: list[Referrer] = []
        for part in chunks([id] if isinstance(id, str) else id):
            rows = self._connection.execute(statement, {"k": kind, "ids": part})
            result.extend(Referrer(*row) for row in rows)
        return result

    def holders(self, scope: str, values: Collection[str]) -> dict[str, tuple[str, str]]:
        """value -> (kind, id), for those that somebody holds."""
        result: dict[str, tuple[str, str]] = {}
        for part in chunks(values):
            rows = self._connection.execute(_holders, {"s": scope, "values": part})
            result.update((value, (kind, id)) for value, kind, id in rows)
        return result

    def held(self, scope: str) -> dict[str, tuple[str, str]]:
        """All that is claimed there: value -> (kind, id)."""
        return {value: (kind, id) for value, kind, id in self._connection.execute(_held, {"s": scope})}

    def changes(self, after: int, limit: int = 1000) -> list[Change]:
        """What was changed after a revision, in order, whole transactions.  Raises ChangesGone."""
        return changelog.read(self._connection, after, limit)

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
        with _refusing(lambda _: Duplicate(kind, new[0].object["id"]), "UNIQUE"):
            self._connection.execute(_insert, [{"kind": kind, "id": n.object["id"]} | _columns(n.object) for n in new])
        self._link(kind, [(n.object["id"], link) for n in new for link in dict.fromkeys(n.links)])
        self._claim(kind, [(n.object["id"], claim) for n in new for claim in n.claims])
        self._changed.update({(kind, n.object["id"]): "insert" for n in new})

    def update(
        self, kind: str, id: str, changes: Mapping[str, Any], links: Mapping[str, Iterable[Link]] | None = None
    ) -> Object:
        """The object as it is now.  links: attribute -> all links of that attribute, for those that change."""
        object = self.touch(kind, id, changes)
        for attribute, now in (links or {}).items():
            self._connection.execute(_unlink, {"k": kind, "i": id, "a": attribute})
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
        self._connection.execute(_update, {"k": kind, "i": id} | _columns(object))
        self._held.changed(kind, object)
        return object

    def update_many(self, kind: str, objects: Sequence[Object]) -> None:
        """Write back objects that were read with `lock_many`, in one go.  Their links stay as they are."""
        if objects:
            self._connection.execute(_update, [{"k": kind, "i": object["id"]} | _columns(object) for object in objects])
            for object in objects:
                self._held.changed(kind, object)
                if self._changed.get((kind, object["id"])) != "insert":
                    self._changed[kind, object["id"]] = "update"

    def delete(self, kind: str, id: str) -> None:
        """With its links and claims; claimed numbers go back to their pools.  Raises Missing, InUse."""
        self._held.refuse_upgrade(kind, id)
        held = self._connection.execute(_claims_of, {"k": kind, "i": id}).all()
        self.release(kind, id, [Claim(*row) for row in sorted(held)])
        with _refusing(lambda _: InUse(kind, id), "FOREIGN KEY"):
            if self._connection.execute(_delete, {"k": kind, "i": id}).rowcount == 0:
                raise Missing(kind, id)
        self._held.gone(kind, id)
        self._changed[kind, id] = "delete"

    def claim(self, kind: str, id: str, claims: Sequence[Claim]) -> None:
        """For an object that is there already.  Raises Taken."""
        self._claim(kind, [(id, claim) for claim in claims])

    def release(self, kind: str, id: str, claims: Sequence[Claim]) -> None:
        """Decimal values go back to the pool of their scope, if it has one."""
        if claims:
            self._connection.execute(_release, [{"k": kind, "i": id, "s": c.scope, "v": c.value} for c in claims])
        for scope, value in claims:
            if value.isascii() and value.isdigit():
                self.pools.give_back(scope, int(value))

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
            changelog.append(self._connection, self._changed)
        return bool(self._changed)

    def _link(self, kind: str, rows: Sequence[tuple[str, Link]]) -> None:
        if rows:
            values = [
                {"source_kind": kind, "source_id": id, "attribute": a, "target_kind": to, "target_id": to_id}
                for id, (a, to, to_id) in rows
            ]
            with _refusing(lambda error: self._first_missing(rows, error), "FOREIGN KEY"):
                self._connection.execute(_link, values)

    def _first_missing(self, rows: Sequence[tuple[str, Link]], error: IntegrityError) -> Missing:
        """PostgreSQL says which; SQLite does not, and can still be asked."""
        detail = str(getattr(getattr(error.orig, "diag", None), "message_detail", "") or "")
        for _, link in rows:
            if f"({link.kind}, {link.id})" in detail or (not detail and self.glance.get(link.kind, link.id) is None):
                return Missing(link.kind, link.id)
        return Missing(rows[0][1].kind, rows[0][1].id)

    def _claim(self, kind: str, rows: Sequence[tuple[str, Claim]]) -> None:
        if not rows:
            return
        values = [{"scope": scope, "value": value, "kind": kind, "id": id} for id, (scope, value) in rows]
        done = self._connection.execute(_CLAIM[self._connection.dialect.name], values).rowcount
        if done != len(values):
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
def _refusing(refusal: Callable[[IntegrityError], Exception], constraint: str) -> Iterator[None]:
    """A broken constraint of this kind becomes this refusal; another one is a fault of ours."""
    try:
        yield
    except IntegrityError as error:
        state = getattr(error.orig, "sqlstate", None)
        if state == _STATES[constraint] or (state is None and str(error.orig).startswith(constraint)):
            raise refusal(error) from error
        raise


@contextmanager
def translating() -> Iterator[None]:
    """What the database says about concurrency becomes Busy; the rest is a fault and passes."""
    try:
        yield
    except DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None)
        if state in ("40001", "40P01", "55P03") or "database is locked" in str(error.orig):
            raise Busy(str(error.orig)) from error
        raise
