"""Who listens on the interface hears of it from the kernel: when it comes, when it is another one, when it goes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest

from netweft.agent.metadata import interface
from netweft.agent.metadata.interface import InterfaceWatch, keep_listening
from netweft.services.metadata import ends

Heard = Callable[[frozenset[str] | None], None]


class Kernel:
    """index: the interface's; 0: there is none.  monitors: those that listen to it."""

    def __init__(self) -> None:
        self.index = 0
        self.monitors: list[Heard] = []

    def monitor(self, heard: Heard, _: int) -> "Kernel":
        self.monitors.append(heard)
        return self

    def close(self) -> None:
        self.monitors.pop()

    def becomes(self, index: int, names: frozenset[str] | None = frozenset({ends.INTERFACE})) -> None:
        self.index = index
        for heard in self.monitors:
            heard(names)


class Server:
    """fails: how often it cannot be had.  events: what it was told."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.fails = 0

    async def listen(self) -> list["Server"]:
        if self.fails:
            self.fails -= 1
            raise OSError("no")
        self.events.append("listens")
        return [self]

    def close(self) -> None:
        self.events.append("closed")


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    made = Kernel()
    monkeypatch.setattr(interface, "HostMonitor", made.monitor)
    monkeypatch.setattr(interface, "_index", lambda: made.index)
    monkeypatch.setattr(interface, "AGAIN_SECONDS", 0.001)
    return made


@contextlib.asynccontextmanager
async def listening(*servers: Server) -> AsyncIterator[list[str]]:
    """What becomes of it."""
    watch, said = InterfaceWatch(), list[str]()
    tasks = [asyncio.create_task(keep_listening(watch, one.listen, said.append)) for one in servers]
    await rest()
    try:
        yield said
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def rest() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_it_comes_is_another_one_and_goes(kernel: Kernel) -> None:
    server = Server()
    async with listening(server):
        assert server.events == []
        kernel.becomes(7)
        await rest()
        kernel.becomes(7)
        await rest()
        assert server.events == ["listens"], "once for the same"
        kernel.becomes(8, None)  # word was lost
        await rest()
        kernel.becomes(0)
        await rest()
        assert server.events == ["listens", "closed"] * 2


async def test_what_is_for_others_is_not_looked_at(kernel: Kernel) -> None:
    server = Server()
    async with listening(server):
        kernel.becomes(7, frozenset({"tap1"}))
        await rest()
        assert server.events == []


async def test_sockets_that_cannot_be_had_are_tried_again(kernel: Kernel) -> None:
    server = Server()
    server.fails, kernel.index = 2, 7
    async with listening(server) as said, asyncio.timeout(10):
        while server.events != ["listens"]:
            await asyncio.sleep(0.001)
    assert said == ["no", "no", ""]
    assert server.events == ["listens", "closed"]


async def test_one_monitor_is_enough_for_two(kernel: Kernel) -> None:
    servers = Server(), Server()
    async with listening(*servers):
        assert len(kernel.monitors) == 1
        kernel.becomes(7)
        await rest()
        assert [one.events for one in servers] == [["listens"]] * 2
    assert kernel.monitors == []
