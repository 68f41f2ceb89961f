"""Which objects, in which order, which page: a value, and its SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Select, Text, and_, cast, false, func, literal, literal_column, not_, or_, select
from sqlalchemy.dialects.postgresql import JSONB

from netweft.store.schema import LOOKED_UP, objects

Value: TypeAlias = str | int | float | bool | None
Filters: TypeAlias = Mapping[str, Sequence[Value]]


@dataclass(frozen=True, slots=True)
class Query:
    """filters: attribute -> any of these values; all attributes must match.  `fixed_ips.subnet_id` looks into a list
    of objects, `security_groups[]` into a list of values (`tags[&]`: all of these are in the list); anything else is
    compared as a whole.  `!` in front turns a filter round.
    any_of: further filters of which one must match (what the caller may see).
    sort: (attribute, descending); the id decides between equals.
    marker: the id of the last object of the page before (of the first one after it, when `reverse`).
    """

    filters: Filters = field(default_factory=dict)
    any_of: Sequence[Filters] = ()
    sort: Sequence[tuple[str, bool]] = ()
    limit: int | None = None
    marker: str | None = None
    reverse: bool = False


class JsonDialect:
    """The few JSON expressions in which SQLite and PostgreSQL differ."""

    def scalar(self, attribute: str) -> ColumnElement[Any]:
        """An attribute of attrs, to compare with `value`; NULL for null."""
        return func.json_extract(objects.c.attrs, f'$."{attribute}"')

    def value(self, value: Value) -> Any:
        return value

    def order(self, attribute: str) -> ColumnElement[Any]:
        return func.coalesce(self.scalar(attribute), "")

    def elements(self, attribute: str, member: str) -> Select[Any]:
        """SELECT of what stands in a list; `member` empty: the elements themselves."""
        each = func.json_each(objects.c.attrs, f'$."{attribute}"').table_valued("value")
        return select(func.json_extract(each.c.value, f'$."{member}"') if member else each.c.value)


class PostgreSQLJson(JsonDialect):
    def scalar(self, attribute: str) -> ColumnElement[Any]:
        return objects.c.attrs.op("->>", return_type=Text())(cast(attribute, Text))

    def value(self, value: Value) -> Any:
        return ("true" if value else "false") if isinstance(value, bool) else value if value is None else str(value)

    def order(self, attribute: str) -> ColumnElement[Any]:
        found = objects.c.attrs.op("->", return_type=JSONB())(cast(attribute, Text))
        return func.coalesce(found, literal_column("'null'::jsonb"), type_=JSONB())

    def elements(self, attribute: str, member: str) -> Select[Any]:
        inside = objects.c.attrs.op("->", return_type=JSONB())(cast(attribute, Text))
        if not member:
            return select(func.jsonb_array_elements_text(inside).table_valued("value").c.value)
        each = func.jsonb_array_elements(inside).table_valued("value")
        return select(each.c.value.op("->>", return_type=Text())(cast(member, Text)))


def matches(dialect: JsonDialect, kind: str, filters: Filters) -> ColumnElement[bool]:
    """The WHERE for a mapping of filters, within one kind."""
    return and_(objects.c.kind == kind, *(_match(dialect, name, values) for name, values in filters.items()))


def _match(dialect: JsonDialect, name: str, values: Sequence[Value]) -> ColumnElement[bool]:
    if not values:
        return false()
    if name.startswith("!"):
        return not_(_match(dialect, name[1:], values))
    if name.endswith("[&]"):
        wanted = [dialect.value(value) for value in dict.fromkeys(values)]
        element = (elements := dialect.elements(name[:-3], "")).selected_columns[0]
        found = elements.with_only_columns(func.count(element.distinct())).where(element.in_(wanted))
        return found.correlate(objects).scalar_subquery() == len(wanted)
    if name == "id":
        return objects.c.id.in_(values)
    if name in LOOKED_UP:
        return _one_of(objects.c[LOOKED_UP[name]], [value or None for value in values])
    if name.endswith("[]"):
        return _has(dialect.elements(name[:-2], ""), dialect, values)
    attribute, dot, member = name.partition(".")
    if dot and member.endswith("~"):
        element = (elements := dialect.elements(attribute, member[:-1])).selected_columns[0]
        parts = [element.contains(str(value), autoescape=True) for value in values]
        return elements.where(or_(*parts)).correlate(objects).exists()
    if dot:
        return _has(dialect.elements(attribute, member), dialect, values)
    return _one_of(dialect.scalar(name), [dialect.value(value) for value in values])


def _one_of(expression: ColumnElement[Any], values: list[Any]) -> ColumnElement[bool]:
    some = [value for value in values if value is not None]
    parts: list[ColumnElement[bool]] = (
        [expression == some[0] if len(some) == 1 else expression.in_(some)] if some else []
    )
    if len(some) < len(values):
        parts.append(expression.is_(None))
    return or_(*parts)


def _has(elements: Select[Any], dialect: JsonDialect, values: Sequence[Value]) -> ColumnElement[bool]:
    element = elements.selected_columns[0]
    return elements.where(element.in_([dialect.value(value) for value in values])).correlate(objects).exists()


Order: TypeAlias = Sequence[tuple[ColumnElement[Any], bool]]


def order_of(dialect: JsonDialect, query: Query) -> Order:
    """Sort keys with their direction, the id last; for a reversed page all the other way round."""
    order = [(_key(dialect, name), down != query.reverse) for name, down in query.sort if name != "id"]
    ids_down = next((down for name, down in query.sort if name == "id"), False)
    return [*order, (objects.c.id, ids_down != query.reverse)]


def _key(dialect: JsonDialect, name: str) -> ColumnElement[Any]:
    return func.coalesce(objects.c[LOOKED_UP[name]], "") if name in LOOKED_UP else dialect.order(name)


def page(dialect: JsonDialect, kind: str, query: Query, order: Order, after: Sequence[Any] = ()) -> Select[Any]:
    """SELECT attrs, in `order`; `after`: the marker's values of the sort keys."""
    statement = select(objects.c.attrs).where(matches(dialect, kind, query.filters))
    if query.any_of:
        statement = statement.where(or_(*(matches(dialect, kind, filters) for filters in query.any_of)))
    if after:
        statement = statement.where(_beyond(order, after))
    statement = statement.order_by(*(key.desc() if down else key.asc() for key, down in order))
    return statement if query.limit is None else statement.limit(query.limit)


def _beyond(order: Order, after: Sequence[Any]) -> ColumnElement[bool]:
    """Greater in the first key, or equal there and greater in the next, ...  Flat: databases bound how deep it goes."""
    result: list[ColumnElement[bool]] = []
    equal: list[ColumnElement[bool]] = []
    for (key, down), value in zip(order, after, strict=True):
        bound = literal(value, key.type)
        result.append(and_(*equal, key < bound if down else key > bound))
        equal.append(key == bound)
    return or_(*result)
