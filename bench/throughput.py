#!/usr/bin/env python3
"""How fast packets go from VM to VM: `bench/throughput.py` prints a table.  Needs root, and iperf3.

The same hypervisors and VMs several times: flows written by hand (`normal`, no firewall), the least that a stateful
firewall can be (`tracked`), Netweft and its default security group, OVN with the same as ACLs.  All are
there at once and take turns, so that whatever else the machine does meets them all; the figures are medians of the
rounds.  Times are those of the ovs-vswitchds on the way, for each packet that came or went at the receiver.
"""

import argparse
import json
import math
import os
import re
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

from contenders import CONTENDERS, Stage
from table import Row, percentile, print_comparison

LOAD = str(Path(__file__).with_name("load.py"))
TITLES = {"plain": "normal", "tracked": "tracked", "netweft": "Netweft", "ovn": "OVN"}
WITHIN = 0.9  # of what hand-written flows do in bulk


class Way(NamedTuple):
    """From one machine to another, past the switches of these nodes.  address: by which it is reached."""

    title: str
    to: str
    nodes: tuple[int, ...]
    frm: str = "client"
    address: str = ""


PATHS = (Way("one host", "beside", (1,)), Way("VXLAN", "there", (1, 2)))


class Task(NamedTuple):
    """turn: load.py says what for."""

    stage: Stage
    path: Way
    seconds: float
    turn: int

    @property
    def address(self) -> str:
        return self.stage.addresses[self.path.address or self.path.to]

    def load(self, what: str) -> str:
        words = (what, self.address, str(self.seconds), str(self.turn))
        return inside(self.stage, self.path.frm, sys.executable, LOAD, *words)


def bulk(task: Task) -> float:
    seconds = str(math.ceil(task.seconds))
    said = inside(task.stage, task.path.frm, "iperf3", "-c", task.address, "-t", seconds, "-J")
    return float(json.loads(said)["end"]["sum_received"]["bits_per_second"]) / 1e9


def connections(task: Task) -> float:
    return float(task.load("connections")) / task.seconds


def frames(task: Task) -> float:
    """Counted where they arrive."""
    before, start = packets(task)[0], time.perf_counter()
    task.load("frames")
    return (packets(task)[0] - before) / (time.perf_counter() - start) / 1e3


def pingpong(task: Task) -> float:
    return float(task.load("pingpong"))


class Measure(NamedTuple):
    """timed: the switches' time is told as well.  times: in each round; what varies most is measured more often."""

    work: Callable[[Task], float]
    unit: str
    timed: bool = True
    times: int = 1


MEASURES = {
    "TCP in bulk": Measure(bulk, "Gbit/s", times=5),
    "new connections": Measure(connections, "/s"),
    "64-byte frames": Measure(frames, "k/s"),
    "to and fro, p50": Measure(pingpong, "µs", timed=False),
}


def inside(stage: Stage, machine: str, *words: str) -> str:
    return subprocess.run(stage.command(machine, *words), check=True, stdout=subprocess.PIPE, text=True).stdout


def packets(task: Task) -> tuple[int, int]:
    """That the receiver's NIC has received, and sent."""
    line = re.findall(r"eth0:(.*)", inside(task.stage, task.path.to, "cat", "/proc/net/dev"))[0].split()
    return int(line[1]), int(line[9])


def busy(task: Task) -> float:
    """µs that the switches on the way have worked."""
    return sum(_busy(task.stage.vswitchd(number)) for number in task.path.nodes)


def _busy(pid: int) -> float:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((one / "schedstat").read_text().split()[0]) for one in tasks) / 1e3


@contextmanager
def served(stage: Stage, paths: Sequence[Way] = PATHS) -> Iterator[None]:
    """The other ends, in all machines that are sent to."""
    started: list[subprocess.Popen[str]] = []
    try:
        for machine in {path.to for path in paths}:
            started.append(
                subprocess.Popen(stage.command(machine, "iperf3", "-s"), stdout=subprocess.DEVNULL, text=True)
            )
            words = stage.command(machine, sys.executable, LOAD, "serve")
            started.append(serving := subprocess.Popen(words, stdout=subprocess.PIPE, text=True))
            assert serving.stdout
            assert serving.stdout.readline() == "ready\n"
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


