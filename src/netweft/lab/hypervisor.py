"""What runs in a lab, and with which settings: the same commands and files an operator would use.

Values only; `build` writes and starts them.
"""

import functools
import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from netweft.lab import fabric
from netweft.lab.commands import in_namespace, run, vsctl
from netweft.lab.layout import (
    PHYSICAL_NETWORKS,
    UNDERLAY_NIC,
    UNDERLAYS,
    FabricLayout,
    Layout,
    NodeLayout,
    OpenVSwitch,
    database,
)
from netweft.lab.supervisor import Command

NETWEFT = Path(sys.executable).with_name("netweft")
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
VLANS = "100:199"  # what the server gives out on each physical network
TUNNEL_TYPES = ("vxlan", "gre", "geneve", "stt")


def server(layout: Layout) -> Command:
    argv = (str(NETWEFT), "server", "--config", f"{layout.server_folder}/netweft.toml")
    return Command(kind="server", argv=argv)


def server_settings(layout: Layout, port: int, underlay: int, mtu: int) -> str:
    return f"""\
[server]
listen = ["127.0.0.1:{port}", "unix:{layout.server_socket}"]
database = "sqlite:///{layout.server_folder}/netweft.db"
state_dir = "{layout.server_folder}"
vlan_ranges = {_toml(f"{network.name}:{VLANS}" for network in PHYSICAL_NETWORKS)}
overlay_ip_version = {underlay}
physical_mtu = {mtu}
flat_networks = {_toml(network.name for network in PHYSICAL_NETWORKS)}
switches_file = "{layout.switches_file}"
"""


def agent(node: NodeLayout) -> Command:
    argv = (str(NETWEFT), "agent", "--config", f"{node.folder}/netweft.toml")
    return Command(kind="agent", node=node.name, argv=argv, namespace=node.namespace)


def agent_settings(node: NodeLayout, bfd_interval: int, driver: str = "openvswitch") -> str:
    return f"""\
[agent]
node = "{node.name}"
server = ["unix:{node.layout.server_socket}"]
token_file = "{node.folder}/node.token"
ovs_run_dir = "{node.ovs}"
state_dir = "{node.folder}/agent"
socket = "{node.folder}/agent.sock"
tunnel_ip = "{node.tunnel_ip}"
tunnel_prefix_length = {UNDERLAYS[node.ip_version].prefixlen}
tunnel_types = {_toml(TUNNEL_TYPES)}
underlay = "{node.nic(UNDERLAY_NIC)}"
bridge_mappings = {_toml(f"{network.name}:{network.bridge}" for network in PHYSICAL_NETWORKS)}
bfd_interval = {bfd_interval}
driver = "{driver}"
"""


def ovsdb_server(switch: OpenVSwitch) -> Command:
    """As the distribution's own start script runs it, but in a folder and a namespace of its own; so the next one."""
    return _open_vswitch(switch, "ovsdb-server", f"{switch.ovs}/conf.db", f"--remote=p{database(switch)}")


def ovs_vswitchd(switch: OpenVSwitch) -> Command:
    return _open_vswitch(switch, "ovs-vswitchd", database(switch))


def _open_vswitch(switch: OpenVSwitch, program: str, *words: str) -> Command:
    return Command(
        kind=program,
        node=switch.name,
        argv=(program, *words, "--pidfile", "-vconsole:off", "-vsyslog:off", "--log-file"),
        namespace=switch.namespace,
        environment={name: str(switch.ovs) for name in ("OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR")},
    )


def create_database(switch: OpenVSwitch) -> None:
    switch.ovs.mkdir(parents=True)
    run("ovsdb-tool", "create", f"{switch.ovs}/conf.db", SCHEMA)


def initialise_database(node: NodeLayout, datapath: str) -> None:
    """And the bridges of the physical networks, which are the operator's."""
    words = ["--no-wait", "init", "--", "set", "Open_vSwitch", ".", f"external_ids:system-id={node.name}"]
    vsctl(node, *words, *bridges(node, datapath))


def bridges(node: NodeLayout, datapath: str) -> list[str]:
    words: list[str] = []
    for network in PHYSICAL_NETWORKS:
        words += ("--", "add-br", network.bridge, "--", "set", "Bridge", network.bridge, f"datapath_type={datapath}")
        words += ("--", "add-port", network.bridge, node.nic(network.nic))
    return words


def initialise_fabric(fabric_layout: FabricLayout, nodes: Sequence[NodeLayout], datapath: str) -> None:
    vsctl(fabric_layout, "--no-wait", "init", *fabric.switch_rows(nodes, datapath))


@functools.cache
def datapath_type() -> str:
    """Whether the kernel has Open vSwitch's datapath: only then can its datapaths be listed."""
    listing = subprocess.run(("ovs-dpctl", "dump-dps"), capture_output=True, check=False)
    return "netdev" if listing.returncode else "system"


def spare_the_datapath(namespace: str, nic: str) -> None:
    """The userspace datapath hands on what it gets: nobody would fill in a checksum that is left to the hardware.  The
    kernel's gets what VMs send on real hosts: without checksums, and frames of up to 64 kB."""
    if datapath_type() == "netdev":
        run(*in_namespace(namespace, "ethtool", "--offload", nic, "tx", "off"))


def _toml(words: Iterable[str]) -> str:
    return json.dumps(list(words))
