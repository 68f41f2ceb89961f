"""Where a policy's rules stand: a number for each, rising, with gaps, so that a rule put between others moves none.

    0 ...... 29679, 29743, 29807 ...... 59997      a new policy: evenly, with most of the room before and behind

Nodes make priorities of them.  When a gap is used up, the fewest rules around it move that make room; when there is no
room before or behind the others, all do.
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from netweft.control.fwaas.rules import RULES
from netweft.model.fwaas import MOST_PLACES as MOST
from netweft.model.fwaas import PLACES
from netweft.store import Object

GAP: Final = 64


def spread(count: int) -> list[int]:
    """For so many rules, none of which has a place yet."""
    gap = _gap(count)
    return list(range((MOST - gap * count) // 2, MOST, gap))[:count]


def _gap(count: int) -> int:
    return max(1, min(GAP, MOST // (2 * count or 1)))


def of(policy: Object) -> list[int]:
    """A policy of an older server has its rules side by side."""
    found: list[int] = policy.get(PLACES) or list(range(len(policy[RULES])))
    return found


def renewed(policy: Object, wanted: Sequence[str]) -> list[int]:
    """For these rules.  As many as can be stay where they are."""
    old = dict(zip(policy[RULES], of(policy), strict=True))
    places = _rising([old.get(id, -1) for id in wanted])
    while -1 in places:
        at = places.index(-1)
        end = next((end for end in range(at, len(places)) if places[end] >= 0), len(places))
        if not _put(places, at, end):
            return spread(len(places))
    return places


def with_one_more(policy: Object, at: int) -> list[int]:
    """Where its rules stand once there is one more at this index."""
    places = [*of(policy)]
    places.insert(at, -1)
    return places if _put(places, at, at + 1) else spread(len(places))


def with_one_less(policy: Object, at: int) -> list[int]:
    places = [*of(policy)]
    del places[at]
    return places


def _rising(places: list[int]) -> list[int]:
    """With -1 for those that are not of the longest part that rises."""
    there = [place for place in places if place >= 0]
    if all(one < other for one, other in pairwise(there)):
        return places
    lasts: list[int] = []  # of parts of each length: the lowest last place
    lengths = []
    for place in there:
        length = bisect_left(lasts, place)
        lasts[length : length + 1] = [place]
        lengths.append(length)
    kept, length = set[int](), len(lasts) - 1
    for place, its in zip(reversed(there), reversed(lengths), strict=True):
        if its == length:
            kept.add(place)
            length -= 1
    return [place if place in kept else -1 for place in places]


def _put(places: list[int], start: int, end: int) -> bool:
    """Those from start to end get places.  False: there is no room at the edge."""
    count = end - start
    if start == 0 or end == len(places):
        return _put_at_edge(places, start, end)
    more, needed = 1, count
    while places[end] - places[start - 1] <= needed:
        start, end, more = start - more, end + more, 2 * more
        while 0 < end < len(places) and places[end] < 0:
            end += 1
        if start <= 0 or end >= len(places):
            return False
        needed = 2 * (end - start)
    low, room, count = places[start - 1], places[end] - places[start - 1], end - start
    places[start:end] = [low + room * (nth + 1) // (count + 1) for nth in range(count)]
    return True


def _put_at_edge(places: list[int], start: int, end: int) -> bool:
    count, gap = end - start, _gap(len(places))
    if count == len(places):
        return False
    first = places[end] - gap * count if start == 0 else places[start - 1] + gap
    if first < 0 or first + gap * (count - 1) >= MOST:
        return False
    places[start:end] = range(first, first + gap * count, gap)
    return True
