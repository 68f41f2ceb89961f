"""Hosts on routed networks that the database does not know, with real packets: second addresses, VRRP, physical hosts.

hv1 has no port on the networks that they are on, but for the VMs that ask."""

import time
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

import pytest
from tests.netns.harness import Lab, results, until
from tests.netns.l3.test_gateways import pings
from tests.netns.l3.test_routing import VLAN, address, make_router, subnet_of
from tests.netns.outages import OUTAGES

from netweft.dataplane.packets import arp, icmp
from netweft.lab import host
from netweft.lab.commands import run
from netweft.lab.host import Host
from netweft.lab.vm import Vm
from netweft.model.wire_macs import wire_mac
from netweft.services.addresses import octets, text_of_mac

MOST_MS = 2000  # as of gateways (test_failover)
VRRP, VRRP_6 = "10.51.0.77", "fd00:51::77"
PHYSICAL, PHYSICAL_6 = "10.52.0.99", "fd00:52::99"


class Stage(NamedTuple):
    asker: Vm  # hv1, blue
    open: Vm  # hv2, green, no port security
    one: Vm  # hv2, green, may have VRRP's address
    two: Vm  # hv1, green, likewise
    red: Vm  # hv2, red, no port security
    server: Host  # on red's wire
    network: str  # red


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[Stage]:
    lab.let_strangers_in()
    with lab.cloud() as cloud:
        for group in cloud.list("security-groups", name="default"):
            whose = {"security_group_id": group["id"], "direction": "ingress", "ethertype": "IPv6"}
            cloud.create("security-group-rules", **whose)
    blue, green = lab.network("10.50.0.0/24", "fd00:50::/64"), lab.network("10.51.0.0/24", "fd00:51::/64")
    red = lab.network("10.52.0.0/24", "fd00:52::/64", **VLAN)
    with lab.cloud() as cloud:
        tag = cloud.list("networks", id=red)[0]["provider:segmentation_id"]
    make_router(lab, blue, green, red)
    addresses = (f"{PHYSICAL}/24", f"{PHYSICAL_6}/64")
    server = Host(name="server", physical_network="physnet1", vlan=tag, addresses=addresses)
    host.add(lab.layout, server)
    there = lab.layout.host_namespace("server")
    run("ip", "-n", there, "route", "add", "10.50.0.0/24", "via", subnet_of(lab, red)["gateway_ip"])
    run("ip", "-n", there, "route", "add", "fd00:50::/64", "via", subnet_of(lab, red, 6)["gateway_ip"])
    pairs = [{"ip_address": VRRP}, {"ip_address": VRRP_6}]
    made = Stage(
        lab.add_vm("hv1", blue),
        lab.add_vm("hv2", green, port_security_enabled=False, security_groups=[]),
        lab.add_vm("hv2", green, allowed_address_pairs=pairs),
        lab.add_vm("hv1", green, allowed_address_pairs=pairs),
        lab.add_vm("hv2", red, port_security_enabled=False, security_groups=[]),
        server,
        red,
    )
    yield made
    host.remove(lab.layout, server)


def has(lab: Lab, machine: Vm, *addresses: str) -> None:
    for one in addresses:
        more = ("nodad",) if ":" in one else ()
        run("ip", "-n", lab.layout.vm_namespace(machine.name), "address", "add", one, "dev", "eth0", *more)


@pytest.mark.parametrize("to", ["10.51.0.201", "fd00:51::201"])
def test_the_first_packets_to_a_second_address_are_not_lost(lab: Lab, stage: Stage, to: str) -> None:
    has(lab, stage.open, f"{to}/{64 if ':' in to else 24}")
    with lab.inside(stage.asker, "echo", to, "3", "0.001", "100") as ping:
        assert ping.result()["lost"] == 0


@pytest.mark.parametrize("to", ["10.52.0.201", "fd00:52::201"])
def test_nor_to_one_on_another_nodes_wire(lab: Lab, stage: Stage, to: str) -> None:
    has(lab, stage.red, f"{to}/{64 if ':' in to else 24}")
    with lab.inside(stage.asker, "echo", to, "3", "0.001", "100") as ping:
        assert ping.result()["lost"] == 0


@pytest.mark.parametrize("to", [PHYSICAL, PHYSICAL_6])
def test_nor_to_a_physical_host(lab: Lab, stage: Stage, to: str) -> None:
    with lab.inside(stage.asker, "echo", to, "3", "0.001", "100") as ping:
        assert ping.result()["lost"] == 0


