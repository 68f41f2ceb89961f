"""Who is measured by `bench/throughput.py`: the lab's two hypervisors, three VMs, and what joins them.

    client, beside on hv1       there on hv2       a VM is a namespace, its NIC a veth, as everywhere in the lab

Each contender has a lab of its own, with its own Open vSwitch in the userspace datapath or the kernel's, whichever the
machine has; the same fabric, the same VMs, the same offloads.  What differs is only who writes the flows.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from load import PORTS

from netweft.lab import build, fabric, guest_netns, hypervisor, supervisor, vm
from netweft.lab.cloud import Cloud
from netweft.lab.commands import in_namespace, ip_batch, listens, run, vsctl
from netweft.lab.guest import Nic
from netweft.lab.layout import UNDERLAYS, Layout, NodeLayout
from netweft.lab.supervisor import Command

MTU, VNI = 1450, 77
OUTSIDE = "outside"
PLACES = {"client": 1, "beside": 1, "there": 2}  # VM -> hypervisor


@dataclass(frozen=True)
class Stage:
    """A contender that is ready.  addresses: of the VMs."""

    layout: Layout
    addresses: dict[str, str]

    def command(self, machine: str, *words: str) -> tuple[str, ...]:
        """In a VM, or in the host that is no VM."""
        layout = self.layout
        return in_namespace((layout.host_namespace if machine == OUTSIDE else layout.vm_namespace)(machine), *words)

    def vswitchd(self, node: int) -> int:
        """Its pid."""
        return int((self.layout.node(node).ovs / "ovs-vswitchd.pid").read_text())


@contextmanager
def netweft() -> Iterator[Stage]:
    """All in the default group, which lets in its members, and what the services need."""
    layout = Layout("benchnw")
    build.down(layout)
    build.up(layout, build.Plan(nodes=2))
    try:
        addresses = {}
        with Cloud(layout) as cloud:
            network = cloud.create("networks", name="bench")["id"]
            cloud.create("subnets", network_id=network, cidr="10.9.0.0/24", ip_version=4)
            for name, node in PLACES.items():
                port = cloud.create("ports", network_id=network)
                machine = vm.describe(
                    cloud, layout, name=name, node=f"hv{node}", kind="netns", port=port["id"], network=""
                )
                vm.create(cloud, layout, machine)
                addresses[name] = machine.nic.address
            group = port["security_groups"][0]
            low, high = PORTS[0], PORTS[-1]
            for protocol in ("tcp", "udp"):
                what = {"protocol": protocol, "port_range_min": low, "port_range_max": high}
                cloud.create("security_group_rules", security_group_id=group, direction="ingress", **what)
        yield Stage(layout, addresses)
    finally:
        build.down(layout)


NORMAL = ("actions=NORMAL",)
TRACKED = (  # the least that a stateful firewall can be: one tracking, and no rules
    "priority=20,arp,actions=NORMAL",
    "priority=10,ip,ct_state=-trk,actions=ct(table=0,zone=1)",
    "priority=10,ip,ct_state=+trk+new,actions=ct(commit,zone=1),NORMAL",
    "priority=10,ip,ct_state=+trk+est,actions=NORMAL",
)


@contextmanager
def by_hand(lab: str, flows: tuple[str, ...]) -> Iterator[Stage]:
    """A learning switch on each hypervisor, joined by a tunnel, and the flows written by hand."""
    with bare(lab) as stage:
        datapath = hypervisor.datapath_type()
        for number, other in ((1, 2), (2, 1)):
            node = stage.layout.node(number)
            words = ["add-br", "br-int", "--", "set", "Bridge", "br-int", f"datapath_type={datapath}"]
            words += ["fail_mode=secure", "--", "add-port", "br-int", "vxlan0", "--", "set", "Interface", "vxlan0"]
            words += ["type=vxlan", f"options:remote_ip={stage.layout.node(other).tunnel_ip}", f"options:key={VNI}"]
            vsctl(node, *words)
            run("ovs-ofctl", "add-flows", f"unix:{node.ovs}/br-int.mgmt", "-", stdin="\n".join(flows) + "\n")
        _plug_in(stage)
        yield stage


@contextmanager
def ovn() -> Iterator[Stage]:
    """A logical switch with the ACLs that Neutron would make for the same security group."""
    with bare("benchovn") as stage:
        central = stage.layout.folder / "ovn"
        central.mkdir()
        central_of(stage.layout, central)
        for number in (1, 2):
            controller_on(stage.layout.node(number), central)
        _logical_switch(stage, central)
        _plug_in(stage)
        nbctl(central, "--wait=hv", "sync")
        yield stage


def central_of(layout: Layout, folder: Path) -> None:
    """The two databases, and what translates from one to the other."""
    environment = {f"{of}_{name}DIR": str(folder) for of in ("OVN", "OVS") for name in ("RUN", "LOG", "DB")}
    for name in ("nb", "sb"):
        run("ovsdb-tool", "create", f"{folder}/{name}.db", f"/usr/share/ovn/ovn-{name}.ovsschema")
        words = (f"{folder}/{name}.db", f"--remote=punix:{folder}/{name}.sock", f"--unixctl={folder}/{name}.ctl")
        argv = ("ovsdb-server", *words, "-vconsole:off")
        _keep_running(layout, Command(kind=f"ovn-{name}", argv=argv, environment=environment))
    wait(lambda: all(listens(folder / f"{name}.sock") for name in ("nb", "sb")), "OVN's databases")
    northd = ("ovn-northd", f"--ovnnb-db=unix:{folder}/nb.sock", f"--ovnsb-db=unix:{folder}/sb.sock", "-vconsole:off")
    _keep_running(layout, Command(kind="ovn-northd", argv=northd, environment=environment))


def controller_on(node: NodeLayout, central: Path) -> None:
    datapath = hypervisor.datapath_type()
    vsctl(node, "add-br", "br-int", "--", "set", "Bridge", "br-int", f"datapath_type={datapath}", "fail_mode=secure")
    told = {
        "ovn-remote": f"unix:{central}/sb.sock",
        "ovn-encap-type": "vxlan",
        "ovn-encap-ip": node.tunnel_ip,
        "ovn-bridge-datapath-type": datapath,
    }
    vsctl(node, "set", "Open_vSwitch", ".", *(f"external_ids:{key}={value}" for key, value in told.items()))
    environment = {f"{of}_{name}DIR": str(node.ovs) for of in ("OVN", "OVS") for name in ("RUN", "LOG", "DB")}
    argv = ("ovn-controller", f"unix:{node.ovs}/db.sock", "-vconsole:off")
    kept = Command(kind="ovn-controller", node=node.name, argv=argv, namespace=node.namespace, environment=environment)
    _keep_running(node.layout, kept)


def _keep_running(layout: Layout, command: Command) -> None:
    supervisor.declare(layout, command)
    supervisor.reload(layout)


def _logical_switch(stage: Stage, central: Path) -> None:
    nbctl(central, "ls-add", "net", "--", "pg-add", "pg")
    ports = list(PLACES)
    for name in ports:
        nic = _nic(name)
        who = f"{nic.mac} {nic.address}"
        words = ("lsp-add", "net", name, "--", "lsp-set-addresses", name, who)
        nbctl(central, *words, "--", "lsp-set-port-security", name, who)
    nbctl(central, "pg-set-ports", "pg", *ports)
    permit(central)


def permit(central: Path) -> None:
    """To the ports of group `pg` what the default security group does, and what the services need."""
    into, low, high = "outport == @pg && ip4", PORTS[0], PORTS[-1]
    for direction, priority, match, verdict in (
        ("from-lport", 1002, "inport == @pg && ip4", "allow-related"),
        ("from-lport", 1001, "inport == @pg && ip", "drop"),
        ("to-lport", 1002, f"{into} && ip4.src == $pg_ip4", "allow-related"),
        ("to-lport", 1002, f"{into} && tcp.dst >= {low} && tcp.dst <= {high}", "allow-related"),
        ("to-lport", 1002, f"{into} && udp.dst >= {low} && udp.dst <= {high}", "allow-related"),
        ("to-lport", 1001, "outport == @pg && ip", "drop"),
    ):
        nbctl(central, "--type=port-group", "acl-add", "pg", direction, str(priority), match, verdict)


def nbctl(central: Path, *words: str) -> None:
    run("ovn-nbctl", f"--db=unix:{central}/nb.sock", "--timeout=20", *words)


CONTENDERS: dict[str, Callable[[], AbstractContextManager[Stage]]] = {
    "plain": lambda: by_hand("benchplain", NORMAL),
    "tracked": lambda: by_hand("benchct", TRACKED),
    "netweft": netweft,
    "ovn": ovn,
}


# -- a lab with nothing but hypervisors


@contextmanager
def bare(lab: str) -> Iterator[Stage]:
    """Two hypervisors with Open vSwitch, an underlay and the operator's bridges to physical networks, and no server and
    no agents.  An idle bridge counts: the userspace datapath's one thread looks after all of them in each turn."""
    layout = Layout(lab)
    build.down(layout)
    nodes = [layout.node(1), layout.node(2)]
    try:
        for folder in (layout.logs, layout.processes, layout.vms):
            folder.mkdir(parents=True)
        fabric.build(layout, nodes, build.Plan().mtu)
        for node in nodes:
            hypervisor.create_database(node)
            supervisor.declare(layout, hypervisor.ovsdb_server(node))
        supervisor.start(layout, hypervisor.NETWEFT)
        for node in nodes:
            wait(lambda node=node: listens(node.ovs / "db.sock"), "ovsdb-server")  # type: ignore[misc]
            hypervisor.initialise_database(node, hypervisor.datapath_type())
            supervisor.declare(layout, hypervisor.ovs_vswitchd(node))
        supervisor.reload(layout)
        for node in nodes:
            _underlay(node)
        yield Stage(layout, {name: _nic(name).address for name in PLACES})
    finally:
        build.down(layout)


