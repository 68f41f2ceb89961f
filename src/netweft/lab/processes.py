"""The processes of a lab, as the kernel's process table knows them: found by their environment, never by a pid file.

Each carries `NETWEFT_LAB=NAME`; those the supervisor keeps running say `NETWEFT_LAB_KIND` and `NETWEFT_LAB_NODE` too.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from netweft.lab.layout import LabError

LAB, KIND, NODE = "NETWEFT_LAB", "NETWEFT_LAB_KIND", "NETWEFT_LAB_NODE"
SUPERVISOR = "supervisor"
_ADOPTER = 1  # becomes the parent of who outlives its own


class Process(NamedTuple):
    pid: int
    parent: int
    kind: str
    node: str


def mark(lab: str, kind: str = "", node: str = "") -> dict[str, str]:
    """What to add to the environment of a lab's process."""
    marks = {LAB: lab, KIND: kind, NODE: node}
    return {name: value for name, value in marks.items() if value}


def find(lab: str) -> list[Process]:
    """Every process of the lab, children of children too, but not the caller and those that started it."""
    spared = set(_ancestry(os.getpid()))
    return [process for process in _marked(lab) if process.pid not in spared]


def supervised(lab: str) -> list[Process]:
    """One entry for each process that the supervisor started; what those started themselves is left out, also where it
    outlived them (STT's carrier)."""
    found = {process.pid: process for process in _marked(lab) if process.kind}
    is_watched = any(process.kind == SUPERVISOR for process in found.values())

    def is_another_ones(process: Process) -> bool:
        parent = found.get(process.parent)
        if parent is None:
            return is_watched and process.parent == _ADOPTER and process.kind != SUPERVISOR
        return (parent.kind, parent.node) == (process.kind, process.node)

    return sorted((p for p in found.values() if not is_another_ones(p)), key=lambda p: (p.kind, p.node, p.pid))


def kill_all(lab: str, *, deadline: float = 10.0) -> None:
    """Ends every process of the lab at once, the supervisor first so that it starts nothing again."""
    end = time.monotonic() + deadline
    while found := find(lab):
        if time.monotonic() > end:
            raise LabError(f"these processes would not end: {', '.join(str(p.pid) for p in found)}")
        for process in sorted(found, key=lambda p: p.kind != SUPERVISOR):
            _kill(process.pid, lab)
        time.sleep(0.01)


def kill_in_namespace(namespace: str) -> None:
    """What still runs inside a machine that is switched off (somebody's shell, say) ends with it."""
    spared = set(_ancestry(os.getpid()))
    listed = subprocess.run(("ip", "netns", "pids", namespace), capture_output=True, text=True, check=False).stdout
    for pid in map(int, listed.split()):
        if pid not in spared:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _kill(pid: int, lab: str) -> None:
    """A pid may have been given to somebody else since it was read: the handle holds it while we look again."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if _environment(pid).get(LAB) == lab:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
    except ProcessLookupError:
        pass
    finally:
        os.close(handle)


def _marked(lab: str) -> Iterator[Process]:
    """Most processes are others', and an environment may be long: it is taken apart only where the mark is in it."""
    marked = f"{LAB}={lab}".encode()
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):  # noqa: PTH208 - as below
        if marked not in (raw := _raw_environment(pid)):
            continue
        environment = _parsed(raw)
        if environment.get(LAB) == lab and (parent := _parent(pid)):
            yield Process(pid, parent, environment.get(KIND, ""), environment.get(NODE, ""))


def _environment(pid: int) -> dict[str, str]:
    return _parsed(_raw_environment(pid))


def _raw_environment(pid: int) -> bytes:
    """Empty for a kernel thread, a zombie, and a process that has ended."""
    try:
        with open(f"/proc/{pid}/environ", "rb", buffering=0) as file:  # noqa: PTH123 - for each process that there is
            return file.readall()
    except OSError:
        return b""


def _parsed(raw: bytes) -> dict[str, str]:
    pairs = (entry.partition("=") for entry in raw.decode(errors="replace").split("\0"))
    return {name: value for name, _, value in pairs}


def _parent(pid: int) -> int:
    """0 where there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[1])


def _ancestry(pid: int) -> Iterator[int]:
    while pid > 1:
        yield pid
        pid = _parent(pid)
