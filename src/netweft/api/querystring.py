"""Query strings: filters, fields, sorting and pages; and the links to the pages before and after."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qsl, urlencode

from netweft.api import checks
from netweft.api.attributes import Attribute
from netweft.api.checks import Invalid, boolean
from netweft.api.encoding import whole_number
from netweft.api.faults import HTTPBadRequest
from netweft.store import Object, Query

_RESERVED = frozenset({"fields", "sort_key", "sort_dir", "limit", "marker", "page_reverse"})
_MOST = 2**31  # in one answer: a database's integer takes it
_LISTS_OF_VALUES = frozenset({"security_groups", "firewall_rules", "ports"})
# all of these tags, any of them, and the opposites; the store's name for each
_TAGS = {"tags": "tags[&]", "tags-any": "tags[]", "not-tags": "!tags[&]", "not-tags-any": "!tags[]"}
# of filters whose cost grows with each value: nothing has more tags, nobody seeks for so many parts of addresses
_MOST_VALUES = dict.fromkeys(_TAGS.values(), checks.TAGS) | {"fixed_ips.ip_address~": 16}
# what may be asked of their members; the store's name for each
_LISTS_OF_OBJECTS = {
    "fixed_ips": {"ip_address": "ip_address", "subnet_id": "subnet_id", "ip_address_substr": "ip_address~"}
}


class Listed(Protocol):
    """What this module has to know of a resource, or of what is part of one.  computed: as in Resource."""

    @property
    def collection(self) -> str: ...

    @property
    def attributes(self) -> Mapping[str, Attribute]: ...

    @property
    def computed(self) -> frozenset[str]: ...


@dataclass(frozen=True, slots=True)
class Listing:
    """The query of a GET of a collection.  computed: filters on what the store does not know."""

    query: Query
    fields: frozenset[str]
    computed: dict[str, list[Any]]

    def means(self, object: Object) -> bool:
        """Whether the filters on what is computed let it through."""
        return not self.computed or all(object[name] in values for name, values in self.computed.items())

    def asked_for(self, object: Object) -> Object:
        return {name: object[name] for name in object if name in self.fields} if self.fields else object


def fields_of(pairs: Iterable[tuple[str, str]]) -> frozenset[str]:
    return frozenset(value for name, value in pairs if name == "fields" and value)


def parse(text: str) -> list[tuple[str, str]]:
    return parse_qsl(text, keep_blank_values=True)


def listing(resource: Listed, pairs: Sequence[tuple[str, str]], hidden: frozenset[str] = frozenset()) -> Listing:
    """hidden: attributes that are not there for the caller.  Raises HTTPBadRequest."""
    filters: dict[str, list[Any]] = {}
    unknown = []
    for name, value in pairs:
        if name in _RESERVED:
            continue
        if name in _TAGS and "tags" in resource.attributes:
            filters.setdefault(_TAGS[name], []).extend(value.split(","))
            continue
        attribute = resource.attributes.get(name)
        if attribute is None or not attribute.filter or name in hidden:
            unknown.append(name)
            continue
        key, parsed = _filter(resource, name, value)
        filters.setdefault(key, []).append(parsed)
    filters = {name: list(dict.fromkeys(values)) for name, values in filters.items()}
    for name, most in _MOST_VALUES.items():
        if len(filters.get(name, ())) > most:
            raise HTTPBadRequest(f"There are more than {most} values to filter by in {name.strip('![]&~')}")
    if unknown:
        raise HTTPBadRequest(f"{unknown} is invalid attribute for filtering")
    single = {name: value for name, value in pairs if name in _RESERVED}
    computed = {name: filters.pop(name) for name in list(filters) if name in resource.computed}
    query = Query(
        filters,
        sort=_sort(resource, pairs, hidden),
        limit=_limit(single.get("limit")),
        marker=single.get("marker") or None,
        reverse=flag("page_reverse", single.get("page_reverse", "false")),
    )
    return Listing(query, fields_of(pairs), computed)


def answer(
    resource: Listed,
    listing: Listing,
    items: Sequence[Object],
    url: str,
    pairs: Sequence[tuple[str, str]],
    key: str = "id",
) -> Object:
    """The body of a list.  key: the attribute whose value is a marker; it is in all items, asked for or not."""
    return told_answer(resource, listing, [Told(one[key], listing.asked_for(one)) for one in items], url, pairs)


class Told(NamedTuple):
    """Of a list: what its place is called, and what is said of it."""

    marker: str
    said: Any


def told_answer(
    resource: Listed, listing: Listing, items: Sequence[Told], url: str, pairs: Sequence[tuple[str, str]]
) -> Object:
    """The same, of what was made ready before."""
    result: Object = {resource.collection: [one.said for one in items]}
    if links := _links(listing, [one.marker for one in items], url, pairs):
        result[f"{resource.collection}_links"] = links
    return result


def _links(listing: Listing, ids: Sequence[str], url: str, pairs: Sequence[tuple[str, str]]) -> list[Object]:
    """As Neutron gives them: on the side to which we came, only when the page is full.  From a page with nothing on it
    the other way leads to the end: without a marker."""
    query = listing.query
    if query.limit is None:
        return []
    rest = [(name, value) for name, value in pairs if name not in ("marker", "page_reverse")]
    full = len(ids) >= query.limit
    ahead, back = ([("marker", id) for id in end] for end in (ids[-1:], ids[:1]))
    result = []
    if full or query.reverse:
        result.append({"rel": "next", "href": f"{url}?{urlencode([*rest, *ahead])}"})
    if full or not query.reverse:
        result.append({"rel": "previous", "href": f"{url}?{urlencode([*rest, *back, ('page_reverse', 'True')])}"})
    return result


def _filter(resource: Listed, name: str, value: str) -> tuple[str, Any]:
    """The store's name for what is filtered by, and the value it is compared with."""
    if name in _LISTS_OF_OBJECTS:
        member, equals, wanted = value.partition("=")
        if not equals or member not in _LISTS_OF_OBJECTS[name]:
            raise HTTPBadRequest(f"Invalid filter {name}={value}: give {name}=<key>=<value>")
        return f"{name}.{_LISTS_OF_OBJECTS[name][member]}", wanted
    if name in _LISTS_OF_VALUES:
        return f"{name}[]", value
    try:
        parsed = resource.attributes[name].parse(value)
    except Invalid as invalid:
        raise HTTPBadRequest(f"Invalid input for {name}. Reason: {invalid}.") from None
    return ("project_id" if name == "tenant_id" else name), parsed


