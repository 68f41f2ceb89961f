"""The memo's one promise: whatever the order of changes, what is desired equals a fresh render of the facts."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from netweft.reconcile.memo import Memo, Reader, Unit

FACTS = ("a", "b", "c", "d")
UNITS: tuple[Unit, ...] = (("one",), ("two",), ("three",))


def render(unit: Unit, read: Reader) -> Mapping[str, int] | None:
    """Reads depend on values read (a -> b or c); keys are shared between units; a unit may vanish."""
    a = read.get("a")
    if unit == ("one",):
        return {"shared": a, "one": read.get("b") or 0} if a else {"one": read.get("c") or 0}
    if unit == ("two",):
        return None if a is None else {"shared": 10 + a, "two": read.get("d") or 0}
    return {"shared": 20, "three": 1} if read.get("d") else {}


def fresh(facts: Mapping[str, int]) -> Mapping[str, int]:
    memo: Memo[str, int] = Memo(render)
    for fact, value in facts.items():
        memo.put(fact, value)
    mark_all(memo)
    memo.refresh()
    return memo.desired


def mark_all(memo: Memo[str, int]) -> None:
    for unit in UNITS:
        memo.mark(unit)


changes = st.lists(st.tuples(st.sampled_from(FACTS), st.none() | st.integers(0, 2), st.booleans()), max_size=30)


@given(changes)
def test_incremental_equals_fresh(sequence: list[tuple[str, int | None, bool]]) -> None:
    memo: Memo[str, int] = Memo(render)
    applied: dict[str, int] = {}
    mark_all(memo)
    for fact, value, refresh in sequence:
        memo.put(fact, value)
        mark_all(memo)
        if refresh:
            apply(applied, memo.refresh())
    apply(applied, memo.refresh())
    facts = {fact: memo.get(fact) for fact in FACTS if memo.get(fact) is not None}
    assert memo.desired == fresh(facts)
    assert applied == memo.desired, "the changes returned add up to what is desired"


def apply(target: dict[str, int], changed: Mapping[str, int | None]) -> None:
    for key, value in changed.items():
        if value is None:
            assert target.pop(key, None) is not None, "only what was wanted can be unwanted"
        else:
            assert target.get(key) != value, "only real changes are reported"
            target[key] = value


def test_only_readers_render_again() -> None:
    rendered: list[Unit] = []

    def counting(unit: Unit, read: Reader) -> Mapping[str, int]:
        rendered.append(unit)
        return {unit[0]: read.get(unit[0]) or 0}

    memo: Memo[str, int] = Memo(counting)
    mark_all(memo)
    memo.refresh()
    rendered.clear()
    memo.put("two", 5)
    assert memo.refresh() == {"two": 5}
    assert rendered == [("two",)]
    memo.put("two", 5)
    assert memo.refresh() == {}
    assert rendered == [("two",)], "the same value again is no change"


def test_a_vanished_unit_leaves_nothing_behind() -> None:
    memo: Memo[str, int] = Memo(render)
    memo.put("a", 1)
    memo.mark(("two",))
    assert memo.refresh() == {"shared": 11, "two": 0}
    memo.put("a", None)
    assert memo.refresh() == {"shared": None, "two": None}
    memo.put("a", 1)
    assert memo.refresh() == {}, "it is gone until it is marked again"
