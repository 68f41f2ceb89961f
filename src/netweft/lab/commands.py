"""Running other people's commands (`ip`, `ovs-vsctl`, `ethtool`, ...), with errors a person can read.

Why commands and not a netlink library: docs/decisions/0050-lab-uses-commands.md.
"""

import os
import socket
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from netweft.lab.layout import LabError, OpenVSwitch, database


def run(*argv: str, stdin: str | None = None, env: Mapping[str, str] | None = None) -> str:
    """stdout of a command that must succeed."""
    try:
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, env=env, check=False)
    except FileNotFoundError:
        raise LabError(f"{argv[0]} is not installed: scripts/install.sh installs what a lab needs") from None
    if done.returncode:
        raise LabError(f"{' '.join(argv)}: {done.stderr.strip() or f'exit status {done.returncode}'}")
    return done.stdout


def ip_batch(lines: Iterable[str], *, namespace: str = "") -> None:
    """Many `ip` commands by one process."""
    where = ("-n", namespace) if namespace else ()
    run("ip", *where, "-batch", "-", stdin="\n".join(lines) + "\n")


def in_namespace(namespace: str, *argv: str) -> tuple[str, ...]:
    return ("ip", "netns", "exec", namespace, *argv) if namespace else argv


def vsctl(switch: OpenVSwitch, *argv: str) -> str:
    return run("ovs-vsctl", f"--db={database(switch)}", "--timeout=20", *argv)


def listens(path: Path) -> bool:
    """Whether there is somebody at this unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def clean_environment() -> dict[str, str]:
    """What a process of the lab inherits: nothing that would change how it reads its own settings."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TERM", "VIRTUAL_ENV")
    return {name: os.environ[name] for name in kept if name in os.environ}
