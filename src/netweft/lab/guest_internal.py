"""A VM played by a network namespace whose NIC `eth0` is an internal port of Open vSwitch: no veth, no tap.

As Neutron plugs in what runs on a hypervisor itself, such as a DHCP server.  The device is Open vSwitch's: in the
userspace datapath it vanishes when vswitchd ends.  It keeps its name, `eth0` is another one for it: the kernel's
datapath knows a port by its device's name, and vswitchd takes out a port of which no row speaks.
"""

import time

from netweft.lab import fabric, guest_netns
from netweft.lab.commands import ip_batch
from netweft.lab.guest import Nic
from netweft.lab.guest_netns import check, discard, execute, stop, vif
from netweft.lab.layout import LabError, NodeLayout

__all__ = ["check", "columns", "discard", "execute", "prepare", "start", "stop", "vif"]

MADE_WITHIN = 10.0  # seconds for vswitchd to make the device


def columns() -> tuple[str, ...]:
    return ("type=internal",)


def prepare(node: NodeLayout, vm: str, nic: Nic) -> None:
    fabric.machine(node.layout.vm_namespace(vm))


def start(node: NodeLayout, vm: str, nic: Nic) -> None:
    end = time.monotonic() + MADE_WITHIN
    while not fabric.has_link(node.namespace, nic.tap):
        if time.monotonic() > end:
            raise LabError(f"{node.name} has made no device {nic.tap} within {MADE_WITHIN:.0f} s")
        time.sleep(0.01)
    namespace = node.layout.vm_namespace(vm)
    ip_batch((f"link set {nic.tap} netns {namespace}",), namespace=node.namespace)
    ip_batch((f"link property add dev {nic.tap} altname eth0",), namespace=namespace)
    guest_netns.start(node, vm, nic)
