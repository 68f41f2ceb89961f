"""How long ports take to be wired, whichever comes first: that they are plugged in, or that they are this node's."""

import time

import pytest

from netweft.agent.sync import Changes
from netweft.agent.wiring_times import WiringTimes
from netweft.model import EMPTY_VIEW, NodeView, PortState, PortStatus, key_of, view_of
from netweft.testing.region import network, port

NET = network(1)
ONE, TWO = port(5, NET), port(6, NET)
BEFORE = view_of("h", 1, (ONE,))
AFTER = view_of("h", 2, (ONE, TWO))
UP = PortStatus(TWO.id, PortState.UP)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def changes(view: NodeView) -> Changes:
    return Changes(view, frozenset({key_of(TWO)}), frozenset())


def test_since_plugged_and_since_bound(clock: list[float]) -> None:
    side = WiringTimes()
    side.plugged({})
    side.plugged({TWO.id: "vif"})
    clock[0] += 2
    side.see(BEFORE, changes(AFTER))
    clock[0] += 1
    side.told([PortStatus(TWO.id, PortState.DOWN)])
    side.told([UP, UP])
    side.told([UP])
    assert {since: (timings.count, timings.seconds) for since, timings in side.timings.items()} == {
        "plugged": (1, 3.0),
        "bound": (1, 1.0),
    }


def test_what_was_there_before_the_agent_is_left_out(clock: list[float]) -> None:
    side = WiringTimes()
    side.see(EMPTY_VIEW, changes(AFTER))
    side.plugged({ONE.id: "vif", TWO.id: "vif"})
    clock[0] += 5
    side.told([UP])
    assert [timings.count for timings in side.timings.values()] == [0, 0]


def test_what_goes_before_it_is_wired_is_forgotten(clock: list[float]) -> None:
    side = WiringTimes()
    side.plugged({})
    side.plugged({TWO.id: "vif"})
    side.see(BEFORE, changes(AFTER))
    side.plugged({TWO.id: None})
    side.see(AFTER, Changes(BEFORE, frozenset(), frozenset({key_of(TWO)})))
    side.told([UP])
    assert [timings.count for timings in side.timings.values()] == [0, 0]


def test_a_port_that_only_changes_is_not_new(clock: list[float]) -> None:
    side = WiringTimes()
    side.see(AFTER, changes(AFTER))
    side.told([UP])
    assert side.timings["bound"].count == 0
