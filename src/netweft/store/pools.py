"""Numbers handed out from ranges: addresses of a subnet, VNIs.  The cost does not grow with how many are taken.

The free numbers of a pool are kept as ranges.  Taking shortens the first range, giving back joins neighbours, both in
O(log n).  That no number is held twice is not decided here but by the claims' primary key.
"""

from collections.abc import Iterable

from sqlalchemy import bindparam, delete, insert, select, update

from netweft.store.row_locks import take_all_turns
from netweft.store.schema import claims, free_ranges, pools
from netweft.store.sql import Connection, Statement

_of_scope = free_ranges.c.scope == bindparam("scope")
_lowest = select(free_ranges.c.first, free_ranges.c.last).where(_of_scope).order_by(free_ranges.c.first).limit(1)
_first_free = Statement(_lowest)
_first_free_within = Statement(
    _lowest.where(free_ranges.c.first <= bindparam("until"), free_ranges.c.last >= bindparam("since"))
)
_free_at_or_before = Statement(
    select(free_ranges.c.first, free_ranges.c.last)
    .where(_of_scope, free_ranges.c.first <= bindparam("number"))
    .order_by(free_ranges.c.first.desc())
    .limit(1)
)
_free_from = Statement(select(free_ranges.c.last).where(_of_scope, free_ranges.c.first == bindparam("number")))
_this = (free_ranges.c.scope == bindparam("of"), free_ranges.c.first == bindparam("old"))
_shorten = Statement(update(free_ranges).where(*_this).values(first=bindparam("new_first"), last=bindparam("new_last")))
_remove = Statement(delete(free_ranges).where(*_this))
_add = Statement(insert(free_ranges))
_bounds = Statement(
    select(pools.c.first, pools.c.last).where(pools.c.scope == bindparam("scope")).order_by(pools.c.first)
)
_taken = Statement(select(claims.c.value).where(claims.c.scope == bindparam("scope")))
_forget = [Statement(delete(table).where(table.c.scope == bindparam("of"))) for table in (pools, free_ranges)]
_define = Statement(insert(pools))

Range = tuple[int, int]


def _bytes(number: int) -> bytes:
    """Sorts as the number does; one byte more than an IPv6 address, so that its successor fits too."""
    return number.to_bytes(17, "big")


def _int(value: bytes) -> int:
    return int.from_bytes(value, "big")


def _row(scope: str, range: Range) -> dict[str, str | bytes]:
    return {"scope": scope, "first": _bytes(range[0]), "last": _bytes(range[1])}


def is_used_up(connection: Connection, scope: str) -> bool:
    """For who only reads."""
    return connection.first(_first_free, scope=scope) is None


class Pools:
    """The pools, within one write transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._mine: set[str] = set()

    def define(self, scope: str, ranges: Iterable[Range]) -> None:
        """(Re)define a pool: these ranges (inclusive), less what is claimed in `scope` as decimal numbers."""
        wanted = sorted(ranges)
        self._take_turns(scope)
        if self._bounds(scope) == wanted:
            return
        for forget in _forget:
            self._connection.run(forget, {"of": scope})
        taken = sorted(int(value) for value in self._connection.column(_taken, scope=scope))
        for add, ranges in ((_define, wanted), (_add, _without(wanted, taken))):
            if ranges:
                self._connection.run(add, *(_row(scope, each) for each in ranges))

    def drop(self, scope: str) -> None:
        self.define(scope, ())

    def take(self, scope: str, count: int) -> list[int]:
        """The lowest free numbers; fewer than `count` when there are no more."""
        self._take_turns(scope)
        result: list[int] = []
        while len(result) < count:
            free = self._range(_first_free, scope=scope)
            if free is None:
                break
            first, last = free
            until = min(last, first + count - len(result) - 1)
            self._cut(scope, (first, last), (first, until))
            result.extend(range(first, until + 1))
        return result

    def take_within(self, scope: str, part: Range) -> int | None:
        """The lowest free number of a part of the pool; None when there is none."""
        self._take_turns(scope)
        free = self._range(_first_free_within, scope=scope, since=_bytes(part[0]), until=_bytes(part[1]))
        if free is None:
            return None
        number = max(free[0], part[0])
        self._cut(scope, free, (number, number))
        return number

    def take_exactly(self, scope: str, number: int) -> None:
        """Make sure that `take` won't give this one.  Whether somebody holds it already is the claim's matter."""
        self._take_turns(scope)
        free = self._range(_free_at_or_before, scope=scope, number=_bytes(number))
        if free is not None and number <= free[1]:
            self._cut(scope, free, (number, number))

    def give_back(self, scope: str, number: int) -> None:
        """Free again, if it belongs to the pool at all."""
        self._take_turns(scope)
        if not any(first <= number <= last for first, last in self._bounds(scope)):
            return
        first = last = number
        below = self._range(_free_at_or_before, scope=scope, number=_bytes(number))
        if below is not None and below[1] >= number:
            return  # the pool was defined anew after the claim went
        if below is not None and below[1] == number - 1:
            first = below[0]
            self._connection.run(_remove, {"of": scope, "old": _bytes(first)})
        above = self._connection.scalar(_free_from, scope=scope, number=_bytes(number + 1))
        if above is not None:
            last = _int(above)
            self._connection.run(_remove, {"of": scope, "old": _bytes(number + 1)})
        self._connection.run(_add, _row(scope, (first, last)))

    def hold(self, scopes: Iterable[str]) -> None:
        """Before numbers of several pools are taken or given back, in whatever order: else two who take from two pools
        come to wait for each other."""
        new = set(scopes) - self._mine
        take_all_turns(self._connection, new)
        self._mine |= new

    def _take_turns(self, scope: str) -> None:
        """All who change this pool."""
        self.hold([scope])

    def _bounds(self, scope: str) -> list[Range]:
        return [(_int(first), _int(last)) for first, last in self._connection.rows(_bounds, scope=scope)]

    def _range(self, statement: Statement, **parameters: str | bytes) -> Range | None:
        row = self._connection.first(statement, **parameters)
        return (_int(row[0]), _int(row[1])) if row else None

    def _cut(self, scope: str, free: Range, out: Range) -> None:
        """Take `out` from the free range that it lies in."""
        old = {"of": scope, "old": _bytes(free[0])}
        left, right = (free[0], out[0] - 1), (out[1] + 1, free[1])
        rest = [part for part in (left, right) if part[0] <= part[1]]
        if not rest:
            self._connection.run(_remove, old)
            return
        self._connection.run(_shorten, old | {"new_first": _bytes(rest[0][0]), "new_last": _bytes(rest[0][1])})
        for part in rest[1:]:
            self._connection.run(_add, _row(scope, part))


def _without(ranges: Iterable[Range], taken: Iterable[int]) -> list[Range]:
    """Sorted ranges less sorted numbers."""
    result: list[Range] = []
    numbers = list(taken)
    for first, last in ranges:
        start = first
        for number in numbers:
            if start <= number <= last:
                if start < number:
                    result.append((start, number - 1))
                start = number + 1
        if start <= last:
            result.append((start, last))
    return result
