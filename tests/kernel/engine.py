"""What runs a test where the kernel has Open vSwitch's datapath; and the checkout, packed for whoever does."""

import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Protocol

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
KEPT = Path("/var/lib/netweft/kernel")  # scripts/kernel_root.sh and scripts/kernel_uml.sh put it there
_TICKS = os.sysconf("SC_CLK_TCK")


class Stopped(Exception):
    """The engine was stopped, or died, while a command ran."""


class Engine(Protocol):
    """name: for the table.  timeout: what pytest gives a test that asks for no longer, in seconds."""

    @property
    def name(self) -> str: ...

    @property
    def timeout(self) -> int: ...

    def execute(self, command: str, output: BinaryIO) -> int:
        """In a checkout of its own, as root: the exit status.  Raises Stopped."""

    def stop(self) -> None:
        """Whatever it runs ends."""


def commit() -> str:
    """Of what is packed; with a plus where something was changed since, but for docs: a run writes some."""
    changed = _git("status", "--porcelain", "--", ".", ":!docs")
    return _git("describe", "--always", "--exclude=*", "--abbrev=8") + ("+" if changed else "")


def _git(*words: str) -> str:
    return subprocess.run(("git", "-C", str(CHECKOUT), *words), stdout=subprocess.PIPE, text=True).stdout.strip()


def pack_checkout(path: Path) -> None:
    """What git knows of, and what is new: as it is in the work tree."""
    words = ("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
    files = subprocess.run(("git", "-C", str(CHECKOUT), *words), stdout=subprocess.PIPE, check=True).stdout.split(b"\0")
    present = b"\0".join(file for file in files if file and (CHECKOUT / file.decode()).exists())
    packer = ("tar", "-c", "-f", str(path), "--owner=0", "--group=0", "-C", str(CHECKOUT), "--null", "-T", "-")
    subprocess.run(packer, input=present, check=True)


def spent(group: int) -> float:
    """Seconds of a processor that a group of processes has taken: a guest's own clock does not say, and the one on the
    wall says what others leave."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            words = path.read_text().rpartition(")")[2].split()
            if int(words[2]) == group:
                ticks += sum(map(int, words[11:15]))  # of those that have ended, too
    return ticks / _TICKS
