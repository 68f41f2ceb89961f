"""Who of an order has a gateway, whatever is seen and in whatever order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netweft.services.l3.gateways.takeover import AT_ONCE, Order, Sight, chosen, is_cut_off, sight

HOSTS = tuple("abcde")
SIGNALED, CUT = "Neighbor Signaled Session Down", "Concatenated Path Down"
orders = st.permutations(HOSTS).flatmap(lambda all_: st.integers(1, 5).map(lambda n: tuple(all_[:n])))
able = st.sets(st.sampled_from(HOSTS))


@given(orders, able)
def test_the_first_that_can(hosts: tuple[str, ...], can: set[str]) -> None:
    found = chosen(hosts, Order(), can.__contains__).now
    able = [host for host in hosts if host in can]
    assert found == (able[0] if able else hosts[0])


@given(orders, st.lists(able, min_size=1, max_size=6))
def test_who_has_it_keeps_it_while_it_can(hosts: tuple[str, ...], seen: list[set[str]]) -> None:
    now = Order()
    for can in seen:
        before, now = now, chosen(hosts, now, can.__contains__)
        assert now.now in hosts
        assert now.now in can or not can & set(hosts)
        if before.now in can:
            assert now == before, "whoever comes back in front of it waits"


@given(orders, orders, able)
def test_a_new_order_begins_with_its_first(before: tuple[str, ...], hosts: tuple[str, ...], can: set[str]) -> None:
    was = chosen(before, Order(), can.__contains__)
    now = chosen(hosts, was, can.__contains__).now
    if before != hosts and can & set(hosts):
        assert now == next(host for host in hosts if host in can)


@given(orders, able, st.lists(able, max_size=4), st.lists(able, max_size=4))
def test_nodes_that_see_the_same_agree_after_a_new_order(
    hosts: tuple[str, ...], can: set[str], one: list[set[str]], other: list[set[str]]
) -> None:
    """Whatever each of them saw before: whoever took over has said so, and is the first of the new order."""
    found = set()
    for seen in (one, other):
        now = Order()
        for past in seen:
            now = chosen(hosts, now, past.__contains__)
        found.add(chosen(tuple(reversed((*hosts, "z"))), now, can.__contains__).now)
    assert len(found) == 1


@given(orders, st.sampled_from(HOSTS))
def test_who_is_cut_off_leaves_it_to_others(hosts: tuple[str, ...], me: str) -> None:
    """Though it sees nobody who could."""
    now = chosen(hosts, Order(hosts, hosts[0]), lambda _: False, unable=me).now
    assert now != me
    assert now or set(hosts) == {me}


@pytest.mark.parametrize(
    ("ended", "cut_off"),
    [
        ((), False),
        ((None, None), False),
        ((5.0,), False),  # it may be the other one's end
        ((5.0, None), False),
        ((5.0, 5.1), True),
        ((5.0, 5.0 + AT_ONCE + 0.1), False),  # one died after the other
        ((1.0, 5.0, 5.1), True),  # one had died before
        ((5.0, 5.1, None), False),
    ],
)
def test_being_cut_off(ended: tuple[float | None, ...], cut_off: bool) -> None:
    assert is_cut_off(ended) is cut_off


@pytest.mark.parametrize(
    ("bfd", "seen"),
    [
        ({}, Sight.UNKNOWN),
        ({"state": "down", "flap_count": "0"}, Sight.UNKNOWN),
        ({"state": "init", "flap_count": "0"}, Sight.UNKNOWN),
        ({"state": "up", "flap_count": "1", "remote_diagnostic": "No Diagnostic"}, Sight.THERE),
        ({"state": "up", "flap_count": "1", "remote_diagnostic": "Concatenated Path Down"}, Sight.CUT),
        ({"state": "down", "flap_count": "2"}, Sight.GONE),
        ({"state": "init", "flap_count": "2"}, Sight.GONE),
        ({"state": "admin_down", "flap_count": "1"}, Sight.GONE),
        ({"state": "down", "flap_count": "2", "diagnostic": "Control Detection Time Expired"}, Sight.GONE),
        ({"state": "down", "flap_count": "2", "diagnostic": SIGNALED}, Sight.DEAF),
        ({"state": "init", "flap_count": "2", "diagnostic": SIGNALED}, Sight.DEAF),
        ({"state": "init", "flap_count": "2", "diagnostic": SIGNALED, "remote_diagnostic": CUT}, Sight.CUT),
        ({"state": "down", "flap_count": "0", "diagnostic": SIGNALED}, Sight.UNKNOWN),
    ],
)
def test_what_a_session_says(bfd: dict[str, str], seen: Sight) -> None:
    assert sight(bfd) is seen
