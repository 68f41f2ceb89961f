"""Availability zones and failovers of balancers, with real connections: who carries them, and what a failover ends."""

import contextlib
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from tests.netns.harness import Lab, until
from tests.netns.l3.test_routing import address
from tests.netns.lb.balancers import Balancer, Talk, serving
from tests.netns.lb.proxied import get, serving_http
from tests.netns.lb.test_proxied_balancers import by, change, masters, ports

from netweft.lab.commands import in_namespace
from netweft.lab.vm import Vm

FLOWS, WEB, ZONED = "10.65.0.100", "10.65.0.101", "10.65.0.102"
NODES = ("hv1", "hv2", "hv3")
FAR = ("hv2", "hv3")  # the nodes of the zone


@pytest.fixture(scope="module")
def nodes() -> int:
    return len(NODES)


class Stage(NamedTuple):
    network: str
    client: str  # its namespace
    members: list[Vm]

    @property
    def names(self) -> set[str]:
        return {one.name for one in self.members}


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[Stage]:
    for node in FAR:
        lab.configure_agent(node, availability_zone="far")
    network = lab.network("10.65.0.0/24")
    lab.let_strangers_in()
    members = [lab.add_vm("hv1", network), lab.add_vm("hv2", network)]
    client = lab.add_vm("hv1", network)
    with contextlib.ExitStack() as stack:
        for one in members:
            stack.enter_context(serving_http(lab, one))
            stack.enter_context(serving(lab, one, 8081))
        yield Stage(network, lab.layout.vm_namespace(client.name), members)
    for node in FAR:
        lab.configure_agent(node, availability_zone=None)


@pytest.fixture(scope="module")
def zone(lab: Lab) -> Iterator[str]:
    """A zone of Octavia's over the two nodes."""
    with lab.cloud() as cloud:
        profile = {"name": "far", "provider_name": "netweft", "availability_zone_data": '{"compute_zone": "far"}'}
        made = cloud.balancing("POST", "availabilityzoneprofiles", {"availability_zone_profile": profile})
        id = made["availability_zone_profile"]["id"]
        wanted = {"availability_zone": {"name": "away", "availability_zone_profile_id": id}}
        cloud.balancing("POST", "availabilityzones", wanted)
    yield "away"
    with lab.cloud() as cloud:
        cloud.balancing("DELETE", "availabilityzones/away")
        cloud.balancing("DELETE", f"availabilityzoneprofiles/{id}")


def carried_by(lab: Lab) -> set[str]:
    return {node for node in NODES if masters(lab, node)}


def test_connections_by_flows_know_of_no_failover(lab: Lab, stage: Stage) -> None:
    """Every node does it: there is nothing that could move."""
    balancer = Balancer(lab, stage.network, FLOWS, *map(address, stage.members), port=8081)
    with Talk(stage.client, FLOWS, 20) as talk:
        before = talk.say()
        assert set(before) == stage.names
        change(lab, balancer, "PUT", f"loadbalancers/{balancer.id}/failover")
        assert talk.say() == before
    balancer.close()


def test_a_zones_nodes_carry_it_and_no_others(lab: Lab, stage: Stage, zone: str) -> None:
    """Also what flows do, whose clients are elsewhere, is served; and a failover stays in the zone."""
    own = {"availability_zone": zone}
    web = Balancer(lab, stage.network, ZONED, *map(address, stage.members), protocol="HTTP", own=own)
    until(lambda: carried_by(lab) == set(FAR), "the zone's nodes run it")
    assert by(get(stage.client, ZONED, times=10)) == stage.names
    change(lab, web, "PUT", f"loadbalancers/{web.id}/failover")
    assert carried_by(lab) == set(FAR), "no other node of the zone is free: nothing moves"
    assert by(get(stage.client, ZONED, times=10)) == stage.names
    web.close()
    flows = Balancer(lab, stage.network, FLOWS, *map(address, stage.members), port=8081, own=own)
    with Talk(stage.client, FLOWS, 20) as talk:
        assert set(talk.say()) == stage.names
    flows.close()
    until(lambda: not carried_by(lab), "it is gone")


def test_a_failover_moves_haproxy_and_ends_what_went_there_alone(lab: Lab, stage: Stage) -> None:
    """Of three nodes two have it: one moves to the third.  Connections by the one that stays go on."""
    web = Balancer(lab, stage.network, WEB, *map(address, stage.members), protocol="TCP", port=8081,
                   listens={"connection_limit": 1000})  # fmt: skip
    places = {one["binding:host_id"] for one in ports(lab, web)}
    until(lambda: carried_by(lab) == places, "it runs")
    with Talk(stage.client, WEB, 40) as talk:
        before = talk.say()
        assert set(before) == stage.names
        change(lab, web, "PUT", f"loadbalancers/{web.id}/failover")
        after = talk.say()
        moved = {one["binding:host_id"] for one in ports(lab, web)}
        assert len(moved - places) == 1
        until(lambda: carried_by(lab) == moved, "the others run it")
        ended = [one for one, now in zip(before, after, strict=True) if now != one]
        print(f"{len(ended)} of {len(before)} connections ended")
        assert 0 < len(ended) < len(before)
        assert talk.say() == after
    with Talk(stage.client, WEB, 20) as talk:
        assert set(talk.say()) == stage.names
    web.close()


def test_few_requests_fail_while_it_moves(lab: Lab, stage: Stage) -> None:
    """What was under way by the one that moves, and nothing later."""
    web = Balancer(lab, stage.network, WEB, *map(address, stage.members), protocol="HTTP")
    words = ("wrk", "-t1", "-c16", "-d6s", "--timeout", "20s", f"http://{WEB}/")
    with subprocess.Popen(in_namespace(stage.client, *words), stdout=subprocess.PIPE, text=True) as running:
        until(lambda: carried_by(lab) == {one["binding:host_id"] for one in ports(lab, web)}, "it runs")
        change(lab, web, "PUT", f"loadbalancers/{web.id}/failover")
        said, _ = running.communicate(timeout=60)
    print(said)
    assert "Non-2xx" not in said
    assert by(get(stage.client, WEB, times=20)) == stage.names
    web.close()
