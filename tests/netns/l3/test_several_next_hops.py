"""A destination by several next hops (ECMP), outside and on a tenant's network, with real packets: flows are spread,
who dies is left out."""

import subprocess
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from tests.netns.harness import Lab, until
from tests.netns.l3.test_routing import make_router
from tests.netns.outside import OUTSIDE, external_network, next_hop

from netweft.lab import host
from netweft.lab.commands import in_namespace, run, vsctl
from netweft.lab.host import Host
from netweft.lab.vm import Vm

HOPS = {4: ("203.0.113.2", "203.0.113.3"), 6: ("2001:db8::ff02", "2001:db8::ff03")}
BEHIND = {4: "198.51.100.", 6: "2001:db8:ffff::"}  # both lead to hosts there
BEHIND_VMS = {4: "198.51.101.", 6: "2001:db8:fffe::"}
TARGETS = range(1, 33)
COUNTERS = {4: ("snmp", "InEchos"), 6: ("snmp6", "Icmp6InEchos")}
LEFT_OUT = 10.0  # seconds, generously: it is 2


class Stage(NamedTuple):
    vms: tuple[Vm, Vm]
    hops: tuple[Host, Host]
    router: str


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[Stage]:
    blue, external, first = lab.network("10.44.0.0/24", "fd00:44::/64"), external_network(lab), next_hop(lab)
    hosts = [first]
    for number, addresses in enumerate(zip(HOPS[4], HOPS[6], strict=True)):
        masked = (f"{addresses[0]}/24", f"{addresses[1]}/64")
        hosts.append(Host(name=f"hop{number}", physical_network="public", vlan=0, addresses=masked))
        host.add(lab.layout, hosts[-1])
        there = lab.layout.host_namespace(hosts[-1].name)
        run("ip", "-n", there, "link", "set", "lo", "up")
        for behind in (f"{BEHIND[4]}0/24", f"{BEHIND[6]}/64"):
            run("ip", "-n", there, "route", "add", "local", behind, "dev", "lo")
    with lab.cloud() as cloud:
        cloud.create(
            "subnets", network_id=external, cidr="2001:db8::/64", ip_version=6, gateway_ip="2001:db8::1",
            enable_dhcp=False,
        )  # fmt: skip
        router = make_router(lab, blue, external_gateway_info={"network_id": external})
        routes = [
            {"destination": f"{BEHIND[4]}0/24" if version == 4 else f"{BEHIND[6]}/64", "nexthop": hop}
            for version, hops in HOPS.items()
            for hop in hops
        ]
        cloud.update("routers", router["id"], {"routes": routes})
        port = cloud.list("ports", device_id=router["id"], device_owner="network:router_gateway")[0]
    own = next(fixed["ip_address"] for fixed in port["fixed_ips"] if ":" in fixed["ip_address"])
    for one in hosts[1:]:
        run("ip", "-n", lab.layout.host_namespace(one.name), "route", "add", "fd00:44::/64", "via", own)
    yield Stage((lab.add_vm("hv1", blue), lab.add_vm("hv2", blue)), (hosts[1], hosts[2]), router["id"])
    for one in hosts:
        host.remove(lab.layout, one)


def asked(namespace: str, version: int) -> int:
    """Pings that have come there."""
    file, name = COUNTERS[version]
    said = subprocess.check_output(in_namespace(namespace, "cat", f"/proc/net/{file}"), text=True).split()
    if version == 6:
        return int(said[said.index(name) + 1])
    names = said.index("Icmp:")
    values = said.index("Icmp:", names + 1)
    return int(said[values + said.index(name) - names])


def reached(lab: Lab, frm: Vm, version: int, targets: list[int]) -> list[int]:
    """Those that answer one ping."""
    one = f"ping -n -q -c 1 -W 3 {BEHIND[version]}$i >/dev/null && echo $i &"
    script = f"for i in {' '.join(map(str, targets))}; do {one} done; wait"
    command = in_namespace(lab.layout.vm_namespace(frm.name), "sh", "-c", script)
    return sorted(map(int, subprocess.check_output(command, text=True).split()))


def reached_by(lab: Lab, stage: Stage, frm: Vm, version: int, targets: list[int]) -> list[int]:
    """How many of them each of the two gets."""
    namespaces = [lab.layout.host_namespace(one.name) for one in stage.hops]
    before = [asked(one, version) for one in namespaces]
    assert reached(lab, frm, version, targets) == targets
    return [asked(one, version) - was for one, was in zip(namespaces, before, strict=True)]


