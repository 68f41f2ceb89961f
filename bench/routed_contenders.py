"""Who is measured by `bench/routed.py`: as in contenders.py, and a router between two networks and the world outside.

    client, floating on hv1       there, routed on hv2       outside: a host on the external network
    10.9.0.0/24: client, there, floating      10.9.1.0/24: routed

The gateway is where Netweft has it: OVN is told to have it there, too.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from contenders import MTU, OUTSIDE, Stage, bare, central_of, controller_on, nbctl, permit, wait
from load import PORTS

from netweft.lab import build, guest_netns, host, hypervisor, supervisor, vm
from netweft.lab.cloud import Cloud
from netweft.lab.commands import listens, vsctl
from netweft.lab.guest import Nic
from netweft.lab.host import Host
from netweft.lab.layout import Layout

PLACES = {"client": 1, "there": 2, "routed": 2, "floating": 1}
NETWORKS = {"client": "blue", "there": "blue", "routed": "red", "floating": "blue"}
CIDRS = {"blue": "10.9.0.0/24", "red": "10.9.1.0/24"}
EXTERNAL, NEXT_HOP, GATEWAY, FLOATING = "172.24.0.0/16", "172.24.0.1", "172.24.0.10", "172.24.0.11"
GATEWAY_NODE = 2  # so that SNAT from `client` goes over the tunnel, as what is switched does


@contextmanager
def netweft() -> Iterator[Stage]:
    layout = Layout("benchnwl3")
    build.down(layout)
    build.up(layout, build.Plan(nodes=2))
    try:
        _outside(layout)
        with Cloud(layout) as cloud:
            addresses = _described(cloud, layout)
        yield Stage(layout, addresses | {OUTSIDE: NEXT_HOP})
    finally:
        build.down(layout)


def _outside(layout: Layout) -> None:
    host.add(layout, Host(name=OUTSIDE, physical_network="public", vlan=0, addresses=(f"{NEXT_HOP}/16",)))


def _described(cloud: Cloud, layout: Layout) -> dict[str, str]:
    """All of it at the API; the VMs' addresses, and the floating one."""
    flat = {"provider:network_type": "flat", "provider:physical_network": "public", "router:external": True}
    external = cloud.create("networks", name="outside", **flat)["id"]
    cloud.create("subnets", network_id=external, cidr=EXTERNAL, ip_version=4, gateway_ip=NEXT_HOP, enable_dhcp=False)
    networks = {name: cloud.create("networks", name=name)["id"] for name in CIDRS}
    subnets = [
        cloud.create("subnets", network_id=networks[name], cidr=cidr, ip_version=4)["id"]
        for name, cidr in CIDRS.items()
    ]
    router = _router_on(cloud, external, f"hv{GATEWAY_NODE}")
    for subnet in subnets:
        cloud.act("routers", router, "add_router_interface", {"subnet_id": subnet})
    addresses = {}
    for name, node in PLACES.items():
        port = cloud.create("ports", network_id=networks[NETWORKS[name]])
        machine = vm.describe(cloud, layout, name=name, node=f"hv{node}", kind="netns", port=port["id"], network="")
        vm.create(cloud, layout, machine)
        addresses[name] = machine.nic.address
        if name == "floating":
            made = cloud.create("floatingips", floating_network_id=external, port_id=port["id"])
            addresses["floating ip"] = made["floating_ip_address"]
    for protocol in ("tcp", "udp"):
        what = {"protocol": protocol, "port_range_min": PORTS[0], "port_range_max": PORTS[-1]}
        cloud.create("security_group_rules", security_group_id=port["security_groups"][0], direction="ingress", **what)
    return addresses


def _router_on(cloud: Cloud, external: str, node: str) -> str:
    """Which node a router's gateway is on is chosen by its id: another one until it is this."""
    while True:
        router = cloud.create("routers", external_gateway_info={"network_id": external})["id"]
        gateway = cloud.list("ports", device_id=router, device_owner="network:router_gateway")[0]
        if gateway["binding:host_id"] == node:
            return str(router)
        cloud.delete("routers", router)


