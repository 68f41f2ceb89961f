"""The physical network: plain hosts on it, tagged and untagged; and what an operator can get wrong."""

import subprocess
from collections.abc import Iterator

import pytest
from tests.netns.harness import Lab, until

from netweft.lab import host, hypervisor
from netweft.lab.commands import in_namespace
from netweft.lab.host import Host
from netweft.lab.layout import LabError

ADMIN_CIDR = "10.4.0.0/24"


def vlan(number: int | None = None, physical_network: str = "physnet1") -> dict[str, object]:
    provider: dict[str, object] = {
        "provider:network_type": "vlan",
        "provider:physical_network": physical_network,
    }
    return provider | ({"provider:segmentation_id": number} if number else {})


@pytest.fixture
def plain(lab: Lab) -> Iterator[Host]:
    found = Host(name="tagged", physical_network="physnet1", vlan=150, addresses=("10.4.0.250/24",))
    host.add(lab.layout, found)
    yield found
    host.remove(lab.layout, found)


def pings(lab: Lab, source: Host, address: str) -> bool:
    command = ("ping", "-n", "-c", "1", "-i", "0.1", "-w", "1", address)
    namespace = lab.layout.host_namespace(source.name)
    return subprocess.run(in_namespace(namespace, *command), capture_output=True, check=False).returncode == 0


def test_the_switches_keep_vlans_apart(lab: Lab, plain: Host) -> None:
    others = {
        "untagged": Host(name="untagged", physical_network="physnet1", vlan=0, addresses=("10.4.0.251/24",)),
        "public": Host(name="public", physical_network="public", vlan=150, addresses=("10.4.0.252/24",)),
        "same": Host(name="same", physical_network="physnet1", vlan=150, addresses=("10.4.0.253/24",)),
    }
    for other in others.values():
        host.add(lab.layout, other)
    reached = {name for name, other in others.items() if pings(lab, plain, other.addresses[0].partition("/")[0])}
    for other in others.values():
        host.remove(lab.layout, other)
    assert reached == {"same"}


def test_vms_on_a_vlan_meet_its_hosts_and_no_others(lab: Lab, plain: Host) -> None:
    theirs, other = lab.network(ADMIN_CIDR, **vlan(150)), lab.network(ADMIN_CIDR, **vlan(151))
    for node in ("hv1", "hv2"):
        assert lab.ping(lab.add_vm(node, theirs), "10.4.0.250")
        assert not lab.ping(lab.add_vm(node, other), "10.4.0.250", seconds=1)


def test_the_external_network_is_behind_br_ex(lab: Lab) -> None:
    outside = Host(name="outside", physical_network="public", vlan=0, addresses=("203.0.113.200/24",))
    host.add(lab.layout, outside)
    provider = {"provider:network_type": "flat", "provider:physical_network": "public", "router:external": True}
    network = lab.network("203.0.113.0/24", **provider)
    for node in ("hv1", "hv2"):
        assert lab.ping(lab.add_vm(node, network), "203.0.113.200")
    host.remove(lab.layout, outside)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (vlan(4095), "400"),
        (vlan(0) | {"provider:segmentation_id": 0}, "400"),
        (vlan(physical_network="nowhere"), "400"),
        ({"provider:network_type": "flat", "provider:physical_network": "nowhere"}, "400"),
        ({"provider:network_type": "flat"}, "400"),
        ({"provider:network_type": "token-ring"}, "400"),
        ({"provider:network_type": "vxlan", "provider:segmentation_id": 2**24}, "400"),
    ],
)
def test_a_segment_that_cannot_be_is_refused(lab: Lab, attributes: dict[str, object], message: str) -> None:
    with lab.cloud() as cloud:
        before = cloud.list("networks")
        with pytest.raises(LabError, match=f"POST /v2.0/networks: {message} "):
            cloud.create("networks", name="bad", **attributes)
        assert cloud.list("networks") == before


@pytest.mark.parametrize(
    "attributes",
    [vlan(177), {"provider:network_type": "vxlan", "provider:segmentation_id": 4711}],
    ids=["vlan", "vxlan"],
)
def test_two_networks_on_one_segment(lab: Lab, attributes: dict[str, object]) -> None:
    with lab.cloud() as cloud:
        first = cloud.create("networks", name="first", **attributes)
        with pytest.raises(LabError, match="409 "):
            cloud.create("networks", name="second", **attributes)
        cloud.delete("networks", first["id"])
        cloud.delete("networks", cloud.create("networks", name="second", **attributes)["id"])


def test_a_bridge_that_is_not_there_is_said_and_heals(lab: Lab) -> None:
    """br-eth1 goes, as an operator might take it; the port that needs it says so, and comes back with the bridge."""
    network = lab.network("10.7.0.0/24", **vlan())
    machine, watcher = lab.add_vm("hv1", network), lab.add_vm("hv2", network)
    node = lab.node("hv1")
    lab.vsctl("hv1", "del-br", "br-eth1")
    until(lambda: "br-eth1" in (lab.port(machine).get("status_detail") or ""), "the port says what is missing")
    assert lab.port(machine)["status"] == "DOWN"
    with lab.cloud() as cloud:
        (agent,) = cloud.list("agents", host="hv1")
    assert "br-eth1" in str(agent.get("status_detail"))
    words = hypervisor.bridges(node, hypervisor.datapath_type())[1:]
    lab.vsctl("hv1", *words[: words.index("--", words.index("add-port"))])
    until(lambda: lab.port(machine)["status"] == "ACTIVE", "ACTIVE again")
    assert lab.ping(machine, watcher.nic.address)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("h", "--address", "nonsense"), "no address"),
        (("h", "--address", "10.0.0.1/24", "--vlan", "4095"), "range"),
        (("h", "--address", "10.0.0.1/24", "--physnet", "nowhere"), "no physical network 'nowhere'"),
        (("no/name", "--address", "10.0.0.1/24"), "no host name"),
    ],
)
def test_mistakes_with_hosts_are_told_in_a_line(lab: Lab, words: tuple[str, ...], message: str) -> None:
    command = (str(hypervisor.NETWEFT), "lab", "host", "add", *words, "--name", lab.layout.lab)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (1, 2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert "h" not in [found.name for found in host.records(lab.layout).all()]
