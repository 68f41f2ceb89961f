"""A VM plugged in by way of a Linux bridge, as Nova does it where iptables guard the VMs ("hybrid plug").

VM eth0 -- tap… -- qbr…, a Linux bridge -- qvb… ==veth== qvo… -- br-int
"""

from netweft.lab import fabric, guest_netns
from netweft.lab.commands import ip_batch
from netweft.lab.guest import Nic
from netweft.lab.guest_netns import check, columns, execute, start, stop
from netweft.lab.layout import NodeLayout

__all__ = ["check", "columns", "discard", "execute", "prepare", "start", "stop", "vif"]


def vif(nic: Nic) -> str:
    return _named("qvo", nic)


def prepare(node: NodeLayout, vm: str, nic: Nic) -> None:
    guest_netns.prepare(node, vm, nic)
    bridge, inner, outer = _named("qbr", nic), _named("qvb", nic), vif(nic)
    ip_batch(
        (
            f"link add {bridge} type bridge stp_state 0 mcast_snooping 0",
            f"link add {outer} mtu {nic.mtu} type veth peer name {inner} mtu {nic.mtu}",
            # no addresses: nothing of the hypervisor's own may be heard on the VM's network
            *(f"link set {link} addrgenmode none" for link in (bridge, inner, outer, nic.tap)),
            *(f"link set {link} master {bridge}" for link in (inner, nic.tap)),
            *(f"link set {link} mtu {nic.mtu} alias {node.layout.alias} up" for link in (bridge, inner, outer)),
        ),
        namespace=node.namespace,
    )


def discard(node: NodeLayout, vm: str, nic: Nic) -> None:
    guest_netns.discard(node, vm, nic)
    for link in (_named("qbr", nic), vif(nic)):
        fabric.remove_link(node.namespace, link)


def _named(prefix: str, nic: Nic) -> str:
    """One port's devices have one name behind their prefix, the tap's."""
    return prefix + nic.tap.removeprefix("tap")
