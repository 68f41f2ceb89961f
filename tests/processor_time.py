"""Seconds of a processor by test, of all that it starts: daemons of labs, servers, browsers.

`NETWEFT_PROCESSOR_TIME=FOLDER pytest ...` as root writes a line for each test; `python -m tests.processor_time FOLDER`
tells them by file.  A worker has a control group of its own, in which its children stay whoever their parent becomes.
"""

import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

import pytest

CGROUPS = Path("/sys/fs/cgroup")
ACCOUNTED = CGROUPS / "cpuacct"  # where the machine has version 1


def pytest_configure(config: pytest.Config) -> None:
    folder = os.environ.get("NETWEFT_PROCESSOR_TIME")
    if folder and not getattr(config.option, "numprocesses", None):  # who has workers runs no test
        config.pluginmanager.register(_Counting(Path(folder)))


class _Counting:
    def __init__(self, folder: Path) -> None:
        self._group = (ACCOUNTED if ACCOUNTED.exists() else CGROUPS) / f"netweft-tests-{os.getpid()}"
        self._group.mkdir()
        (self._group / "cgroup.procs").write_text(str(os.getpid()))
        folder.mkdir(parents=True, exist_ok=True)
        self._told: TextIO = (folder / str(os.getpid())).open("w")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection(self) -> Iterator[Any]:
        before = self._used()
        result = yield
        self._tell(self._used() - before, "collection")
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[Any]:
        """With the fixtures that are made for it, or end with it."""
        before = self._used()
        result = yield
        self._tell(self._used() - before, item.nodeid)
        return result

    def pytest_unconfigure(self) -> None:
        self._told.close()
        (self._group.parent / "cgroup.procs").write_text(str(os.getpid()))
        with suppress(OSError):  # something of it still runs
            self._group.rmdir()

    def _tell(self, seconds: float, what: str) -> None:
        print(f"{seconds:.3f} {what}", file=self._told, flush=True)

    def _used(self) -> float:
        accounted = self._group / "cpuacct.usage"
        if accounted.exists():
            return int(accounted.read_text()) / 1e9
        found = re.search(r"usage_usec (\d+)", (self._group / "cpu.stat").read_text())
        assert found
        return int(found[1]) / 1e6


def by_file(folder: Path) -> dict[str, float]:
    """The most first."""
    found: defaultdict[str, float] = defaultdict(float)
    for line in (line for file in folder.iterdir() for line in file.read_text().splitlines()):
        seconds, _, test = line.partition(" ")
        found[test.partition("::")[0]] += float(seconds)
    return dict(sorted(found.items(), key=lambda one: -one[1]))


if __name__ == "__main__":
    told = by_file(Path(sys.argv[1]))
    print(f"{sum(told.values()):8.1f} s of a processor")
    for name, seconds in told.items():
        print(f"{seconds:8.1f} {name}")
