"""Metadata on OVN's hosts: our agent beside `ovn-controller` answers, of every network, and knows who asks."""

import subprocess
from typing import Any

import pytest
from tests.netns.harness import Lab, until
from tests.netns.l2.layer2 import provider
from tests.netns.ovn.ovn_networks import PATIENCE, nbctl
from tests.netns.services.test_metadata import HOSTNAME, SERVER, SERVER_6, curl, in_vm, on_link

from netweft.lab import build
from netweft.lab.vm import Vm

pytestmark = pytest.mark.ovs


@pytest.fixture(scope="module")
def plan() -> build.Plan:
    return build.Plan(ovn=True)


@pytest.fixture(scope="module")
def network(lab: Lab) -> str:
    return lab.network("10.60.0.0/24", "fd00:60::/64")


def until_told(lab: Lab, machine: Vm, server: str = SERVER) -> None:
    until(lambda: curl(lab, machine, server=server) == machine.name, f"{machine.name} is told", seconds=PATIENCE)


def test_by_the_route_from_dhcp(lab: Lab, network: str) -> None:
    machine = lab.add_vm("hv1", network)
    until_told(lab, on_link(lab, machine))  # from here on the network has what DHCP tells of
    until_told(lab, machine, SERVER_6)
    late = lab.add_vm("hv1", network, dhcp=True)
    assert f"{SERVER} dev eth0" in in_vm(lab, late, "ip", "route", "get", SERVER)
    until_told(lab, late)
    lab.remove_vm(late)
    lab.remove_vm(machine)


def test_whatever_its_rules_let_out(lab: Lab, network: str) -> None:
    with lab.cloud() as cloud:
        group = cloud.create("security-groups", name="nothing")["id"]
        for rule in cloud.list("security-group-rules", security_group_id=group):
            cloud.delete("security-group-rules", rule["id"])
    machine = lab.add_vm("hv2", network, security_groups=[group])
    until_told(lab, on_link(lab, machine))
    lab.remove_vm(machine)


@pytest.mark.parametrize("server", [SERVER, SERVER_6])
def test_twins_of_two_tenants_are_told_apart(lab: Lab, server: str) -> None:
    """Same address, same MAC, same port of TCP, on one chassis."""
    same: dict[str, Any] = {"fixed_ips": [{"ip_address": "10.64.0.7"}, {"ip_address": "fd00:64::7"}]}
    same["mac_address"] = "fa:16:3e:64:00:07"
    twins = [on_link(lab, lab.add_vm("hv1", lab.network("10.64.0.0/24", "fd00:64::/64"), **same)) for _ in range(2)]
    for one in twins:
        until_told(lab, one, server)
    said = [curl(lab, one, HOSTNAME, "--local-port", "5000", server=server) for one in twins]
    assert said == [one.name for one in twins]
    for one in twins:
        lab.remove_vm(one)


def test_on_a_vlan_network(lab: Lab) -> None:
    machine = on_link(lab, lab.add_vm("hv1", lab.network("10.63.0.0/24", **provider("vlan"))))
    until_told(lab, machine)
    lab.remove_vm(machine)


def test_a_vm_with_anothers_address_gets_not_its_names(lab: Lab, network: str) -> None:
    victim, thief = (on_link(lab, lab.add_vm("hv1", network)) for _ in range(2))
    until_told(lab, victim)
    until_told(lab, thief)
    own, at = lab.port(victim)["fixed_ips"][0]["ip_address"], lab.layout.vm_namespace(thief.name)
    subprocess.run(("ip", "-n", at, "address", "add", f"{own}/32", "dev", "eth0"), check=True)
    said = in_vm(lab, thief, "curl", "-s", "-m", "3", "--interface", own, f"http://{SERVER}{HOSTNAME}")
    assert said in ("", thief.name)
    lab.remove_vm(thief)
    lab.remove_vm(victim)


def test_the_last_vm_takes_its_networks_way_with_it(lab: Lab) -> None:
    alone = lab.network("10.65.0.0/24")
    machine = on_link(lab, lab.add_vm("hv1", alone))
    until_told(lab, machine)
    assert f"ovnmeta-{alone}" in nbctl(lab, "show")
    lab.remove_vm(machine)
    until(lambda: f"ovnmeta-{alone}" not in nbctl(lab, "show"), "OVN has it no longer", seconds=PATIENCE)
