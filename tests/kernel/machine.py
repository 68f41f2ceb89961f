"""The virtual machine whose kernel has Open vSwitch's datapath: booted, given commands, taken down.

Its clock counts the instructions that it has run (QEMU's `icount`: one a nanosecond) while it has anything to do.  So
to whoever looks at a clock inside, it is a machine of one speed, however slowly it is emulated: no deadline is longer.
"""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from netweft.lab import guest_image, guest_serial

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
ROOT = Path("/var/lib/netweft/kernel/root.ext4")
MODULES = ("virtio_pci", "virtio_blk")
READY = "netweft: this machine is ready"
BOOTED_WITHIN = 300.0  # some 20 s where nothing else runs
CLOCK = ("-accel", "tcg", "-icount", "shift=0,sleep=on", "-smp", "1")


class Machine:
    def __init__(self, folder: Path) -> None:
        self._serial = folder / "commands.sock"
        self._console = folder / "console.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = folder

    def start(self) -> None:
        """Returns when it takes commands.  Raises TimeoutError."""
        _build_initrd(self._folder / "initrd")
        _pack_checkout(self._folder / "checkout.tar")
        argv = (
            *("nice", "qemu-system-x86_64", *CLOCK, "-m", "6G"),
            *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
            *("-kernel", str(guest_image.KERNEL), "-initrd", str(self._folder / "initrd")),
            *("-append", "console=ttyS0 quiet panic=-1 mitigations=off"),
            *("-drive", f"file={ROOT},format=raw,if=virtio,snapshot=on,cache=unsafe"),
            *("-drive", f"file={self._folder}/checkout.tar,format=raw,if=virtio,readonly=on"),
            *("-serial", f"file:{self._console}", "-serial", f"unix:{self._serial},server=on,wait=off"),
        )
        self._process = subprocess.Popen(argv)
        end = time.monotonic() + BOOTED_WITHIN
        while READY not in self.console():
            if self._process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise TimeoutError(f"the machine has not booted:\n{self.console()[-2000:]}")
            time.sleep(0.2)

    def console(self) -> str:
        return self._console.read_text(errors="replace") if self._console.exists() else ""

    def execute(self, command: str, output: BinaryIO) -> int:
        """Raises LabError when the machine is stopped meanwhile."""
        return guest_serial.execute(self._serial, ("bash", "-c", command), output)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextmanager
def booted() -> Iterator[Machine]:
    with tempfile.TemporaryDirectory(prefix="netweft-kernel-") as name:
        machine = Machine(Path(name))
        try:
            machine.start()
            yield machine
        finally:
            machine.stop()


def _build_initrd(path: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for folder in ("bin", "dev", "modules", "proc", "root", "sys"):
            (root / folder).mkdir()
        guest_image.copy_busybox(root / "bin")
        guest_image.copy_modules(root / "modules", MODULES)
        (root / "init").write_text((HERE / "initrd.sh").read_text())
        (root / "init").chmod(0o755)
        guest_image.pack(root, path)


def _pack_checkout(path: Path) -> None:
    """What git knows of, and what is new: as it is in the work tree."""
    listing = (
        "git",
        "-C",
        str(CHECKOUT),
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
        "--deduplicate",
    )
    files = subprocess.run(listing, stdout=subprocess.PIPE, check=True).stdout.split(b"\0")
    present = b"\0".join(file for file in files if file and (CHECKOUT / file.decode()).exists())
    packer = ("tar", "-c", "-f", str(path), "--owner=0", "--group=0", "-C", str(CHECKOUT), "--null", "-T", "-")
    subprocess.run(packer, input=present, check=True)
