"""A router with two gateways, on two external networks, with real packets: spread, as whom, who dies, floating IPs."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.netns.harness import Lab, until
from tests.netns.l3.bird import speaks_bfd
from tests.netns.l3.test_gateways import pings
from tests.netns.l3.test_routing import make_router
from tests.netns.outside import external_network, next_hop

from netweft.lab import host
from netweft.lab.commands import in_namespace, run, vsctl
from netweft.lab.host import Host
from netweft.lab.vm import Vm

VLAN = 77
SECOND = "198.51.100.1"  # the next hop there
BEHIND = "192.0.2."  # what both lead to
TARGETS = range(1, 33)
LEFT_OUT = 10.0  # seconds, generously: it is 2


class Stage(NamedTuple):
    router: dict[str, Any]
    networks: tuple[str, str]
    vms: tuple[Vm, Vm]
    hops: tuple[Host, Host]


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[Stage]:
    blue, first = lab.network("10.45.0.0/24"), external_network(lab)
    vlan = {"provider:network_type": "vlan", "provider:physical_network": "public", "provider:segmentation_id": VLAN}
    hops = (next_hop(lab), Host(name="hop2", physical_network="public", vlan=VLAN, addresses=(f"{SECOND}/24",)))
    host.add(lab.layout, hops[1])
    with lab.cloud() as cloud:
        second = cloud.create("networks", name="ext2", **{"router:external": True}, **vlan)["id"]
        cloud.create(
            "subnets", network_id=second, cidr="198.51.100.0/24", ip_version=4, gateway_ip=SECOND, enable_dhcp=False
        )
        router = make_router(lab, blue, external_gateway_info={"network_id": first}, enable_default_route_ecmp=True)
        more = {"router": {"external_gateways": [{"network_id": second}]}}
        cloud.act("routers", router["id"], "add_external_gateways", more)
    for one in hops:
        there = lab.layout.host_namespace(one.name)
        run("ip", "-n", there, "link", "set", "lo", "up")
        run("ip", "-n", there, "route", "add", "local", f"{BEHIND}0/24", "dev", "lo")
    vms = lab.add_vm("hv1", blue), lab.add_vm("hv2", blue)
    lab.let_strangers_in()
    yield Stage(router, (first, second), vms, hops)
    for one in hops:
        host.remove(lab.layout, one)


def asked(lab: Lab, one: Host) -> int:
    """Pings that have come there."""
    words = in_namespace(lab.layout.host_namespace(one.name), "cat", "/proc/net/snmp")
    said = subprocess.check_output(words, text=True).split()
    names = said.index("Icmp:")
    values = said.index("Icmp:", names + 1)
    return int(said[values + said.index("InEchos") - names])


def reached(lab: Lab, stage: Stage, frm: Vm) -> list[int]:
    """All of the targets answer; how many are reached by each next hop.  Empty: some do not."""
    before = [asked(lab, one) for one in stage.hops]
    script = f"for i in $(seq 1 {len(TARGETS)}); do ping -n -q -c 1 -W 3 {BEHIND}$i >/dev/null && echo & done; wait"
    done = subprocess.check_output(in_namespace(lab.layout.vm_namespace(frm.name), "sh", "-c", script), text=True)
    each = [asked(lab, one) - was for one, was in zip(stage.hops, before, strict=True)]
    return each if len(done.splitlines()) == sum(each) == len(TARGETS) else []


def test_flows_are_spread_and_a_gateway_whose_next_hop_dies_is_left_out(lab: Lab, stage: Stage) -> None:
    for frm in stage.vms:
        until(partial(reached, lab, stage, frm), "both lead out")
        spread = reached(lab, stage, frm)
        assert min(spread) > 0
        assert reached(lab, stage, frm) == spread, "each flow stays"
    vsctl(lab.layout.fabric, "set", "port", "h-hop2", "tag=4000")
    try:
        until(lambda: reached(lab, stage, stage.vms[0]) == [len(TARGETS), 0], "it is left out", LEFT_OUT)
        assert reached(lab, stage, stage.vms[1]) == [len(TARGETS), 0]
    finally:
        vsctl(lab.layout.fabric, "set", "port", "h-hop2", f"tag={VLAN}")
    until(lambda: reached(lab, stage, stage.vms[1]) == spread, "each has what it had", 4 * LEFT_OUT)


@pytest.mark.parametrize("at", [0, 1])
def test_tcp_by_each(lab: Lab, stage: Stage, at: int) -> None:
    """To a host that only one of them knows."""
    own = ("203.0.113.1", SECOND)[at]
    there = lab.layout.host_namespace(stage.hops[at].name)
    feed = ("feed", own, "5001", str(2**20))
    with lab.inside_namespace(there, "serve", "5001") as server, lab.inside(stage.vms[1], *feed) as client:
        assert client.finish()[0].split()[0] == server.finish()[0]


def test_a_floating_ip_of_the_second_network(lab: Lab, stage: Stage) -> None:
    """In and out by its own gateway, whatever the hash says; the other one's network does not see it."""
    with lab.cloud() as cloud:
        made = cloud.create("floatingips", floating_network_id=stage.networks[1], port_id=stage.vms[1].port_id)
    floating = made["floating_ip_address"]
    second = lab.layout.host_namespace(stage.hops[1].name)
    assert pings(second, floating)
    until(lambda: reached(lab, stage, stage.vms[1]) == [0, len(TARGETS)], "all of it by the floating IP")
    assert min(reached(lab, stage, stage.vms[0])) > 0
    with lab.cloud() as cloud:
        cloud.delete("floatingips", made["id"])
    until(lambda: reached(lab, stage, stage.vms[1]) and min(reached(lab, stage, stage.vms[1])), "spread again")


