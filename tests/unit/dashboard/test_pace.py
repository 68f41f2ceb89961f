import asyncio

import pytest

from netweft.dashboard.live import pace
from netweft.dashboard.live.pace import Pace


async def test_who_opens_page_after_page_waits_and_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    paces = Pace()
    for _ in range(200):
        await paces.turn("greedy")
    assert slept[: int(pace.AT_ONCE) - 1] == [0.0] * (int(pace.AT_ONCE) - 1)
    assert slept[40] > 1 and max(slept) <= pace.WAITING * pace.SECONDS
    await paces.turn("another")
    assert slept[-1] == 0.0


async def test_only_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "KEPT", 3)
    paces = Pace()
    for user in "abcdef":
        await paces.turn(user)
    assert paces._until.keys() == {"d", "e", "f"}
