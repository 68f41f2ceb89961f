"""Mechanisms over a real store: what is read is put right, what is not ours stays, what fails is told, restarts."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from netweft.control.l2 import wires
from netweft.feed import mechanisms
from netweft.feed.mechanisms import Run
from netweft.feed.region import Fact, Region
from netweft.model import Network
from netweft.plugins.mechanisms import Link, Unreachable, View, Wanted
from netweft.reconcile.plan import Step
from netweft.reconcile.retry import Backoff
from netweft.store import Store

PATIENCE = 60.0
FIRST, LIMIT = mechanisms.FIRST_SECONDS, mechanisms.LIMIT_SECONDS  # as they are where no test has made them shorter


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mechanisms, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(mechanisms, "READ_SECONDS", 0.2)
    monkeypatch.setattr(mechanisms, "LIMIT_SECONDS", 0.3)


class Device:
    """A device of which `there` is all; it has what hv1's ports are called.  refuses: key -> its words."""

    name, hosts = "device", frozenset({"hv1"})
    kinds: frozenset[str] = frozenset()

    def __init__(self, there: dict[str, Any]) -> None:
        self.there = there
        self.changed = asyncio.Event()
        self.refuses: dict[str, str] = {}
        self.away: str = ""
        self.calls = 0

    def desired(self, view: View) -> Mapping[str, Wanted]:
        return {id: Wanted("x", frozenset({id})) for id in view.host("hv1").ports}

    def can_bind(self, host: str, network: Network, links: Sequence[Link]) -> str | None:
        return None

    async def read(self, keys: Collection[str], *, anew: bool) -> Mapping[str, Any]:
        self._reach()
        return {key: self.there[key] for key in keys if key in self.there}

    def commands(self, steps: Sequence[Step]) -> list[str]:
        return [str(step) for step in steps]

    async def apply(self, steps: Sequence[Step]) -> Mapping[str, str]:
        self._reach()
        for step in steps:
            key = str(step.key)
            if key in self.refuses:
                continue
            if step.now is None:
                self.there.pop(key, None)
            else:
                self.there[key] = step.now
        return {str(step.key): self.refuses[str(step.key)] for step in steps if step.key in self.refuses}

    async def close(self) -> None:
        pass

    def _reach(self) -> None:
        self.calls += 1
        if self.away:
            raise Unreachable(self.away)


@asynccontextmanager
async def running(store: Store, device: Device) -> AsyncIterator[None]:
    runs: list[Run] = []

    def told(facts: Collection[Fact] | None) -> None:
        for run in runs:
            run.told(facts)

    region = Region(store, told)
    runs.append(Run(store, device, region))
    region.follow(device.hosts)
    tasks = [asyncio.create_task(region.run()), asyncio.create_task(runs[0].run())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def network(store: Store) -> Iterator[str]:
    with store.write() as tx:
        tx.insert("networks", {"id": "net", "provider:network_type": "vlan", "provider:segmentation_id": 101})
    yield "net"


def put(store: Store, id: str, host: str = "hv1") -> None:
    port = {"id": id, "network_id": "net", "mac_address": "", "status": "ACTIVE", "revision_number": 1}
    with store.write() as tx:
        tx.insert("ports", port | {"binding:host_id": host, "device_owner": "", "admin_state_up": True})


def take(store: Store, id: str) -> None:
    with store.write() as tx:
        tx.delete("ports", id)


def detail(store: Store, id: str) -> str:
    with store.read() as tx:
        row = tx.get("ports", id)
    return wires.detail(row) if row else ""


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.01)


async def test_what_is_bound_is_there_and_goes_with_the_last(store: Store, network: str) -> None:
    device = Device({"alien": "y"})
    put(store, "before")
    put(store, "elsewhere", "hv2")
    async with running(store, device):
        await until(lambda: device.there == {"alien": "y", "before": "x"})
        put(store, "p")
        await until(lambda: "p" in device.there)
        take(store, "p")
        await until(lambda: device.there == {"alien": "y", "before": "x"})


async def test_what_was_there_before_us_stays(store: Store, network: str) -> None:
    device = Device({"p": "x"})
    put(store, "p")
    async with running(store, device):
        put(store, "q")
        await until(lambda: "q" in device.there)
        take(store, "p")
        take(store, "q")
        await until(lambda: device.there == {"p": "x"})


async def test_drift_is_repaired_whether_it_is_notified_or_not(store: Store, network: str) -> None:
    device = Device({})
    put(store, "p")
    async with running(store, device):
        await until(lambda: device.there == {"p": "x"})
        device.there.clear()
        device.changed.set()
        await until(lambda: device.there == {"p": "x"})
        device.there["p"] = "by hand"
        await until(lambda: device.there == {"p": "x"})


