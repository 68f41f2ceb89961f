"""What the API does with balancers and what is below them, as plain blocking functions: one transaction each."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol, TypeVar

from msgspec import Raw

from netweft.api.encoding import told
from netweft.api.faults import HTTPBadRequest
from netweft.api.lb import named, policy, views
from netweft.api.lb.descriptions import BALANCER, MEMBER, Kind
from netweft.api.lb.listing import Listing
from netweft.control import locks
from netweft.control.lb import listeners, members, pools, quota, tree, vocabulary
from netweft.control.lb.balancers import Balancers
from netweft.control.lb.children import USES
from netweft.control.lb.errors import LbNotFound, ValidationFailure
from netweft.control.lb.proxies import NotPlaced
from netweft.control.lb.tls import Looked
from netweft.control.lb.tree import Tree
from netweft.control.lb.vocabulary import BALANCERS, LISTENERS, MEMBERS, MONITORS, POLICIES, POOLS
from netweft.model.load_balancer import LOAD_BALANCER
from netweft.plugins.identity import Context
from netweft.store import Object, Query, ReadTransaction, Store, WriteTransaction

T = TypeVar("T")
# the attribute of a POST that says to what it belongs, and that kind
_OWNERS = {MONITORS: ("pool_id", POOLS), POLICIES: ("listener_id", LISTENERS)}


class After(Protocol):
    """changed: it may need HAProxy now, or no more.  settle: sees to it that what has changed is in place."""

    def changed(self, id: str) -> None: ...

    def settle(self, id: str) -> None: ...


class Service:
    """after: what follows a change of a balancer."""

    def __init__(self, store: Store, balancers: Balancers, after: After) -> None:
        self._store, self._balancers, self._after = store, balancers, after

    # -- reading

    def find(self, context: Context, kind: Kind, listing: Listing, parent: str | None) -> list[Object]:
        with self._store.read() as tx:
            query = listing.query
            visible = self._visible(tx, context, kind, query, parent)
            where = dict(query.filters) | visible
            page = Query() if listing.computed else query
            if query.marker is not None and not _is_among(visible, tx.get(kind.kind, query.marker)):
                raise HTTPBadRequest(f"Supplied pagination marker '{query.marker}' is not valid.")
            wanted = Query(where, (), query.sort, page.limit, page.marker, page.reverse)
            fields = listing.fields | listing.computed.keys() | {"id"} if listing.fields else frozenset()
            rows = tx.query(kind.kind, wanted)
            found = [one for one in views.told(tx, kind, rows, fields) if listing.means(one)]
            return _page(found, query) if listing.computed else found

    def show(self, context: Context, kind: Kind, id: str, parent: str | None) -> Object:
        with self._store.read() as tx:
            return views.told(tx, kind, [self._seen(tx, context, kind, id, parent)])[0]

    def ask(self, context: Context, kind: Kind, id: str, question: Callable[[ReadTransaction, Object], T]) -> T:
        with self._store.read() as tx:
            return question(tx, self._seen(tx, context, kind, id, None))

    def _visible(
        self, tx: ReadTransaction, context: Context, kind: Kind, query: Query, parent: str | None
    ) -> dict[str, list[str]]:
        if kind.parent is not None:
            attribute, of = kind.parent
            row = _found(tx, of, parent or "")
            policy.require_read(context, row["project_id"])
            return {LOAD_BALANCER: [row[LOAD_BALANCER]], attribute: [row["id"]]}
        if policy.sees_all(context):
            return {}
        for project in query.filters.get("project_id", [context.project_id]):
            policy.require_read(context, str(project) if project else None)
        return {"project_id": [str(context.project_id)]}

    def _seen(self, tx: ReadTransaction, context: Context, kind: Kind, id: str, parent: str | None) -> Object:
        row = _found(tx, kind.kind, id)
        policy.require_read(context, row["project_id"])
        if kind.parent is not None and parent is not None and row[kind.parent[0]] != parent:
            raise LbNotFound(resource=vocabulary.TITLES[kind.kind], id=id)
        return row

    # -- writing

    def create(self, context: Context, kind: Kind, wanted: Object, parent: str | None, looked: Looked) -> Raw:
        if kind is BALANCER:
            return self._create_balancer(context, wanted, looked)

        def work(tx: WriteTransaction) -> tuple[Raw, Tree]:
            on, row = self._created(tx, context, kind, dict(wanted), parent, looked)
            quota.check(tx, on.balancer["project_id"], [kind.kind])
            return told({kind.member: views.told(tx.glance, kind, [row])[0]}), on

        return self._run(work)

    def update(self, context: Context, kind: Kind, id: str, changes: Object, parent: str | None, looked: Looked) -> Raw:
        def work(tx: WriteTransaction) -> tuple[Raw, Tree]:
            on, row = self._updated(tx, context, kind, id, dict(changes), parent, looked)
            return told({kind.member: views.told(tx.glance, kind, [row])[0]}), on

        return self._run(work)

    def delete(self, context: Context, kind: Kind, id: str, parent: str | None) -> None:
        def work(tx: WriteTransaction) -> tuple[None, Tree]:
            on, current = self._held(tx, context, kind, id, parent)
            USES[kind.kind].delete(on, current)
            return None, on

        self._run(work)

    def delete_balancer(self, context: Context, id: str, *, cascade: bool) -> None:
        def work(tx: WriteTransaction) -> None:
            policy.require_write(context, _found(tx.glance, BALANCERS, id)["project_id"])
            self._balancers.delete(tx, id, cascade=cascade)

        self._store.run(work)
        self._after.settle(id)

    def fail_over(self, context: Context, id: str) -> None:
        def work(tx: WriteTransaction) -> tuple[None, Tree]:
            _found(tx.glance, BALANCERS, id)
            policy.require_admin(context)
            self._balancers.fail_over(tx, id)
            return None, Tree.of(tx, id)

        self._run(work)

    def put_members(
        self, context: Context, pool_id: str, wanted: Sequence[Object], given: Sequence[Object], *, additive: bool
    ) -> None:
        def work(tx: WriteTransaction) -> tuple[None, Tree]:
            on, pool = tree.held(tx, POOLS, pool_id)
            policy.require_write(context, on.balancer["project_id"])
            named.check_members(tx, context, wanted)
            members.put_all(on, pool, wanted, given, additive=additive)
            quota.check(tx, on.balancer["project_id"], [MEMBERS])
            return None, on

        self._run(work)

    def _run(self, work: Callable[[WriteTransaction], tuple[T, Tree]]) -> T:
        answer, on = self._store.run(work)
        self._after.changed(on.id)
        return answer

    def _create_balancer(self, context: Context, wanted: Object, looked: Looked) -> Raw:
        project = wanted["project_id"] or context.project_id
        if not project:
            raise ValidationFailure(detail="Missing project ID in request where one is required.")
        policy.require_write(context, project)

        def work(tx: WriteTransaction, *, placed: bool) -> tuple[Raw, Tree]:
            asked = wanted | {"project_id": project}
            locks.to_create(tx, BALANCERS, [asked])
            named.check_balancer(tx, context, asked)
            on = self._balancers.create(tx, asked, looked, placed=placed)
            return told({BALANCER.member: views.Whole(tx.glance, on.balancer).told()}), on

        try:
            answer, on = self._store.run(partial(work, placed=True))
        except NotPlaced:
            return self._run(partial(work, placed=False))
        self._after.settle(on.id)
        return answer

    def _created(
        self, tx: WriteTransaction, context: Context, kind: Kind, wanted: Object, parent: str | None, looked: Looked
    ) -> tuple[Tree, Object]:
        wanted.pop("project_id", None)
        if kind.parent is not None:
            on, owner = tree.held(tx, kind.parent[1], parent or "")
        elif kind.kind in _OWNERS:
            attribute, of = _OWNERS[kind.kind]
            on, owner = tree.held(tx, of, wanted.pop(attribute))
        else:
            return self._created_on(tx, context, kind, wanted, looked)
        policy.require_write(context, on.balancer["project_id"])
        if kind is MEMBER:
            named.check_members(tx, context, [wanted])
        create = USES[kind.kind].create
        assert create is not None
        return on, create(on, owner, wanted)

    def _created_on(
        self, tx: WriteTransaction, context: Context, kind: Kind, wanted: Object, looked: Looked
    ) -> tuple[Tree, Object]:
        """A listener or a pool, on a balancer."""
        balancer_id, listener_id = wanted.pop("loadbalancer_id"), wanted.pop("listener_id", None)
        listener = None
        if listener_id:
            on, listener = tree.held(tx, LISTENERS, listener_id)
            if balancer_id and on.id != balancer_id:
                raise LbNotFound(resource=vocabulary.TITLES[LISTENERS], id=listener_id)
        elif balancer_id:
            locks.to_create(tx, kind.kind, [{LOAD_BALANCER: balancer_id}])
            on = Tree.of(tx, balancer_id)
        else:
            raise ValidationFailure(detail="Must provide at least one of: loadbalancer_id, listener_id")
        policy.require_write(context, on.balancer["project_id"])
        if kind.kind == LISTENERS:
            return on, listeners.create(on, wanted, looked)
        return on, pools.create(on, wanted, listener, looked)

    def _held(
        self, tx: WriteTransaction, context: Context, kind: Kind, id: str, parent: str | None
    ) -> tuple[Tree, Object]:
        on, current = tree.held(tx, kind.kind, id)
        policy.require_write(context, current["project_id"])
        if kind.parent is not None and current[kind.parent[0]] != parent:
            raise LbNotFound(resource=vocabulary.TITLES[kind.kind], id=id)
        return on, current

    def _updated(
        self,
        tx: WriteTransaction,
        context: Context,
        kind: Kind,
        id: str,
        changes: Object,
        parent: str | None,
        looked: Looked,
    ) -> tuple[Tree, Object]:
        if kind is BALANCER:
            policy.require_write(context, _found(tx.glance, BALANCERS, id)["project_id"])
            locks.to_change(tx, BALANCERS, id, changes)
            named.check_balancer(tx, context, changes)
            on = self._balancers.update(tx, id, changes)
            return on, on.balancer
        on, current = self._held(tx, context, kind, id, parent)
        return on, USES[kind.kind].update(on, current, changes, looked)


def _found(tx: ReadTransaction, kind: str, id: str) -> Object:
    row = tx.get(kind, id)
    if row is None:
        raise LbNotFound(resource=vocabulary.TITLES[kind], id=id)
    return row


def _is_among(visible: Mapping[str, Sequence[str]], row: Object | None) -> bool:
    """Of what is not, nothing may be told, not even where it would stand in an order."""
    return row is not None and all(row[name] in values for name, values in visible.items())


def _page(found: list[Object], query: Query) -> list[Object]:
    """Of what is filtered by what only answers say."""
    if query.reverse:
        found = found[::-1]
    if query.marker:
        ids = [one["id"] for one in found]
        if query.marker not in ids:
            raise HTTPBadRequest(f"Supplied pagination marker '{query.marker}' is not valid.")
        found = found[ids.index(query.marker) + 1 :]
    found = found[: query.limit] if query.limit else found
    return found[::-1] if query.reverse else found
