"""Out of the cloud and into it: SNAT by a router's gateway, from each hypervisor, to a host on the external network."""

import subprocess
from collections.abc import Iterator
from functools import partial
from ipaddress import IPv4Address
from typing import Any, NamedTuple

import pytest
from tests.netns import frames
from tests.netns.harness import ON_OVN, Lab, needs_our_agent, on_the_kernels_datapath, until
from tests.netns.l3.test_routing import address, make_router, subnet_of
from tests.netns.outside import OUTSIDE, external_network, next_hop
from tests.netns.sessions import again_if_disturbed, undisturbed

from netweft.lab import host
from netweft.lab.commands import in_namespace, run
from netweft.lab.host import Host
from netweft.lab.vm import Vm

BEHIND = "198.51.100.7"  # a host that the next hop outside leads to


OUTSIDE_6, BEHIND_6 = "2001:db8::1", "2001:db8:ffff::7"


class Stage(NamedTuple):
    router: dict[str, Any]
    external: str
    one: Vm
    two: Vm
    red: Vm
    outside: Host


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[Stage]:
    blue, red = lab.network("10.40.0.0/24", "fd00:40::/64"), lab.network("10.41.0.0/24")
    external, outside = external_network(lab), next_hop(lab, f"{OUTSIDE_6}/64")
    with lab.cloud() as cloud:
        cloud.create(
            "subnets", network_id=external, cidr="2001:db8::/64", ip_version=6, gateway_ip=OUTSIDE_6,
            enable_dhcp=False,
        )  # fmt: skip
    for behind in (f"{BEHIND}/32", f"{BEHIND_6}/128"):
        run("ip", "-n", lab.layout.host_namespace("outside"), "address", "add", behind, "dev", "lo")
    run("ip", "-n", lab.layout.host_namespace("outside"), "link", "set", "lo", "up")
    router = make_router(lab, blue, red, external_gateway_info={"network_id": external})
    yield Stage(router, external, lab.add_vm("hv1", blue), lab.add_vm("hv2", blue), lab.add_vm("hv2", red), outside)
    host.remove(lab.layout, outside)


def gateway_port(lab: Lab, stage: Stage) -> dict[str, Any]:
    with lab.cloud() as cloud:
        found = cloud.list("ports", device_id=stage.router["id"], device_owner="network:router_gateway")
    return found[0]


def own_address(lab: Lab, stage: Stage) -> str:
    return str(next(f["ip_address"] for f in gateway_port(lab, stage)["fixed_ips"] if "." in f["ip_address"]))


@pytest.mark.parametrize("to", [OUTSIDE, BEHIND])
@pytest.mark.parametrize("frm", ["one", "two", "red"])
def test_out_and_back(lab: Lab, stage: Stage, frm: str, to: str) -> None:
    assert lab.ping(getattr(stage, frm), to)


def test_its_port_says_where_it_is(lab: Lab, stage: Stage) -> None:
    port = gateway_port(lab, stage)
    assert port["binding:host_id"] in ("hv1", "hv2")
    assert port["status"] == "ACTIVE"


@pytest.mark.parametrize("frm", ["one", "two"])
def test_tcp_goes_out(lab: Lab, stage: Stage, frm: str) -> None:
    there = lab.layout.host_namespace("outside")
    feed = ("feed", BEHIND, "5001", str(2 * 2**20))
    with lab.inside_namespace(there, "serve", "5001") as server, lab.inside(getattr(stage, frm), *feed) as client:
        assert client.finish()[0].split()[0] == server.finish()[0]


def test_nobody_comes_in_unasked(lab: Lab, stage: Stage) -> None:
    """Not by the VM's own address either, with a route to it."""
    there = lab.layout.host_namespace("outside")
    own = own_address(lab, stage)
    run("ip", "-n", there, "route", "replace", "10.40.0.0/24", "via", own)
    assert not pings(there, address(stage.one), seconds=1)
    assert pings(there, own), "but the gateway itself answers"