def _underlay(node: NodeLayout) -> None:
    """As the agent does it: in the userspace datapath the tunnels' address sits on a bridge."""
    holder, datapath = node.nic(0), hypervisor.datapath_type()
    if datapath == "netdev":
        words = ("add-br", "br-phy", "--", "set", "Bridge", "br-phy", "datapath_type=netdev")
        vsctl(node, *words, "--", "add-port", "br-phy", holder)
        holder = "br-phy"
    address = f"{node.tunnel_ip}/{UNDERLAYS[4].prefixlen}"
    ip_batch((f"link set {holder} up", f"address add {address} dev {holder}"), namespace=node.namespace)


def _plug_in(stage: Stage) -> None:
    for name, number in PLACES.items():
        node, nic = stage.layout.node(number), _nic(name)
        guest_netns.prepare(node, name, nic)
        vsctl(node, "add-port", "br-int", nic.tap, "--", "set", "Interface", nic.tap, f"external_ids:iface-id={name}")
        guest_netns.start(node, name, nic)


def _nic(name: str) -> Nic:
    number = list(PLACES).index(name) + 1
    mac, address = f"fa:16:3e:00:00:{number:02x}", f"10.9.0.{number}/24"
    return Nic(tap=f"tap-{name}", mac=mac, mtu=MTU, addresses=(address,))


def wait(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 20
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"bench: waited 20 s for {what}")
        time.sleep(0.02)
