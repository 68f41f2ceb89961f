"""How a namespace moves: nothing of it is copied, it gets another NIC with the same MAC and addresses."""

import time
from collections.abc import Callable

from netweft.lab import fabric, hypervisor
from netweft.lab.commands import in_namespace, ip_batch, run
from netweft.lab.layout import NodeLayout
from netweft.lab.vm import Vm

_NEXT = "eth1"  # the NIC on the target, until it is eth0


def arrive(source: NodeLayout, target: NodeLayout, vm: Vm) -> None:
    namespace, tap, mtu = target.layout.vm_namespace(vm.name), vm.nic.tap, vm.nic.mtu
    ip_batch(
        (
            f"link add {tap} mtu {mtu} type veth peer name {_NEXT} mtu {mtu} address {vm.nic.mac} netns {namespace}",
            f"link set {tap} alias {target.layout.alias} up",
        ),
        namespace=target.namespace,
    )
    hypervisor.spare_the_datapath(namespace, _NEXT)


def go_over(source: NodeLayout, target: NodeLayout, vm: Vm, switch_over: Callable[[], None]) -> float:
    start = time.monotonic()
    namespace = target.layout.vm_namespace(vm.name)
    ip_batch(("link delete eth0",), namespace=namespace)
    switch_over()
    _go_on(namespace, vm)
    return time.monotonic() - start


def _go_on(namespace: str, vm: Vm) -> None:
    """With what QEMU does on the target's side: the VM announces itself."""
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


def leave(source: NodeLayout, target: NodeLayout, vm: Vm) -> None:
    """Its NIC there went when it was paused."""


def give_up(target: NodeLayout, vm: Vm) -> None:
    fabric.remove_link(target.namespace, vm.nic.tap)
