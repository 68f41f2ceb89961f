"""A VM that is a real machine: a small kernel and busybox under QEMU.  Its NIC is virtio on a tap of the hypervisor."""

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from netweft.lab import fabric, guest_image, guest_kernel, guest_serial, processes, supervisor
from netweft.lab.commands import ip_batch, listens
from netweft.lab.guest import Nic
from netweft.lab.layout import LabError, NodeLayout
from netweft.lab.qmp import Qmp
from netweft.lab.supervisor import Command

QEMU = "qemu-system-x86_64"
BOOTED_WITHIN = 180.0  # about 4 s on an idle machine
# the userspace datapath hands on what it gets: the guest has to fill in its checksums and to cut its segments itself
_NO_OFFLOADS = "csum=off,gso=off,guest_csum=off,host_tso4=off,host_tso6=off,guest_tso4=off,guest_tso6=off"


def check() -> None:
    """Raises LabError with what to install."""
    if not shutil.which(QEMU) or not guest_image.KERNEL.exists():
        raise LabError("--kind qemu needs QEMU, busybox and a guest kernel: run scripts/install.sh test")


def vif(nic: Nic) -> str:
    return nic.tap


def columns() -> tuple[str, ...]:
    return ()


def prepare(node: NodeLayout, vm: str, nic: Nic) -> None:
    ip_batch(
        (f"tuntap add dev {nic.tap} mode tap", f"link set {nic.tap} alias {node.layout.alias} up"),
        namespace=node.namespace,
    )


def start(node: NodeLayout, vm: str, nic: Nic) -> None:
    own = folder(node, vm)
    own.mkdir()
    guest_image.build(own / "initrd", vm, nic)
    boot(node, vm, command(node, vm, nic))


def boot(node: NodeLayout, vm: str, machine: Command, seconds: float = BOOTED_WITHIN) -> None:
    """Done when it takes commands."""
    run(node, vm, machine)
    own = folder(node, vm)
    unready = f"VM {vm} is not ready after {seconds:.0f} s"
    _wait(lambda: guest_serial.READY in _console(own), lambda: f"{unready}:\n{_console(own)[-500:]}", seconds)


def run(node: NodeLayout, vm: str, machine: Command) -> None:
    supervisor.declare(node.layout, machine)
    if not supervisor.reload(node.layout):
        raise LabError("the lab's supervisor is gone: take the lab down and up again")
    _wait(lambda: listens(_monitor(node, vm)), lambda: f"QEMU of VM {vm} has not started on {node.name}")


def _wait(condition: Callable[[], bool], otherwise: Callable[[], str], seconds: float = BOOTED_WITHIN) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise LabError(otherwise())
        time.sleep(0.05)


def command(node: NodeLayout, vm: str, nic: Nic, *more: str, memory: str = "192") -> Command:
    """more: further arguments of QEMU."""
    own = folder(node, vm)
    argv = (
        *(QEMU, "-accel", "tcg", "-m", memory, "-nodefaults", "-no-user-config", "-display", "none"),
        *("-kernel", str(guest_kernel.kernel()), "-initrd", f"{own}/initrd", "-append", guest_image.COMMAND_LINE),
        *("-serial", f"file:{own}/console.log", "-serial", f"unix:{commands(node, vm)},server=on,wait=off"),
        *("-qmp", f"unix:{_monitor(node, vm)},server=on,wait=off"),
        *("-netdev", f"tap,id=nic,ifname={nic.tap},script=no,downscript=no"),
        *("-device", f"virtio-net-pci,netdev=nic,mac={nic.mac},romfile=,{_NO_OFFLOADS}"),
        *more,
    )
    return Command(kind=_kind(vm), node=node.name, argv=argv, namespace=node.namespace)


def execute(node: NodeLayout, vm: str, argv: tuple[str, ...]) -> int:
    return guest_serial.execute(commands(node, vm), argv, sys.stdout.buffer)


def stop(node: NodeLayout, vm: str) -> None:
    supervisor.withdraw(node.layout, f"{_kind(vm)}-{node.name}")
    supervisor.reload(node.layout)
    end = time.monotonic() + 10
    ours = (_kind(vm), node.name)
    while any((process.kind, process.node) == ours for process in processes.supervised(node.layout.lab)):
        if time.monotonic() > end:
            raise LabError(f"VM {vm} does not stop")
        time.sleep(0.02)


def discard(node: NodeLayout, vm: str, nic: Nic) -> None:
    fabric.remove_link(node.namespace, nic.tap)
    shutil.rmtree(folder(node, vm), ignore_errors=True)


def folder(node: NodeLayout, vm: str) -> Path:
    """While it moves there are two."""
    return node.layout.vms / f"{vm}.{node.name}.d"


def commands(node: NodeLayout, vm: str) -> Path:
    """The socket of its second serial port, for `guest_serial`."""
    return folder(node, vm) / "commands.sock"


def monitor(node: NodeLayout, vm: str) -> Qmp:
    return Qmp(_monitor(node, vm))


def _monitor(node: NodeLayout, vm: str) -> Path:
    return folder(node, vm) / "qmp.sock"


def _kind(vm: str) -> str:
    return f"qemu-{vm}"


def _console(own: Path) -> str:
    try:
        return (own / "console.log").read_text(errors="replace")
    except FileNotFoundError:
        return ""