def _sort(resource: Listed, pairs: Iterable[tuple[str, str]], hidden: frozenset[str]) -> list[tuple[str, bool]]:
    keys = [value for name, value in pairs if name == "sort_key"]
    directions = [value for name, value in pairs if name == "sort_dir"]
    if len(directions) > 1 and len(directions) != len(keys):
        raise HTTPBadRequest("The number of sort_keys and sort_dirs must be same")
    if wrong := [direction for direction in directions if direction not in ("asc", "desc")]:
        raise HTTPBadRequest(f"{wrong} is invalid value for sort_dirs, valid value is 'asc' and 'desc'")
    sortable = {name for name, attribute in resource.attributes.items() if attribute.sort and name not in hidden}
    if wrong := [key for key in keys if key not in sortable]:
        raise HTTPBadRequest(f"{wrong} is invalid attribute for sort_keys")
    if len(directions) == 1:
        directions *= len(keys)
    directions = directions or ["asc"] * len(keys)
    names = ("project_id" if key == "tenant_id" else key for key in keys)
    pairs_of = list(zip(names, directions, strict=True))[::-1]
    first = dict(pairs_of)  # what was sorted by once need not be again
    return [(name, first[name] == "desc") for name in dict.fromkeys(name for name, _ in pairs_of[::-1])]


def _limit(text: str | None) -> int | None:
    limit = whole_number(text or "0")
    if limit is None or limit < 0:
        raise HTTPBadRequest(f"Limit must be an integer 0 or greater and not '{text}'")
    return min(limit, _MOST) or None


def flag(name: str, text: str) -> bool:
    """Raises HTTPBadRequest."""
    try:
        return boolean(text)
    except Invalid as invalid:
        raise HTTPBadRequest(f"Invalid input for {name}. Reason: {invalid}.") from None
