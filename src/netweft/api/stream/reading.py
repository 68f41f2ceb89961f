"""What one caller is sent from a place on: some events at a time, each time in one transaction.

Nothing waits for a caller: who is slow asks later and is told what is so then, however much changed meanwhile.  What is
kept are a revision, the ids that are still to be told, and for who does not see everything the ids that are seen.

    whole        what comes up to the next place is all there is; whatever else the caller has of these kinds is gone
    changed      objects, as the API shows them to this caller
    unchanged    ids that are still there, and as they were at the place that the caller named
    gone         ids: deleted, or not to be seen any more
    place        all up to here was sent: with this a caller can go on later, at any server
"""

import hashlib
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from msgspec import Struct

from netweft.api.stream.sight import Seen, Sight
from netweft.control import rbac
from netweft.plugins.identity import Context
from netweft.plugins.identity.embedded.service import KINDS as IDENTITY
from netweft.store import ChangesGone, Object, Query, ReadTransaction, Store

PAGE: Final = 200  # objects in an event
IDS: Final = 1000  # ids in an event
BATCH: Final = 1000  # changes read at a time
MANY: Final = 20_000  # who has missed more changed objects than these gets everything

Event: TypeAlias = dict[str, Any]


class Shows(Protocol):
    def shown(self, tx: ReadTransaction, context: Context, objects: Sequence[Object]) -> list[Object]:
        """Objects that the caller sees, as answers have them."""
        ...


class Told(Struct, frozen=True):
    """What is shown of a kind, and who sees what of it."""

    service: Shows
    policy: Seen


class Place(NamedTuple):
    """history: of the database.  view: a digest of who is sent which kinds; another one gets a snapshot."""

    history: str
    revision: int
    view: str

    @classmethod
    def read(cls, text: str) -> "Place | None":
        history, _, rest = text.partition(".")
        revision, _, view = rest.partition(".")
        return cls(history, int(revision), view) if revision.isascii() and revision.isdecimal() else None

    def __str__(self) -> str:
        return f"{self.history}.{self.revision}.{self.view}"


class _Left(NamedTuple):
    """ids: None: all that are seen of the kind, looked up when it is their turn."""

    event: str
    kind: str
    ids: Sequence[str] | None


