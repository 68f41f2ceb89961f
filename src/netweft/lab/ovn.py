"""A lab of OVN's hypervisors: its two databases and `ovn-northd`, and `ovn-controller` for an agent on each node."""

from netweft.lab import hypervisor
from netweft.lab.commands import ip_batch, listens, run, vsctl
from netweft.lab.layout import PHYSICAL_NETWORKS, UNDERLAY_NIC, UNDERLAYS, LabError, Layout, NodeLayout
from netweft.lab.supervisor import Command

DATABASES = ("nb", "sb")
_SCHEMAS = "/usr/share/ovn/ovn-{}.ovsschema"
_PHYSICAL = "br-phy"  # in the userspace datapath the tunnels' address sits on a bridge


def socket(layout: Layout, database: str) -> str:
    return f"unix:{layout.folder}/ovn/{database}.sock"


def settings(layout: Layout) -> str:
    """The server's, beside the others.  OVN has no other overlay than Geneve."""
    return f"""\
tenant_network_types = ["geneve"]
ovn_northbound = "{socket(layout, "nb")}"
ovn_southbound = "{socket(layout, "sb")}"
"""


def create_databases(layout: Layout) -> None:
    folder = layout.folder / "ovn"
    folder.mkdir()
    for name in DATABASES:
        try:
            run("ovsdb-tool", "create", f"{folder}/{name}.db", _SCHEMAS.format(name))
        except LabError as error:
            raise LabError(f"OVN is needed (Debian: ovn-central, ovn-host): {error}") from None


def databases(layout: Layout) -> list[Command]:
    return [_database(layout, name) for name in DATABASES]


def are_there(layout: Layout) -> bool:
    return all(listens(layout.folder / "ovn" / f"{name}.sock") for name in DATABASES)


def northd(layout: Layout) -> Command:
    remotes = (f"--ovnnb-db={socket(layout, 'nb')}", f"--ovnsb-db={socket(layout, 'sb')}")
    argv = ("ovn-northd", *remotes, "-vconsole:off")
    return Command(kind="ovn-northd", argv=argv, environment=_environment(str(layout.folder / "ovn")))


def controller(node: NodeLayout) -> Command:
    argv = ("ovn-controller", f"unix:{node.ovs}/db.sock", "-vconsole:off")
    return Command(
        kind="ovn-controller",
        node=node.name,
        argv=argv,
        namespace=node.namespace,
        environment=_environment(str(node.ovs)),
    )


def prepare(node: NodeLayout) -> None:
    """What an operator sets up before `ovn-controller` starts: the integration bridge, where the databases are, the
    tunnels' address and which bridges lead to physical networks."""
    datapath, holder = hypervisor.datapath_type(), node.nic(UNDERLAY_NIC)
    told = {
        "hostname": node.name,
        "ovn-remote": socket(node.layout, "sb"),
        "ovn-encap-type": "geneve",
        "ovn-encap-ip": node.tunnel_ip,
        "ovn-bridge-datapath-type": datapath,
        "ovn-bridge-mappings": ",".join(f"{network.name}:{network.bridge}" for network in PHYSICAL_NETWORKS),
        "ovn-cms-options": "enable-chassis-as-gw",
    }
    words = ["add-br", "br-int", "--", "set", "Bridge", "br-int", f"datapath_type={datapath}", "fail_mode=secure"]
    words += [
        "--",
        "set",
        "Open_vSwitch",
        ".",
        *(f"external_ids:{key}={_quoted(value)}" for key, value in told.items()),
    ]
    if datapath == "netdev":
        words += ["--", "add-br", _PHYSICAL, "--", "set", "Bridge", _PHYSICAL, f"datapath_type={datapath}"]
        words += ["--", "add-port", _PHYSICAL, holder]
    vsctl(node, *words)
    up = [node.nic(UNDERLAY_NIC), *(node.nic(network.nic) for network in PHYSICAL_NETWORKS)]
    holder = _PHYSICAL if datapath == "netdev" else holder
    address = f"address add {node.tunnel_ip}/{UNDERLAYS[node.ip_version].prefixlen} dev {holder}"
    ip_batch([*(f"link set {nic} up" for nic in dict.fromkeys([*up, holder])), address], namespace=node.namespace)


def _database(layout: Layout, name: str) -> Command:
    at = f"{layout.folder}/ovn/{name}"
    argv = ("ovsdb-server", f"{at}.db", f"--remote=punix:{at}.sock", f"--unixctl={at}.ctl", "-vconsole:off")
    return Command(kind=f"ovn-{name}", argv=argv, environment=_environment(str(layout.folder / "ovn")))


def _environment(folder: str) -> dict[str, str]:
    return {f"{of}_{name}DIR": folder for of in ("OVN", "OVS") for name in ("RUN", "LOG", "DB")}


def _quoted(value: str) -> str:
    return f'"{value}"'