async def test_what_went_while_nobody_looked_is_taken_away(store: Store, network: str) -> None:
    there: dict[str, Any] = {}
    put(store, "p")
    async with running(store, Device(there)):
        await until(lambda: there == {"p": "x"})
    take(store, "p")
    there["alien"] = "y"
    async with running(store, Device(there)):
        await until(lambda: there == {"alien": "y"})


async def test_a_kill_before_it_is_known_whether_it_was_done_leaves_nothing(store: Store, network: str) -> None:
    """It was begun, and done, and no answer came back."""
    there: dict[str, Any] = {}

    class Cut(Device):
        async def apply(self, steps: Sequence[Step]) -> Mapping[str, str]:
            await super().apply(steps)
            await asyncio.Event().wait()
            return {}

    put(store, "p")
    async with running(store, Cut(there)):
        await until(lambda: there == {"p": "x"})
    take(store, "p")
    async with running(store, Device(there)):
        await until(lambda: there == {})


async def test_words_of_the_device_are_on_the_port_until_it_takes_it(store: Store, network: str) -> None:
    device = Device({})
    device.refuses = {"p": "no room"}
    put(store, "p")
    put(store, "q")
    async with running(store, device):
        await until(lambda: detail(store, "p") == "device: no room")
        assert (device.there, detail(store, "q")) == ({"q": "x"}, "")
        device.refuses = {}
        await until(lambda: "p" in device.there and detail(store, "p") == "")
    with store.read() as tx:
        assert tx.held(wires.scope("device")) == {}


async def test_a_device_that_agrees_and_does_nothing_is_found_out(store: Store, network: str) -> None:
    class Agreeing(Device):
        deaf = True

        async def apply(self, steps: Sequence[Step]) -> Mapping[str, str]:
            return {} if self.deaf else await super().apply(steps)

    device = Agreeing({})
    put(store, "p")
    async with running(store, device):
        await until(lambda: detail(store, "p") == "device: it was told, did not refuse, and has it not")
        device.deaf = False
        await until(lambda: device.there == {"p": "x"} and detail(store, "p") == "")


async def test_one_that_is_away_is_not_tried_for_each_change(store: Store, network: str) -> None:
    device = Device({})
    device.away, began = "no answer", time.monotonic()
    put(store, "p0")
    async with running(store, device):
        await until(lambda: detail(store, "p0") == "device: no answer")
        for number in range(1, 15):
            put(store, f"p{number}")
        assert device.calls <= 3 + (time.monotonic() - began) / 0.2  # the first wait; later ones are longer
        device.away = ""
        await until(lambda: len(device.there) == 15 and detail(store, "p0") == "")


def test_five_minutes_away_are_few_tries_and_soon_over() -> None:
    """With a clock: no try later than so many seconds after the device is there again, and no hammering till then."""
    retry, now, waits = Backoff(first=FIRST, limit=LIMIT), 0.0, list[float]()
    while now < 300.0:
        waits.append(retry.failed(now))
        now += waits[-1]
    assert (waits[0], max(waits)) == (FIRST, LIMIT)
    assert LIMIT <= 15.0
    assert len(waits) <= 30


async def test_one_that_was_away_for_as_long_is_right_again_by_itself(
    store: Store, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five minutes, a hundred times as fast."""
    monkeypatch.setattr(mechanisms, "FIRST_SECONDS", 0.002)
    monkeypatch.setattr(mechanisms, "LIMIT_SECONDS", 0.15)
    device = Device({})
    put(store, "p")
    async with running(store, device):
        await until(lambda: device.there == {"p": "x"})
        device.away = "no answer"
        device.changed.set()
        put(store, "q")
        await until(lambda: detail(store, "q") == "device: no answer")
        device.there.clear()  # it comes back without its configuration
        began, before = time.monotonic(), device.calls
        await asyncio.sleep(3.0)
        await until(lambda: device.calls > before)
        assert device.calls - before <= (time.monotonic() - began) / 0.15 + 12  # those of the first waits
        device.away = ""
        await until(lambda: device.there == {"p": "x", "q": "x"} and detail(store, "q") == "")


async def test_words_said_by_another_server_are_taken_back(store: Store, network: str) -> None:
    there: dict[str, Any] = {}
    device = Device(there)
    device.refuses = {"p": "no room"}
    put(store, "p")
    async with running(store, device):
        await until(lambda: detail(store, "p"))
    async with running(store, Device(there)):
        await until(lambda: detail(store, "p") == "" and there == {"p": "x"})
