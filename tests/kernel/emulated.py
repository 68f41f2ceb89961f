"""Debian's cloud kernel under QEMU's emulation: booted once, given commands by a serial port.

Its clock counts the instructions that it has run (QEMU's `icount`: one a nanosecond) while it has anything to do.  So
to whoever looks at a clock inside, it is a machine of one speed, however slowly it is emulated: no deadline is longer.
"""

import subprocess
import time
from pathlib import Path
from typing import BinaryIO

from tests.kernel.engine import HERE, KEPT, Stopped, pack_checkout, spent

from netweft.lab import guest_image, guest_serial
from netweft.lab.layout import LabError

ROOT = KEPT / "root.ext4"
MODULES = ("virtio_pci", "virtio_blk")
BOOTED_WITHIN = 200.0  # seconds of a processor, of which it takes some 20
CLOCK = ("-accel", "tcg", "-icount", "shift=0,sleep=on", "-smp", "1")


class Emulated:
    name = "QEMU, cloud kernel"
    timeout = 300  # of its own clock

    def __init__(self, folder: Path) -> None:
        """folder: where it may put what a machine needs; it goes with whoever gave it."""
        self._serial = folder / "commands.sock"
        self._console = folder / "console.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = folder
        self._stopped = False

    def execute(self, command: str, output: BinaryIO) -> int:
        if self._stopped:
            raise Stopped
        if self._process is None:
            self._boot()
        try:
            return guest_serial.execute(self._serial, ("bash", "-c", f"cd /netweft && {command}"), output)
        except LabError:
            raise Stopped from None

    def stop(self) -> None:
        self._stopped = True
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _boot(self) -> None:
        """Returns when it takes commands."""
        guest_image.pack(self._folder / "initrd", {"init": (HERE / "initrd.sh").read_text()}, MODULES)
        pack_checkout(self._folder / "checkout.tar")
        argv = (
            *("nice", "qemu-system-x86_64", *CLOCK, "-m", "6G"),
            *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
            *("-kernel", str(guest_image.KERNEL), "-initrd", str(self._folder / "initrd")),
            *("-append", "console=ttyS0 quiet panic=-1 mitigations=off"),
            *("-drive", f"file={ROOT},format=raw,if=virtio,snapshot=on,cache=unsafe"),
            *("-drive", f"file={self._folder}/checkout.tar,format=raw,if=virtio,readonly=on"),
            *("-serial", f"file:{self._console}", "-serial", f"unix:{self._serial},server=on,wait=off"),
        )
        self._process = subprocess.Popen(argv, start_new_session=True)  # a group of its own, whose time is counted
        while guest_serial.READY not in self._said():
            if self._process.poll() is not None or spent(self._process.pid) > BOOTED_WITHIN:
                self.stop()
                print(f"the machine has not booted:\n{self._said()[-2000:]}", flush=True)
                raise Stopped
            time.sleep(0.2)

    def _said(self) -> str:
        return self._console.read_text(errors="replace") if self._console.exists() else ""
