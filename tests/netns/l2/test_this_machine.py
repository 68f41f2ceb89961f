"""A node that is the machine itself, with the system's Open vSwitch at its default paths, and libvirt on it."""

from collections.abc import Iterator

import pytest
from tests.netns.harness import Lab, new_name, until
from tests.netns.l2 import layer2, this_machine
from tests.netns.l2.layer2 import TYPES, Segment, SerialEnd
from tests.waiting import PATIENCE

from netweft.lab import build, fabric
from netweft.lab.commands import run
from netweft.lab.guest import Nic
from netweft.lab.layout import LabError, Layout
from netweft.lab.this_machine import BRIDGES


def links() -> set[str]:
    """Of the machine's own namespace."""
    return {line.split()[1].rstrip(":") for line in run("ip", "-o", "link").splitlines()}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """hv1 is the machine.  In the end it is as it was."""
    if links() & set(BRIDGES):
        pytest.skip("this machine is a hypervisor already")
    before = links()
    with this_machine.system_ovs():
        found = Lab(new_name())
        build.up(found.layout, build.Plan(root_node="hv1"))
        try:
            yield found
        finally:
            build.down(found.layout)
            left = run("ovs-vsctl", "get", "Open_vSwitch", ".", "external_ids", "other_config")
            bridges = run("ovs-vsctl", "list-br").split()
    assert "netweft-lab" not in left
    assert "flow-restore-wait" not in left
    assert not set(bridges) & set(BRIDGES)
    until(lambda: links() <= before, "the machine has no links that it had not")  # another lab's may have gone since


@pytest.fixture(scope="module")
def segments(lab: Lab) -> dict[str, Segment]:
    return {kind: Segment(lab, kind, f"10.{number}.0.0/24") for number, kind in enumerate(TYPES)}


@pytest.mark.parametrize("kind", TYPES)
def test_the_machine_is_a_hypervisor_like_any_other(lab: Lab, segments: dict[str, Segment], kind: str) -> None:
    here = lab.add_vm("hv1", segments[kind].network)
    layer2.document(segments[kind].rows("root", layer2.vm_end(lab, here)))


def test_libvirt_plugs_it_in_and_that_is_all(lab: Lab, segments: dict[str, Segment]) -> None:
    """Nothing else is told: the ports are bound to no host, and libvirt has their ids and their MACs."""
    nics = dict(_port(lab, segment) for segment in segments.values())
    with this_machine.libvirt() as libvirt, libvirt.domain(nics) as commands, lab.cloud() as cloud:
        for number, (segment, port_id) in enumerate(zip(segments.values(), nics, strict=True)):
            cloud.wait_active(port_id, PATIENCE)
            assert cloud.find("ports", port_id)["binding:host_id"] == "hv1"
            end, nic = SerialEnd(commands, nics[port_id].address), f"eth{number}"
            if number:  # the image knows of the first one
                address = f"ip address add {end.address}/24 dev {nic}"
                end.shell(f"ip link set {nic} mtu {segment.mtu} up && {address}")
            layer2.document(segment.rows("libvirt", end))
    with lab.cloud() as cloud:
        until(lambda: {cloud.find("ports", id)["status"] for id in nics} == {"DOWN"}, "DOWN once the domain is gone")


def _port(lab: Lab, segment: Segment) -> tuple[str, Nic]:
    """Its id, and what a VM is to know of it."""
    with lab.cloud() as cloud:
        port = cloud.create("ports", network_id=segment.network)
    address = f"{port['fixed_ips'][0]['ip_address']}/24"
    return port["id"], Nic(tap="", mac=port["mac_address"], mtu=segment.mtu, addresses=(address,))


def test_a_machine_that_is_a_hypervisor_already_is_left_alone(lab: Lab) -> None:
    second = Layout(new_name())
    with pytest.raises(LabError, match="hypervisor already"):
        build.up(second, build.Plan(root_node="hv2"))
    assert not build.exists(second)
    assert lab.agent_alive("hv1")


def test_the_root_node_is_one_of_the_labs(layout: Layout) -> None:
    with pytest.raises(LabError, match="none of this lab's nodes"):
        build.up(layout, build.Plan(nodes=1, root_node="hv2"))
    assert not fabric.namespaces(layout)
