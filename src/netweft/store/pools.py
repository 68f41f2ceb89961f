"""Numbers handed out from ranges: addresses of a subnet, VNIs.  The cost does not grow with how many are taken.

The free numbers of a pool are kept as ranges.  Taking shortens the first range, giving back joins neighbours, both in
O(log n).  That no number is held twice is not decided here but by the claims' primary key.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from netweft.store.holding import take_turns
from netweft.store.schema import claims, free_ranges, pools

_first_free = (
    select(free_ranges.c.first, free_ranges.c.last)
    .where(free_ranges.c.scope == bindparam("scope"))
    .order_by(free_ranges.c.first)
    .limit(1)
)
_first_free_within = (
    select(free_ranges.c.first, free_ranges.c.last)
    .where(
        free_ranges.c.scope == bindparam("scope"),
        free_ranges.c.first <= bindparam("until"),
        free_ranges.c.last >= bindparam("since"),
    )
    .order_by(free_ranges.c.first)
    .limit(1)
)
_free_at_or_before = (
    select(free_ranges.c.first, free_ranges.c.last)
    .where(free_ranges.c.scope == bindparam("scope"), free_ranges.c.first <= bindparam("number"))
    .order_by(free_ranges.c.first.desc())
    .limit(1)
)
_free_from = select(free_ranges.c.last).where(
    free_ranges.c.scope == bindparam("scope"), free_ranges.c.first == bindparam("number")
)
_shorten = (
    update(free_ranges)
    .where(free_ranges.c.scope == bindparam("of"), free_ranges.c.first == bindparam("old"))
    .values(first=bindparam("new_first"), last=bindparam("new_last"))
)
_remove = delete(free_ranges).where(free_ranges.c.scope == bindparam("of"), free_ranges.c.first == bindparam("old"))
_add = insert(free_ranges)
_bounds = select(pools.c.first, pools.c.last).where(pools.c.scope == bindparam("scope"))

Range = tuple[int, int]


def _bytes(number: int) -> bytes:
    """Sorts as the number does; one byte more than an IPv6 address, so that its successor fits too."""
    return number.to_bytes(17, "big")


def _int(value: bytes) -> int:
    return int.from_bytes(value, "big")


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
        for table in (pools, free_ranges):
            self._connection.execute(delete(table).where(table.c.scope == scope))
        held = self._connection.scalars(select(claims.c.value).where(claims.c.scope == scope))
        taken = sorted(int(value) for value in held)
        for table, rows in ((pools, wanted), (free_ranges, _without(wanted, taken))):
            if rows:
                values = [{"scope": scope, "first": _bytes(a), "last": _bytes(b)} for a, b in rows]
                self._connection.execute(insert(table), values)

    def drop(self, scope: str) -> None:
        self.define(scope, ())

    def take(self, scope: str, count: int) -> list[int]:
        """The lowest free numbers; fewer than `count` when there are no more."""
        self._take_turns(scope)
        result: list[int] = []
        while len(result) < count:
            row = self._connection.execute(_first_free, {"scope": scope}).first()
            if row is None:
                break
            first, last = _int(row.first), _int(row.last)
            until = min(last, first + count - len(result) - 1)
            self._cut(scope, (first, last), (first, until))
            result.extend(range(first, until + 1))
        return result

    def take_within(self, scope: str, part: Range) -> int | None:
        """The lowest free number of a part of the pool; None when there is none."""
        self._take_turns(scope)
        bounds = {"scope": scope, "since": _bytes(part[0]), "until": _bytes(part[1])}
        row = self._connection.execute(_first_free_within, bounds).first()
        if row is None:
            return None
        first, last = _int(row.first), _int(row.last)
        number = max(first, part[0])
        self._cut(scope, (first, last), (number, number))
        return number

    def take_exactly(self, scope: str, number: int) -> None:
        """Make sure that `take` won't give this one.  Whether somebody holds it already is the claim's matter."""
        self._take_turns(scope)
        row = self._connection.execute(_free_at_or_before, {"scope": scope, "number": _bytes(number)}).first()
        if row is not None and number <= _int(row.last):
            self._cut(scope, (_int(row.first), _int(row.last)), (number, number))

    def give_back(self, scope: str, number: int) -> None:
        """Free again, if it belongs to the pool at all."""
        self._take_turns(scope)
        if not any(first <= number <= last for first, last in self._bounds(scope)):
            return
        first = last = number
        row = self._connection.execute(_free_at_or_before, {"scope": scope, "number": _bytes(number)}).first()
        if row is not None and _int(row.last) >= number:
            return  # the pool was defined anew after the claim went
        if row is not None and _int(row.last) == number - 1:
            first = _int(row.first)
            self._connection.execute(_remove, {"of": scope, "old": row.first})
        above = {"scope": scope, "number": _bytes(number + 1)}
        following = self._connection.execute(_free_from, above).first()
        if following is not None:
            last = _int(following.last)
            self._connection.execute(_remove, {"of": scope, "old": _bytes(number + 1)})
        self._connection.execute(_add, {"scope": scope, "first": _bytes(first), "last": _bytes(last)})

    def _take_turns(self, scope: str) -> None:
        """All who change this pool."""
        if scope not in self._mine:
            take_turns(self._connection, scope)
            self._mine.add(scope)

    def _bounds(self, scope: str) -> list[Range]:
        rows = self._connection.execute(_bounds, {"scope": scope})
        return sorted((_int(row.first), _int(row.last)) for row in rows)

    def _cut(self, scope: str, free: Range, out: Range) -> None:
        """Take `out` from the free range that it lies in."""
        old = {"of": scope, "old": _bytes(free[0])}
        left, right = (free[0], out[0] - 1), (out[1] + 1, free[1])
        rest = [part for part in (left, right) if part[0] <= part[1]]
        if not rest:
            self._connection.execute(_remove, old)
            return
        self._connection.execute(_shorten, old | {"new_first": _bytes(rest[0][0]), "new_last": _bytes(rest[0][1])})
        for first, last in rest[1:]:
            self._connection.execute(_add, {"scope": scope, "first": _bytes(first), "last": _bytes(last)})


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
