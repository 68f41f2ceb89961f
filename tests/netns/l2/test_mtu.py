"""The MTU of VIFs is their network's, whatever they came with: on a fabric that carries large frames."""

import pytest
from tests.netns.harness import Lab, until
from tests.netns.l2 import layer2
from tests.netns.l2.layer2 import NamespaceEnd

from netweft.lab import build, vm
from netweft.lab.commands import ip_batch, run
from netweft.lab.vm import Vm

FABRIC = 9000
SEGMENTS: dict[str, tuple[dict[str, object], int]] = {
    "vxlan": ({"provider:network_type": "vxlan"}, FABRIC - 50),
    "vlan": ({"provider:network_type": "vlan", "provider:physical_network": "physnet1"}, FABRIC),
}


@pytest.fixture(scope="module")
def plan() -> build.Plan:
    return build.Plan(mtu=FABRIC)


def mtu_of(lab: Lab, machine: Vm) -> int:
    """Of its VIF, as the kernel has it."""
    words = run("ip", "-n", lab.node(machine.node).namespace, "-oneline", "link", "show", machine.vif).split()
    return int(words[words.index("mtu") + 1])


def requested(lab: Lab, machine: Vm) -> str:
    return lab.vsctl(machine.node, "get", "Interface", machine.vif, "mtu_request")


@pytest.mark.parametrize("kind", SEGMENTS)
def test_large_packets_reach_a_real_vm(lab: Lab, kind: str) -> None:
    """Its tap came with 1500."""
    provider, mtu = SEGMENTS[kind]
    network = lab.network("10.1.0.0/24", **provider)
    subject, other = lab.add_vm("hv1", network, kind="qemu"), lab.add_vm("hv2", network)
    assert (subject.nic.mtu, mtu_of(lab, subject)) == (mtu, mtu)
    end = NamespaceEnd(lab, lab.layout.vm_namespace(other.name), other.nic.address)
    row = layer2.measure((kind, "qemu", "across"), layer2.vm_end(lab, subject), end, mtu)
    print(f"\n{row}")
    assert row.verdict == "works"
    lab.remove_vm(subject)


def test_it_follows_the_network_and_is_given_back(lab: Lab) -> None:
    small, large = (lab.network(f"10.{number}.0.0/24", mtu=mtu) for number, mtu in ((2, 1280), (3, 8000)))
    beside, machine = lab.add_vm("hv1", small), lab.describe_vm("hv1", large)
    ip_batch((f"tuntap add dev {machine.vif} mode tap",), namespace=lab.node("hv1").namespace)
    vm.plug_in(lab.node("hv1"), machine)
    until(lambda: mtu_of(lab, machine) == 8000, "the network's MTU")
    assert mtu_of(lab, beside) == 1280
    with lab.cloud() as cloud:
        cloud.update("networks", large, {"mtu": 7000})
        until(lambda: mtu_of(lab, machine) == 7000, "the network's new MTU")
        run("ip", "-n", lab.node("hv1").namespace, "link", "set", machine.vif, "mtu", "1300")
        lab.vsctl("hv1", "clear", "Interface", machine.vif, "mtu_request")
        until(lambda: mtu_of(lab, machine) == 7000, "put right after somebody's hand")
        cloud.delete("ports", machine.port_id)
    until(lambda: requested(lab, machine) == "[]", "given back with the port")
    vm.remove(lab.layout, machine)
