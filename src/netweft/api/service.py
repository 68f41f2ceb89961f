"""What the API does with a resource, as plain blocking functions: one transaction each.  Knows no HTTP.

The order of things for one object: is it there, may the caller see it, may they do that, is it still what they think
it is, and then the use case.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any, TypeVar

from msgspec import Raw

from netweft.api import pages
from netweft.api.attributes import Resource
from netweft.api.encoding import told
from netweft.api.policy import Policy, check_kept, check_named, check_ports, sees
from netweft.api.querystring import Listing
from netweft.api.shared import looked_up, with_shared
from netweft.control import locks, quotas
from netweft.control.errors import RevisionNumberConstraintFailed, UsedBy
from netweft.control.sharing import SHARED
from netweft.plugins.identity import Context
from netweft.store import Object, Query, ReadTransaction, Store, WriteTransaction

T = TypeVar("T")
_OF_A_REVISION = ("revision_number", "updated_at", "tenant_id")


class _Unchanged(Exception):
    """Leaves a transaction that would have changed nothing."""

    def __init__(self, answer: Raw) -> None:
        self.answer = answer


class Service:
    def __init__(self, resource: Resource, store: Store) -> None:
        self._resource = resource
        self._store = store
        self._policy = Policy(resource)
        self._shows = {name: one.show for name, one in resource.attributes.items() if one.show is not None}

    def find(self, context: Context, listing: Listing, tell: Callable[[Object], T]) -> list[T]:
        """tell: what becomes of each, at once, so that a long list is never there as objects all together."""
        if self._resource.before_list is not None:
            self._resource.before_list(context, listing.query.filters)
        with self._store.read() as tx:
            query = listing.query
            page = query if not listing.computed else Query()  # whole, where only the answers say which are meant
            if query.marker is not None:
                self._seen(tx, context, query.marker, tx.get(self._resource.collection, query.marker))
            wanted = Query(
                looked_up(tx, context, self._resource, query.filters),
                any_of=self._policy.visible(tx, context),
                sort=query.sort,
                limit=page.limit,
                marker=page.marker,
                reverse=page.reverse,
            )
            # what tells the next page, and what is filtered by, too; the answer leaves out what was not asked for
            fields = listing.fields | listing.computed.keys() | {"id"} if listing.fields else frozenset()
            ids: list[str] = []
            told: list[T | None] = []
            for part in tx.parts(self._resource.collection, wanted):
                ids += [one["id"] for one in part]
                told += [tell(one) if listing.means(one) else None for one in self._show(tx, context, part, fields)]
        return pages.of(query if listing.computed else Query(), ids, told)

    def show(self, context: Context, id: str, fields: frozenset[str]) -> Object:
        with self._store.read() as tx:
            found = self._seen(tx, context, id, tx.get(self._resource.collection, id))
            return self._show(tx, context, [found], fields)[0]

    def shown(self, tx: ReadTransaction, context: Context, objects: Sequence[Object]) -> list[Object]:
        """Objects that the caller sees, as answers have them."""
        return self._show(tx, context, objects, frozenset())

    def create(self, context: Context, wanted: Sequence[Object], given: Sequence[Object]) -> list[Raw]:
        """given: the same as it was sent, without defaults."""

        def work(tx: WriteTransaction) -> list[Raw]:
            locks.to_create(tx, self._resource.collection, wanted)
            check_named(tx, context, wanted)
            self._policy.check_create(tx, context, wanted, given)
            check_ports(tx, context, wanted)
            for one in wanted:
                self._refuse(tx, context, None, one)
            created = self._resource.use_cases.create(tx, [dict(one) for one in wanted])
            if self._resource.quota is not None:
                quotas.check(tx, self._resource.member, self._resource.quota, wanted)
            return [told(one) for one in self._show(tx.glance, context, created, frozenset())]

        return self._run(work)

    def update(self, context: Context, id: str, changes: Object, revision: int | None) -> Raw:
        return self.edit(context, id, lambda current: changes, revision, naming=changes)

    def edit(
        self,
        context: Context,
        id: str,
        decide: Callable[[Object], Object],
        revision: int | None = None,
        rule: str = "",
        naming: Object | None = None,
        answer: Callable[[Object], Any] = dict,
    ) -> Raw:
        """An update that depends on what is there.  rule: instead of those for an update and its attributes.
        naming: attributes that name other objects, see control/locks.py.  answer: out of what is shown then."""

        def work(tx: WriteTransaction) -> Raw:
            current = self._current(tx, context, id, naming)
            if rule:
                self._policy.require(tx, context, rule, current)
            changes = decide(current)
            if not rule:
                self._policy.check_update(tx, context, current, changes)
            check_named(tx, context, [changes])
            check_kept(tx, context, current, changes)
            self._refuse(tx, context, current, changes)
            _check_revision(current, revision)
            updated = self._resource.use_cases.update(tx, dict(current), dict(changes))
            unchanged = self._is_as_it_was(tx, current, updated)
            (shown,) = self._show(tx.glance, context, [current if unchanged else updated], frozenset())
            return _told(answer(shown), unchanged=unchanged)

        return self._changed(work)

    def ask(self, context: Context, id: str, rule: str, question: Callable[[ReadTransaction, Object], T]) -> T | None:
        """Of an object that the caller sees; None when the rule hides the answer."""
        with self._store.read() as tx:
            found = self._seen(tx, context, id, tx.get(self._resource.collection, id))
            return question(tx, found) if self._policy.allows(tx, context, rule, found) else None

    def hidden(self, context: Context) -> frozenset[str]:
        """Attributes that the caller is not shown."""
        return self._policy.hidden(context)

    def act(
        self,
        context: Context,
        id: str,
        rule: str,
        action: Callable[[WriteTransaction, Object], Any],
        naming: Object | None = None,
        answer: Callable[[Object], Any] = dict,
    ) -> Raw:
        """On an object that the rule lets the caller act on; it is locked.  The answer is what the action gives, or the
        object as it is then, out of which `answer` makes it."""

        def work(tx: WriteTransaction) -> Raw:
            current = self._current(tx, context, id, naming)
            self._policy.require(tx, context, rule, current)
            given = action(tx, dict(current))
            after = tx.glance.get(self._resource.collection, id) or current
            unchanged = self._is_as_it_was(tx, current, after)
            if given is None:
                (shown,) = self._show(tx.glance, context, [dict(current if unchanged else after)], frozenset())
                given = answer(shown)
            return _told(given, unchanged=unchanged)

        return self._changed(work)

    def delete(self, context: Context, id: str, revision: int | None) -> None:
        def work(tx: WriteTransaction) -> None:
            current = self._current(tx, context, id)
            self._policy.check_delete(tx, context, current)
            _check_revision(current, revision)
            self._refuse(tx, context, current, None)
            try:
                self._resource.use_cases.delete(tx, current)
            except UsedBy as refusal:
                raise (refusal if sees(tx, context, refusal.kind, refusal.user) else refusal.without_name()) from None
            if self._resource.refuse_delete is not None and not context.is_admin:
                self._resource.refuse_delete(current)

        self._run(work)

    def _run(self, work: Callable[[WriteTransaction], T]) -> T:
        done = self._store.run(work)
        if self._resource.after is not None:
            self._resource.after()
        return done

    def _refuse(self, tx: ReadTransaction, context: Context, current: Object | None, wanted: Object | None) -> None:
        if self._resource.refuse is not None:
            self._resource.refuse(tx, context, current, wanted)

    def _changed(self, work: Callable[[WriteTransaction], Raw]) -> Raw:
        try:
            return self._run(work)
        except _Unchanged as unchanged:
            return unchanged.answer

    def _is_as_it_was(self, tx: WriteTransaction, before: Object, after: Object) -> bool:
        """But for a new revision, which is then none: the transaction is rolled back, and nobody is notified."""
        if not tx.has_changed_only(self._resource.collection, before["id"]):
            return False
        return all(after[name] == before.get(name, after) for name in after if name not in _OF_A_REVISION)

    def _current(self, tx: WriteTransaction, context: Context, id: str, naming: Object | None = None) -> Object:
        found = locks.to_change(tx, self._resource.collection, id, naming or {})
        return self._seen(tx, context, id, found)

    def _seen(self, tx: ReadTransaction, context: Context, id: str, found: Object | None) -> Object:
        if found is None or not self._policy.may_see(tx, context, found):
            raise self._resource.not_found(id=id)
        return found

    def _show(
        self, tx: ReadTransaction, context: Context, objects: Sequence[Object], fields: Iterable[str]
    ) -> list[Object]:
        """Only what the caller may see and asks for."""
        names, hidden, wanted = self._resource.attributes, self._policy.hidden(context), frozenset(fields)
        if not wanted or wanted & self._resource.computed:
            objects = self._resource.present(tx, objects)
        if not wanted or SHARED in wanted:
            objects = with_shared(tx, context, self._resource, objects)
        stand_ins = {name: names[name].stand_in for name in hidden}
        unseen = {name for name, show in stand_ins.items() if show is None}
        shows = self._shows | {name: show for name, show in stand_ins.items() if show is not None}
        shown = (names.keys() & wanted if wanted else names.keys()) - unseen
        return [_view(one, shown, shows) for one in objects]


def _told(answer: Any, *, unchanged: bool) -> Raw:
    if unchanged:
        raise _Unchanged(told(answer))
    return told(answer)


def _view(object: Object, names: Set[str], shows: Mapping[str, Callable[[Any], Any]]) -> Object:
    """The object itself, which nobody else needs any more.  shows: how, where it is not as it is kept."""
    object["tenant_id"] = object.get("project_id")
    for name in object.keys() - names:
        del object[name]
    for name, show in shows.items():
        if name in object:
            object[name] = show(object[name])
    return object


def _check_revision(current: Object, expected: int | None) -> None:
    if expected is not None and current["revision_number"] != expected:
        raise RevisionNumberConstraintFailed(expected=expected, current=current["revision_number"])
