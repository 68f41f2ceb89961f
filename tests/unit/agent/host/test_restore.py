"""The wait is taken away when, and only when, the flows are in place, or nobody will ever bring them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import cast

import pytest
from tests.waiting import PATIENCE

from netweft.agent.host import restore
from netweft.agent.host.ovs import OvsSide
from netweft.agent.host.restore import RestoreWait
from netweft.dataplane.ovsdb.errors import OvsdbLost


class FakeOvs:
    def __init__(self) -> None:
        self.written: list[str] = []
        self.lost = 0

    async def set_other_config(self, key: str, value: str, *, wait: bool = True) -> None:
        assert key == "flow-restore-wait"
        if self.lost:
            self.lost -= 1
            raise OvsdbLost("gone")
        self.written.append(value)

    async def vswitchd_done(self) -> None:
        await asyncio.sleep(0)


class World:
    def __init__(self) -> None:
        self.ovs = FakeOvs()
        self.in_place = True
        self.wait = RestoreWait(cast(OvsSide, self.ovs), lambda: self.in_place)

    async def pause(self) -> None:
        """Long enough for what must not happen."""
        await asyncio.sleep(0.02)

    async def released(self) -> bool:
        """Whether it has been, once, and armed again."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while len(self.ovs.written) < 2:
                    await asyncio.sleep(0.002)
        return self.ovs.written == ["false", "true"]


@asynccontextmanager
async def running() -> AsyncIterator[World]:
    world = World()
    task = asyncio.create_task(world.wait.run())
    try:
        yield world
    finally:
        task.cancel()


async def test_released_once_settled_and_armed_again() -> None:
    async with running() as world:
        world.wait.bridge_connected()
        await world.pause()
        assert world.ovs.written == []
        world.wait.settled()
        assert await world.released()
        world.wait.settled()
        await world.pause()
        assert world.ovs.written == ["false", "true"], "nothing has restarted"


async def test_new_port_numbers_are_waited_for() -> None:
    async with running() as world:
        world.in_place = False
        world.wait.bridge_connected()
        world.wait.settled()
        await world.pause()
        assert world.ovs.written == []
        world.in_place = True
        world.wait.settled()
        assert await world.released()


async def test_nobody_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restore, "PATIENCE", 0.05)
    async with running() as world:
        world.wait.bridge_connected()
        assert await world.released()


async def test_tried_again_when_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restore, "RETRY_SECONDS", 0.01)
    async with running() as world:
        world.ovs.lost = 1
        world.wait.bridge_connected()
        world.wait.settled()
        assert await world.released()
