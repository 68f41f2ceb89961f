"""Which local VLANs are new, and when one may stand for another network."""

from netweft.dataplane.ovsdb.rows import Vif
from netweft.services.l2.local_vlans import NETWORK_KEY, SOON, LocalVlans

OLD = Vif(iface_id="p", port_name="tap", name="tap", ofport=1, tag=1, external_ids=((NETWORK_KEY, "old"),))


def test_what_is_given_out_is_reported_once_and_what_is_taken_over_is_not() -> None:
    vlans = LocalVlans(1, 4094)
    vlans.restore([OLD])
    vlans.settled()
    vlans.want("old")
    vlans.want("new")
    assert vlans.take_given() == {2}
    assert vlans.take_given() == frozenset()


def test_what_an_agent_before_may_have_used_is_given_out_once_the_bridges_are_swept() -> None:
    vlans = LocalVlans(1, 4094)
    vlans.restore([OLD])
    assert vlans.want("old") == {"old": 1}
    assert vlans.want("new") == {"new": SOON}
    assert vlans.settled() == {"new": 2}


def test_a_number_that_was_given_up_is_free_once_nothing_stands_for_it() -> None:
    vlans = LocalVlans(1, 2)
    assert {**vlans.want("a"), **vlans.want("b"), **vlans.want("c")} == {"a": 1, "b": 2, "c": None}
    assert vlans.release("a") == {"a": None, "c": SOON}
    assert vlans.want("a") == {"a": SOON}
    assert vlans.settled() == {"a": 1, "c": None}
    assert vlans.settled() == {}


def test_what_flows_are_known_to_have_is_all_that_is_not_free() -> None:
    """At once, where they can be on one bridge only."""
    numbers = LocalVlans(1, 3)
    numbers.restore([OLD])
    assert numbers.want("two") == {"two": SOON}
    assert numbers.found({1, 2, 99}) == {"two": 3}
    assert numbers.want("three") == {"three": SOON}, "2 may be another's"
    assert numbers.settled() == {"three": 2}
