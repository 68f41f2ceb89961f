"""The tests with real packets, on the kernel's datapath: `python -m tests.kernel.run [quick | all | TEST...]`.

In a virtual machine, whose kernel has it.  quick: one of each kind, for every day.  all: as many as the time allows; it
writes the table of docs/datapaths.md.
"""

import shlex
import sys
import threading
import time
from collections.abc import Sequence

from tests.kernel import results
from tests.kernel.machine import Machine, booted
from tests.kernel.results import Output

from netweft.lab.layout import LabError

QUICK_MINUTES, MINUTES = 10.0, 90.0
QUICK = (
    "tests/netns/test_talk.py",
    "tests/netns/test_spoofing.py::test_the_truth_arrives",
    "tests/netns/test_connections.py",
)
FILES = tuple(
    f"tests/netns/test_{name}.py"
    for name in (
        *("talk", "spoofing", "firewall", "connections", "l2_fabric", "dhcp", "l2_trunk", "ports", "repair"),
        *("l2_matrix", "qos", "faults", "keeps_working", "l2_move", "mtu", "upgrade", "l2_bad_input"),
    )
)
PYTEST = ".venv/bin/python -m pytest -v --color=no --tb=short -p no:randomly -p no:cacheprovider"


def main(words: Sequence[str]) -> int:
    tests, minutes = _choice(words)
    output, start = Output(), time.monotonic()
    with booted() as machine:
        print(f"the machine has booted after {time.monotonic() - start:.0f} s", flush=True)
        clock = threading.Timer(minutes * 60 - (time.monotonic() - start), machine.stop)
        clock.daemon = True
        clock.start()
        finished = _run(machine, tests, output)
        clock.cancel()
    failed = list(results.failures(output.results))
    passed = sum(result.outcome == results.PASSED for result in output.results)
    if words == ["all"]:
        results.document(results.table(output.results, FILES))
    print(results.table(output.results, dict.fromkeys(test.partition("::")[0] for test in tests)))
    if not finished:
        print(f"after {minutes:.0f} minutes there was no more time")
    print(f"{passed} passed, {len(failed)} failed")
    return 1 if failed or not passed else 0


def _choice(words: Sequence[str]) -> tuple[Sequence[str], float]:
    match words:
        case [] | ["quick"]:
            return QUICK, QUICK_MINUTES
        case ["all"]:
            return FILES, MINUTES
        case _:
            return words, MINUTES


def _run(machine: Machine, tests: Sequence[str], output: Output) -> bool:
    """Whether all of them had their turn.  A file at a time, so that what one leaves behind is not the next one's."""
    try:
        for test in tests:
            machine.execute(f"cd /netweft && {PYTEST} {shlex.quote(test)}", output)
    except LabError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
