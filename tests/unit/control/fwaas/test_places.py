"""Where a policy's rules stand: they rise, they are in bounds, and few move."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples

from netweft.control.fwaas.places import of, renewed, spread, with_one_less, with_one_more
from netweft.control.fwaas.rules import RULES
from netweft.model.fwaas import MOST_PLACES as MOST
from netweft.model.fwaas import PLACES
from netweft.store import Object

orders = st.lists(st.integers(0, 30).map(str), unique=True, max_size=25)


def policy(rules: list[str], places: list[int]) -> Object:
    return {RULES: rules, PLACES: places}


def moved(before: Object, after: Object) -> set[str]:
    old, new = (dict(zip(one[RULES], of(one), strict=True)) for one in (before, after))
    return {id for id in old.keys() & new.keys() if old[id] != new[id]}


def with_rules(before: Object, rules: list[str]) -> Object:
    after = policy(rules, renewed(before, rules))
    assert len(after[PLACES]) == len(rules)
    assert all(one < other for one, other in pairwise(after[PLACES])), after
    assert not after[PLACES] or (after[PLACES][0] >= 0 and after[PLACES][-1] < MOST), after
    return after


@settings(max_examples=examples(100))
@given(st.lists(orders, min_size=1, max_size=8), st.booleans())
def test_places_rise_whatever_came_before(steps: list[list[str]], side_by_side: bool) -> None:
    one = policy(steps[0], list(range(len(steps[0]))) if side_by_side else spread(len(steps[0])))
    for step in steps[1:]:
        one = with_rules(one, step)


@settings(max_examples=examples(100))
@given(orders, st.lists(st.integers(0, 1000), max_size=40), st.booleans())
def test_one_more_and_one_less_are_as_a_new_list(rules: list[str], steps: list[int], side_by_side: bool) -> None:
    one = policy(rules, list(range(len(rules))) if side_by_side else spread(len(rules)))
    for number, step in enumerate(steps):
        names = [*one[RULES]]
        if step % 3 and names:
            at = step % len(names)
            del names[at]
            after = policy(names, with_one_less(one, at))
        else:
            at = step % (len(names) + 1)
            names.insert(at, f"n{number}")
            after = policy(names, with_one_more(one, at))
        assert after == with_rules(one, names)
        one = after


def test_the_largest_policy_has_room() -> None:
    for count in (1, 1000, 16_384):
        places = spread(count)
        assert len(places) == count and places[0] >= MOST // 4 - 1 and places[-1] <= MOST - MOST // 4 + 1


def test_a_rule_more_at_either_end_moves_none_for_long() -> None:
    names = [f"r{number}" for number in range(1000)]
    for at_end in (False, True):
        one = policy(names, spread(1000))
        for number in range(400):
            more = [*one[RULES], f"n{number}"] if at_end else [f"n{number}", *one[RULES]]
            after = with_rules(one, more)
            assert not moved(one, after)
            one = after


def test_a_rule_more_in_the_middle_moves_few() -> None:
    """Always at the same place, which is the worst: as many as needed make room, not all."""
    names = [f"r{number}" for number in range(1000)]
    one, total = policy(names, spread(1000)), 0
    for number in range(300):
        after = with_rules(one, [*one[RULES][:500], f"n{number}", *one[RULES][500:]])
        total += len(moved(one, after))
        one = after
    assert total < 300 * 12


def test_the_first_rule_in_a_policy_of_an_older_server() -> None:
    before: Object = {RULES: ["a", "b"]}
    after = with_rules(before, ["a", "x", "b"])
    assert after[RULES] == ["a", "x", "b"]


def test_one_that_changes_its_place_moves_alone() -> None:
    before = policy(list("abcdef"), spread(6))
    assert moved(before, with_rules(before, list("bcdefa"))) == {"a"}
    assert moved(before, with_rules(before, list("fabcde"))) == {"f"}
    assert moved(before, with_rules(before, list("acbdef"))) <= {"b", "c"}
    assert not moved(before, with_rules(before, list("acf")))
