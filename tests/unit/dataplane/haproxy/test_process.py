"""Whether HAProxy is stopped, as the kernel tells."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.waiting import until

from netweft.dataplane.haproxy import process


@pytest.fixture
def master(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """With a worker, in a session of its own."""
    words = ("sh", "-c", "sleep 1000 & echo; wait")
    with subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True) as running:
        assert running.stdout is not None
        running.stdout.readline()
        monkeypatch.setattr(process, "running", lambda _: running.pid)
        yield running.pid
        os.killpg(running.pid, signal.SIGKILL)


@pytest.mark.parametrize("children", [process.CHILDREN, "/proc/{pid}/nothing"])
async def test_it_is_stopped_and_goes_on(master: int, monkeypatch: pytest.MonkeyPatch, children: str) -> None:
    """Also where the kernel does not tell a process's children."""
    monkeypatch.setattr(process, "CHILDREN", children)
    for sent, stopped in ((signal.SIGCONT, False), (signal.SIGSTOP, True), (signal.SIGCONT, False)):
        os.killpg(master, sent)
        await until(lambda stopped=stopped: process.is_stopped(Path()) is stopped)  # type: ignore[misc]
