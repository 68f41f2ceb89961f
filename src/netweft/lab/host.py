"""Plain hosts: machines on a physical network that are no VM of ours, untagged or on a VLAN.

The switch does the tagging, as a real one does for a machine on an access port.
"""

import os
import subprocess
from ipaddress import ip_interface

from msgspec import Struct

from netweft.lab import fabric, hypervisor
from netweft.lab.build import exists
from netweft.lab.commands import in_namespace, ip_batch, vsctl
from netweft.lab.layout import PHYSICAL_NETWORKS, LabError, Layout, NoLab, PhysicalNetwork
from netweft.lab.processes import mark
from netweft.lab.records import Records


class Host(Struct, frozen=True, kw_only=True):
    """vlan: 0 for untagged.  addresses: with prefix length."""

    name: str
    physical_network: str
    vlan: int
    addresses: tuple[str, ...]


def records(layout: Layout) -> Records[Host]:
    return Records(Host, "host", layout.hosts, layout.host_file)


def add(layout: Layout, host: Host) -> None:
    """What goes wrong leaves nothing behind."""
    if not exists(layout):
        raise NoLab(layout.lab)
    network = _network(host.physical_network)
    for address in host.addresses:
        _check_address(address)
    records(layout).refuse_another(host.name)
    records(layout).write(host)
    try:
        _connect(layout, host, network)
    except BaseException:
        remove(layout, host)
        raise


def _connect(layout: Layout, host: Host, network: PhysicalNetwork) -> None:
    namespace, port = layout.host_namespace(host.name), _switch_port(host)
    fabric.machine(namespace)
    ip_batch(
        (f"link add {port} type veth peer name eth0 netns {namespace}", f"link set {port} up"),
        namespace=layout.fabric.namespace,
    )
    hypervisor.spare_the_datapath(namespace, "eth0")
    addresses = (f"address add {address} dev eth0 {'nodad' if ':' in address else ''}" for address in host.addresses)
    ip_batch(("link set eth0 up", *addresses), namespace=namespace)
    access = (f"tag={host.vlan}", "vlan_mode=access")
    vsctl(layout.fabric, "add-port", network.switch, port, *access)


def remove(layout: Layout, host: Host) -> None:
    vsctl(layout.fabric, "--if-exists", "del-port", _switch_port(host))
    fabric.remove_link(layout.fabric.namespace, _switch_port(host))
    namespace = layout.host_namespace(host.name)
    fabric.remove(name for name in fabric.namespaces(layout) if name == namespace)
    records(layout).remove(host.name)


def execute(layout: Layout, host: Host, argv: tuple[str, ...]) -> int:
    """Runs it inside, with this terminal; the exit status."""
    command = in_namespace(layout.host_namespace(host.name), *argv)
    return subprocess.call(command, env=os.environ | mark(layout.lab))


def _network(name: str) -> PhysicalNetwork:
    found = next((network for network in PHYSICAL_NETWORKS if network.name == name), None)
    if found is None:
        known = ", ".join(network.name for network in PHYSICAL_NETWORKS)
        raise LabError(f"the fabric has no physical network {name!r}; it has {known}")
    return found


def _check_address(address: str) -> None:
    try:
        ip_interface(address)
    except ValueError:
        raise LabError(f"{address!r} is no address with prefix length, such as 10.0.0.9/24") from None


def _switch_port(host: Host) -> str:
    return f"h-{host.name}"