class Key(NamedTuple):
    measure: str
    path: str
    unit: str


Found = dict[Key, dict[str, list[float]]]  # by contender, a value each round


def measure(
    stages: dict[str, Stage],
    measures: Iterable[str],
    turns: Iterable[int],
    seconds: float,
    paths: Sequence[Way] = PATHS,
) -> Found:
    found: Found = defaultdict(lambda: defaultdict(list))
    for turn in turns:
        for what in measures:
            for _ in range(MEASURES[what].times):
                for path in paths:
                    _one_turn(found, what, path, turn, seconds, stages)
                stages = _rotated(stages)
    return found


def _one_turn(found: Found, what: str, path: Way, turn: int, seconds: float, stages: dict[str, Stage]) -> None:
    work, unit, timed, _ = MEASURES[what]
    for name, stage in stages.items():
        task = Task(stage, path, seconds, turn)
        count, worked = sum(packets(task)), busy(task)
        found[Key(what, path.title, unit)][name].append(work(task))
        if timed:
            spent = (busy(task) - worked) / max(1, sum(packets(task)) - count)
            found[Key(f"{what}: time a packet", path.title, "µs")][name].append(spent)


def _rotated(stages: dict[str, Stage]) -> dict[str, Stage]:
    """So that nobody always follows the same."""
    (name, first), *others = stages.items()
    return {**dict(others), name: first}


def rows(found: Found, names: Sequence[str]) -> Iterator[tuple[list[float], Row, str]]:
    """The medians of all, and Netweft's to `normal`: the median of what it was in each round, and its quartiles."""
    for (what, path, unit), values in found.items():
        ratios = [own / base for own, base in zip(values["netweft"], values["plain"], strict=True)]
        bar = WITHIN if unit == "Gbit/s" else None
        row = Row(f"{what}, {path}, {unit}", median(ratios), "of normal", bar, higher=bar is not None)
        spread = f"{percentile(ratios, 25):.0%} to {percentile(ratios, 75):.0%}"
        yield [median(values[name]) for name in names], row, spread


def available(names: Sequence[str]) -> list[str]:
    if not shutil.which("iperf3"):
        sys.exit("bench: needs iperf3 (apt-get install iperf3)")
    if "ovn" in names and not shutil.which("ovn-controller"):
        print("bench: OVN is not measured: it takes the packages ovn-central and ovn-host", file=sys.stderr)
        return [name for name in names if name != "ovn"]
    return list(names)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="that each measure takes; TCP in bulk at least 1")
    parser.add_argument("--with", dest="names", default=",".join(CONTENDERS), help="whom to measure")
    parser.add_argument("--only", choices=MEASURES, action="append", help="what to measure; may be given several times")
    parser.add_argument("--json", type=Path, help="append the rows to this file")
    parser.add_argument("--wait", action="store_true", help="when all is up, wait for the Enter key")
    options = parser.parse_args()
    if os.geteuid():
        sys.exit("bench: needs root")
    asked = options.names.split(",")
    if not {"plain", "netweft"} <= set(asked) <= CONTENDERS.keys():
        parser.error(f"--with: of {', '.join(CONTENDERS)}, plain and netweft among them")
    names = available(asked)
    with ExitStack() as stack:
        stages = {name: stack.enter_context(CONTENDERS[name]()) for name in names}
        for stage in stages.values():
            stack.enter_context(served(stage))
        if options.wait:
            input()
        wanted = options.only or MEASURES
        measure(stages, wanted, [0], 0.3)  # caches are warm, neighbours known
        found = measure(stages, wanted, range(1, options.rounds + 1), options.seconds)
    columns = [TITLES[name] for name in stages]
    print_comparison("From VM to VM, and Netweft to `normal`", columns, list(rows(found, list(stages))), options.json)


if __name__ == "__main__":
    main()
