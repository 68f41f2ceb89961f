"""Which objects, in which order, which page: a value, and its SQL.

The SQL depends on a query's *shape*: what it filters and sorts by, not by which values.  It is made once a shape.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB

from netweft.store.schema import LOOKED_UP, objects
from netweft.store.sql import Among, Statement

Value: TypeAlias = str | int | float | bool | None
Filters: TypeAlias = Mapping[str, Sequence[Value]]
Order: TypeAlias = tuple[tuple[str, bool], ...]
_SHAPES = 256  # that are remembered: clients make them up


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

    def apart(self, id: ColumnElement[Any]) -> ColumnElement[Any]:
        """The id, to sort by those that were found by another column's index: else SQLite goes through all rows of the
        kind, since those are in this order (decision 0404)."""
        return func.coalesce(id, "")

    def elements(self, attribute: str, member: str) -> Select[Any]:
        """SELECT of what stands in a list; `member` empty: the elements themselves."""
        each = func.json_each(objects.c.attrs, f'$."{attribute}"').table_valued("value")
        return select(func.json_extract(each.c.value, f'$."{member}"') if member else each.c.value)


class PostgreSQLJson(JsonDialect):
    def scalar(self, attribute: str) -> ColumnElement[Any]:
        return objects.c.attrs.op("->>", return_type=Text())(cast(attribute, Text))

    def value(self, value: Value) -> Any:
        return ("true" if value else "false") if isinstance(value, bool) else value if value is None else str(value)

    def apart(self, id: ColumnElement[Any]) -> ColumnElement[Any]:
        return id

    def order(self, attribute: str) -> ColumnElement[Any]:
        found = objects.c.attrs.op("->", return_type=JSONB())(cast(attribute, Text))
        return func.coalesce(found, literal_column("'null'::jsonb"), type_=JSONB())

    def elements(self, attribute: str, member: str) -> Select[Any]:
        inside = objects.c.attrs.op("->", return_type=JSONB())(cast(attribute, Text))
        if not member:
            return select(func.jsonb_array_elements_text(inside).table_valued("value").c.value)
        each = func.jsonb_array_elements(inside).table_valued("value")
        return select(each.c.value.op("->>", return_type=Text())(cast(member, Text)))


class Shape(NamedTuple):
    """A filter without its values.  null: one of these is null.  some: how many others; 2 for more, mostly."""

    name: str
    null: bool
    some: int

    @property
    def is_list(self) -> bool:
        """Its parameter is a list of values."""
        return self.some > 1 or self.name.endswith("]") or "." in self.name


Shapes: TypeAlias = tuple[Shape, ...]
Parameters: TypeAlias = dict[str, Any]


def bound(dialect: JsonDialect, filters: Filters, place: int = 0) -> tuple[Shapes, Parameters]:
    """place: among several mappings of filters in one statement."""
    shapes: list[Shape] = []
    parameters: Parameters = {}
    for at, (name, values) in enumerate(filters.items()):
        is_column = name.removeprefix("!") in LOOKED_UP  # which have null for an empty text
        kept = dict.fromkeys(dialect.value((value or None) if is_column else value) for value in values)
        some = [value for value in kept if value is not None]
        exact = name.endswith(("~", "[&]"))
        shape = Shape(name, len(some) < len(kept), len(some) if exact else min(len(some), 2))
        shapes.append(shape)
        bind = _bind(place, at)
        if name.endswith("~"):
            parameters |= {f"{bind}_{n}": _containing(str(value)) for n, value in enumerate(some)}
        elif some or shape.is_list:
            parameters[bind] = some if shape.is_list else some[0]
    return tuple(shapes), parameters


def _bind(place: int, at: int) -> str:
    return f"f{place}_{at}"


def _containing(text: str) -> str:
    """A pattern, with `/` before what would stand for something else."""
    return "%" + text.replace("/", "//").replace("%", "/%").replace("_", "/_") + "%"


def _matches(dialect: JsonDialect, shapes: Shapes, place: int = 0) -> ColumnElement[bool]:
    """The WHERE for a mapping of filters, within one kind."""
    parts = (_match(dialect, shape, _bind(place, at)) for at, shape in enumerate(shapes))
    return and_(objects.c.kind == bindparam("kind"), *parts)


def _match(dialect: JsonDialect, shape: Shape, bind: str) -> ColumnElement[bool]:
    name, null, some = shape
    if not null and not some:
        return false()
    if name.startswith("!"):
        return not_(_match(dialect, shape._replace(name=name[1:]), bind))
    if name.endswith("[&]"):
        element = (elements := dialect.elements(name[:-3], "")).selected_columns[0]
        found = elements.with_only_columns(func.count(element.distinct())).where(Among(element, bind))
        return found.correlate(objects).scalar_subquery() == some
    if name == "id" or name in LOOKED_UP:
        return _one_of(objects.c[LOOKED_UP.get(name, name)], shape, bind)
    attribute, dot, member = name.removesuffix("[]").partition(".")
    if not dot and attribute == name:
        return _one_of(dialect.scalar(name), shape, bind)
    element = (elements := dialect.elements(attribute, member.removesuffix("~"))).selected_columns[0]
    if member.endswith("~"):
        patterns = (bindparam(f"{bind}_{n}", type_=Text()) for n in range(some))
        return elements.where(or_(*(element.like(each, escape="/") for each in patterns))).correlate(objects).exists()
    return elements.where(Among(element, bind)).correlate(objects).exists()


def _one_of(expression: ColumnElement[Any], shape: Shape, bind: str) -> ColumnElement[bool]:
    parts: list[ColumnElement[bool]] = [expression.is_(None)] if shape.null else []
    if shape.some:
        one = expression == bindparam(bind, type_=expression.type)
        parts.append(Among(expression, bind) if shape.some > 1 else one)
    return or_(*parts)


@lru_cache(_SHAPES)
def counting(dialect: JsonDialect, shapes: Shapes) -> Statement:
    return Statement(select(func.count()).select_from(objects).where(_matches(dialect, shapes)))


@lru_cache(_SHAPES)
def matching(dialect: JsonDialect, any_of: tuple[Shapes, ...]) -> Statement:
    return Statement(select(objects.c.id).where(_any(dialect, any_of)))


def order_of(query: Query) -> Order:
    """Sort keys with their direction, the id last; for a reversed page all the other way round."""
    order = [(name, down != query.reverse) for name, down in query.sort if name != "id"]
    ids_down = next((down for name, down in query.sort if name == "id"), False)
    return (*order, ("id", ids_down != query.reverse))


@lru_cache(_SHAPES)
def sort_keys(dialect: JsonDialect, order: Order) -> Statement:
    """Of the object with this id: the parameters `k0`, ... of the page after it."""
    keys = (_key(dialect, name) for name, _ in order)
    return Statement(select(*keys).where(objects.c.kind == bindparam("kind"), objects.c.id == bindparam("i")))


@lru_cache(_SHAPES)
def page(
    dialect: JsonDialect, where: Shapes, any_of: tuple[Shapes, ...], order: Order, *, marked: bool, limited: bool
) -> Statement:
    """SELECT attrs, in `order`.  marked: only what comes after these sort keys."""
    keys = [(_key(dialect, name), down) for name, down in order]
    if not (marked or limited) and any(shape.name in LOOKED_UP for shape in where):
        keys[-1] = (dialect.apart(keys[-1][0]), keys[-1][1])
    statement = select(objects.c.attrs).where(_matches(dialect, where))
    if any_of:
        statement = statement.where(_any(dialect, any_of))
    if marked:
        statement = statement.where(_beyond(keys))
    statement = statement.order_by(*(key.desc() if down else key.asc() for key, down in keys))
    return Statement(statement.limit(bindparam("limit")) if limited else statement)


def _any(dialect: JsonDialect, any_of: tuple[Shapes, ...]) -> ColumnElement[bool]:
    return or_(*(_matches(dialect, shapes, place) for place, shapes in enumerate(any_of, 1)))


def _key(dialect: JsonDialect, name: str) -> ColumnElement[Any]:
    if name == "id":
        return objects.c.id
    return func.coalesce(objects.c[LOOKED_UP[name]], "") if name in LOOKED_UP else dialect.order(name)


def _beyond(keys: Sequence[tuple[ColumnElement[Any], bool]]) -> ColumnElement[bool]:
    """Greater in the first key, or equal there and greater in the next, ...  Flat: databases bound how deep it goes."""
    result: list[ColumnElement[bool]] = []
    equal: list[ColumnElement[bool]] = []
    for at, (key, down) in enumerate(keys):
        after = bindparam(f"k{at}", type_=key.type)
        result.append(and_(*equal, key < after if down else key > after))
        equal.append(key == after)
    return or_(*result)
