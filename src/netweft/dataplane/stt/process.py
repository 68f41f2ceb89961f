"""The carrier's process: started in a session of its own, so that it outlives who started it."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from netweft.dataplane.stt.talk import SOCKET
from netweft.dataplane.stt.values import SttSettings

LOG: Final = "log"
_started: dict[int, "subprocess.Popen[Any]"] = {}  # by this process: it has to take note of their ends


def start(folder: Path, settings: SttSettings) -> int:
    """Returns its process id; it answers a moment later.  Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / SOCKET).unlink(missing_ok=True)
    command = (sys.executable, "-m", "netweft.dataplane.stt.carrier", str(folder), msgspec.json.encode(settings))
    with (folder / LOG).open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True
        )
    _started[process.pid] = process
    return process.pid


def has_ended(pid: int) -> bool:
    process = _started.get(pid)
    if process is not None:
        if process.poll() is None:
            return False
        del _started[pid]
        return True
    return not Path(f"/proc/{pid}").exists()


def said_last(folder: Path) -> str:
    """One line; empty: nothing."""
    with contextlib.suppress(OSError):
        return next(iter((folder / LOG).read_text(errors="replace").strip().splitlines()[-1:]), "")[:300]
    return ""


def stop(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