@pytest.mark.parametrize("node", ["hv1", "hv2"])
def test_no_vm_outside_says_that_it_has_its_address(lab: Lab, stage: Stage, node: str) -> None:
    """Nor a floating IP's, without port security: the wire hears nothing of it."""
    vm = lab.add_vm(node, stage.external, port_security_enabled=False, security_groups=[])
    with lab.cloud() as cloud:
        floating = cloud.create("floatingips", floating_network_id=stage.external, port_id=stage.two.port_id)
    taken = (own_address(lab, stage), floating["floating_ip_address"])
    mine, *claims, last = (
        frames.arp((vm.nic.mac, frames.BROADCAST), 1, (vm.nic.mac, said), (frames.NOBODY, said))
        for said in ("203.0.113.77", *taken, "203.0.113.78")
    )
    flows = partial(lab.flows, node, "br-int")
    if not ON_OVN:
        until(lambda: all(any(f"arp_spa={one} " in flow for flow in flows()) for one in taken), "it knows of both")
    with lab.inside_namespace(lab.layout.host_namespace("outside"), "capture") as capture:
        lab.send_frames(vm, mine, *claims, last)
        heard = capture.frames_until(last)
    lab.remove_vm(vm)
    with lab.cloud() as cloud:
        cloud.delete("floatingips", floating["id"])
    assert mine in heard and not [one for one in claims if one in heard]


def pings(namespace: str, to: str, *, seconds: float = 30, size: int = 56) -> bool:
    command = ("ping", "-n", "-c", "1", "-i", "0.1", "-s", str(size), "-w", f"{seconds:.0f}", to)
    return subprocess.run(in_namespace(namespace, *command), capture_output=True, check=False).returncode == 0


def test_the_first_packets_wait_for_the_next_hop(lab: Lab, stage: Stage) -> None:
    """Nobody has asked for it yet: none of the first three is lost."""
    new = "203.0.113.77"
    run("ip", "-n", lab.layout.host_namespace("outside"), "address", "add", f"{new}/24", "dev", "eth0")
    with lab.inside(stage.two, "echo", new, "3", "0.001", "100") as ping:
        assert ping.result()["lost"] == 0


def test_traceroute_shows_the_router(lab: Lab, stage: Stage) -> None:
    gateway = subnet_of(lab, lab.port(stage.two)["network_id"])["gateway_ip"]
    command = ("ping", "-n", "-c", "1", "-t", "1", "-W", "5", BEHIND)
    done = subprocess.run(
        in_namespace(lab.layout.vm_namespace(stage.two.name), *command), capture_output=True, text=True, check=False
    )
    assert f"From {gateway}" in done.stdout


def test_ipv6_is_routed(lab: Lab, stage: Stage) -> None:
    """Out, and in as far as the VM's groups let it."""
    own = next(f["ip_address"] for f in gateway_port(lab, stage)["fixed_ips"] if ":" in f["ip_address"])
    there = lab.layout.host_namespace("outside")
    run("ip", "-n", there, "route", "replace", "fd00:40::/64", "via", own)
    for frm in (stage.one, stage.two):
        assert lab.ping(frm, OUTSIDE_6)
        assert lab.ping(frm, BEHIND_6)
        assert not pings(there, address(frm, 6), seconds=1)
    assert pings(there, own)


def test_a_floating_ip_leads_in_and_out(lab: Lab, stage: Stage) -> None:
    """From outside, from inside, and by itself; the fixed address keeps working; it goes from one VM to another."""
    there = lab.layout.host_namespace("outside")
    with lab.cloud() as cloud:
        for group in cloud.list("security-groups", name="default"):
            cloud.create("security-group-rules", security_group_id=group["id"], direction="ingress", protocol="icmp")
        made = cloud.create("floatingips", floating_network_id=stage.external, port_id=stage.two.port_id)
        assert made["status"] == "ACTIVE"
        floating = made["floating_ip_address"]
    until(lambda: pings(there, floating, seconds=1), "it is reached from outside")
    for frm in (stage.one, stage.two, stage.red):
        assert lab.ping(frm, floating)
    assert lab.ping(stage.one, address(stage.two))
    assert seen_as(lab, stage.two) == floating
    assert seen_as(lab, stage.one) != floating
    with lab.cloud() as cloud:
        cloud.update("floatingips", made["id"], {"port_id": stage.red.port_id})
    until(lambda: seen_as(lab, stage.red) == floating, "it has gone to the other VM")
    until(lambda: seen_as(lab, stage.two) != floating, "its node has heard of it, too")
    assert pings(there, floating)
    with lab.cloud() as cloud:
        cloud.delete("floatingips", made["id"])
    until(lambda: not pings(there, floating, seconds=1), "it is gone")


