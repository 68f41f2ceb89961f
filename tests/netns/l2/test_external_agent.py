"""A hypervisor whose agent is a third party's, beside one of ours: the Linux bridge example, installed by pip.

Its ports come and go through the same feed and reports, and its VMs talk to ours over VXLAN.
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.netns.harness import Lab, until
from tests.waiting import PATIENCE

from netweft.lab import fabric, guest_netns, hypervisor, supervisor
from netweft.lab.cloud import Cloud, credentials
from netweft.lab.commands import clean_environment, in_namespace, ip_batch, run
from netweft.lab.layout import NodeLayout
from netweft.lab.supervisor import Command
from netweft.lab.vm import Vm

EXAMPLE = Path(__file__).parents[3] / "examples" / "linuxbridge-agent"


@pytest.fixture(scope="module")
def nodes() -> int:
    return 1


@pytest.fixture(scope="module")
def leaves_it_otherwise() -> bool:
    """With a second node, which has no Open vSwitch."""
    return True


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example as a package of its own, beside what the virtual environment has."""
    source, site = tmp_path_factory.mktemp("example") / "source", tmp_path_factory.mktemp("site")
    shutil.copytree(EXAMPLE, source)
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(site))
    subprocess.run((sys.executable, "-m", "pip", "install", *options, str(source)), check=True)
    return site


def settings(node: NodeLayout) -> str:
    return f"""\
[agent]
node = "{node.name}"
driver = "linuxbridge"
server = ["unix:{node.layout.server_socket}"]
token_file = "{node.folder}/node.token"
state_dir = "{node.folder}/agent"
socket = "{node.folder}/agent.sock"
tunnel_ip = "{node.tunnel_ip}"
"""


@pytest.fixture(scope="module")
def bridged(lab: Lab, installed: Path) -> NodeLayout:
    """hv2: an address on its NIC, the agent, and no Open vSwitch."""
    node = lab.layout.node(2)
    node.folder.mkdir()
    (node.folder / "netweft.toml").write_text(settings(node))
    fabric.machine(node.namespace)
    ip_batch(
        (
            f"link add {node.name} type veth peer name eth0 netns {node.namespace}",
            f"link set {node.name} master switch0 up",
        ),
        namespace=f"{lab.layout.namespace_prefix}fabric",
    )
    ip_batch(("link set eth0 up", f"address add {node.tunnel_ip}/24 dev eth0"), namespace=node.namespace)
    token = run(str(hypervisor.NETWEFT), "node", "add", node.name, env=clean_environment() | credentials(lab.layout))
    (node.folder / "node.token").write_text(token)
    argv = (str(hypervisor.NETWEFT), "agent", "--config", f"{node.folder}/netweft.toml")
    where = {"namespace": node.namespace, "environment": {"PYTHONPATH": str(installed)}}
    supervisor.declare(lab.layout, Command(kind="agent", node=node.name, argv=argv, **where))  # type: ignore[arg-type]
    supervisor.reload(lab.layout)
    until(lambda: lab.agent_alive(node.name), "the agent is alive")
    return node


class Machines(NamedTuple):
    network: str
    bridged: Vm
    beside: Vm
    ours: Vm


@pytest.fixture(scope="module")
def machines(lab: Lab, bridged: NodeLayout) -> Machines:
    network = lab.network("10.5.5.0/24", "fd00:5::/64")
    return Machines(network, plug(lab, network), plug(lab, network), lab.add_vm("hv1", network))


@pytest.fixture
def other(lab: Lab, machines: Machines) -> Iterator[Vm]:
    machine = plug(lab, machines.network)
    yield machine
    guest_netns.discard(lab.node("hv2"), machine.name, machine.nic)


def plug(lab: Lab, network: str) -> Vm:
    """As libvirt does it for a VIF of type `bridge`: a tap of that name is all there is."""
    machine, node = lab.describe_vm("hv2", network), lab.node("hv2")
    with Cloud(lab.layout) as cloud:
        port = cloud.update("ports", machine.port_id, {"binding:host_id": "hv2"})
        assert (port["binding:vif_type"], port["binding:vif_details"]["port_filter"]) == ("bridge", False)
        guest_netns.prepare(node, machine.name, machine.nic)
        guest_netns.start(node, machine.name, machine.nic)
        cloud.wait_active(machine.port_id, PATIENCE)
    return machine


def links(lab: Lab) -> dict[str, str]:
    """hv2's interfaces, and the bridge each is in."""
    lines = run("ip", "-n", lab.node("hv2").namespace, "-oneline", "link", "show").splitlines()
    words = [line.split() for line in lines]
    return {w[1].partition("@")[0].rstrip(":"): w[w.index("master") + 1] if "master" in w else "" for w in words}


def bridge_of(network: str) -> str:
    return f"brq{network[:11]}"


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(("whence", "whither"), [("bridged", "ours"), ("ours", "bridged"), ("bridged", "beside")])
def test_ping(lab: Lab, machines: Machines, whence: str, whither: str, version: int) -> None:
    source, target = getattr(machines, whence), getattr(machines, whither)
    address = next(a.partition("/")[0] for a in target.nic.addresses if (":" in a) == (version == 6))
    assert lab.ping(source, address)


@pytest.mark.parametrize(("whence", "whither"), [("bridged", "ours"), ("ours", "bridged")])
def test_tcp_arrives_whole(lab: Lab, machines: Machines, whence: str, whither: str) -> None:
    source, target = getattr(machines, whence), getattr(machines, whither)
    with (
        lab.inside(target, "serve", "5001") as server,
        lab.inside(source, "feed", target.nic.address, "5001", str(8 * 2**20)) as client,
    ):
        assert client.finish()[0].split()[0] == server.finish()[0]


