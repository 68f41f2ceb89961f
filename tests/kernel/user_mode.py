"""User-Mode Linux: a kernel that is a program of this machine's, with the real `openvswitch` of its version.

It runs at the speed of this machine, and boots in seconds: each command gets one of its own.  Its clock stands still
while it computes and jumps to the next timer when it idles (`time-travel=inf-cpu`): no deadline is missed because
others use the machine, and nobody waits for a time to pass.
"""

import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from tests.kernel.engine import HERE, KEPT, Stopped, pack_checkout, spent
from tests.kernel.results import SPENT

from netweft.lab import guest_image

KERNEL, ROOT = KEPT / "linux", KEPT / "root"
MEMORY = "2G"
# of a processor, for one line of output more: its clock stands still while anybody computes, so that who waits for a
# time to pass waits for ever beside one who sends without a pause
SECONDS = 300
LOOKS = 5.0  # seconds between two looks whether it still says something
SETTINGS = ("time-travel=inf-cpu", "quiet", "con=null", "con0=null,fd:1", "ssl=null")
_ENDED = re.compile(rb"netweft: ended with (\d+)\r?\n")


class UserMode:
    name = "User-Mode Linux"
    timeout = 600  # of its own clock

    def __init__(self, folder: Path) -> None:
        """folder: where it may put what a machine needs; it goes with whoever gave it."""
        self._folder = folder
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopped = False
        guest_image.pack(folder / "initrd", {"init": (HERE / "user_mode.sh").read_text()})
        pack_checkout(folder / "checkout.tar")

    def execute(self, command: str, output: BinaryIO) -> int:
        if self._stopped:
            raise Stopped
        with tempfile.TemporaryDirectory(dir=self._folder) as name:
            own = Path(name)
            (own / "command").write_text(command)
            (own / "checkout.tar").hardlink_to(self._folder / "checkout.tar")
            settings = (f"mem={MEMORY}", f"initrd={self._folder}/initrd", f"folder={own}", f"lower={ROOT}", *SETTINGS)
            process = subprocess.Popen(
                ("nice", "-n5", str(KERNEL), *settings),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
            self._running.add(process)
            watch = _Watch(process.pid)
            watch.start()
            try:
                return self._copy(process, output, watch)
            finally:
                watch.ended.set()
                self._running.discard(process)
                _kill(process)

    def stop(self) -> None:
        self._stopped = True
        for process in set(self._running):
            _end(process)  # who reads what it says closes that

    def _copy(self, process: subprocess.Popen[bytes], output: BinaryIO, watch: "_Watch") -> int:
        assert process.stdout is not None
        said = 0.0
        for line in process.stdout:
            watch.lines += 1
            ended = _ENDED.fullmatch(line)
            if ended or time.monotonic() > said + 1:
                output.write(f"{SPENT}{spent(process.pid):.0f}\n".encode())
                said = time.monotonic()
            if ended:
                return int(ended[1])
            output.write(line)
        raise Stopped


class _Watch(threading.Thread):
    """Ends a guest that computes and says nothing."""

    def __init__(self, group: int) -> None:
        super().__init__(daemon=True)
        self.ended = threading.Event()
        self.lines = 0
        self._group = group

    def run(self) -> None:
        seen, at = 0, 0.0
        while not self.ended.wait(LOOKS):
            taken = spent(self._group)
            if self.lines != seen:
                seen, at = self.lines, taken
            elif taken > at + SECONDS:
                with suppress(ProcessLookupError):
                    os.killpg(self._group, signal.SIGKILL)
                return


def _kill(process: subprocess.Popen[bytes]) -> None:
    _end(process)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    """With the processes of the guest, which are processes here."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