class Reading:
    """Used by one thread at a time.  doubt: identity has changed since this was last set to False.
    soon: there is more to be read, now or in a moment."""

    def __init__(self, store: Store, kinds: Mapping[str, Told], context: Context, place: str = "") -> None:
        """kinds: what is sent, by their names."""
        self.doubt = self.soon = False
        self._store, self._kinds, self._context = store, kinds, context
        self._policies = {kind: told.policy for kind, told in kinds.items()}
        who = [context.project_id or "", *sorted(context.roles), "|", *sorted(kinds)]
        self._view = hashlib.blake2s("\n".join(who).encode(), digest_size=8).hexdigest()
        given = Place.read(place)
        self._from = given.revision if given and given == self._place(given.revision) else None
        self._sight: Sight | None = None
        self._revision = 0
        self._changed: set[tuple[str, str]] | None = None  # since the place given; None: all
        self._left: deque[_Left] = deque()
        self._tell_place = self._full = False

    def start_over(self) -> None:
        """The caller has nothing any more."""
        self._sight, self._from = None, None

    @property
    def is_underway(self) -> bool:
        """Whether something is still to be sent before the next place."""
        return self._sight is None or bool(self._left) or self._tell_place

    @property
    def revision(self) -> int:
        return self._revision

    @property
    def at(self) -> Event:
        """Where it is.  All was sent up to there unless it is under way."""
        return {"event": "place", "place": str(self._place(self._revision))}

    def more(self) -> list[Event]:
        """The next events; none: there is nothing new, unless it says `soon`.  Blocks."""
        with self._store.read() as tx:
            try:
                found = self._more(tx)
            except ChangesGone:
                self.start_over()
                found = self._more(tx)
            self.soon = self.is_underway or self._full or tx.is_settling()
        return found

    def _more(self, tx: ReadTransaction) -> list[Event]:
        said = self._begin(tx) if self._sight is None else []
        if not self.is_underway:
            self._look(tx)
        if self._left:
            return [*said, *self._next(tx)]
        if self._tell_place:
            self._tell_place = False
            said.append(self.at)
        return said

    # -- where it begins

    def _begin(self, tx: ReadTransaction) -> list[Event]:
        self._left.clear()
        self._sight = Sight(self._context, self._policies)
        self._sight.open(tx)
        revision, since, self._from = tx.revision(), self._from, None
        changed = None if since is None or since > revision else _touched(tx, since)
        if changed is not None and (rbac.KIND in changed or sum(map(len, changed.values())) > MANY):
            changed = None  # what is seen without having changed is known to nobody
        if changed is not None and not self._sight.is_partial:
            # the log says what went, too
            self._revision = since or 0
            return []
        self._revision, self._tell_place = revision, True
        self._changed = None if changed is None else {(kind, id) for kind, ids in changed.items() for id in ids}
        self._left.extend(_Left("changed", kind, None) for kind in self._kinds)
        return [{"event": "whole", "kinds": list(self._kinds)}]

    def _next(self, tx: ReadTransaction) -> list[Event]:
        event, kind, ids = self._left.popleft()
        if ids is None:
            self._unfold(tx, kind)
            return self._next(tx) if self._left else []
        if event == "changed":
            objects = self._objects(tx, kind, ids)
            return [{"event": event, "kind": kind, "objects": objects}] if objects else []
        return [{"event": event, "kind": kind, "ids": list(ids)}]

    def _unfold(self, tx: ReadTransaction, kind: str) -> None:
        ids = sorted(tx.ids(kind, *(self._policies[kind].visible(tx, self._context) or [{}])))
        changed = [id for id in ids if self._changed is None or (kind, id) in self._changed]
        same = sorted({*ids} - {*changed})
        self._left.extendleft(reversed([*_pages("changed", kind, changed), *_pages("unchanged", kind, same)]))

    # -- and goes on

    def _look(self, tx: ReadTransaction) -> None:
        assert self._sight is not None
        changes = tx.changes(self._revision, BATCH)
        self._full = len(changes) >= BATCH
        if not changes:
            return
        self._revision = changes[-1].revision
        touched: dict[str, set[str]] = {}
        for change in changes:
            touched.setdefault(change.kind, set()).add(change.id)
        self.doubt = self.doubt or not IDENTITY.isdisjoint(touched)
        rows = {kind: tx.get_many(kind, ids) for kind, ids in touched.items() if kind in self._kinds}
        found = self._sight.look(tx, touched, rows, shared=rbac.KIND in touched)
        for kind in self._kinds:
            here = [change.id for change in found if change.kind == kind and not change.gone]
            gone = [change.id for change in found if change.kind == kind and change.gone]
            self._left.extend([*_pages("changed", kind, here), *_pages("gone", kind, gone)])
        self._tell_place = bool(self._left)

    def _objects(self, tx: ReadTransaction, kind: str, ids: Collection[str]) -> list[Any]:
        """As they are now, of those that are still to be seen: what was deleted since is sent next."""
        visible = self._policies[kind].visible(tx, self._context)
        rows = tx.query(kind, Query({"id": list(ids)}, any_of=visible))
        return self._kinds[kind].service.shown(tx, self._context, rows)

    def _place(self, revision: int) -> Place:
        return Place(self._store.history, revision, self._view)


def _touched(tx: ReadTransaction, since: int) -> dict[str, set[str]]:
    """Raises ChangesGone."""
    touched: dict[str, set[str]] = {}
    while changes := tx.changes(since, BATCH):
        for change in changes:
            touched.setdefault(change.kind, set()).add(change.id)
        since = changes[-1].revision
    return touched


def _pages(event: str, kind: str, ids: Sequence[str]) -> Iterable[_Left]:
    size = PAGE if event == "changed" else IDS
    return [_Left(event, kind, ids[at : at + size]) for at in range(0, len(ids), size)]
