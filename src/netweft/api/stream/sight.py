"""What one kind of caller may see, and so what of a change is for them: by the API's own rules.

Of what is deleted no row is left to ask the rules about.  So it is kept which objects are seen, of each kind of which
not all are.
"""

from collections.abc import Mapping, Sequence, Set
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from netweft.api.relations import Filters
from netweft.plugins.identity import Context
from netweft.store import Object, ReadTransaction

_LOOKED_UP: Final = frozenset({"networks", "security_groups"})  # whoever has one sees what hangs on it

Touched: TypeAlias = Mapping[str, Set[str]]  # ids, by kind
Rows: TypeAlias = Mapping[str, Mapping[str, Object]]


class Change(NamedTuple):
    """gone: deleted, or not to be seen any more."""

    kind: str
    id: str
    gone: bool


class Seen(Protocol):
    """What of a kind callers see, as the policy of its API says."""

    def visible(self, tx: ReadTransaction, context: Context) -> Sequence[Filters]:
        """Of which one must match; for whom everything does there are none."""
        ...


class Sight:
    """Used by one thread at a time.  What the rules say is asked once and kept while it holds, so that what others do
    costs a caller's pages next to nothing."""

    def __init__(self, context: Context, policies: Mapping[str, Seen]) -> None:
        """policies: by the kind of the objects that they are about."""
        self.project_id = context.project_id
        self._context = context
        self._policies = policies
        self._seen: dict[str, set[str]] = {}  # of the kinds of which not all are seen
        self._visible: dict[str, list[Mapping[str, frozenset[Any]]]] = {}

    @property
    def is_partial(self) -> bool:
        """Whether of some kind not all is seen."""
        return bool(self._seen)

    def open(self, tx: ReadTransaction) -> list[Change]:
        """What is seen from now on, and how that differs from before."""
        before, self._seen = self._seen, {}
        for kind, policy in self._policies.items():
            visible = policy.visible(tx, self._context)
            self._visible[kind] = _as_sets(visible)
            if visible:
                self._seen[kind] = set(tx.ids(kind, *visible))
        return [
            Change(kind, id, gone=id not in seen)
            for kind, seen in self._seen.items()
            for id in sorted(seen ^ before.get(kind, set()))
        ]

    def look(self, tx: ReadTransaction, touched: Touched, rows: Rows, *, shared: bool) -> list[Change]:
        """rows: those of what was touched that are still there.  shared: something is to this project, or was."""
        found = self.open(tx) if shared else []
        for kind in sorted(touched.keys() & self._policies.keys(), key=lambda kind: kind not in _LOOKED_UP):
            of_kind = self._of_kind(tx, kind, touched[kind], rows.get(kind, {}))
            if of_kind and kind in _LOOKED_UP:
                self._visible.clear()
            found += of_kind
        return list(dict.fromkeys(found))

    def _of_kind(self, tx: ReadTransaction, kind: str, ids: Set[str], rows: Mapping[str, Object]) -> list[Change]:
        if kind not in self._visible:
            self._visible[kind] = _as_sets(self._policies[kind].visible(tx, self._context))
        visible = self._visible[kind]
        if not visible:
            return [Change(kind, id, gone=id not in rows) for id in ids]
        now = {id for id, row in rows.items() if any(_matches(row, filters) for filters in visible)}
        seen = self._seen.setdefault(kind, set())
        found = [Change(kind, id, gone=id not in now) for id in ids if id in now or id in seen]
        seen.difference_update(ids)
        seen |= now
        return found


def _as_sets(visible: Sequence[Filters]) -> list[Mapping[str, frozenset[Any]]]:
    return [{name: frozenset(values) for name, values in one.items()} for one in visible]


def _matches(row: Object, filters: Mapping[str, frozenset[Any]]) -> bool:
    return all(row.get(name) in values for name, values in filters.items())
