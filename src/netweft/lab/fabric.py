"""The physical network and the machines on it, as namespaces.

Each hypervisor has an `eth0` that leads to the underlay's switch, and a NIC to each physical network's own.  The first
is a Linux bridge, the others are bridges of an Open vSwitch of the fabric's: docs/decisions/0051-lab-fabric.md and
0100-fabric-that-knows-vlans.md.  A veth lives and dies with the namespaces at its ends, so deleting namespaces deletes
all of a lab, but for links with its alias in the machine's own namespace.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from netweft.lab.commands import ip_batch, run
from netweft.lab.layout import PHYSICAL_NETWORKS, UNDERLAY_NIC, Layout, NodeLayout
from netweft.lab.processes import kill_in_namespace

NAMESPACES = Path("/run/netns")
INTERFACES = Path("/sys/class/net")
UNDERLAY_SWITCH = "switch0"
_NICS = (UNDERLAY_NIC, *(network.nic for network in PHYSICAL_NETWORKS))


def build(layout: Layout, nodes: Sequence[NodeLayout], mtu: int) -> None:
    """All but the switches of the physical networks, which `switch_rows` describes."""
    names = (layout.fabric.namespace, *(node.namespace for node in nodes if not node.is_root))
    ip_batch(f"netns add {name}" for name in names)
    ip_batch(
        (
            "link set lo up",
            f"link add {UNDERLAY_SWITCH} type bridge stp_state 0 mcast_snooping 0",
            f"link set {UNDERLAY_SWITCH} up",
            *(line for node in nodes for line in _cables(node, mtu)),
        ),
        namespace=layout.fabric.namespace,
    )
    for node in nodes:
        up = [f"link set {node.nic(number)} {_alias(node)} up" for number in _NICS]
        ip_batch(["link set lo up", *up], namespace=node.namespace)


def _cables(node: NodeLayout, mtu: int) -> Iterator[str]:
    """From the switches to the node's NICs."""
    for number in _NICS:
        yield (
            f"link add {_switch_port(node, number)} mtu {mtu} type veth"
            f" peer name {node.nic(number)} mtu {mtu} netns {node.namespace or os.getpid()}"
        )
        yield f"link set {_switch_port(node, number)} up"
    yield f"link set {_switch_port(node, UNDERLAY_NIC)} master {UNDERLAY_SWITCH}"


def _switch_port(node: NodeLayout, nic: int) -> str:
    return f"{node.name}-{nic}"


def _alias(node: NodeLayout) -> str:
    return f"alias {node.layout.alias}" if node.is_root else ""


def switch_rows(nodes: Sequence[NodeLayout], datapath: str) -> Iterator[str]:
    """What to tell ovs-vsctl: a switch for each physical network; its ports to hypervisors are trunks of all VLANs."""
    for network in PHYSICAL_NETWORKS:
        yield from ("--", "add-br", network.switch, "--", "set", "Bridge", network.switch, f"datapath_type={datapath}")
        for node in nodes:
            yield from ("--", "add-port", network.switch, _switch_port(node, network.nic))


def machine(namespace: str) -> None:
    """A bare machine: nothing but a loopback."""
    run("ip", "netns", "add", namespace)
    run("ip", "-n", namespace, "link", "set", "lo", "up")


def namespaces(layout: Layout) -> list[str]:
    """All that there are, whether or not the lab's files remember them."""
    if not NAMESPACES.is_dir():
        return []
    return sorted(path.name for path in NAMESPACES.iterdir() if path.name.startswith(layout.namespace_prefix))


def links(layout: Layout) -> list[str]:
    """The lab's in the machine's own namespace."""
    found = []
    for folder in INTERFACES.iterdir():
        try:
            alias = (folder / "ifalias").read_text().strip()
        except OSError:  # it went away meanwhile
            continue
        if alias == layout.alias:
            found.append(folder.name)
    return sorted(found)


def remove(names: Iterable[str]) -> None:
    """Namespaces, with all that is in them."""
    names = list(names)
    for name in names:
        kill_in_namespace(name)
    if names:
        ip_batch(f"netns delete {name}" for name in names)


def has_link(namespace: str, name: str) -> bool:
    return f" {name}:" in run("ip", *_where(namespace), "-oneline", "link", "show").replace("@", ":")


def remove_link(namespace: str, name: str) -> None:
    """If it is there; gone when this returns, which a link whose other end's namespace is deleted is not."""
    if has_link(namespace, name):
        run("ip", *_where(namespace), "link", "delete", name)


def _where(namespace: str) -> tuple[str, ...]:
    return ("-n", namespace) if namespace else ()