def at(lab: Lab, stage: Stage, frm: Vm, version: int) -> dict[int, int]:
    """Target -> which of the two gets it; all answer."""
    found = {}
    for target in TARGETS:
        found[target] = reached_by(lab, stage, frm, version, [target]).index(1)
    return found


@pytest.mark.parametrize("version", [4, 6])
def test_flows_are_spread_and_who_dies_is_left_out(lab: Lab, stage: Stage, version: int) -> None:
    """From either node alike.  The others' flows stay where they are, also when he is back."""
    frm, other = stage.vms
    every = list(TARGETS)
    assert lab.ping(frm, OUTSIDE)
    until(lambda: reached(lab, frm, version, every) == every, "both next hops lead there")
    both = at(lab, stage, frm, version)
    assert set(both.values()) == {0, 1}
    spread = reached_by(lab, stage, other, version, every)
    assert sum(spread) == len(every)
    assert min(spread) > 0
    vsctl(lab.layout.fabric, "set", "port", f"h-{stage.hops[1].name}", "tag=4000")
    try:
        until(lambda: reached(lab, frm, version, every) == every, "who is dead is left out", LEFT_OUT)
        assert reached_by(lab, stage, other, version, every)[0] == len(every)
    finally:
        vsctl(lab.layout.fabric, "set", "port", f"h-{stage.hops[1].name}", "tag=0")
    until(lambda: min(reached_by(lab, stage, frm, version, every)) > 0, "he is back", 4 * LEFT_OUT)
    until(lambda: at(lab, stage, frm, version) == both, "each has what it had", LEFT_OUT)  # which takes long to see


@pytest.fixture(scope="module")
def inside(lab: Lab, stage: Stage) -> tuple[Vm, Vm]:
    """On another network of the router's, on each node one: what is for hosts behind them is for them."""
    green = lab.network("10.45.0.0/24", "fd00:45::/64")
    vms = lab.add_vm("hv1", green), lab.add_vm("hv2", green)
    with lab.cloud() as cloud:
        for subnet in cloud.list("subnets", network_id=green):
            cloud.act("routers", stage.router, "add_router_interface", {"subnet_id": subnet["id"]})
        routes = cloud.find("routers", stage.router)["routes"]
        for one in vms:
            there = lab.layout.vm_namespace(one.name)
            run("ip", "-n", there, "link", "set", "lo", "up")
            for fixed in cloud.find("ports", one.port_id)["fixed_ips"]:
                version = 6 if ":" in fixed["ip_address"] else 4
                behind = f"{BEHIND_VMS[version]}{'0/24' if version == 4 else '/64'}"
                routes.append({"destination": behind, "nexthop": fixed["ip_address"]})
                run("ip", "-n", there, "route", "add", "local", behind, "dev", "lo")
        cloud.update("routers", stage.router, {"routes": routes})
    return vms


def heard(lab: Lab, frm: Vm, vms: tuple[Vm, Vm], version: int) -> list[bool]:
    """Whether each gets some of what is sent there; nobody may answer with such an address."""
    namespaces = [lab.layout.vm_namespace(one.name) for one in vms]
    before = [asked(one, version) for one in namespaces]
    one = f"ping -n -q -c 1 -W 1 {BEHIND_VMS[version]}$i >/dev/null &"
    script = f"for i in {' '.join(map(str, TARGETS))}; do {one} done; wait"
    subprocess.run(in_namespace(lab.layout.vm_namespace(frm.name), "sh", "-c", script), check=True)
    return [asked(one, version) > was for one, was in zip(namespaces, before, strict=True)]


def test_a_vm_that_does_not_answer_is_left_out(lab: Lab, stage: Stage, inside: tuple[Vm, Vm]) -> None:
    """By nodes with and without it; nothing is said of its port, which is plugged in."""
    for version in (4, 6):
        for frm in stage.vms:
            until(lambda: heard(lab, frm, inside, version) == [True, True], "both get some")  # noqa: B023
    there = lab.layout.vm_namespace(inside[1].name)
    listed = subprocess.check_output(["ip", "-n", there, "-o", "address", "show", "dev", "eth0"], text=True)
    addresses = [line.split()[3] for line in listed.splitlines()]
    lab.silence(inside[1])
    for version in (4, 6):
        for frm in stage.vms:
            until(lambda: heard(lab, frm, inside, version) == [True, False], "who is dead is left out", LEFT_OUT)  # noqa: B023
    for address in addresses:
        run("ip", "-n", there, "address", "add", address, "dev", "eth0", *(["nodad"] if ":" in address else []))
    for version in (4, 6):
        for frm in stage.vms:
            until(lambda: heard(lab, frm, inside, version) == [True, True], "he is back", LEFT_OUT)  # noqa: B023
