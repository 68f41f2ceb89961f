"""The tests with real packets, on the kernel's datapath: `python -m tests.kernel.run [quick | all | [qemu] TEST...]`.

quick: one of each kind, for every day.  all: every file on User-Mode Linux, then a choice on Debian's own kernel as far
as the time goes; it writes the table of docs/datapaths.md.  Else these tests, on User-Mode Linux or on QEMU.
"""

import os
import shlex
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.kernel import results
from tests.kernel.emulated import Emulated
from tests.kernel.engine import Engine, Stopped
from tests.kernel.results import Output, Turn
from tests.kernel.user_mode import UserMode

QUICK_MINUTES, MINUTES = 10.0, 90.0
PYTEST = ".venv/bin/python -m pytest -v --color=no --tb=short -p no:randomly -p no:cacheprovider"


def _files(*names: str) -> tuple[str, ...]:
    return tuple(f"tests/netns/test_{name}.py" for name in names)


QUICK = (*_files("talk", "connections"), "tests/netns/test_spoofing.py::test_the_truth_arrives")
# the longest first: what is left in the end is short, and on all processors
EVERY = _files(
    *("firewall", "l2_matrix", "spoofing", "fragments", "connections_end", "faults", "keeps_working", "connections"),
    *("dhcp", "l2_fabric", "repair", "l2_trunk", "qos", "upgrade", "l2_move", "ports", "unbinding", "mtu"),
    *("l2_migrate", "l2_bad_input", "priority_tags", "external_agent", "linuxbridge_wiring", "talk"),
)
# where a second takes ten: the most telling first
CHOICE = (*QUICK, *_files("fragments", "connections_end", "l2_trunk", "repair", "dhcp", "spoofing", "l2_fabric", "qos"))


class Share(NamedTuple):
    """at_once: how many of its tests may run at the same time."""

    engine: type[UserMode] | type[Emulated]
    tests: tuple[str, ...]
    at_once: int = 1


def main(words: Sequence[str]) -> int:
    shares, minutes = _choice(list(words))
    end = time.monotonic() + minutes * 60
    turns = [turn for share in shares for turn in _run(share, end)]
    table = results.table(turns)
    if words == ["all"]:
        results.document(table)
    failed = sum(1 for turn in turns for _ in turn.failures)
    passed = sum(result.outcome == results.PASSED for turn in turns for result in turn.results)
    stuck = sum(turn.machine == UserMode.name and not turn.finished for turn in turns)
    print(f"{table}{passed} passed, {failed} failed, {stuck} files not to their end on {UserMode.name}")
    return 1 if failed or stuck or not passed else 0


def _choice(words: list[str]) -> tuple[list[Share], float]:
    processors = os.cpu_count() or 1
    match words:
        case [] | ["quick"]:
            return [Share(UserMode, QUICK, processors)], QUICK_MINUTES
        case ["all"]:
            return [Share(UserMode, EVERY, processors), Share(Emulated, CHOICE)], MINUTES
        case ["qemu", *tests]:
            return [Share(Emulated, tuple(tests))], MINUTES
        case _:
            return [Share(UserMode, tuple(words), processors)], MINUTES


def _run(share: Share, end: float) -> list[Turn]:
    """end: by then it is over.  A file at a time, so that what one leaves behind is not the next one's."""
    with tempfile.TemporaryDirectory(prefix="netweft-kernel-") as folder:
        engine = share.engine(Path(folder))
        clock = threading.Timer(max(0.0, end - time.monotonic()), engine.stop)
        clock.daemon = True
        clock.start()
        pool = ThreadPoolExecutor(share.at_once)
        try:
            return list(pool.map(lambda tests: _turn(engine, tests), share.tests))
        finally:
            clock.cancel()
            engine.stop()
            pool.shutdown()


def _turn(engine: Engine, tests: str) -> Turn:
    output, finished = Output(), True
    start = time.monotonic()
    try:
        engine.execute(f"{PYTEST} --timeout={engine.timeout} {shlex.quote(tests)}", output)
    except Stopped:
        finished = False
    turn = Turn(tests, engine.name, tuple(output.results), finished)
    if any(turn.failures) or (finished and not turn.results):
        print(output.text(), flush=True)
    words = "" if finished else ", not to its end"
    print(f"{tests}: {time.monotonic() - start:.0f} s on {engine.name}{words}", flush=True)
    return turn


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the machines end, too
    sys.exit(main(sys.argv[1:]))
