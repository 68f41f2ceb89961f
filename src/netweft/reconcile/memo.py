"""What is wanted, kept up to date by rendering again only what depends on what changed.

    facts ──read──▶ units ──render──▶ items {key: value} ──▶ desired ──changes──▶ Delta.want / unwant

A *fact* is an input (an object, an observed row).  A *unit* is the smallest piece that is rendered at once (a port, a
network).  While a unit renders, `Reader.get` notes which facts it looked at, so a changed fact marks exactly those
units dirty: nobody writes down dependencies, and an incremental refresh cannot differ from a fresh one.  When two
units want the same key, the smaller unit has it, whatever the order they came in.

Not thread-safe.  `render` must be a pure function of what it reads.
"""

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Generic, Protocol, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

Fact = Hashable
Unit = tuple[str, ...]


class Reader(Protocol):
    def get(self, fact: Fact) -> Any:
        """The fact's value, None when there is none."""


# None: there is no such unit (any more).
Render = Callable[[Unit, Reader], Mapping[K, V] | None]


class Memo(Generic[K, V]):
    def __init__(self, render: Render[K, V]) -> None:
        self.desired: dict[K, V] = {}
        self._render = render
        self._facts: dict[Fact, Any] = {}
        self._dirty: set[Unit] = set()
        self._items: dict[Unit, Mapping[K, V]] = {}
        self._reads: dict[Unit, frozenset[Fact]] = {}
        self._readers: dict[Fact, set[Unit]] = {}
        self._owner: dict[K, Unit] = {}
        self._contested: dict[K, set[Unit]] = {}
        self.changes = 0  # of facts and units, ever: what was worked out of them holds until there is another

    def get(self, fact: Fact) -> Any:
        return self._facts.get(fact)

    def put(self, fact: Fact, value: Any) -> None:
        """None: the fact is gone.  Putting what is there already marks nothing."""
        if self._facts.get(fact) == value:
            return
        self.changes += 1
        if value is None:
            del self._facts[fact]
        else:
            self._facts[fact] = value
        self._dirty |= self._readers.get(fact, frozenset())

    def assume(self, fact: Fact, value: Any) -> None:
        """Where there is none, the units that have looked for it have taken this for granted: nothing is rendered
        again."""
        self._facts.setdefault(fact, value)

    def mark(self, unit: Unit) -> None:
        """Say once that a unit exists; afterwards its reads keep it up to date."""
        if unit not in self._reads:
            self.changes += 1
            self._dirty.add(unit)

    @property
    def dirty(self) -> frozenset[Unit]:
        """The units whose facts have changed since the last refresh, or that are new: what was worked out for any other
        one from what it reads is still so."""
        return frozenset(self._dirty)

    def is_current(self, unit: Unit) -> bool:
        """It is there and not dirty."""
        return unit in self._reads and unit not in self._dirty

    def refresh(self) -> dict[K, V | None]:
        """Render what is dirty.  Returns the keys whose desired value changed; None: no longer wanted."""
        before: dict[K, V | None] = {}
        for unit in sorted(self._dirty):
            self._refresh_unit(unit, before)
        self._dirty.clear()
        after = ((key, self.desired.get(key), was) for key, was in before.items())
        return {key: now for key, now, was in after if now != was}

    def _refresh_unit(self, unit: Unit, before: dict[K, V | None]) -> None:
        reads = _Reads(self._facts)
        rendered = self._render(unit, reads)
        self._note_reads(unit, frozenset() if rendered is None else frozenset(reads.seen))
        if rendered is None:
            self._reads.pop(unit, None)
        items = rendered or {}
        old = self._items.pop(unit, {})
        if items:
            self._items[unit] = items
        if not old:
            self._claim_new(unit, items, before)
            return
        for key in old.keys() | items.keys():
            before.setdefault(key, self.desired.get(key))
            self._claim(key, unit, wanted=key in items)

    def _note_reads(self, unit: Unit, reads: frozenset[Fact]) -> None:
        old = self._reads.get(unit, frozenset())
        for fact in old - reads:
            readers = self._readers[fact]
            readers.discard(unit)
            if not readers:
                del self._readers[fact]
        for fact in reads - old:
            self._readers.setdefault(fact, set()).add(unit)
        self._reads[unit] = reads

    def _claim_new(self, unit: Unit, items: Mapping[K, V], before: dict[K, V | None]) -> None:
        """As `_claim`, of a unit that had nothing: at a start that is all of them, and a key takes as long to be looked
        up as an item to be made."""
        for key, item in items.items():
            if self._owner.setdefault(key, unit) == unit:
                before.setdefault(key)
                self.desired[key] = item
            else:
                before.setdefault(key, self.desired.get(key))
                self._claim(key, unit, wanted=True)

    def _claim(self, key: K, unit: Unit, *, wanted: bool) -> None:
        """Keep who has the key.  Nearly every key has one owner; only the others cost a set."""
        owner = self._owner.get(key)
        winner: Unit | None
        if key not in self._contested and (owner is None or owner == unit):
            winner = unit if wanted else None
        else:
            rivals = self._contested.setdefault(key, {owner} if owner else set())
            (rivals.add if wanted else rivals.discard)(unit)
            if len(rivals) < 2:
                del self._contested[key]
            winner = min(rivals, default=None)
        if winner is None:
            self._owner.pop(key, None)
            self.desired.pop(key, None)
        else:
            self._owner[key] = winner
            self.desired[key] = self._items[winner][key]


class _Reads:
    def __init__(self, facts: Mapping[Fact, Any]) -> None:
        self._facts = facts
        self.seen: set[Fact] = set()

    def get(self, fact: Fact) -> Any:
        self.seen.add(fact)
        return self._facts.get(fact)