def seen_as(lab: Lab, frm: Vm) -> str:
    """The source address of what this VM sends, as the host outside sees it."""
    there = lab.layout.host_namespace("outside")
    with lab.inside_namespace(there, "capture") as capture:
        lab.ping(frm, BEHIND)
        while True:
            frame = bytes.fromhex(capture.line())
            asks = frame[12:14] == b"\x08\x00" and frame[23] == 1 and frame[34] == 8
            if asks and frame[30:34] == IPv4Address(BEHIND).packed:
                return str(IPv4Address(frame[26:30]))


@needs_our_agent
def test_an_agent_that_is_killed_loses_nothing(lab: Lab, stage: Stage) -> None:
    """On the node with the gateway, with what was translated."""
    again_if_disturbed(lambda: _killed(lab, stage))


def _killed(lab: Lab, stage: Stage) -> None:
    node = gateway_port(lab, stage)["binding:host_id"]
    assert lab.ping(stage.two, BEHIND)
    with undisturbed(lab), lab.inside(stage.two, "ping", BEHIND) as ping:
        lab.kill("agent", node)
        until(lambda: lab.in_sync(node), "the agent is back")
        ping.stop()
        result = ping.result()
        assert result["lost"] == 0, result


@needs_our_agent
@pytest.mark.skipif(on_the_kernels_datapath(), reason="it cannot write the answer: the agent says it (0435)")
def test_who_looks_for_a_routers_ipv6_address_needs_no_agent(lab: Lab, stage: Stage) -> None:
    """From outside the gateway's, from a VM the interface's: both by who has forgotten it."""
    there, own = lab.layout.host_namespace("outside"), gateway_port(lab, stage)["fixed_ips"]
    gateway = next(fixed["ip_address"] for fixed in own if ":" in fixed["ip_address"])
    inside = lab.layout.vm_namespace(stage.one.name)
    until(lambda: pings(inside, "fd00:40::1", seconds=1) and pings(there, gateway, seconds=1), "both are reached")
    with lab.away("agent", "hv1"), lab.away("agent", "hv2"):
        for frm, to in ((there, gateway), (inside, "fd00:40::1")):
            run("ip", "-n", frm, "neighbour", "flush", "dev", "eth0")
            assert pings(frm, to), f"{to} is found"
    until(lambda: all(lab.in_sync(node) for node in ("hv1", "hv2")), "the agents are back")


def test_without_snat_the_vm_is_seen_as_it_is(lab: Lab, stage: Stage) -> None:
    there = lab.layout.host_namespace("outside")
    own = own_address(lab, stage)
    run("ip", "-n", there, "route", "replace", "10.41.0.0/24", "via", own)
    with lab.cloud() as cloud:
        info = {"network_id": stage.external, "enable_snat": False}
        cloud.update("routers", stage.router["id"], {"external_gateway_info": info})
    until(lambda: lab.ping(stage.red, BEHIND, seconds=1), "the answer finds the VM")
    with lab.cloud() as cloud:
        cloud.update("routers", stage.router["id"], {"external_gateway_info": info | {"enable_snat": True}})
    until(lambda: lab.ping(stage.red, BEHIND, seconds=1), "with SNAT again")


def test_a_gateway_that_is_taken_away(lab: Lab, stage: Stage) -> None:
    with lab.cloud() as cloud:
        cloud.update("routers", stage.router["id"], {"external_gateway_info": None})
    until(lambda: not lab.ping(stage.one, BEHIND, seconds=1), "nothing gets out")
    with lab.cloud() as cloud:
        info = {"network_id": stage.external}
        cloud.update("routers", stage.router["id"], {"external_gateway_info": info})
    until(lambda: lab.ping(stage.one, BEHIND, seconds=1), "it gets out again")
