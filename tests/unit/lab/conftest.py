"""A lab that has a folder and processes, but no namespaces: it needs no root."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.waiting import PATIENCE

from netweft.lab import layout as layout_module
from netweft.lab import processes
from netweft.lab.layout import Layout


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Layout]:
    monkeypatch.setattr(layout_module, "ROOT", tmp_path)
    lab = Layout(f"u{os.getpid()}")
    for folder in (lab.logs, lab.processes, lab.vms):
        folder.mkdir(parents=True)
    yield lab
    processes.kill_all(lab.lab)


Start = Callable[[dict[str, str]], int]


@pytest.fixture
def start_sleep() -> Iterator[Start]:
    """Starts a process with marks in its environment; gives its pid."""
    started: list[subprocess.Popen[bytes]] = []

    def start(marks: dict[str, str]) -> int:
        started.append(subprocess.Popen(("sleep", "600"), env=os.environ | marks))
        return started[-1].pid

    yield start
    for process in started:
        process.kill()
        process.wait()


def until(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
