"""How far a node is behind: what waits to be sent to it, and for how long it has."""

import time

import pytest

from netweft.feed.interest import Update
from netweft.feed.outbox import Lag, Outbox
from netweft.model import key_of
from netweft.testing.region import network

NET = network(1)
UPDATE: Update = {key_of(NET): NET}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


async def test_who_waits_for_all_of_it_waits_from_the_beginning(clock: list[float]) -> None:
    outbox = Outbox("life")
    clock[0] += 3
    assert outbox.lag == Lag(0, 3.0)
    outbox.replace(7, UPDATE)
    assert outbox.lag == Lag(7, 3.0)
    await outbox.take()
    assert outbox.lag == Lag(0, 0.0)


async def test_the_oldest_that_waits_says_how_long(clock: list[float]) -> None:
    outbox = Outbox("life")
    outbox.replace(7, UPDATE)
    await outbox.take()
    clock[0] += 60
    assert outbox.lag == Lag(0, 0.0), "of who needs nothing, nothing waits"
    outbox.merge(9, UPDATE)
    clock[0] += 2
    outbox.merge(12, UPDATE)
    clock[0] += 1
    assert outbox.lag == Lag(5, 3.0)


async def test_the_next_session_inherits_it(clock: list[float]) -> None:
    outbox = Outbox("life")
    outbox.replace(7, UPDATE)
    await outbox.take()
    outbox.merge(9, UPDATE)
    clock[0] += 2
    after = outbox.succeeded("life", 7)
    assert after is not None
    assert after.lag == Lag(2, 2.0)
    await after.take()
    assert after.lag == Lag(0, 0.0)
