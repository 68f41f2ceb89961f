"""A port's life as the API tells it: bound, plugged in, ACTIVE, DOWN, and why not."""

from collections.abc import Iterator

import pytest
from tests.netns.harness import Lab, until

from netweft.lab import vm
from netweft.lab.cloud import Cloud
from netweft.lab.layout import LabError


@pytest.fixture(scope="module")
def network(lab: Lab) -> Iterator[str]:
    yield lab.network("10.5.5.0/24")


def test_plugged_in_is_active_unplugged_is_down(lab: Lab, network: str) -> None:
    machine = lab.add_vm("hv1", network)
    port = lab.port(machine)
    assert (port["status"], port["binding:vif_type"], port["binding:host_id"]) == ("ACTIVE", "ovs", "hv1")
    vm.remove(lab.layout, machine)
    until(lambda: lab.port(machine)["status"] == "DOWN", "DOWN")


def test_a_port_that_is_bound_to_no_host_is_had_by_plugging_it_in(lab: Lab, network: str) -> None:
    machine = lab.describe_vm("hv2", network)
    vm.add(lab.layout, machine)
    until(lambda: lab.port(machine)["status"] == "ACTIVE", "ACTIVE")
    assert lab.port(machine)["binding:host_id"] == "hv2"
    vm.remove(lab.layout, machine)


def test_on_the_wrong_host_it_is_not_wired_and_says_why(lab: Lab, network: str) -> None:
    machine = lab.describe_vm("hv2", network)
    with Cloud(lab.layout) as cloud:
        cloud.update("ports", machine.port_id, {"binding:host_id": "hv1"})
    vm.add(lab.layout, machine)
    until(lambda: "hv2" in (lab.port(machine).get("status_detail") or ""), "a status detail")
    port = lab.port(machine)
    assert (port["status"], port["binding:host_id"]) == ("DOWN", "hv1")
    vm.remove(lab.layout, machine)


def test_a_port_deleted_under_a_vm_is_cut_off(lab: Lab, network: str) -> None:
    staying, going = lab.add_vm("hv1", network), lab.add_vm("hv2", network)
    assert lab.ping(staying, going.nic.address)
    with Cloud(lab.layout) as cloud:
        cloud.delete("ports", going.port_id)
    until(lambda: not lab.ping(going, staying.nic.address, seconds=1), "no answer any more")
    vm.remove(lab.layout, going)
    lab.remove_vm(staying)
    until(lambda: lab.in_sync("hv2"), "hv2 in sync")


def test_a_vm_whose_port_does_not_get_active_leaves_nothing(
    lab: Lab, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent is away, so nobody wires it."""
    machine = lab.describe_vm("hv1", network)
    monkeypatch.setattr(vm, "ACTIVE_WITHIN", 1.0)
    why = f"port {machine.port_id} is DOWN after 1 s"
    with lab.away("agent", "hv1"), Cloud(lab.layout) as cloud, pytest.raises(LabError, match=why):
        vm.create(cloud, lab.layout, machine)
    assert machine.nic.tap not in lab.vsctl("hv1", "list-ports", "br-int").split()
    assert machine.name not in [other.name for other in vm.records(lab.layout).all()]
