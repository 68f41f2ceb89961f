"""A VM played by a network namespace: there in milliseconds.  Its NIC `eth0` is a veth, whose other end is the tap."""

import os
import shutil
import subprocess

from netweft.lab import dhcp_client, fabric, hypervisor
from netweft.lab.commands import in_namespace, ip_batch, run
from netweft.lab.guest import Nic
from netweft.lab.layout import NodeLayout
from netweft.lab.processes import mark


def check() -> None:
    """Needs nothing that a lab does not need."""


def vif(nic: Nic) -> str:
    return nic.tap


def columns() -> tuple[str, ...]:
    return ()


def prepare(node: NodeLayout, vm: str, nic: Nic) -> None:
    namespace = node.layout.vm_namespace(vm)
    fabric.machine(namespace)
    ip_batch(
        (
            f"link add {nic.tap} mtu {nic.mtu} type veth peer name eth0 netns {namespace}",
            f"link set {nic.tap} alias {node.layout.alias} up",
        ),
        namespace=node.namespace,
    )
    hypervisor.spare_the_datapath(namespace, "eth0")


def start(node: NodeLayout, vm: str, nic: Nic) -> None:
    ip_batch(
        (
            f"link set eth0 address {nic.mac} {'' if nic.dhcp else f'mtu {nic.mtu}'} up",
            *(f"address add {address} dev eth0 {'nodad' if ':' in address else ''}" for address in nic.told),
            *(f"route add default via {gateway} dev eth0" for gateway in nic.gateways_told),
        ),
        namespace=node.layout.vm_namespace(vm),
    )
    if nic.dhcp:
        _learn(node, vm)


def _learn(node: NodeLayout, vm: str) -> None:
    """Once; a lease of the lab's lasts longer than a lab."""
    folder = node.layout.vms / f"{vm}.d"
    folder.mkdir(exist_ok=True)
    script = folder / "learn"
    script.write_text(dhcp_client.SCRIPT)
    script.chmod(0o755)
    command = (*dhcp_client.CLIENT, *dhcp_client.OPTIONS, "-q", "-f", "-s", str(script))
    run(
        *in_namespace(node.layout.vm_namespace(vm), *command),
        env={**os.environ, "RESOLV_CONF": f"{folder}/resolv.conf"},
    )


def execute(node: NodeLayout, vm: str, argv: tuple[str, ...]) -> int:
    command = in_namespace(node.layout.vm_namespace(vm), *argv)
    return subprocess.call(command, env=os.environ | mark(node.layout.lab))


def stop(node: NodeLayout, vm: str) -> None:
    """Nothing runs of its own."""


def discard(node: NodeLayout, vm: str, nic: Nic) -> None:
    fabric.remove_link(node.namespace, nic.tap)
    namespace = node.layout.vm_namespace(vm)
    fabric.remove(name for name in fabric.namespaces(node.layout) if name == namespace)
    shutil.rmtree(node.layout.vms / f"{vm}.d", ignore_errors=True)
