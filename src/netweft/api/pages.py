"""Pages of what the store cannot page: filtered, sorted and cut here, as it would have done it."""

from collections.abc import Sequence
from typing import TypeVar

from netweft.api.relations import matches
from netweft.control.errors import NotFound
from netweft.store import Object, Query

T = TypeVar("T")


def of(query: Query, ids: Sequence[str], items: Sequence[T | None]) -> list[T]:
    """All there are, in order; None for what is none of those that are requested."""
    at = ids.index(query.marker) if query.marker in ids else None
    if query.reverse:
        found = [one for one in items[:at] if one is not None]
        return found[-query.limit :] if query.limit else found
    found = [one for one in items[0 if at is None else at + 1 :] if one is not None]
    return found[: query.limit]


def of_parts(query: Query, parts: Sequence[Object], absent: NotFound, key: str = "id") -> list[Object]:
    """Of what is part of one object, by ids or another key: few.  Raises `absent` when none of them is the marker."""
    found = sorted(parts, key=lambda part: str(part[key]))
    for name, down in reversed(query.sort):
        found.sort(key=lambda part: part[name], reverse=down)
    ids = [part[key] for part in found]
    if query.marker is not None and query.marker not in ids:
        raise absent
    return of(query, ids, [part if matches(part, query.filters) else None for part in found])