def test_it_is_an_agent_like_any_other(lab: Lab, machines: Machines) -> None:
    with Cloud(lab.layout) as cloud:
        agents = {agent["host"]: (agent["agent_type"], agent["alive"]) for agent in cloud.list("agents")}
    assert agents == {"hv1": ("Open vSwitch agent", True), "hv2": ("Linux bridge agent", True)}
    assert links(lab)[machines.bridged.nic.tap] == bridge_of(machines.network)
    until(lambda: lab.in_sync("hv2"), "it is in sync")


def test_killed_it_comes_back_and_no_packet_is_lost(lab: Lab, machines: Machines) -> None:
    until(lambda: lab.in_sync("hv2"), "hv2 in sync")
    overrun = lab.overrun()
    with lab.inside(machines.ours, "ping", machines.bridged.nic.address) as ping:
        before = links(lab)
        lab.kill("agent", "hv2")
        until(lambda: lab.agent_alive("hv2") and lab.in_sync("hv2"), "hv2 in sync again", 30)
        time.sleep(1)
        result = ping.result()
    assert links(lab) == before
    assert result["sent"] > 80
    assert result["lost"] <= lab.overrun(overrun)
    assert result["duplicates"] == 0
    assert lab.port(machines.bridged)["status"] == "ACTIVE"


def test_what_is_broken_by_hand_is_repaired(lab: Lab, machines: Machines) -> None:
    namespace = lab.node("hv2").namespace
    until(lambda: lab.in_sync("hv2"), "hv2 in sync")
    (overlay,) = (name for name in links(lab) if name.startswith("nwvx"))
    for breaks in (("delete", overlay), ("set", machines.bridged.nic.tap, "nomaster"), ("set", overlay, "down")):
        before = links(lab)
        run("ip", "-n", namespace, "link", *breaks)
        until(lambda before=before: links(lab) == before and lab.in_sync("hv2"), f"{breaks} repaired")  # type: ignore[misc]
        assert lab.ping(machines.bridged, machines.ours.nic.address)
    run(*in_namespace(namespace, "bridge", "fdb", "del", machines.ours.nic.mac, "dev", overlay, "dst", "198.18.0.1"))
    until(lambda: machines.ours.nic.mac in run("bridge", "-n", namespace, "fdb", "show", "dev", overlay), "entry back")


def test_a_deleted_port_is_unwired_and_the_others_are_not(lab: Lab, machines: Machines, other: Vm) -> None:
    assert lab.ping(other, machines.ours.nic.address)
    with Cloud(lab.layout) as cloud:
        cloud.delete("ports", other.port_id)
    until(lambda: links(lab)[other.nic.tap] == "", "the tap in no bridge")
    assert not lab.ping(other, machines.ours.nic.address, seconds=1)
    assert lab.ping(machines.bridged, machines.ours.nic.address)


def test_the_last_port_takes_the_networks_devices_with_it(lab: Lab, machines: Machines) -> None:
    network = lab.network("10.6.6.0/24")
    until(lambda: lab.in_sync("hv2"), "hv2 in sync")
    before = links(lab)
    machine = plug(lab, network)
    assert bridge_of(network) in links(lab)
    guest_netns.discard(lab.node("hv2"), machine.name, machine.nic)
    until(lambda: links(lab).keys() == before.keys(), "its bridge and its VXLAN device gone")
    until(lambda: lab.port(machine)["status"] == "DOWN", "the port DOWN")


def test_one_networks_trouble_is_said_on_its_port_and_heals(lab: Lab, machines: Machines) -> None:
    """Another's VXLAN device has the VNI: it is not touched, and nobody else suffers."""
    network, namespace = lab.network("10.7.7.0/24"), lab.node("hv2").namespace
    with Cloud(lab.layout) as cloud:
        vni = cloud.find("networks", network)["provider:segmentation_id"]
        theirs = f"link add theirs type vxlan id {vni} local {lab.node('hv2').tunnel_ip} dstport 4789"
        ip_batch((theirs,), namespace=namespace)
        machine = lab.describe_vm("hv2", network)
        cloud.update("ports", machine.port_id, {"binding:host_id": "hv2"})
        guest_netns.prepare(lab.node("hv2"), machine.name, machine.nic)
        until(lambda: lab.port(machine)["status_detail"], "it says why not")
        port = lab.port(machine)
        assert port["status"] == "DOWN"
        assert f"nwvx{vni}" in port["status_detail"]
        assert "exists" in port["status_detail"]
        assert lab.ping(machines.bridged, machines.ours.nic.address)
        ip_batch(("link delete theirs",), namespace=namespace)
        cloud.wait_active(machine.port_id, PATIENCE)
    assert lab.port(machine)["status_detail"] == ""
    guest_netns.discard(lab.node("hv2"), machine.name, machine.nic)


def test_a_network_that_it_cannot_do_is_said_on_the_port(lab: Lab, machines: Machines) -> None:
    with Cloud(lab.layout) as cloud:
        network = cloud.create("networks", name="gre", **{"provider:network_type": "gre"})
        cloud.create("subnets", network_id=network["id"], cidr="10.8.8.0/24", ip_version=4)
        machine = lab.describe_vm("hv2", network["id"])
        cloud.update("ports", machine.port_id, {"binding:host_id": "hv2"})
    guest_netns.prepare(lab.node("hv2"), machine.name, machine.nic)
    until(lambda: "gre" in lab.port(machine)["status_detail"], "it says why not")
    assert lab.port(machine)["status"] == "DOWN"
    assert "vxlan" in lab.port(machine)["status_detail"], "what it can do"
    assert bridge_of(network["id"]) not in links(lab)
    guest_netns.discard(lab.node("hv2"), machine.name, machine.nic)
