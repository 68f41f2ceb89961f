"""The supervisor keeps what the folder says, and only that."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.waiting import PATIENCE, until

from netweft.lab import processes, supervisor
from netweft.lab.layout import Layout
from netweft.lab.supervisor import Command, Supervisor

SLEEP = Command(kind="agent", node="hv1", argv=("sleep", "600"))


@asynccontextmanager
async def running(layout: Layout) -> AsyncIterator[None]:
    task = asyncio.create_task(Supervisor(layout).run())
    await asyncio.sleep(0)  # its signal handlers are set before its first await
    try:
        yield
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(task, PATIENCE)


def arguments(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")


async def pids(layout: Layout, count: int, but: tuple[int, ...] = ()) -> list[int]:
    end = time.monotonic() + PATIENCE
    while True:
        found = [process.pid for process in processes.supervised(layout.lab) if process.pid not in but]
        if len(found) == count:
            return found
        assert time.monotonic() < end, found
        await asyncio.sleep(0.01)


async def test_what_dies_is_back_within_a_second(layout: Layout) -> None:
    supervisor.declare(layout, SLEEP)
    async with running(layout):
        (first,) = await pids(layout, 1)
        os.kill(first, signal.SIGKILL)
        start = time.monotonic()
        await pids(layout, 1, but=(first,))
        assert time.monotonic() - start < 1
    assert not processes.supervised(layout.lab)


async def test_hangup_makes_it_look_again(layout: Layout) -> None:
    async with running(layout):
        supervisor.declare(layout, SLEEP)
        os.kill(os.getpid(), signal.SIGHUP)
        await pids(layout, 1)
        supervisor.withdraw(layout, SLEEP.name)
        os.kill(os.getpid(), signal.SIGHUP)
        await pids(layout, 0)


async def test_what_dies_comes_back_as_it_is_declared_by_then(layout: Layout) -> None:
    """A machine that has moved here does not wait for its memory again."""
    supervisor.declare(layout, SLEEP)
    async with running(layout):
        (first,) = await pids(layout, 1)
        supervisor.declare(layout, Command(kind=SLEEP.kind, node=SLEEP.node, argv=("sleep", "601")))
        os.kill(first, signal.SIGKILL)
        (second,) = await pids(layout, 1, but=(first,))
        assert arguments(second) == ["sleep", "601"]


async def test_what_cannot_live_is_tried_again_and_again_but_not_in_a_rush(layout: Layout) -> None:
    supervisor.declare(layout, Command(kind="agent", node="hv1", argv=("sh", "-c", "echo once")))
    log, begun = layout.logs / "agent-hv1.log", time.monotonic()
    async with running(layout):
        await until(lambda: log.exists() and log.read_text().count("once") >= 2)
        await asyncio.sleep(0.3)  # in which a rush would be one
    assert log.read_text().count("once") <= 2 + 6 * (time.monotonic() - begun)


async def test_a_process_gets_its_own_environment_and_none_of_the_callers_settings(
    layout: Layout, monkeypatch: object
) -> None:
    os.environ["NETWEFT_SERVER_LISTEN"] = "0.0.0.0:1"
    try:
        command = Command(kind="server", argv=("sh", "-c", "env; sleep 600"), environment={"OVS_RUNDIR": "/x"})
        supervisor.declare(layout, command)
        async with running(layout):
            await pids(layout, 1)
            log = layout.logs / "server.log"
            while "NETWEFT_LAB_KIND=server" not in log.read_text():
                await asyncio.sleep(0.01)
        assert "OVS_RUNDIR=/x" in log.read_text()
        assert "NETWEFT_SERVER_LISTEN" not in log.read_text()
    finally:
        del os.environ["NETWEFT_SERVER_LISTEN"]
