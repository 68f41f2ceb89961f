"""The process of an instance: a master, which stays, and a worker for each configuration.

It is started in a network namespace and a session of its own, so that it outlives who started it, and is found again
by its folder.  A reload keeps the listening sockets: the new worker gets them from the old one, which then serves what
it has until it ends.
"""

import asyncio
import contextlib
import grp
import os
import pwd
import signal
import subprocess
from functools import partial
from pathlib import Path
from typing import Any, Final

from netweft.dataplane.haproxy import files, namespace, runtime
from netweft.dataplane.haproxy.runtime import NotThere
from netweft.dataplane.haproxy.values import PROGRAM, WORKER

CONFIG, PID, MASTER, LOG = "haproxy.cfg", "pid", "master.sock", "log"
CHILDREN: Final = "/proc/{pid}/task/{pid}/children"
USER: Final = "haproxy"
FDS: Final = 40_000  # at most: of each connection two
HARD_STOP_SECONDS: Final = 3600  # an old worker's last connections end then
MOST_WORKERS: Final = 20  # old ones that still serve somebody; those before them end
START_SECONDS: Final = 15.0
_FIRST_LOOK, _SELDOM = 0.002, 0.01  # seconds: its socket is there before it serves, and answers when it does


_started: dict[int, "subprocess.Popen[Any]"] = {}  # by this process: it has to take note of their ends


class ProxyError(Exception):
    """HAProxy failed a command; the message is its own, or ours."""


def settings(folder: Path, description: str) -> str:
    """The `global` section: all of it is ours."""
    drop = [f"    user {USER}", f"    group {USER}"] if _has_user() else []
    lines = [
        "global",
        f"    description {description}",
        f"    stats socket {folder / WORKER} mode 600 level admin expose-fd listeners",
        f"    fd-hard-limit {FDS}",
        f"    nbthread {min(4, os.cpu_count() or 1)}",
        f"    hard-stop-after {HARD_STOP_SECONDS}s",
        f"    mworker-max-reloads {MOST_WORKERS}",
        "    default-path config",  # where lists of certificates are
        f"    crt-base {folder}",
        f"    ca-base {folder}",
        "    ssl-default-bind-options ssl-min-ver TLSv1.2",
        "    ssl-default-server-options ssl-min-ver TLSv1.2",
        "    tune.ssl.default-dh-param 2048",
        "    httpclient.ssl.verify none",  # it is not used; else all of the host's authorities are read at each start
        *drop,
    ]
    return "\n".join(lines) + "\n\n"


def _has_user() -> bool:
    with contextlib.suppress(KeyError):
        return bool(pwd.getpwnam(USER) and grp.getgrnam(USER))
    return False


def running(folder: Path) -> int | None:
    """The master of this folder's configuration.  While it executes itself anew, after each start of a worker, it has
    no words for a moment."""
    with contextlib.suppress(OSError, ValueError):
        pid = int((folder / PID).read_text())
        process = Path(f"/proc/{pid}")
        words = (process / "cmdline").read_bytes().split(b"\0")
        name, _, rest = (process / "stat").read_text().partition("(")[2].rpartition(")")
        is_it = str(folder / CONFIG).encode() in words and b"-W" in words
        if rest.split()[0] not in "ZX" and (is_it or (words == [b""] and name == PROGRAM)):
            return pid
    return None


async def check(folder: Path, config: Path) -> None:
    """Raises ProxyError with what HAProxy does not like."""
    process = await asyncio.create_subprocess_exec(
        *(PROGRAM, "-c", "-f", str(config)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
    )
    _, said = await process.communicate()
    if process.returncode:
        raise ProxyError(complaint(said.decode(errors="replace")))


def complaint(said: str) -> str:
    """The first of HAProxy's alerts, in one line."""
    alerts = [line.partition(") : ")[2] for line in said.splitlines() if line.startswith("[ALERT]")]
    return (alerts[0] if alerts else said.strip().splitlines()[-1] if said.strip() else "it says nothing")[:300]


def start(folder: Path) -> int:
    """In a network namespace of its own.  Returns its process id.  Blocks.  Raises ProxyError."""
    (folder / WORKER).unlink(missing_ok=True)
    log = os.open(folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    # not asyncio's, which kills what it has started when it ends itself
    command = (PROGRAM, "-W", "-S", f"{folder / MASTER},mode,600", "-f", str(folder / CONFIG))
    begin = partial(
        subprocess.Popen,
        *(command,),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd=folder,
        start_new_session=True,
    )
    try:
        process = namespace.apart(begin)
    except OSError as error:
        raise ProxyError(f"cannot be started: {error.strerror}") from None
    finally:
        os.close(log)
    _started[process.pid] = process
    files.write(folder / PID, str(process.pid).encode())
    return process.pid


async def until(folder: Path, description: str) -> None:
    """It runs this configuration.  Raises ProxyError."""
    pause = _FIRST_LOOK
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(START_SECONDS):
            while True:
                with contextlib.suppress(NotThere):
                    if await runtime.described(folder / WORKER) == description:
                        return
                if running(folder) is None:
                    break
                await asyncio.sleep(pause)
                pause = min(1.5 * pause, _SELDOM)
    with contextlib.suppress(OSError):
        raise ProxyError(complaint((folder / LOG).read_text(errors="replace")))
    raise ProxyError("does not start")


async def reload(folder: Path) -> None:
    """Raises NotThere."""
    await runtime.ask(folder / MASTER, "reload")


def is_stopped(folder: Path) -> bool:
    """Its newest worker gets no processor: somebody has sent it SIGSTOP, or traces it.  The kernel goes on taking
    connections for it, which nobody answers then."""
    pid = running(folder)
    if pid is None:
        return False
    with contextlib.suppress(OSError, ValueError):
        state = Path(f"/proc/{max(_workers(pid))}/stat").read_text().rpartition(")")[2].split()[0]
        return state in "Tt"
    return False


def _workers(pid: int) -> list[int]:
    """Where the kernel does not tell them (CONFIG_PROC_CHILDREN) their master, who is stopped with them as a rule."""
    try:
        return [int(one) for one in Path(CHILDREN.format(pid=pid)).read_text().split()]
    except FileNotFoundError:
        return [pid]


def ended(pid: int) -> None:
    """It has; if it was this process that started it, the kernel need not remember it any more."""
    process = _started.pop(pid, None)
    if process is not None and process.poll() is None:
        _started[pid] = process


def stop(folder: Path) -> None:
    """With all its workers."""
    pid = running(folder)
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)  # the master ends its workers
