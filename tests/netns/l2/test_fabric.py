"""The physical network: plain hosts on it, tagged and untagged; and what an operator can get wrong."""

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from tests.netns.frames import fence, udp4
from tests.netns.harness import Lab, until

from netweft.lab import host, hypervisor
from netweft.lab.commands import in_namespace, run
from netweft.lab.host import Host
from netweft.lab.layout import LabError
from netweft.lab.vm import Vm

ADMIN_CIDR = "10.4.0.0/24"
VIRTUAL, ABSENT = "00:00:5e:00:01:07", "52:54:00:00:00:77"
OPEN: dict[str, Any] = {"port_security_enabled": False, "security_groups": []}
FLAT: dict[str, object] = {"provider:network_type": "flat", "provider:physical_network": "physnet1"}


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


@pytest.fixture(scope="module")
def open_group(lab: Lab) -> str:
    with lab.cloud() as cloud:
        group = str(cloud.create("security_groups", name="open")["id"])
        cloud.create("security_group_rules", security_group_id=group, direction="ingress")
    return group


def heard(lab: Lab, listener: Vm, sender: Vm, frame: bytes) -> bool:
    """Before another frame that is for the listener."""
    last = fence(sender.nic, listener.nic)
    with lab.inside(listener, "capture") as capture:
        lab.send_frames(sender, frame, last)
        return frame in capture.frames_until(last)


@pytest.mark.parametrize("attributes", [vlan(160), FLAT, {}], ids=["vlan", "flat", "vxlan"])
def test_a_vms_frames_to_the_outside_are_no_neighbours(
    lab: Lab, open_group: str, attributes: dict[str, object]
) -> None:
    """Nor are others that nobody knows: only who may have that MAC gets them.  That is any without port security, and
    those whose address pair says so."""
    network = lab.network("10.8.0.0/24", **attributes)
    pair = [{"ip_address": "10.8.0.251", "mac_address": VIRTUAL}]
    guarded: dict[str, Any] = {"security_groups": [open_group]}
    kinds = {"guarded": guarded, "free": OPEN, "cluster": {**guarded, "allowed_address_pairs": pair}}
    sender = lab.add_vm("hv1", network)
    listeners = {
        (name, node): lab.add_vm(node, network, **kind) for node in ("hv1", "hv2") for name, kind in kinds.items()
    }
    for machine in listeners.values():
        lab.meet(sender, machine)
    for to, getting in ((ABSENT, {"free"}), (VIRTUAL, {"free", "cluster"})):
        frame = udp4((sender.nic.mac, to), (sender.nic.address, "10.8.0.251"), to.encode())
        got = {place for place, machine in listeners.items() if heard(lab, machine, sender, frame)}
        assert got == {(name, node) for name in getting for node in ("hv1", "hv2")}
    if attributes:
        _to_the_gateway_alone(lab, attributes, sender, listeners["guarded", "hv1"])
    for machine in (sender, *listeners.values()):
        lab.remove_vm(machine)


def _to_the_gateway_alone(lab: Lab, attributes: dict[str, object], sender: Vm, neighbour: Vm) -> None:
    """What a VM says to a machine of the outside, and what that says to a VM that is there no more."""
    wire, tag = str(attributes["provider:physical_network"]), int(str(attributes.get("provider:segmentation_id", 0)))
    gateway = Host(name="gateway", physical_network=wire, vlan=tag, addresses=("10.8.0.250/24",))
    host.add(lab.layout, gateway)
    beyond = lab.layout.host_namespace(gateway.name)
    mac = run(*in_namespace(beyond, "cat", "/sys/class/net/eth0/address")).strip()
    frame = udp4((sender.nic.mac, mac), (sender.nic.address, "10.8.0.250"), b"not for neighbours")
    with lab.inside_namespace(beyond, "capture") as capture:
        assert not heard(lab, neighbour, sender, frame)
        capture.frames_until(frame)
    back = udp4((mac, ABSENT), ("10.8.0.250", neighbour.nic.address), b"who is gone")
    last = udp4((mac, neighbour.nic.mac), ("10.8.0.250", neighbour.nic.address), b"who is there")
    with lab.inside(neighbour, "capture") as capture, lab.inside_namespace(beyond, "repeat", back.hex(), last.hex()):
        assert back not in capture.frames_until(last)
    host.remove(lab.layout, gateway)


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
def test_mistakes_with_hosts_are_one_line(lab: Lab, words: tuple[str, ...], message: str) -> None:
    command = (str(hypervisor.NETWEFT), "lab", "host", "add", *words, "--name", lab.layout.lab)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (1, 2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert "h" not in [found.name for found in host.records(lab.layout).all()]
