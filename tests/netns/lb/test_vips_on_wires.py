"""VIPs on a provider network, with real packets: clients are physical hosts on its wire and behind its router."""

import contextlib
import time
from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import NamedTuple

import pytest
from tests.netns.harness import Lab, until
from tests.netns.l3.test_gateways import pings
from tests.netns.l3.test_routing import VLAN, address
from tests.netns.lb.balancers import Balancer, Talk, ask, serving
from tests.netns.lb.proxied import get, serving_http
from tests.netns.outages import OUTAGES

from netweft.dataplane.packets import arp
from netweft.lab import host
from netweft.lab.commands import run
from netweft.lab.host import Host
from netweft.lab.vm import Vm
from netweft.model.wire_macs import wire_mac
from netweft.services.addresses import octets, text_of_mac

VIPS = {4: "10.66.0.100", 6: "fd00:66::100"}
UDP_VIP, HTTP_VIP = "10.66.0.101", "10.66.0.102"
HOST = {4: "10.66.0.1", 6: "fd00:66::1"}  # the subnets' gateway: a physical router
BEHIND = "10.99.0.1"
NODES = ("hv1", "hv2")


class Stage(NamedTuple):
    balancers: dict[int, Balancer]  # by IP version
    members: list[Vm]  # on each node
    network: str
    there: str  # the host's namespace


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[Stage]:
    lab.let_strangers_in()
    with lab.cloud() as cloud:
        for group in cloud.list("security-groups", name="default"):
            cloud.create("security-group-rules", security_group_id=group["id"], direction="ingress", ethertype="IPv6")
    network = lab.network("10.66.0.0/24", "fd00:66::/64", **VLAN)
    with lab.cloud() as cloud:
        tag = cloud.list("networks", id=network)[0]["provider:segmentation_id"]
    outside = Host(name="client", physical_network="physnet1", vlan=tag, addresses=(f"{HOST[4]}/24", f"{HOST[6]}/64"))
    host.add(lab.layout, outside)
    there = lab.layout.host_namespace("client")
    run("ip", "-n", there, "address", "add", f"{BEHIND}/32", "dev", "lo")
    members = [lab.add_vm(node, network) for node in NODES]
    balancers = {
        version: Balancer(lab, network, vip, *(address(one, version) for one in members))
        for version, vip in VIPS.items()
    }
    with contextlib.ExitStack() as stack:
        for one in members:
            stack.enter_context(serving(lab, one))
        yield Stage(balancers, members, network, there)
    for balancer in balancers.values():
        balancer.close()
    host.remove(lab.layout, outside)


def all_of(stage: Stage, client: str) -> set[str]:
    return {f"{one.name} {client}" for one in stage.members}


@pytest.mark.parametrize("version", [4, 6])
def test_all_members_answer_and_see_the_host(stage: Stage, version: int) -> None:
    assert set(ask(stage.there, VIPS[version], times=20)) == all_of(stage, HOST[version])


def test_so_is_a_client_behind_the_physical_router(stage: Stage) -> None:
    run("ip", "-n", stage.there, "route", "add", VIPS[4], "dev", "eth0", "src", BEHIND)
    assert set(ask(stage.there, VIPS[4], times=20)) == all_of(stage, BEHIND)
    run("ip", "-n", stage.there, "route", "del", VIPS[4])


def test_datagrams(lab: Lab, stage: Stage) -> None:
    made = Balancer(lab, stage.network, UDP_VIP, *map(address, stage.members), protocol="UDP")
    assert set(ask(stage.there, UDP_VIP, times=20, kind="udp")) == all_of(stage, HOST[4])
    made.close()


def test_haproxy_gets_the_clients_address(lab: Lab, stage: Stage) -> None:
    with contextlib.ExitStack() as stack:
        for one in stage.members:
            stack.enter_context(serving_http(lab, one, 8081))
        said = {"insert_headers": {"X-Forwarded-For": "true"}}
        ends = map(address, stage.members)
        made = Balancer(lab, stage.network, HTTP_VIP, *ends, port=8081, protocol="HTTP", listens=said)
        heard = get(stage.there, HTTP_VIP, times=8)
        made.close()
    assert {(one.status, one.said["headers"]["x-forwarded-for"]) for one in heard} == {(200, HOST[4])}
    assert {one.said["name"] for one in heard} == {one.name for one in stage.members}


def test_exactly_one_node_answers_by_its_own_mac(lab: Lab, stage: Stage) -> None:
    run("ip", "-n", stage.there, "neighbour", "flush", "dev", "eth0")
    with lab.inside_namespace(stage.there, "capture") as capture:
        ask(stage.there, VIPS[4])
        time.sleep(0.3)
        capture.stop()
        heard = [arp.reply(bytes.fromhex(line)) for line in capture.finish()]
    claims = {one.mac for one in heard if one and str(one.address) == VIPS[4]}
    assert len(claims) == 1
    assert claims <= {octets(one) for one in macs(stage)}


def test_a_member_that_says_it_has_the_vip_is_not_heard(lab: Lab, stage: Stage) -> None:
    assert pings(stage.there, VIPS[4])
    before = answering(stage)
    for one in stage.members:
        own = octets(lab.port(one)["mac_address"])
        lab.send_frames(one, arp.request(own, IPv4Address(VIPS[4]), IPv4Address(VIPS[4])))
    assert pings(stage.there, VIPS[4])
    assert answering(stage) == before != ""


def macs(stage: Stage) -> dict[str, str]:
    """Of each node, for the VIP."""
    return {text_of_mac(wire_mac(node, stage.balancers[4].port_id)): node for node in NODES}


def answering(stage: Stage) -> str:
    """The node whose MAC the host has."""
    told = run("ip", "-n", stage.there, "neighbour", "show", VIPS[4]).split()
    return macs(stage).get(told[told.index("lladdr") + 1], "") if "lladdr" in told else ""


def test_one_that_dies_is_replaced_and_connections_go_on(lab: Lab, stage: Stage) -> None:
    """But to members that die with it."""
    assert ask(stage.there, VIPS[4])
    first = answering(stage)
    (dies,) = (address(one) for one in stage.members if one.node == first)
    (left,) = (one.name for one in stage.members if one.node != first)
    stage.balancers[4].update(dies, admin_state_up=False)
    with Talk(stage.there, VIPS[4], 3) as talk:
        assert talk.say() == [left] * 3
        with OUTAGES["killed"](lab, first):
            until(lambda: answering(stage) not in ("", first), "the other one has announced itself")
            assert talk.say() == [left] * 3
    stage.balancers[4].update(dies, admin_state_up=True)
