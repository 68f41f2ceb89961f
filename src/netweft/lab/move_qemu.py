"""How a real machine moves: QEMU's live migration, its memory over a unix socket while it runs on.

The target's QEMU is the same machine, waiting.  When the source's has stopped, the rest is copied while the binding is
activated, then the target's goes on and announces itself.
"""

import shutil
from collections.abc import Callable

from netweft.lab import guest_qemu, supervisor
from netweft.lab.layout import LabError, NodeLayout
from netweft.lab.qmp import Qmp, when
from netweft.lab.vm import Vm

MIGRATED_WITHIN = 60.0  # about a second on an idle machine


def arrive(source: NodeLayout, target: NodeLayout, vm: Vm) -> None:
    guest_qemu.prepare(target, vm.name, vm.nic)
    folder = guest_qemu.folder(target, vm.name)
    folder.mkdir()
    shutil.copy(guest_qemu.folder(source, vm.name) / "initrd", folder)
    waiting = guest_qemu.command(target, vm.name, vm.nic, "-incoming", f"unix:{folder}/incoming.sock")
    guest_qemu.run(target, vm.name, waiting)


def go_over(source: NodeLayout, target: NodeLayout, vm: Vm, switch_over: Callable[[], None]) -> float:
    with guest_qemu.monitor(source, vm.name) as there, guest_qemu.monitor(target, vm.name) as here:
        there.execute("migrate-set-capabilities", capabilities=[{"capability": "events", "state": True}])
        there.execute("migrate", uri=f"unix:{guest_qemu.folder(target, vm.name)}/incoming.sock")
        stopped = _stopped(there, switch_over)
        resumed = next(when(event) for event in here.events(MIGRATED_WITHIN) if event["event"] == "RESUME")
    return resumed - stopped


def _stopped(source: Qmp, switch_over: Callable[[], None]) -> float:
    """When it did; done once all is copied."""
    stopped = 0.0
    for event in source.events(MIGRATED_WITHIN):
        match event:
            case {"event": "STOP"}:
                stopped = when(event)
                switch_over()
            case {"event": "MIGRATION", "data": {"status": "completed"}}:
                break
            case {"event": "MIGRATION", "data": {"status": "failed" | "cancelled"}}:
                why = source.execute("query-migrate").get("error-desc", "QEMU does not say why")
                raise LabError(f"the VM could not be migrated: {why}")
    return stopped


def leave(source: NodeLayout, target: NodeLayout, vm: Vm) -> None:
    guest_qemu.stop(source, vm.name)
    guest_qemu.discard(source, vm.name, vm.nic)
    supervisor.declare(target.layout, guest_qemu.command(target, vm.name, vm.nic))  # it waits for no one if it dies


def give_up(target: NodeLayout, vm: Vm) -> None:
    guest_qemu.stop(target, vm.name)
    guest_qemu.discard(target, vm.name, vm.nic)
