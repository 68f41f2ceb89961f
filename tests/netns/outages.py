"""What a node can lose: all of itself, the underlay, its way outside.  Each ends with its block."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from tests.netns.harness import Lab, until

from netweft.lab.commands import ip_batch
from netweft.lab.layout import PHYSICAL_NETWORKS, UNDERLAY_NIC

OUTSIDE_NIC = next(network.nic for network in PHYSICAL_NETWORKS if network.name == "public")


@contextmanager
def killed(lab: Lab, node: str) -> Iterator[None]:
    """With kill -9, both vswitchd and the agent, and nobody starts them again."""
    declared = [lab.layout.processes / f"{kind}-{node}.json" for kind in ("agent", "ovs-vswitchd")]
    pids = [lab.pid(kind, node) for kind in ("agent", "ovs-vswitchd")]
    kept = [file.rename(file.with_suffix(".away")) for file in declared]
    supervisor = lab.pid("supervisor")
    assert supervisor
    for pid in pids:
        assert pid
        os.kill(pid, signal.SIGKILL)
    os.kill(supervisor, signal.SIGHUP)
    try:
        yield
    finally:
        for file, was in zip(kept, declared, strict=True):
            file.rename(was)
        os.kill(supervisor, signal.SIGHUP)
        until(lambda: lab.in_sync(node), f"{node} is back")


@contextmanager
def underlay_cut(lab: Lab, node: str) -> Iterator[None]:
    """Somewhere in the network: the node's own NIC has carrier."""
    port = f"{node}-{UNDERLAY_NIC}"
    ip_batch([f"link set {port} nomaster"], namespace=lab.layout.fabric.namespace)
    try:
        yield
    finally:
        ip_batch([f"link set {port} master switch0"], namespace=lab.layout.fabric.namespace)


@contextmanager
def uplink_cut(lab: Lab, node: str) -> Iterator[None]:
    port = f"{node}-{OUTSIDE_NIC}"
    ip_batch([f"link set {port} down"], namespace=lab.layout.fabric.namespace)
    try:
        yield
    finally:
        ip_batch([f"link set {port} up"], namespace=lab.layout.fabric.namespace)


OUTAGES: dict[str, Callable[[Lab, str], AbstractContextManager[None]]] = {
    "killed": killed,
    "cut off": underlay_cut,
    "its uplink cut": uplink_cut,
}
