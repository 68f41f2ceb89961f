"""The attribute `shared`: what it says to a caller, and lists that are filtered by it (decision 0281)."""

from collections.abc import Mapping, Sequence
from typing import Any

from netweft.api.attributes import Resource
from netweft.control import rbac
from netweft.control.sharing import SHARED
from netweft.plugins.identity import Context
from netweft.store import Object, ReadTransaction
from netweft.store.query import Filters


def with_shared(
    tx: ReadTransaction, context: Context, resource: Resource, objects: Sequence[Object]
) -> Sequence[Object]:
    """Whether it is to the caller's project, by name or to everybody."""
    if resource.shared_as is None or resource.shared_as[0] != "id" or SHARED not in resource.attributes:
        return objects
    ids = rbac.shared_with(tx, resource.shared_as[1], context.project_id, among=[one["id"] for one in objects])
    return [one | {SHARED: one["id"] in ids} for one in objects]


def looked_up(tx: ReadTransaction, context: Context, resource: Resource, filters: Filters) -> Filters:
    """Filters as the store can answer them."""
    if resource.shared_as is None or SHARED not in filters:
        return filters
    attribute, kind = resource.shared_as
    rest: dict[str, Sequence[Any]] = {name: values for name, values in filters.items() if name != SHARED}
    asked, ids = set(filters[SHARED]), rbac.shared_with(tx, kind, context.project_id)
    if asked == {True}:
        return rest | {attribute: sorted(ids.intersection(_values(rest, attribute, ids)))}
    return rest | ({f"!{attribute}": sorted(ids)} if asked == {False} and ids else {})


def _values(filters: Mapping[str, Sequence[Any]], attribute: str, otherwise: set[str]) -> Sequence[Any]:
    return filters.get(attribute, sorted(otherwise))
