"""The tests with real packets, on the kernel's datapath: `python -m tests.kernel.run [WHAT | [qemu] TEST...]`.

quick: one of each kind, for every day.  ground [WORD...]: what docs/ground.md says of this datapath (by probes with one
of these words in their names), and no test.  all: that, every file on User-Mode Linux, then a choice on Debian's own
kernel as far as the time goes.  Else these tests, on User-Mode Linux or on QEMU; several in one word (as for a shell):
in one guest.  Whole files, but of `quick`, are written into the table of docs/datapaths.md as they end.
NETWEFT_KERNEL_MINUTES: how long it may take, where others use the machine.  NETWEFT_KERNEL_GUESTS: how many guests at a
time, where that is not one for each processor.
"""

import io
import os
import re
import shlex
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from tests.ground.document import Document
from tests.ground.run import PROBES, said
from tests.ground.run import asked as probes
from tests.kernel import results
from tests.kernel.emulated import Emulated
from tests.kernel.engine import CHECKOUT, Engine, Stopped, commit
from tests.kernel.results import Output, Table, Turn
from tests.kernel.user_mode import UserMode

QUICK_MINUTES, GROUND_MINUTES, MINUTES = 10.0, 10.0, 90.0
ASK = ".venv/bin/python -m tests.ground.run say system"
QUIET = "--color=no --tb=short --no-summary -p no:randomly -p no:cacheprovider"
_LAB = re.compile(r"^def (?:nodes|plan)\(.*\n(?: .*\n)+", re.MULTILINE)
PYTEST = f".venv/bin/python -m pytest -v {QUIET} -p tests.kernel.failures"


def _files(folder: str, *names: str) -> tuple[str, ...]:
    return tuple(f"tests/netns/{folder}/test_{name}.py" for name in names)


# a guest in each word, for two processors: `talk` has a lab of its own, the others have one together
QUICK = (
    " ".join(
        (*_files("security", "connections"), "tests/netns/security/test_spoofing.py::test_the_truth_arrives"),
    ),
    " ".join((*_files("lb", "load_balancers", "health_monitors"), *_files("l2", "talk"))),
)
# the longest first, as far as the table does not know
LONG = (
    *_files("security", "firewalls", "firewall", "spoofing", "fragments", "connections_end"),
    *_files("l3", "matrix", "floating", "routers_keep_working"),
    *_files("lb", "load_balancers", "proxied_balancers"),
    *_files("restarts", "faults", "keeps_working"),
    *_files("security", "connections", "connections_move"),
    *_files("services", "dhcp", "qos"),
    *_files("l2", "matrix", "fabric", "trunk", "move"),
    *_files("restarts", "repair", "upgrade"),
)
# not of a datapath: the lab's own commands, and bad input to the API; the system's libvirt, real machines, LLDP and a
# VTEP's emulator, which the machines have not; OVN beside our agents, which `make test-ovn` makes a lab of
ELSEWHERE = (
    "tests/netns/test_lab.py",
    *_files("l2", "bad_input", "this_machine", "migrate"),
    *_files("switches", "lldp", "vtep"),
    *_files("ovn", "ovn_beside_ours"),
)
_FOUND = sorted(path.relative_to(CHECKOUT).as_posix() for path in (CHECKOUT / "tests/netns").rglob("test_*.py"))
EVERY = (*LONG, *(name for name in _FOUND if name not in (*LONG, *ELSEWHERE)))
# where a second takes ten: the most telling first
TOGETHER = 4  # files in a guest: they share its lab, which costs as much there as the tests of one file
CHOICE = (
    *_files("l2", "talk"),
    *_files("security", "connections", "connection_floods"),
    *_files("lb", "load_balancers"),
    *_files("security", "fragments", "connections_end"),
    *_files("l2", "trunk"),
    *_files("restarts", "repair"),
    *_files("services", "dhcp"),
    *_files("security", "spoofing"),
    *_files("l2", "fabric"),
    *_files("services", "qos"),
)


class Share(NamedTuple):
    """at_once: how many of its tests may run at the same time.  kept: where what becomes of whole files is written."""

    engine: type[UserMode] | type[Emulated]
    tests: tuple[str, ...]
    at_once: int = 1
    kept: Table | None = None