NONSENSE = """
import random, socket, sys
chosen, said = random.Random(1), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
said.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
for _ in range(3000):
    length = chosen.choice((24, chosen.randrange(60)))
    head = bytes([chosen.choice((0x20, chosen.randrange(256))), chosen.randrange(256), 3, length])
    said.sendto(head + chosen.randbytes(chosen.choice((20, length))), (sys.argv[1], 3784))
"""


def nonsense(lab: Lab, frm: Host, to: str) -> None:
    """By BFD, from the next hop's own address: of all lengths, some with a version and a length that are right."""
    run(*in_namespace(lab.layout.host_namespace(frm.name), sys.executable, "-c", NONSENSE, to))


def test_a_next_hop_that_is_down_by_bfd_is_left_out(lab: Lab, stage: Stage, tmp_path: Path) -> None:
    """It answers ARP all the time.  Sessions outlive the agent; with neither up both lead out."""
    with lab.cloud() as cloud:
        shown = cloud.update("routers", stage.router["id"], {"enable_default_route_bfd": True})
    infos = {one["network_id"]: one["external_fixed_ips"][0]["ip_address"] for one in shown["external_gateways"]}
    owns = ("203.0.113.1", SECOND)
    with ExitStack() as open_:
        birds = [
            open_.enter_context(speaks_bfd(lab, hop, own, infos[network], tmp_path))
            for hop, own, network in zip(stage.hops, owns, stage.networks, strict=True)
        ]
        until(lambda: all(bird.up for bird in birds), "sessions with both", LEFT_OUT)
        until(lambda: min(reached(lab, stage, stage.vms[1]) or [0]), "both lead out")
        since = [bird.session() for bird in birds]
        lab.kill("agent", "hv1")
        lab.kill("agent", "hv2")
        until(lambda: lab.agent_alive("hv1") and lab.agent_alive("hv2"), "agents are back", 30)
        assert min(reached(lab, stage, stage.vms[0]))
        for hop, network in zip(stage.hops, stage.networks, strict=True):
            nonsense(lab, hop, infos[network])
        assert [bird.session() for bird in birds] == since, "the same sessions"
        birds[1].stop()
        until(lambda: reached(lab, stage, stage.vms[0]) == [len(TARGETS), 0], "it is left out", LEFT_OUT)
        assert reached(lab, stage, stage.vms[1]) == [len(TARGETS), 0]
        birds[0].stop()
        until(lambda: min(reached(lab, stage, stage.vms[1]) or [0]), "nobody is up: all are used", LEFT_OUT)
    with lab.cloud() as cloud:
        cloud.update("routers", stage.router["id"], {"enable_default_route_bfd": False})


