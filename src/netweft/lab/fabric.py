"""The physical network and the machines on it, as namespaces: each hypervisor has an `eth0` that leads to one switch.

The switch of the underlay is a Linux bridge in the fabric's namespace: docs/decisions/0051-lab-fabric.md.  A veth lives
and dies with the namespaces at its ends, so deleting namespaces deletes all.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from netweft.lab.commands import ip_batch, run
from netweft.lab.layout import Layout, NodeLayout
from netweft.lab.processes import kill_in_namespace

NAMESPACES = Path("/run/netns")
SWITCH = "switch0"


def build(layout: Layout, nodes: Sequence[NodeLayout]) -> None:
    ip_batch(f"netns add {name}" for name in (layout.fabric, *(node.namespace for node in nodes)))
    ip_batch(
        (
            f"link add {SWITCH} type bridge stp_state 0 mcast_snooping 0",
            f"link set {SWITCH} up",
            *(line for node in nodes for line in _cable(node)),
        ),
        namespace=layout.fabric,
    )
    for node in nodes:
        ip_batch(("link set lo up", "link set eth0 up"), namespace=node.namespace)


def _cable(node: NodeLayout) -> tuple[str, ...]:
    """From the switch to the node's NIC."""
    return (
        f"link add {node.name} type veth peer name eth0 netns {node.namespace}",
        f"link set {node.name} master {SWITCH} up",
    )


def machine(namespace: str) -> None:
    """A bare machine: nothing but a loopback."""
    run("ip", "netns", "add", namespace)
    run("ip", "-n", namespace, "link", "set", "lo", "up")


def namespaces(layout: Layout) -> list[str]:
    """All that there are, whether or not the lab's files remember them."""
    if not NAMESPACES.is_dir():
        return []
    return sorted(path.name for path in NAMESPACES.iterdir() if path.name.startswith(layout.namespace_prefix))


def remove(names: Iterable[str]) -> None:
    names = list(names)
    for name in names:
        kill_in_namespace(name)
    if names:
        ip_batch(f"netns delete {name}" for name in names)
