"""How a caller is related to an object: it is their project's, on their network, in their group, shared with them, ...

Each relation says it twice from one description: as filters, for lists, and of one object.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from netweft.control import rbac
from netweft.plugins.identity import Context
from netweft.store import Object, ReadTransaction

Filters: TypeAlias = Mapping[str, Sequence[Any]]
Base: TypeAlias = Callable[[ReadTransaction, Context, str], list[Filters]]


class Relation(NamedTuple):
    """base: which objects of a kind.  via: the attribute by which an object hangs on one of those, of that `kind`."""

    base: Base
    via: str = ""
    kind: str = ""

    @property
    def is_plain(self) -> bool:
        """The object itself says whether it holds; nothing is looked up."""
        return not self.via and self.base in (_all, _own, _flagged)


def _all(tx: ReadTransaction, context: Context, kind: str) -> list[Filters]:
    return [{}]


def _own(tx: ReadTransaction, context: Context, kind: str) -> list[Filters]:
    return [{"project_id": [context.project_id]}]


def _shared(tx: ReadTransaction, context: Context, kind: str) -> list[Filters]:
    return _ids(rbac.shared_with(tx, kind, context.project_id))


def _external(tx: ReadTransaction, context: Context, kind: str) -> list[Filters]:
    return _ids(rbac.shared_with(tx, kind, context.project_id, rbac.EXTERNAL))


def _flagged(tx: ReadTransaction, context: Context, kind: str) -> list[Filters]:
    """With everybody, as the object itself says: FWaaS has no RBAC entries."""
    return [{"shared": [True]}]


def _ids(ids: set[str]) -> list[Filters]:
    return [{"id": sorted(ids)}] if ids else []


ANY = Relation(_all)
OWN = Relation(_own)
SHARED = Relation(_shared)
FLAGGED = Relation(_flagged)
EXTERNAL = Relation(_external)
ON_OWN_NETWORK = Relation(_own, "network_id", "networks")
ON_SHARED_NETWORK = Relation(_shared, "network_id", "networks")
ON_EXTERNAL_NETWORK = Relation(_external, "network_id", "networks")
IN_OWN_GROUP = Relation(_own, "security_group_id", "security_groups")


class Relations:
    """One caller's, in one transaction; what was looked up once is not looked up again."""

    def __init__(self, tx: ReadTransaction, context: Context) -> None:
        self._tx = tx
        self._context = context
        self._bases: dict[tuple[Base, str], list[Filters]] = {}
        self._parents: dict[tuple[str, str], Object | None] = {}

    def filters(self, relation: Relation, kind: str) -> list[Filters]:
        """Of objects of this kind, one must match."""
        base = self._base(relation, kind)
        return [{relation.via: self._tx.ids(relation.kind, *base)}] if relation.via and base else base

    def holds(self, relation: Relation, kind: str, object: Object) -> bool:
        of = self._parent(relation.kind, object.get(relation.via)) if relation.via else object
        return of is not None and any(matches(of, filters) for filters in self._base(relation, kind))

    def _base(self, relation: Relation, kind: str) -> list[Filters]:
        key = relation.base, relation.kind or kind
        if key not in self._bases:
            self._bases[key] = relation.base(self._tx, self._context, key[1])
        return self._bases[key]

    def _parent(self, kind: str, id: Any) -> Object | None:
        if not isinstance(id, str):
            return None
        if (kind, id) not in self._parents:
            self._parents[kind, id] = self._tx.get(kind, id)
        return self._parents[kind, id]


def matches(object: Object, filters: Filters) -> bool:
    return all(object.get(name) in values for name, values in filters.items())