@pytest.mark.parametrize("to", [VRRP, VRRP_6])
def test_an_address_with_a_mac_of_each_holders_is_followed(lab: Lab, stage: Stage, to: str) -> None:
    """By what the new one announces, there and back: lost is no more than while nobody had it."""
    length = 64 if ":" in to else 24
    has(lab, stage.one, f"{to}/{length}")
    assert lab.ping(stage.asker, to)
    for frm, new in ((stage.one, stage.two), (stage.two, stage.one)):
        with lab.inside(stage.asker, "ping", to) as ping:
            time.sleep(0.3)
            start = time.monotonic()
            run("ip", "-n", lab.layout.vm_namespace(frm.name), "address", "del", f"{to}/{length}", "dev", "eth0")
            has(lab, new, f"{to}/{length}")
            lab.send_frames(new, announcement(new, to))
            away = (time.monotonic() - start) * 1000
            time.sleep(0.5)
            ping.stop()
            result = ping.result()
        assert result["lost_span_ms"] <= away + 100, result


def announcement(machine: Vm, to: str) -> bytes:
    own = octets(machine.nic.mac)
    if ":" in to:
        return icmp.announcement(own, IPv6Address(to))
    return arp.request(own, IPv4Address(to), IPv4Address(to))


@pytest.mark.parametrize("version", [4, 6])
def test_a_physical_host_goes_first(lab: Lab, stage: Stage, version: int) -> None:
    """It knows nobody yet: the router is its gateway, and pings, also into the overlay of either node."""
    there = lab.layout.host_namespace("server")
    run("ip", "-n", there, "neighbour", "flush", "dev", "eth0")
    for to in (subnet_of(lab, stage.network, version)["gateway_ip"], address(stage.asker, version)):
        assert pings(there, to)


def test_exactly_one_node_answers_it(lab: Lab, stage: Stage) -> None:
    """By a MAC that is not the router's."""
    there = lab.layout.host_namespace("server")
    run("ip", "-n", there, "neighbour", "flush", "dev", "eth0")
    with lab.inside_namespace(there, "capture") as capture:
        assert pings(there, subnet_of(lab, stage.network)["gateway_ip"])
        time.sleep(0.3)
        capture.stop()
        heard = [arp.reply(bytes.fromhex(line)) for line in capture.finish()]
    claims = {one.mac for one in heard if one and str(one.address) == subnet_of(lab, stage.network)["gateway_ip"]}
    assert len(claims) == 1
    with lab.cloud() as cloud:
        own = [octets(one["mac_address"]) for one in cloud.list("ports", network_id=stage.network)]
    assert claims.isdisjoint(own)


def test_a_dead_node_that_answers_it_is_replaced_at_once(lab: Lab, stage: Stage) -> None:
    """By the node with the VM that it sends to, which announces itself; nothing is lost when the first is back."""
    there, own = lab.layout.host_namespace("server"), subnet_of(lab, stage.network)["gateway_ip"]
    with lab.cloud() as cloud:
        found = cloud.list("ports", network_id=stage.network, device_owner="network:router_interface")
    (port,) = [one for one in found if any(fixed["ip_address"] == own for fixed in one["fixed_ips"])]
    macs = {text_of_mac(wire_mac(node, port["id"])): node for node in ("hv1", "hv2")}
    run("ip", "-n", there, "route", "replace", "10.51.0.0/24", "via", own)
    until(lambda: answering(lab, macs, own), "one of them answers")
    first = answering(lab, macs, own)
    target = stage.two if first == "hv2" else stage.one
    until(lambda: pings(there, address(target), seconds=1), "it is reached")
    time.sleep(4)  # the sessions between them are up
    with OUTAGES["killed"](lab, first), lab.inside_namespace(there, "ping", address(target)) as running:
        time.sleep(3)
        (lost,) = results([running])
        print(lost)
        assert lost["lost_span_ms"] <= MOST_MS, "it was 75 s"
        assert answering(lab, macs, own) not in ("", first)
    with lab.inside_namespace(there, "ping", address(target)) as running:
        time.sleep(5)
        (lost,) = results([running])
    assert lost["lost"] == 0
    assert answering(lab, macs, own) != first


def answering(lab: Lab, macs: dict[str, str], own: str) -> str:
    """The node whose MAC the physical host has heard, asked anew."""
    there = lab.layout.host_namespace("server")
    run("ip", "-n", there, "neighbour", "flush", "dev", "eth0")
    pings(there, own, seconds=1)
    told = run("ip", "-n", there, "neighbour", "show", own).split()
    return macs.get(told[told.index("lladdr") + 1], "") if "lladdr" in told else ""
