"""How far a node is behind what it has to know."""

from typing import Any

import pytest

from netweft.feed import outbox
from netweft.feed.outbox import Outbox
from netweft.model import Network


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(outbox.time, "monotonic", lambda: now[0])  # type: ignore[attr-defined]
    return now


def update(*ids: str) -> dict[Any, Any]:
    return {("network", id): Network(id=id) for id in ids}


async def test_what_waits_is_counted_and_timed(clock: list[float]) -> None:
    box = Outbox("h")
    assert box.lag(connected=True) == (True, 0, 0, 0, 0.0)
    box.replace(7, update("a"))
    clock[0] += 2
    assert box.lag(connected=True) == (True, 0, 0, 1, 2.0), "nothing was sent yet"
    await box.take()
    assert box.lag(connected=True) == (True, 7, 0, 0, 0.0)
    box.merge(9, update("b"))
    clock[0] += 1
    box.merge(12, update("b", "c"))
    clock[0] += 1
    assert box.lag(connected=False) == (False, 7, 5, 2, 2.0), "since the first of them"


async def test_the_next_session_goes_on_where_that_one_was(clock: list[float]) -> None:
    box = Outbox("h")
    box.replace(7, update("a"))
    await box.take()
    box.merge(9, update("b"))
    clock[0] += 3
    after = box.succeeded("h", 7)
    assert after is not None
    assert after.lag(connected=True) == (True, 7, 2, 1, 3.0)
    await after.take()
    assert after.lag(connected=True) == (True, 9, 0, 0, 0.0)
