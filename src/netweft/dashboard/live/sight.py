"""What one kind of caller may see, and so what of a change is for them: by the API's own rules.

Of what is deleted no row is left to ask the rules about.  So it is kept which objects are seen, of each kind of which
not all are.
"""

from collections.abc import Mapping, Sequence, Set
from typing import Final, NamedTuple, TypeAlias

from netweft.api.attributes import Resource
from netweft.api.policy import Policy
from netweft.api.relations import Filters, matches
from netweft.plugins.identity import Context
from netweft.store import Object, ReadTransaction

SHARING: Final = "rbac_policies"  # what changes who sees others

Touched: TypeAlias = Mapping[str, Set[str]]  # ids, by kind
Rows: TypeAlias = Mapping[str, Mapping[str, Object]]


class Change(NamedTuple):
    """gone: deleted, or not to be seen any more."""

    kind: str
    id: str
    gone: bool


class Sight:
    """Used by one thread at a time."""

    def __init__(self, context: Context, resources: Mapping[str, Resource]) -> None:
        """resources: by the kind of their objects."""
        self._context = context
        self._policies = {kind: Policy(resource) for kind, resource in resources.items()}
        self._seen: dict[str, set[str]] = {}  # of the kinds of which not all are seen

    def open(self, tx: ReadTransaction) -> list[Change]:
        """What is seen from now on, and how that differs from before."""
        before, self._seen = self._seen, {}
        for kind, policy in self._policies.items():
            if visible := policy.visible(tx, self._context):
                self._seen[kind] = set(tx.ids(kind, *visible))
        return [
            Change(kind, id, gone=id not in seen)
            for kind, seen in self._seen.items()
            for id in sorted(seen ^ before.get(kind, set()))
        ]

    def look(self, tx: ReadTransaction, touched: Touched, rows: Rows) -> list[Change]:
        """rows: those of what was touched that are still there."""
        found = self.open(tx) if SHARING in touched else []
        for kind, ids in touched.items():
            if kind in self._policies:
                found += self._of_kind(tx, kind, ids, rows.get(kind, {}))
        return list(dict.fromkeys(found))

    def _of_kind(self, tx: ReadTransaction, kind: str, ids: Set[str], rows: Mapping[str, Object]) -> list[Change]:
        visible = self._policies[kind].visible(tx, self._context)
        if not visible:
            return [Change(kind, id, gone=id not in rows) for id in ids]
        now = {id for id, row in rows.items() if _is_any(row, visible)}
        seen = self._seen.setdefault(kind, set())
        found = [Change(kind, id, gone=id not in now) for id in ids if id in now or id in seen]
        seen.difference_update(ids)
        seen |= now
        return found


def _is_any(row: Object, visible: Sequence[Filters]) -> bool:
    return any(matches(row, filters) for filters in visible)
