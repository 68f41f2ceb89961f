"""A VM that is a real machine: a small kernel and busybox under QEMU.  Its NIC is virtio on a tap of the hypervisor."""

import shutil
import sys
import time
from pathlib import Path

from netweft.lab import fabric, guest_image, guest_serial, processes, supervisor
from netweft.lab.commands import ip_batch
from netweft.lab.guest import Nic
from netweft.lab.layout import LabError, NodeLayout
from netweft.lab.supervisor import Command

QEMU = "qemu-system-x86_64"
BOOTED_WITHIN = 90.0  # about 4 s on an idle machine
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
    folder = _folder(node, vm)
    folder.mkdir()
    guest_image.build(folder / "initrd", vm, nic)
    supervisor.declare(node.layout, _command(node, vm, nic))
    if not supervisor.reload(node.layout):
        raise LabError("the lab's supervisor is gone: take the lab down and up again")
    end = time.monotonic() + BOOTED_WITHIN
    while guest_image.READY not in _console(folder):
        if time.monotonic() > end:
            raise LabError(f"VM {vm} has not booted after {BOOTED_WITHIN:.0f} s:\n{_console(folder)[-500:]}")
        time.sleep(0.05)


def _command(node: NodeLayout, vm: str, nic: Nic) -> Command:
    folder = _folder(node, vm)
    argv = (
        *(QEMU, "-accel", "tcg", "-m", "192", "-nodefaults", "-no-user-config", "-display", "none"),
        *("-kernel", str(guest_image.KERNEL), "-initrd", f"{folder}/initrd", "-append", "console=ttyS0 quiet panic=1"),
        *("-serial", f"file:{folder}/console.log", "-serial", f"unix:{folder}/commands.sock,server=on,wait=off"),
        *("-netdev", f"tap,id=nic,ifname={nic.tap},script=no,downscript=no"),
        *("-device", f"virtio-net-pci,netdev=nic,mac={nic.mac},romfile=,{_NO_OFFLOADS}"),
    )
    return Command(kind=_kind(vm), node=node.name, argv=argv, namespace=node.namespace)


def execute(node: NodeLayout, vm: str, argv: tuple[str, ...]) -> int:
    return guest_serial.execute(_folder(node, vm) / "commands.sock", argv, sys.stdout.buffer)


def stop(node: NodeLayout, vm: str) -> None:
    supervisor.withdraw(node.layout, f"{_kind(vm)}-{node.name}")
    supervisor.reload(node.layout)
    end = time.monotonic() + 10
    while any(process.kind == _kind(vm) for process in processes.supervised(node.layout.lab)):
        if time.monotonic() > end:
            raise LabError(f"VM {vm} does not stop")
        time.sleep(0.02)


def discard(node: NodeLayout, vm: str, nic: Nic) -> None:
    fabric.remove_link(node.namespace, nic.tap)
    shutil.rmtree(_folder(node, vm), ignore_errors=True)


def _folder(node: NodeLayout, vm: str) -> Path:
    return node.layout.vms / f"{vm}.d"


def _kind(vm: str) -> str:
    return f"qemu-{vm}"


def _console(folder: Path) -> str:
    try:
        return (folder / "console.log").read_text(errors="replace")
    except FileNotFoundError:
        return ""
