"""Query strings of lists: filters, tags, fields, sorting and pages, as Octavia takes them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import urlencode

from netweft.api import querystring
from netweft.api.checks import Invalid
from netweft.api.encoding import whole_number
from netweft.api.faults import HTTPBadRequest
from netweft.api.lb.fields import MOST_TAGS, Fields
from netweft.store import Object, Query

_AUXILIARY: Final = frozenset({"limit", "marker", "sort", "sort_key", "sort_dir", "fields", "page_reverse"})
_TAGS: Final = {"tags": "tags[&]", "tags-any": "tags[]", "not-tags": "!tags[&]", "not-tags-any": "!tags[]"}
_RENAMED: Final = {"load_balancer_id": "loadbalancer_id", "tenant_id": "project_id"}
_MOST: Final = 2**31 - 1
Pairs = Sequence[tuple[str, str]]


class Listed(Protocol):
    @property
    def fields(self) -> Fields: ...

    @property
    def computed(self) -> frozenset[str]: ...


class Listing(NamedTuple):
    """computed: filters on what the store does not know."""

    query: Query
    fields: frozenset[str]
    computed: Mapping[str, list[Any]]

    def means(self, object: Object) -> bool:
        return all(object[name] in values for name, values in self.computed.items())


def parse(listed: Listed, text: str) -> tuple[Listing, Pairs]:
    """Raises HTTPBadRequest."""
    pairs = querystring.parse(text)
    filters: dict[str, list[Any]] = {}
    for name, value in pairs:
        if name not in _AUXILIARY:
            key, found = _filter(listed, _RENAMED.get(name, name), value)
            filters.setdefault(key, []).extend(found)
    for key in _TAGS.values():
        if len(filters.get(key, ())) > MOST_TAGS:
            raise HTTPBadRequest(f"There are more than {MOST_TAGS} values to filter by in tags")
    computed = {name: filters.pop(name) for name in list(filters) if name in listed.computed}
    single = dict(pairs)
    query = Query(
        filters,
        sort=_sort(listed, single),
        limit=_limit(single.get("limit")),
        marker=single.get("marker") or None,
        reverse=single.get("page_reverse", "").lower() == "true",
    )
    return Listing(query, fields_of(pairs), computed), pairs


def fields_of(pairs: Pairs) -> frozenset[str]:
    return frozenset(one for name, value in pairs if name == "fields" for one in value.split(",") if one)


def _filter(listed: Listed, name: str, value: str) -> tuple[str, list[Any]]:
    if name in _TAGS and "tags" in listed.fields:
        return _TAGS[name], value.split(",")
    field = listed.fields.get(name)
    if field is None or not field.filter:
        raise HTTPBadRequest("One or more arguments are either duplicate or invalid")
    try:
        return field.kept or name, [field.parse(value)]
    except Invalid as invalid:
        raise HTTPBadRequest(f"Invalid input for field/attribute {name}. {invalid}") from None


def _sort(listed: Listed, single: Mapping[str, str]) -> list[tuple[str, bool]]:
    """`sort=name:asc,...`, or sort_key and sort_dir; what is equal then by the time it was made."""
    asked: list[tuple[str, str]] = []
    if text := single.get("sort"):
        for one in text.split(","):
            name, _, direction = one.partition(":")
            asked.append((name, direction or "asc"))
    elif text := single.get("sort_key"):
        names, directions = text.split(","), [one for one in single.get("sort_dir", "").split(",") if one]
        directions += ["asc"] * (len(names) - len(directions))
        asked = list(zip(names, directions, strict=False))
    result: dict[str, bool] = {}
    for name, direction in asked:
        field = listed.fields.get(_RENAMED.get(name, name))
        if field is None or not field.sort:
            raise HTTPBadRequest(f"Supplied sort key '{name}' is not valid.")
        if direction.lower() not in ("asc", "desc"):
            raise HTTPBadRequest(f"Supplied sort direction '{direction}' is not valid.")
        result.setdefault(field.kept or _RENAMED.get(name, name), direction.lower() == "desc")
    if "created_at" in listed.fields:
        result.setdefault("created_at", False)
    return list(result.items())


def _limit(text: str | None) -> int | None:
    if text in (None, "infinite"):
        return None
    limit = whole_number(text or "")
    if limit is None:
        raise HTTPBadRequest(f"Supplied pagination limit '{text}' is not valid.")
    return min(limit, _MOST) if limit > 0 else None


def links(listing: Listing, ids: Sequence[str], url: str, pairs: Pairs) -> list[Object]:
    """To the pages before and after, where there may be some."""
    query = listing.query
    if query.limit is None or not ids:
        return []
    rest = [(name, value) for name, value in pairs if name not in ("marker", "page_reverse")]
    result = []
    if query.marker:
        back = urlencode([*rest, ("marker", ids[0]), ("page_reverse", "True")])
        result.append({"rel": "previous", "href": f"{url}?{back}"})
    if len(ids) >= query.limit:
        result.append({"rel": "next", "href": f"{url}?{urlencode([*rest, ('marker', ids[-1])])}"})
    return result