def main(words: Sequence[str]) -> int:
    match list(words):
        case ["ground", *some]:
            return 0 if _ask_the_ground(*some) else 1
    shares, minutes = _choice(list(words))
    end = time.monotonic() + _seconds(minutes)
    asked = words != ["all"] or _ask_the_ground()
    turns = [turn for share in shares for turn in _run(share, end)]
    failed = sum(1 for turn in turns for _ in turn.failures)
    passed = sum(result.outcome == results.PASSED for turn in turns for result in turn.results)
    stuck = sum(turn.machine == UserMode.name and not turn.finished for turn in turns)
    print(f"{results.table(turns)}{passed} passed, {failed} failed, {stuck} files not to their end on {UserMode.name}")
    for turn in turns:
        if not turn.results:
            print(f"nothing ran: {turn.tests} on {turn.machine}")
    return 1 if failed or stuck or not passed or not asked else 0


def _seconds(minutes: float) -> float:
    """Unless somebody says otherwise."""
    return float(os.environ.get("NETWEFT_KERNEL_MINUTES", minutes)) * 60


def _ask_the_ground(*some: str) -> bool:
    """Whether all probes were answered, or all with one of these words in their names."""
    output = io.BytesIO()
    with tempfile.TemporaryDirectory(prefix="netweft-kernel-") as folder:
        engine = UserMode(Path(folder))
        clock = threading.Timer(_seconds(GROUND_MINUTES), engine.stop)
        clock.daemon = True
        clock.start()
        with suppress(Stopped):
            engine.execute(f"{ASK} {shlex.join(some)}", output)
        clock.cancel()
        engine.stop()
    text = output.getvalue().decode(errors="replace")
    answers = list(said(text))
    Document().put(PROBES, answers)
    wanted = len(probes(*some))
    print(f"the ground: {len(answers)} of {wanted} probes were answered", flush=True)
    if len(answers) < wanted:
        print(text[-2000:], flush=True)
    return len(answers) == wanted


def _choice(words: list[str]) -> tuple[list[Share], float]:
    guests, kept = int(os.environ.get("NETWEFT_KERNEL_GUESTS", os.cpu_count() or 1)), Table()
    match words:
        case [] | ["quick"]:
            return [Share(UserMode, QUICK, guests)], QUICK_MINUTES
        case ["all"]:
            every = together(kept.oldest_first(EVERY, UserMode.name))
            return [Share(UserMode, every, guests, kept), Share(Emulated, CHOICE, kept=kept)], MINUTES
        case ["qemu", *tests]:
            return [Share(Emulated, tuple(tests), kept=kept)], MINUTES
        case _:
            return [Share(UserMode, tuple(words), guests, kept)], MINUTES


def together(files: Sequence[str]) -> tuple[str, ...]:
    """Those with the same lab, a few in one word, in the order of who comes first."""
    by_lab: dict[tuple[str, ...], list[str]] = {}
    for name in files:
        by_lab.setdefault(tuple(_LAB.findall((CHECKOUT / name).read_text())), []).append(name)
    words = (found[at : at + TOGETHER] for found in by_lab.values() for at in range(0, len(found), TOGETHER))
    return tuple(" ".join(some) for some in sorted(words, key=lambda some: files.index(some[0])))


def _run(share: Share, end: float) -> list[Turn]:
    """end: by then it is over."""
    with tempfile.TemporaryDirectory(prefix="netweft-kernel-") as folder:
        engine = share.engine(Path(folder))
        clock = threading.Timer(max(0.0, end - time.monotonic()), engine.stop)
        clock.daemon = True
        clock.start()
        pool = ThreadPoolExecutor(share.at_once)
        try:
            return [
                turn
                for turns in pool.map(lambda tests: _turns(engine, tests, share.kept), share.tests)
                for turn in turns
            ]
        finally:
            clock.cancel()
            engine.stop()
            pool.shutdown()


def _turns(engine: Engine, tests: str, kept: Table | None) -> list[Turn]:
    """Of what one guest has tried: one of each file, or of what was asked for of it.  What comes after a file in which
    a guest has ended gets another one."""
    output, finished, today = Output(), True, f"{datetime.now(UTC):%Y-%m-%d} {commit()}"
    start, asked = time.monotonic(), shlex.split(tests)
    try:
        engine.execute(f"{PYTEST} --timeout={engine.timeout} {shlex.join(asked)}", output)
    except Stopped:
        finished = False
    after = [] if finished else results.after(asked, output.results)
    turns = results.turns(asked[: len(asked) - len(after)], engine.name, today, output.results, finished=finished)
    for turn in turns:
        if kept and "::" not in turn.tests:
            kept.put(turn)
    if not finished or not output.results:
        print(output.text(), flush=True)
    words = "" if finished else ", not to its end"
    took = f"{time.monotonic() - start:.0f} s, {output.spent or '?'} of a processor"
    print(f"{tests}: {took}, on {engine.name}{words}", flush=True)
    return turns + (_turns(engine, shlex.join(after), kept) if after else [])


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the machines end, too
    sys.exit(main(sys.argv[1:]))