@contextmanager
def ovn() -> Iterator[Stage]:
    """The same, with the ACLs that Neutron would make for the same security group."""
    with bare("benchovnl3") as stage:
        layout = stage.layout
        _fabric_switch(layout)
        _outside(layout)
        central = layout.folder / "ovn"
        central.mkdir()
        central_of(layout, central)
        for number in (1, 2):
            node = layout.node(number)
            vsctl(node, "set", "Open_vSwitch", ".", "external_ids:ovn-bridge-mappings=public:br-ex")
            controller_on(node, central)
        nics = {name: _nic(name) for name in PLACES}
        _logical_network(central, nics)
        for name, number in PLACES.items():
            _plug_in(layout, name, number, nics[name])
        nbctl(central, "--wait=hv", "sync")
        addresses = {name: nic.address for name, nic in nics.items()}
        yield Stage(layout, addresses | {OUTSIDE: NEXT_HOP, "floating ip": FLOATING})


def _fabric_switch(layout: Layout) -> None:
    """The physical networks' switches, which a lab without them lacks."""
    fabric = layout.fabric
    layout.hosts.mkdir()
    hypervisor.create_database(fabric)
    supervisor.declare(layout, hypervisor.ovsdb_server(fabric))
    supervisor.reload(layout)
    wait(lambda: listens(fabric.ovs / "db.sock"), "the fabric's ovsdb-server")
    hypervisor.initialise_fabric(fabric, [layout.node(1), layout.node(2)], hypervisor.datapath_type())
    supervisor.declare(layout, hypervisor.ovs_vswitchd(fabric))
    supervisor.reload(layout)


def _nic(name: str) -> Nic:
    number, network = list(PLACES).index(name) + 1, CIDRS[NETWORKS[name]].rpartition(".")[0]
    mac = f"fa:16:3e:00:01:{number:02x}"
    return Nic(tap=f"tap-{name}", mac=mac, mtu=MTU, addresses=(f"{network}.{number}/24",), gateways=(f"{network}.254",))


def _plug_in(layout: Layout, name: str, number: int, nic: Nic) -> None:
    node = layout.node(number)
    guest_netns.prepare(node, name, nic)
    vsctl(node, "add-port", "br-int", nic.tap, "--", "set", "Interface", nic.tap, f"external_ids:iface-id={name}")
    guest_netns.start(node, name, nic)


def _logical_network(central: Path, nics: dict[str, Nic]) -> None:
    def say(*words: str) -> None:
        nbctl(central, *words)

    say("lr-add", "r")
    for number, (network, cidr) in enumerate(CIDRS.items(), 1):
        address = f"{cidr.rpartition('.')[0]}.254/24"
        say("ls-add", network, "--", "lrp-add", "r", f"r-{network}", f"fa:16:3e:00:02:{number:02x}", address)
        _join(central, network)
    say("ls-add", "pub", "--", "lrp-add", "r", "r-pub", "fa:16:3e:00:02:0a", f"{GATEWAY}/16")
    _join(central, "pub")
    say(
        "lsp-add", "pub", "wire", "--", "lsp-set-type", "wire", "localnet", "--", "lsp-set-addresses", "wire", "unknown"
    )
    say("lsp-set-options", "wire", "network_name=public")
    say("lrp-set-gateway-chassis", "r-pub", f"hv{GATEWAY_NODE}", "20")
    say("lr-route-add", "r", "0.0.0.0/0", NEXT_HOP)
    say("pg-add", "pg")
    for name, nic in nics.items():
        who = f"{nic.mac} {nic.address}"
        words = ("lsp-add", NETWORKS[name], name, "--", "lsp-set-addresses", name, who)
        say(*words, "--", "lsp-set-port-security", name, who)
    say("pg-set-ports", "pg", *nics)
    for cidr in CIDRS.values():
        say("lr-nat-add", "r", "snat", GATEWAY, cidr)
    floating = nics["floating"]
    say("lr-nat-add", "r", "dnat_and_snat", FLOATING, floating.address, "floating", "fa:16:3e:00:03:01")
    permit(central)


def _join(central: Path, network: str) -> None:
    """Switch and router."""
    port = f"{network}-r"
    words = ("lsp-add", network, port, "--", "lsp-set-type", port, "router", "--", "lsp-set-addresses", port, "router")
    nbctl(central, *words, "--", "lsp-set-options", port, f"router-port=r-{network}")


CONTENDERS: dict[str, Callable[[], AbstractContextManager[Stage]]] = {"netweft": netweft, "ovn": ovn}
