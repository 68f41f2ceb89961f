"""A node that is the machine itself, with the system's Open vSwitch at its default paths, and libvirt on it."""

from collections.abc import Iterator

import pytest
from tests.netns import layer2, this_machine
from tests.netns.harness import Lab, new_name, until
from tests.netns.layer2 import ACROSS, SAME, WAYS, NamespaceEnd, SerialEnd

from netweft.lab import build, fabric
from netweft.lab.commands import run
from netweft.lab.guest import Nic
from netweft.lab.layout import LabError, Layout
from netweft.lab.this_machine import BRIDGES

SEGMENTS: dict[str, dict[str, object]] = {
    "vxlan": {"provider:network_type": "vxlan"},
    "vlan": {"provider:network_type": "vlan", "provider:physical_network": "physnet1"},
}


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
    until(lambda: links() == before, "the machine has the links it had")


@pytest.mark.parametrize("kind", SEGMENTS)
def test_the_machine_is_a_hypervisor_like_any_other(lab: Lab, kind: str) -> None:
    network = lab.network("10.1.0.0/24", **SEGMENTS[kind])
    here, beside, there = (lab.add_vm(node, network) for node in ("hv1", "hv1", "hv2"))
    rows = []
    for where, other in ((SAME, beside), (ACROSS, there)):
        end = NamespaceEnd(lab, lab.layout.vm_namespace(other.name), other.nic.address)
        rows.append(layer2.measure((kind, WAYS["root"], where), layer2.vm_end(lab, here), end, here.nic.mtu))
    layer2.document(rows)


@pytest.mark.parametrize("kind", SEGMENTS)
def test_libvirt_plugs_it_in_and_that_is_all(lab: Lab, kind: str) -> None:
    """Nothing else is told: the port is bound to no host, and libvirt has its id and its MAC."""
    network = lab.network("10.2.0.0/24", **SEGMENTS[kind])
    same, across = lab.add_vm("hv1", network), lab.add_vm("hv2", network)
    with lab.cloud() as cloud:
        port = cloud.create("ports", network_id=network)
    address, mtu = port["fixed_ips"][0]["ip_address"], same.nic.mtu
    nic = Nic(tap="", mac=port["mac_address"], mtu=mtu, addresses=(f"{address}/24",))
    with this_machine.libvirt() as libvirt, libvirt.domain(port["id"], nic) as commands:
        with lab.cloud() as cloud:
            cloud.wait_active(port["id"], 20)
            assert cloud.find("ports", port["id"])["binding:host_id"] == "hv1"
        rows = []
        for where, other in ((SAME, same), (ACROSS, across)):
            end = NamespaceEnd(lab, lab.layout.vm_namespace(other.name), other.nic.address)
            rows.append(layer2.measure((kind, WAYS["libvirt"], where), SerialEnd(commands, address), end, mtu))
        layer2.document(rows)
    with lab.cloud() as cloud:
        until(lambda: cloud.find("ports", port["id"])["status"] == "DOWN", "DOWN once the domain is gone")


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
