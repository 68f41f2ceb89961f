"""Spans of a node: from when a change came until it is in place, and until its port is ACTIVE."""

from collections.abc import Iterator

import pytest
from structlog.contextvars import clear_contextvars, get_contextvars

from netweft.agent.causes import Causes
from netweft.agent.sync import Changes
from netweft.model import EMPTY_VIEW, PortState, PortStatus, key_of, view_of
from netweft.spans.parents import Parent
from netweft.testing.region import network, port
from netweft.testing.spans import KeptSpan, recorded
from netweft.wire.causes import MOST_CAUSES, Cause

NET = network(1)
ONE = port(5, NET)
VIEW = view_of("h", 1, (NET, ONE))
SENT = Parent(7, 8, True)
CAUSE = Cause(request="req-1", span=str(SENT), ids=(ONE.id,))


@pytest.fixture(autouse=True)
def _no_turn_before() -> Iterator[None]:
    clear_contextvars()
    yield
    clear_contextvars()


def came(*causes: Cause) -> Changes:
    return Changes(VIEW, frozenset({key_of(NET), key_of(ONE)}), frozenset(), causes=causes)


def turn(side: Causes, problem: str | None = "", *, in_place: bool = True, up: bool = False) -> dict[str, Cause]:
    side.begin_turn()
    side.done("render")
    side.done("write rows and flows")
    told = side.told([PortStatus(ONE.id, PortState.UP if up else PortState.DOWN)])
    side.end_turn(problem, in_place=in_place)
    return dict(told)


def shape(spans: list[KeptSpan]) -> set[tuple[str, str, bool]]:
    names = {span.as_parent.span_id: span.name for span in spans} | {SENT.span_id: "sent"}
    return {(span.name, names[span.parent.span_id], bool(span.ended)) for span in spans if span.parent}


def test_a_turn_that_does_all_of_it() -> None:
    with recorded() as spans:
        side = Causes("hv1")
        side.see(EMPTY_VIEW, came(CAUSE))
        told = turn(side, up=True)
        turn(side)
    assert shape(spans.spans) == {
        ("apply on node", "sent", True),
        ("wire port", "apply on node", True),
        ("turn", "apply on node", True),
        ("render", "turn", True),
        ("write rows and flows", "turn", True),
    }
    assert len(spans.named("turn")) == 1
    assert told == {ONE.id: Cause(span=str(spans.named("wire port")[0].as_parent))}


def test_a_failed_turn_is_followed_by_another() -> None:
    with recorded() as spans:
        side = Causes("hv1")
        side.see(EMPTY_VIEW, came(CAUSE))
        turn(side, "the switch refused it", in_place=False)
        turn(side, None, in_place=False)
        assert not spans.named("apply on node")[0].ended
        turn(side)
    assert [span.problem for span in spans.named("turn")] == ["not in place", "not in place", None]
    assert spans.named("apply on node")[0].ended


def test_what_comes_while_a_turn_works_waits_for_the_next() -> None:
    with recorded() as spans:
        side = Causes("hv1")
        side.begin_turn()
        side.see(EMPTY_VIEW, came(CAUSE))
        assert get_contextvars() == {}
        side.end_turn("", in_place=True)
        assert not spans.named("apply on node")[0].ended
        side.begin_turn()
        assert get_contextvars() == {"request_id": "req-1", "trace_id": f"{SENT.trace_id:032x}"}
        side.end_turn("", in_place=True)
    side.begin_turn()
    assert get_contextvars() == {}
    assert spans.named("apply on node")[0].ended


def test_a_port_that_is_plugged_in_later() -> None:
    with recorded() as spans:
        side = Causes("hv1")
        side.see(EMPTY_VIEW, came(CAUSE))
        turn(side)
        assert not spans.named("wire port")[0].ended
        turn(side, up=True)
    assert ("turn", "wire port", True) in shape(spans.spans)
    assert spans.named("wire port")[0].ended


def test_a_port_that_was_here_is_not_waited_for_and_one_that_goes_no_more() -> None:
    with recorded() as spans:
        side = Causes("hv1")
        side.see(VIEW, came(CAUSE))
        assert spans.named("wire port") == []
        side.see(EMPTY_VIEW, came(CAUSE))
        side.see(VIEW, Changes(EMPTY_VIEW, frozenset(), frozenset({key_of(ONE)})))
        (wiring,) = spans.named("wire port")
        assert wiring.problem == "taken away"


@pytest.mark.parametrize(
    "cause", [Cause(request="x" * 1000), Cause(request="a\nb"), Cause(span=str(SENT), ids=("i",) * 1000)]
)
def test_what_makes_no_sense_is_passed_over(cause: Cause) -> None:
    with recorded() as spans:
        side = Causes("hv1")
        side.see(EMPTY_VIEW, came(cause))
        side.begin_turn()
        assert (get_contextvars(), spans.spans) == ({}, [])


def test_no_more_than_so_many_at_once() -> None:
    with recorded() as spans:
        side = Causes("hv1")
        for _ in range(3):
            side.see(EMPTY_VIEW, came(*(Cause(request=f"r{at}", span=str(SENT)) for at in range(2 * MOST_CAUSES))))
            side.begin_turn()
            side.end_turn("no", in_place=False)
        assert len(spans.named("apply on node")) == 3 * MOST_CAUSES
        assert sum(span.ended is None for span in spans.named("apply on node")) == MOST_CAUSES


def test_off_it_says_the_request_all_the_same() -> None:
    side = Causes("hv1")
    side.see(EMPTY_VIEW, came(CAUSE))
    side.begin_turn()
    assert get_contextvars() == {"request_id": "req-1"}
    assert side.told([PortStatus(ONE.id, PortState.UP)]) == {}
