"""Routed, translated and floating traffic, 100 packets/s each, while something is killed with -9, upgraded or changed.

What switched traffic goes through: test_keeps_working, test_faults, test_upgrade.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import msgspec
import pytest
from tests.netns.harness import Inside, Lab, until
from tests.netns.l3.test_gateways import (
    BEHIND,
    BEHIND_6,
    Stage,
    gateway_port,
    pings,
    stage,  # noqa: F401 a fixture
)
from tests.netns.l3.test_routing import address, make_router
from tests.netns.restarts.test_upgrade import OTHER, run_agent
from tests.overlay import FEW

from netweft.lab.commands import run
from netweft.lab.supervisor import Command

RESTART_SECONDS = 5  # in which ovs-vswitchd, killed, forwards again


class Scene(NamedTuple):
    """gateway: the node with the router's gateway; other: the one without.  floating: leads to `two`."""

    stage: Stage
    gateway: str
    other: str
    floating: str


@pytest.fixture(scope="module")
def scene(lab: Lab, stage: Stage) -> Iterator[Scene]:  # noqa: F811
    with lab.cloud() as cloud:
        for group in cloud.list("security-groups", name="default"):
            cloud.create("security-group-rules", security_group_id=group["id"], direction="ingress", protocol="icmp")
        made = cloud.create("floatingips", floating_network_id=stage.external, port_id=stage.two.port_id)
    floating, port = made["floating_ip_address"], gateway_port(lab, stage)
    outside = lab.layout.host_namespace("outside")
    own = next(fixed["ip_address"] for fixed in port["fixed_ips"] if ":" in fixed["ip_address"])
    run("ip", "-n", outside, "route", "replace", "fd00:40::/64", "via", own)
    # neighbour discovery is the agent's to answer (decision 0460): a host that forgets a router which has been silent
    # for 3 s would say how long an agent takes to start beside all other tests
    run("ip", "-n", outside, "ntable", "change", "name", "ndisc_cache", "dev", "eth0", "ucast_probes", "60")
    until(lambda: pings(outside, floating, seconds=1), "the floating IP is reached")
    gateway = port["binding:host_id"]
    yield Scene(stage, gateway, {"hv1": "hv2", "hv2": "hv1"}[gateway], floating)
    with lab.cloud() as cloud:
        cloud.delete("floatingips", made["id"])


def in_sync(lab: Lab) -> bool:
    return lab.in_sync("hv1") and lab.in_sync("hv2")


class Traffic(NamedTuple):
    running: dict[str, Inside]

    def results(self) -> dict[str, dict[str, Any]]:
        for ping in self.running.values():
            ping.stop()
        return {name: ping.result() for name, ping in self.running.items()}


@contextmanager
def traffic(lab: Lab, scene: Scene) -> Iterator[Traffic]:
    """On each kind of path, answered once before: what is asked for by ARP and ND is known."""
    one, two, red = scene.stage.one, scene.stage.two, scene.stage.red
    paths = {
        "routed on one node": (two, address(red)),
        "routed to another node": (one, address(red)),
        "routed IPv6 out": (one, BEHIND_6),
        "SNAT from hv1": (one, BEHIND),
        "SNAT from hv2": (red, BEHIND),
    }
    for frm, to in paths.values():
        assert lab.ping(frm, to)
    until(lambda: in_sync(lab), "in sync")
    with ExitStack() as stack:
        running = {name: stack.enter_context(lab.inside(frm, "ping", to)) for name, (frm, to) in paths.items()}
        outside = lab.layout.host_namespace("outside")
        running["floating in"] = stack.enter_context(lab.inside_namespace(outside, "ping", scene.floating))
        time.sleep(0.2)
        yield Traffic(running)


def assert_nothing_lost(lab: Lab, scene: Scene, do: Callable[[], object], few: int = 0) -> None:
    """few: packets of each path that Open vSwitch itself may lose, since links come and go (decision 0172)."""
    overrun = lab.overrun()
    with traffic(lab, scene) as running:
        do()
        until(lambda: in_sync(lab), "in sync again")
        time.sleep(0.5)
        results = running.results()
    overrun = lab.overrun(overrun)
    print(f"\n{results}; {overrun} had nobody to take them")
    lost = {name: (result["lost"], result["duplicates"]) for name, result in results.items()}
    assert all(gone <= few + overrun and twice == 0 for gone, twice in lost.values()), lost


@pytest.mark.parametrize("where", ["gateway", "other"])
@pytest.mark.parametrize("kind", ["agent", "ovsdb-server"])
def test_no_packet_is_lost_while_it_is_killed(lab: Lab, scene: Scene, kind: str, where: str) -> None:
    assert_nothing_lost(lab, scene, lambda: lab.kill(kind, getattr(scene, where)))


def test_no_packet_is_lost_while_the_server_is_killed(lab: Lab, scene: Scene) -> None:
    def kill() -> None:
        lab.kill("server")
        until(lambda: lab.agent_alive("hv1") and lab.agent_alive("hv2"), "the nodes are there again")

    assert_nothing_lost(lab, scene, kill)


def test_no_packet_is_lost_when_all_tables_get_other_numbers(lab: Lab, scene: Scene) -> None:
    ours = msgspec.json.decode((lab.layout.processes / f"agent-{scene.gateway}.json").read_bytes(), type=Command)
    newer = msgspec.structs.replace(ours, argv=(sys.executable, str(OTHER), *ours.argv[1:]))

    def upgrade_and_back() -> None:
        for command in (newer, ours):
            run_agent(lab, command)
            time.sleep(0.3)

    assert_nothing_lost(lab, scene, upgrade_and_back)


def test_others_come_change_and_go(lab: Lab, scene: Scene) -> None:
    """A router with a gateway, a route, a floating IP."""
    network = lab.network("10.44.0.0/24")
    machine = lab.add_vm(scene.gateway, network)

    def live() -> None:
        info = {"network_id": scene.stage.external}
        router = make_router(lab, network, external_gateway_info=info)
        with lab.cloud() as cloud:
            made = cloud.create("floatingips", floating_network_id=scene.stage.external, port_id=machine.port_id)
            route = {"destination": "192.0.2.0/24", "nexthop": address(machine)}
            cloud.update("routers", router["id"], {"routes": [route]})
            cloud.update("routers", router["id"], {"external_gateway_info": info | {"enable_snat": False}})
            cloud.update("floatingips", made["id"], {"port_id": None})
            cloud.update("routers", router["id"], {"routes": [], "external_gateway_info": None})
            until(lambda: in_sync(lab), "in sync")
            cloud.delete("floatingips", made["id"])
            subnet = cloud.list("subnets", network_id=network)[0]["id"]
            cloud.act("routers", router["id"], "remove_router_interface", {"subnet_id": subnet})
            cloud.delete("routers", router["id"])

    assert_nothing_lost(lab, scene, live)
    lab.remove_vm(machine)


def test_vswitchd_killed_on_the_gateways_node(lab: Lab, scene: Scene) -> None:
    """How long that takes is measured, and bounded; afterwards all goes on, connections through SNAT as well."""
    with traffic(lab, scene) as running:
        lab.kill("ovs-vswitchd", scene.gateway)
        until(lambda: in_sync(lab), "in sync again")
        for frm in (scene.stage.one, scene.stage.red):
            assert lab.ping(frm, BEHIND)
        time.sleep(0.5)
        results = running.results()
    print(f"\n{results}")
    spans = {name: result["lost_span_ms"] if result["lost"] > FEW else 0 for name, result in results.items()}
    assert all(span <= RESTART_SECONDS * 1000 for span in spans.values()), spans
