"""Mechanisms of two servers on one PostgreSQL: a device has one writer at a time, and another when that one is gone."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest
from tests.unit.feed.test_mechanisms import Device, put, running, take, until

from netweft.feed import lease, mechanisms
from netweft.reconcile.plan import Step
from netweft.store import Store

pytestmark = pytest.mark.postgres


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mechanisms, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(mechanisms, "READ_SECONDS", 0.2)
    monkeypatch.setattr(mechanisms, "LIMIT_SECONDS", 0.3)


@pytest.fixture
def stores(postgres_url: str) -> Iterator[tuple[Store, Store]]:
    stores = Store.open(postgres_url), Store.open(postgres_url)
    with stores[0].write() as tx:
        tx.insert("networks", {"id": "net", "provider:network_type": "vlan", "provider:segmentation_id": 101})
    yield stores
    for store in stores:
        store.close()


class Writing(Device):
    """One server's end of a device.  writes, wrote: keys, begun and done.  held: what a write waits for."""

    def __init__(self, name: str, there: dict[str, Any]) -> None:
        super().__init__(there)
        self.name = name
        self.writes: list[str] = []
        self.wrote: set[str] = set()
        self.held: asyncio.Event | None = None

    async def apply(self, steps: Sequence[Step]) -> Mapping[str, str]:
        self.writes += [str(step.key) for step in steps]
        if self.held is not None:
            await self.held.wait()
        refused = await super().apply(steps)
        self.wrote |= {str(step.key) for step in steps}
        return refused


async def test_each_device_has_one_writer_and_another_when_that_server_ends(stores: tuple[Store, Store]) -> None:
    racks: dict[str, dict[str, Any]] = {"rack1": {}, "rack2": {}}
    ends = [[Writing(name, there) for name, there in racks.items()] for _ in stores]
    async with AsyncExitStack() as second:
        async with AsyncExitStack() as first:
            for device in ends[0]:
                await first.enter_async_context(running(stores[0], device))
            for device in ends[1]:
                await second.enter_async_context(running(stores[1], device))
            for number in range(10):
                put(stores[number % 2], f"p{number}")
            await until(lambda: all(len(there) == 10 for there in racks.values()))
            for one, other in zip(*ends, strict=True):
                assert not one.writes or not other.writes, "two servers have written to one device"
        put(stores[0], "later")
        take(stores[0], "p0")
        await until(lambda: all("later" in there and "p0" not in there for there in racks.values()))
        assert all("later" in device.writes for device in ends[1])


async def test_a_server_that_is_killed_is_followed_by_another(
    stores: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lease is nobody's once it is over; what it had made there is known to the next."""
    monkeypatch.setattr(lease, "SECONDS", 1.5)
    there: dict[str, Any] = {"alien": "y"}
    put(stores[0], "p")
    with pytest.MonkeyPatch.context() as killed:
        killed.setattr(lease.Lease, "let_go", lambda self: None)
        async with running(stores[0], Writing("rack", there)):
            await until(lambda: "p" in there)
    take(stores[0], "p")
    put(stores[1], "q")
    async with running(stores[1], Writing("rack", there)):
        await until(lambda: there == {"alien": "y", "q": "x"})


async def test_what_a_frozen_server_writes_late_is_put_right(stores: tuple[Store, Store]) -> None:
    """It was about to write when it stopped; another took over, and then it went on."""
    there: dict[str, Any] = {}
    frozen, next_one = Writing("rack", there), Writing("rack", there)
    frozen.held = asyncio.Event()
    put(stores[0], "old")
    async with running(stores[0], frozen):
        await until(lambda: frozen.writes == ["old"])
        with stores[1].write() as tx:  # as after a pause that was longer than the lease
            tx.followers.let_go("rack")
            assert tx.followers.hold("rack", "another", 0.01)
        async with running(stores[1], next_one):
            take(stores[1], "old")
            put(stores[1], "new")
            await until(lambda: there == {"new": "x"})
            frozen.held.set()
            await until(lambda: "old" in frozen.wrote)
            await until(lambda: there == {"new": "x"})
