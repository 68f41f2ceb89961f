"""The one delta: what is wanted, what is there, what is left to do.  Every driver uses it.

  wanted            there
┌──────────┬─────────────────┬──────────┐
│ missing  │ same │ different │ obsolete │
└──────────┴──────┴──────────┴──────────┘
  create     ok     update      delete
"""

from collections.abc import Iterable, Mapping
from typing import Final, Generic, TypeVar

from msgspec import Struct, field

K = TypeVar("K")
V = TypeVar("V")

_NOTHING: Final = object()


class Delta(Struct, Generic[K, V]):
    """Keeps the set of keys that differ up to date as either side changes; cost per change is O(1).

    Values are compared with `==`.  Both sides may be set in any order and any number of times.
    """

    desired: dict[K, V] = field(default_factory=dict)
    actual: dict[K, V] = field(default_factory=dict)
    dirty: set[K] = field(default_factory=set)

    def want(self, key: K, value: V) -> None:
        self.desired[key] = value
        self._compare(key)

    def unwant(self, key: K) -> None:
        self.desired.pop(key, None)
        self._compare(key)

    def saw(self, key: K, value: V) -> None:
        self.actual[key] = value
        self._compare(key)

    def saw_gone(self, key: K) -> None:
        self.actual.pop(key, None)
        self._compare(key)

    def replace_desired(self, desired: Mapping[K, V]) -> None:
        self.desired = dict(desired)
        self._compare_all()

    def replace_actual(self, actual: Mapping[K, V]) -> None:
        self.actual = dict(actual)
        self._compare_all()

    def upserts(self) -> dict[K, V]:
        return {key: self.desired[key] for key in self._dirty_of(self.desired) if key in self.desired}

    def deletes(self) -> dict[K, V]:
        return {key: self.actual[key] for key in self._dirty_of(self.actual) if key not in self.desired}

    def _dirty_of(self, side: Mapping[K, V]) -> Iterable[K]:
        """At least those of this side.  One after the other as they lie is several times faster where most are."""
        return self.dirty if len(self.dirty) < len(side) else (key for key in side if key in self.dirty)

    def _compare_all(self) -> None:
        desired, actual = self.desired, self.actual
        differs = {key for key, value in desired.items() if actual.get(key, _NOTHING) != value}
        is_same = not differs and len(actual) == len(desired)  # so at most starts
        self.dirty = differs if is_same else differs | (actual.keys() - desired.keys())

    def _compare(self, key: K) -> None:
        if self.desired.get(key, _NOTHING) != self.actual.get(key, _NOTHING):
            self.dirty.add(key)
        elif key in self.dirty:
            self.dirty.remove(key)
            if not self.dirty:
                self.dirty.clear()  # else it keeps the room for all it has ever held, which is walked through each time
