"""What each of pytest-xdist's workers collects, which takes a worker longer than many a file's tests.

Who begins with labs helps with other tests that wait for real programs, and need not know the thousands that only
compute.  The first worker collects before the others: what it compiles on the way is there for them.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.side_by_side import FOLDER, begins_with_labs, waits_for_programs

TESTS = FOLDER / "tests"
LONGEST_WAIT = 300.0  # seconds, for a first worker on a busy machine; one that has died is waited for in vain


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where all tests are asked for; who names some gets them."""
    worker = _worker(config)
    if not worker or not begins_with_labs(worker) or not _all_are_asked_for(config):
        return None
    if collection_path.is_dir() or waits_for_programs(collection_path.relative_to(FOLDER).as_posix()):
        return None  # what others know better: virtual environments, caches
    return True


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[Any]:
    worker = _worker(session.config)
    if not worker:
        return (yield)
    done = Path(session.config.option.basetemp).parent / "collected"  # the run's own folder
    if worker != "gw0":
        _wait_for(done)
        return (yield)
    try:
        return (yield)
    finally:
        done.touch()


def _wait_for(done: Path) -> None:
    end = time.monotonic() + LONGEST_WAIT
    while not done.exists() and time.monotonic() < end:
        time.sleep(0.1)


def _all_are_asked_for(config: pytest.Config) -> bool:
    return any(Path(config.invocation_params.dir, arg).resolve() in (TESTS, FOLDER) for arg in config.args)


def _worker(config: pytest.Config) -> str:
    """Empty: not one of several."""
    return str(getattr(config, "workerinput", {}).get("workerid", ""))
