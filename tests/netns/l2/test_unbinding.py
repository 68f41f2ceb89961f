"""A port is unbound while its VM is plugged in, as Nova does when it shelves: nobody takes it back."""

from collections.abc import Iterator

import pytest
from tests.netns.harness import Lab, until

from netweft.lab import build, vm
from netweft.lab.cloud import Cloud
from netweft.lab.vm import Vm


@pytest.fixture(scope="module")
def nodes() -> int:
    return 1


@pytest.fixture
def machine(lab: Lab) -> Iterator[Vm]:
    found = lab.add_vm("hv1", lab.network("10.9.9.0/24"))
    yield found
    lab.remove_vm(found)


def host(lab: Lab, machine: Vm) -> str:
    return str(lab.port(machine)["binding:host_id"])


def denied(lab: Lab) -> bool:
    """The node has asked for it, and heard that it may not."""
    return any("while it was plugged in" in line for line in lab.show("hv1"))


def unbind(cloud: Cloud, machine: Vm) -> None:
    cloud.update("ports", machine.port_id, {"binding:host_id": None, "device_id": "", "device_owner": ""})


def test_it_stays_unbound_until_it_is_plugged_in_again(lab: Lab, machine: Vm) -> None:
    with lab.cloud() as cloud:
        unbind(cloud, machine)
    until(lambda: denied(lab), "the node was told no")
    assert host(lab, machine) == ""
    lab.kill("agent", "hv1")
    until(lambda: denied(lab), "its next agent was told no")
    assert host(lab, machine) == ""
    lab.kill("server")
    until(lambda: build.server_answers(lab.layout), "the server answers")
    until(lambda: denied(lab), "the next server says no")
    assert host(lab, machine) == ""
    vm.remove(lab.layout, machine)
    until(lambda: not denied(lab), "the node has seen that it is unplugged")
    vm.add(lab.layout, machine)
    until(lambda: host(lab, machine) == "hv1", "plugged in anew it is claimed")


def test_so_shelved_it_can_go_elsewhere_and_come_back(lab: Lab, machine: Vm) -> None:
    """Unbound and unplugged at once, a few times: what of it is first does not matter."""
    for _ in range(4):
        with lab.cloud() as cloud:
            unbind(cloud, machine)
        vm.remove(lab.layout, machine)
        until(lambda: lab.in_sync("hv1"), "in sync")
        assert host(lab, machine) == ""
        vm.add(lab.layout, machine)
        until(lambda: host(lab, machine) == "hv1", "it is claimed")


def test_unbound_while_it_is_not_plugged_in_it_is_claimed_by_who_plugs_it_in(lab: Lab, machine: Vm) -> None:
    vm.remove(lab.layout, machine)
    until(lambda: lab.port(machine)["status"] == "DOWN", "it is down")
    with lab.cloud() as cloud:
        unbind(cloud, machine)
    vm.add(lab.layout, machine)
    until(lambda: host(lab, machine) == "hv1", "it is claimed")
