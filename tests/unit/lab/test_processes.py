"""Finding a lab's processes by their environment, and ending them and no others."""

import os
import subprocess
import sys
from pathlib import Path

from tests.unit.lab.conftest import Start, until

from netweft.lab import processes
from netweft.lab.layout import Layout
from netweft.lab.processes import mark


def _alive(pid: int) -> bool:
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_labs_processes_are_found_by_their_mark(layout: Layout, start_sleep: Start) -> None:
    agent = start_sleep(mark(layout.lab, "agent", "hv1"))
    other = start_sleep(mark(layout.lab))
    start_sleep(mark("elsewhere", "agent", "hv1"))
    until(lambda: {p.pid for p in processes.find(layout.lab)} == {agent, other})
    assert [(p.pid, p.kind, p.node) for p in processes.supervised(layout.lab)] == [(agent, "agent", "hv1")]


def test_kill_all_ends_these_and_no_others(layout: Layout, start_sleep: Start) -> None:
    ours = start_sleep(mark(layout.lab))
    another_labs = start_sleep(mark(f"{layout.lab}x"))
    nobodys = start_sleep({})
    until(lambda: len(processes.find(layout.lab)) == 1)
    processes.kill_all(layout.lab)
    assert not _alive(ours)
    assert _alive(another_labs)
    assert _alive(nobodys)


def test_the_caller_is_spared_though_it_carries_the_mark(layout: Layout, start_sleep: Start) -> None:
    """`netweft lab down` called from a shell inside the lab must live to finish."""
    script = f"from netweft.lab import processes; processes.kill_all({layout.lab!r}); print('lived')"
    ours = start_sleep(mark(layout.lab))
    inside = os.environ | mark(layout.lab)
    command = ("sh", "-c", '"$0" -c "$1"; exit', sys.executable, script)
    done = subprocess.run(command, env=inside, capture_output=True, text=True, check=False)
    assert done.stdout == "lived\n", done.stderr
    assert not _alive(ours)


def test_a_process_that_outlives_its_starter_is_none_of_the_supervisors(layout: Layout, start_sleep: Start) -> None:
    """As STT's carrier does, when its agent is killed."""
    start_sleep(mark(layout.lab, processes.SUPERVISOR))
    silent = "stdout=s.DEVNULL, stderr=s.DEVNULL, start_new_session=True"
    script = f"import subprocess as s; print(s.Popen(['sleep', '60'], {silent}).pid)"
    environment = os.environ | mark(layout.lab, "agent", "hv1")
    said = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    until(lambda: int(said.stdout) in {p.pid for p in processes.find(layout.lab)})
    assert [p.kind for p in processes.supervised(layout.lab)] == [processes.SUPERVISOR]
    processes.kill_all(layout.lab)