@pytest.fixture
def between(lab: Lab, stage: Stage) -> str:
    """The next hops route between their networks; the namespace of the first one."""
    first, second = (lab.layout.host_namespace(one.name) for one in stage.hops)
    run("ip", "link", "add", "name", "over", "netns", first, "type", "veth", "peer", "name", "over", "netns", second)
    for namespace, own in ((first, "192.168.9.1"), (second, "192.168.9.2")):
        run("ip", "-n", namespace, "address", "add", f"{own}/24", "dev", "over")
        run("ip", "-n", namespace, "link", "set", "over", "up")
        run(*in_namespace(namespace, "sysctl", "-q", "net.ipv4.ip_forward=1"))
    way = ("via", "192.168.9.2", "src", "203.0.113.1", "mtu", "lock", "1400")  # fits into tenants' networks
    run("ip", "-n", first, "route", "add", "198.51.100.0/24", *way)
    run("ip", "-n", second, "route", "add", "203.0.113.0/24", "via", "192.168.9.1")
    return first


def test_replies_to_the_other_link_have_the_requested_address(lab: Lab, stage: Stage, between: str) -> None:
    """A floating IP, then ports of one; also in fragments, and the gateway's own address."""
    frm, machine = partial(lab.inside_namespace, between), stage.vms[1]
    with lab.cloud() as cloud:
        made = cloud.create("floatingips", floating_network_id=stage.networks[1], port_id=machine.port_id)
        gateways = cloud.find("routers", stage.router["id"])["external_gateways"]
    floating, own = made["floating_ip_address"], gateways[1]["external_fixed_ips"][0]["ip_address"]
    assert pings(between, own)
    until(lambda: pings(between, floating, seconds=1), "it is answered")
    with lab.inside(machine, "hear", "5000", "5001"):
        for size in (100, 3000):
            with frm("say", floating, "5000", str(size)) as speaker:
                assert int(speaker.line()) == size
        with _forwarded(lab, made["id"], machine):
            for port in ("7000", "7102"):
                until(partial(_is_answered, frm, floating, port), f"port {port} is answered")
            server, client = frm("serve", "5002"), lab.inside(machine, "feed", "203.0.113.1", "5002", "4096")
            with server, client:
                assert client.finish()[0].split()[0] == server.finish()[0], "and it reaches him by itself"
    with lab.cloud() as cloud:
        cloud.delete("floatingips", made["id"])


@contextmanager
def _forwarded(lab: Lab, floating_id: str, to: Vm) -> Iterator[None]:
    """One port, and four that all lead to one; it leads nowhere else meanwhile."""
    path = f"floatingips/{floating_id}/port_forwardings"
    to_it = {"internal_port_id": to.port_id, "internal_ip_address": to.nic.address, "protocol": "udp"}
    ports: list[dict[str, Any]] = [{"internal_port": 5000, "external_port": 7000}]
    ports += [{"internal_port": 5001, "external_port_range": "7100:7103"}]
    with lab.cloud() as cloud:
        cloud.update("floatingips", floating_id, {"port_id": None})
        made = [cloud.request("POST", path, {"port_forwarding": to_it | one})["port_forwarding"] for one in ports]
        yield
        for one in made:
            cloud.request("DELETE", f"{path}/{one['id']}")


def _is_answered(frm: Any, floating: str, port: str) -> bool:
    with frm("say", floating, port, "100") as speaker:
        return int(speaker.line()) == 100
