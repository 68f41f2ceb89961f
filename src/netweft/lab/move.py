"""A running VM moves to another hypervisor, as Nova and libvirt move one.

It is wired ahead on the target by a binding that is not active yet, plugged in there, paused, and goes on there while
the binding is activated.  What goes over, and how, is the business of a kind of guest: `move_netns`, `move_qemu`.
"""

import time
from collections.abc import Callable, Mapping
from typing import Protocol

from msgspec import structs

from netweft.lab import move_netns, move_qemu
from netweft.lab import vm as vms
from netweft.lab.build import node_of
from netweft.lab.cloud import Cloud
from netweft.lab.commands import vsctl
from netweft.lab.layout import Kind, LabError, Layout, NodeLayout
from netweft.lab.vm import Vm

WIRED_WITHIN = 20.0


class Mover(Protocol):
    """A kind of guest that can move."""

    def arrive(self, source: NodeLayout, target: NodeLayout, vm: Vm) -> None:
        """What there has to be on the target before the VIF is plugged in there."""

    def go_over(self, source: NodeLayout, target: NodeLayout, vm: Vm, switch_over: Callable[[], None]) -> float:
        """Calls switch_over when the VM has paused; the seconds until it went on."""

    def leave(self, source: NodeLayout, target: NodeLayout, vm: Vm) -> None:
        """Nothing is left on the source."""

    def give_up(self, target: NodeLayout, vm: Vm) -> None:
        """Nothing is left on the target, wherever the others stopped."""


_MOVERS: Mapping[Kind, Mover] = {"netns": move_netns, "qemu": move_qemu}


def move(cloud: Cloud, layout: Layout, vm: Vm, target: str) -> float:
    """The seconds that the VM was paused.  Raises LabError; it runs on where it was when the target is not wired."""
    mover = _MOVERS.get(vm.kind)
    if mover is None:
        raise LabError(f"VM {vm.name} is of kind {vm.kind}; only those of {' and '.join(_MOVERS)} move while they run")
    source, destination = node_of(layout, vm.node), node_of(layout, target)
    if source == destination:
        raise LabError(f"VM {vm.name} is on {target} already")
    moved = structs.replace(vm, node=target)
    cloud.bind_ahead(vm.port_id, target)
    try:
        mover.arrive(source, destination, moved)
        vms.plug_in(destination, moved)
        _wait_wired(destination, moved)
        paused = mover.go_over(source, destination, moved, lambda: cloud.activate(vm.port_id, target))
    except BaseException:
        _unplug(destination, moved)
        mover.give_up(destination, moved)
        if cloud.find("ports", vm.port_id)["binding:host_id"] == target:
            cloud.activate(vm.port_id, vm.node)
        cloud.unbind(vm.port_id, target)
        raise
    vms.records(layout).write(moved)
    _unplug(source, vm)
    mover.leave(source, destination, moved)
    cloud.unbind(vm.port_id, vm.node)
    return paused


def _wait_wired(node: NodeLayout, vm: Vm) -> None:
    """Once there are flows for it its network's local VLAN is on the VIF, or OVN's word for it."""
    end = time.monotonic() + WIRED_WITHIN
    installed = ("--if-exists", "get", "Interface", vm.vif, "external_ids:ovn-installed")
    while vsctl(node, "get", "Port", vm.vif, "tag", "--", *installed).split() in (["[]"], ["[]", '""']):
        if time.monotonic() > end:
            raise LabError(f"{node.name} has not wired {vm.vif} ahead within {WIRED_WITHIN:.0f} s")
        time.sleep(0.02)


def _unplug(node: NodeLayout, vm: Vm) -> None:
    vsctl(node, "--no-wait", "--if-exists", "del-port", "br-int", vm.vif)
