"""A running VM moves to another hypervisor, as Nova and libvirt move one.

It is wired ahead on the target by a binding that is not active yet, plugged in there, paused, and goes on there while
the binding is activated.  The machine that moves is a namespace: nothing of it is copied, it only gets another NIC.
"""

import time

from msgspec import structs

from netweft.lab import fabric
from netweft.lab import vm as vms
from netweft.lab.build import node_of
from netweft.lab.cloud import Cloud
from netweft.lab.commands import in_namespace, ip_batch, run, vsctl
from netweft.lab.layout import LabError, Layout, NodeLayout
from netweft.lab.vm import Vm

WIRED_WITHIN = 20.0
_NEXT = "eth1"  # the NIC on the target, until it is eth0


def move(cloud: Cloud, layout: Layout, vm: Vm, target: str) -> float:
    """The seconds that the VM was paused.  Raises LabError; it runs on where it was when the target is not wired."""
    if vm.kind != "netns":
        raise LabError(f"VM {vm.name} is of kind {vm.kind}; only those of kind netns can move while they run")
    source, destination = node_of(layout, vm.node), node_of(layout, target)
    if source == destination:
        raise LabError(f"VM {vm.name} is on {target} already")
    moved = structs.replace(vm, node=target)
    cloud.bind_ahead(vm.port_id, target)
    try:
        _plug_in(destination, moved)
        _wait_wired(destination, moved)
    except BaseException:
        _unplug(destination, moved)
        cloud.unbind(vm.port_id, target)
        raise
    start = time.monotonic()
    _pause(layout, vm)
    cloud.activate(vm.port_id, target)
    _go_on(layout, moved)
    paused = time.monotonic() - start
    vms.records(layout).write(moved)
    vsctl(source, "--no-wait", "--if-exists", "del-port", "br-int", vm.vif)
    cloud.unbind(vm.port_id, vm.node)
    return paused


def _plug_in(node: NodeLayout, vm: Vm) -> None:
    namespace, tap, mtu = node.layout.vm_namespace(vm.name), vm.nic.tap, vm.nic.mtu
    ip_batch(
        (
            f"link add {tap} mtu {mtu} type veth peer name {_NEXT} mtu {mtu} address {vm.nic.mac} netns {namespace}",
            f"link set {tap} alias {node.layout.alias} up",
        ),
        namespace=node.namespace,
    )
    run(*in_namespace(namespace, "ethtool", "--offload", _NEXT, "tx", "off"))
    vms.plug_in(node, vm)


def _wait_wired(node: NodeLayout, vm: Vm) -> None:
    """Its network's local VLAN is on the VIF once there are flows for it."""
    end = time.monotonic() + WIRED_WITHIN
    while vsctl(node, "get", "Port", vm.vif, "tag").strip() == "[]":
        if time.monotonic() > end:
            raise LabError(f"{node.name} has not wired {vm.vif} ahead within {WIRED_WITHIN:.0f} s")
        time.sleep(0.02)


def _unplug(node: NodeLayout, vm: Vm) -> None:
    vsctl(node, "--no-wait", "--if-exists", "del-port", "br-int", vm.vif)
    fabric.remove_link(node.namespace, vm.nic.tap)


def _pause(layout: Layout, vm: Vm) -> None:
    ip_batch(("link delete eth0",), namespace=layout.vm_namespace(vm.name))


def _go_on(layout: Layout, vm: Vm) -> None:
    """With what QEMU does on the target's side: the VM announces itself."""
    namespace = layout.vm_namespace(vm.name)
    nic = vm.nic
    ip_batch(
        (
            f"link set {_NEXT} name eth0",
            *(f"address add {address} dev eth0 {'nodad' if ':' in address else ''}" for address in nic.addresses),
        ),
        namespace=namespace,
    )
    run(*in_namespace(namespace, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/conf/eth0/arp_notify"))
    ip_batch(
        ("link set eth0 up", *(f"route add default via {gateway} dev eth0" for gateway in nic.gateways)),
        namespace=namespace,
    )
