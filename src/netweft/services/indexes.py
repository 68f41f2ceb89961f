"""Facts that are made of one change of an object, and need nothing else: who makes which, by the object's type.

At a start each object of the view is such a change: thousands of them, and few concern more than two or three.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Protocol

from netweft.model import Object
from netweft.reconcile.memo import Fact


class Index(Protocol):
    @property
    def of(self) -> tuple[type, ...]:
        """The types of objects that it looks at: it gets no others."""

    def changed(self, before: Object | None, after: Object | None) -> Iterable[tuple[Fact, object]]: ...


class Indexes:
    def __init__(self, *indexes: Index) -> None:
        self._of: defaultdict[type, list[Index]] = defaultdict(list)
        for one in indexes:
            for kind in one.of:
                self._of[kind].append(one)

    def changed(self, before: Object | None, after: Object | None) -> Iterator[tuple[Fact, object]]:
        for one in self._of.get(type(before if after is None else after), ()):
            yield from one.changed(before, after)
