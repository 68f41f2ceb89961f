"""A physical host that uses a router as its gateway: one node answers it, by a MAC of its own; others route to it."""

import pytest
from msgspec.structs import replace
from tests.unit.agent.l3.test_unknown_hosts import B1, B2, PHYSICAL, RED, RED2, THEIRS, TO_BLUE, TO_RED, R, clock, made
from tests.unit.agent.l3.unknown_world import World

from netweft.agent.l3 import wire_announcer
from netweft.model.wire_macs import wire_mac
from netweft.services.addresses import mac, prefix, text_of_mac
from netweft.testing import packets
from netweft.testing.region import Region, gateway, network, subnet
from netweft.testing.switch import Packet

__all__ = ["clock"]
TAG = 0x1000 | 1003
OWN = {4: "10.0.2.1", 6: "fd00:c::1"}


def answered_by(host: str) -> Region:
    region = made()
    region.create(replace(TO_RED, answers_on=host))
    region.settle()
    return region


@pytest.fixture
async def world(clock: list[float]) -> World:
    """hv3, which has no port on RED, answers there."""
    found = World(answered_by("hv3"))
    for version in (4, 6):
        found.has["wire"][PHYSICAL[version]] = THEIRS
    return found


def asks(version: int) -> Packet:
    if version == 4:
        return {**packets.arp(THEIRS, PHYSICAL[4], OWN[4]), "vlan_vid": TAG}
    return {**packets.solicit(THEIRS, PHYSICAL[6], OWN[6], sll=THEIRS), "vlan_vid": TAG, "ip_ttl": 255}


def said_on_the_wire(world: World) -> list[tuple[int, int]]:
    """By whom the router's address is claimed there, in the frame and inside."""
    own = [prefix(one).value for one in OWN.values()]
    return [
        (one["eth_src"], one["arp_sha"] if "arp_sha" in one else one["nd_tll"])
        for one in world.heard["wire"]
        if (one.get("arp_op") == 2 and one["arp_spa"] in own) or (one.get("icmpv6_type") == 136)
    ]


@pytest.mark.parametrize("version", [4, 6])
async def test_one_node_answers_with_its_own_mac(world: World, version: int) -> None:
    world.from_wire(asks(version))
    own = wire_mac("hv3", TO_RED.id)
    assert said_on_the_wire(world) == [(own, own)]


@pytest.mark.parametrize("version", [4, 6])
async def test_where_nobody_is_named_nobody_answers(clock: list[float], version: int) -> None:
    world = World(made())
    world.from_wire(asks(version))
    assert said_on_the_wire(world) == []


def routed(version: int, to: str, by: str = "hv3") -> Packet:
    make = packets.ping if version == 4 else packets.ping6
    frame = make(THEIRS, text_of_mac(wire_mac(by, TO_RED.id)), PHYSICAL[version], to)
    return {**frame, "vlan_vid": TAG, "ip_ttl": 64}


@pytest.mark.parametrize("by", ["hv1", "hv3"])
@pytest.mark.parametrize(("to", "port"), [("10.0.0.10", B1), ("fd00:a::10", B1), ("10.0.0.11", B2)])
async def test_what_it_sends_is_routed(world: World, to: str, port: object, by: str) -> None:
    """By any node whose MAC it has; and what comes back goes from the VM's node straight to it."""
    assert port in (B1, B2)
    version = prefix(to).version
    who = B1 if port is B1 else B2
    world.from_wire(routed(version, to, by))
    (got,) = world.got[who.id]
    assert (got["eth_src"], got["ip_ttl"]) == (mac(TO_BLUE.mac_address), 63)
    answer = packets.ping if version == 4 else packets.ping6
    world.send(who, {**answer(who.mac_address, TO_BLUE.mac_address, to, PHYSICAL[version]), "ip_ttl": 64})
    assert world.got["wire"][-1]["eth_dst"] == mac(THEIRS)
    assert world.got["wire"][-1]["eth_src"] == wire_mac(world.region.bound[who.id], TO_RED.id)


async def test_who_may_take_over_a_gateway_routes_by_itself(clock: list[float]) -> None:
    """To the gateway's node goes only what leaves by it, by the MAC that switches know that node by."""
    region, external = answered_by("hv3"), network(9, "flat", "public")
    port = replace(gateway(1, R, external, "hv1", "203.0.113.5"), hosts=("hv1", "hv3"))
    region.create(external, subnet(external, "203.0.113.0/24", gateway_ip="203.0.113.1"), port)
    region.settle()
    world = World(region)
    world.from_wire(routed(4, "10.0.0.11"))
    (got,) = world.got[B2.id]
    assert got["ip_ttl"] == 63
    assert [one for one in world.got["wire"] if one["eth_src"] != mac(THEIRS)] == []
    world.from_wire(routed(4, "8.8.8.8"))
    (out,) = [one for one in world.got["wire"] if one["eth_src"] != mac(THEIRS)]
    assert (out["eth_src"], out["eth_dst"]) == (wire_mac("hv3", TO_RED.id), wire_mac("hv1", TO_RED.id))


async def test_the_router_answers_its_ping(world: World) -> None:
    """The first one waits for who it is."""
    for _ in range(2):
        world.from_wire(routed(4, OWN[4]))
    answers = [one for one in world.got["wire"] if one["ipv4_src"] == prefix(OWN[4]).value]
    assert [one["eth_dst"] for one in answers] == [mac(THEIRS)] * 2
    assert answers[1]["icmpv4_type"] == 0


async def test_a_vm_there_goes_on_by_the_routers_mac(world: World) -> None:
    """Whatever the wire says: its own node answers, and no MAC of a node's reaches it."""
    world.send(RED2, packets.arp(RED2.mac_address, "10.0.2.30", OWN[4]))
    (reply,) = [one for one in world.heard[RED2.id] if one.get("arp_op") == 2]
    assert reply["arp_sha"] == mac(TO_RED.mac_address)
    forged = {**packets.arp(THEIRS, OWN[4], "10.0.2.30", op=2, dst=RED2.mac_address), "vlan_vid": TAG}
    world.heard.clear()
    world.from_wire(forged)
    world.from_wire({**packets.arp(THEIRS, OWN[4], OWN[4]), "vlan_vid": TAG})
    assert all(one["arp_sha"] == mac(TO_RED.mac_address) for one in world.heard[RED2.id])


async def test_whoever_becomes_the_one_announces_itself(world: World, clock: list[float]) -> None:
    """And the one before says nothing any more."""
    for agent in world.agents.values():
        agent.resolver.wired()
    world.passes(3, clock)
    own = {name: wire_mac(name, TO_RED.id) for name in world.agents}
    claims = [one for one in world.heard["wire"] if one.get("arp_spa") == one.get("arp_tpa", 0)]
    assert [one["eth_src"] for one in claims] == [own["hv3"]] * len(wire_announcer.AT)
    world.heard.clear()
    world.region.create(replace(TO_RED, answers_on="hv1"))
    world.region.settle()
    for agent in world.agents.values():
        agent.resolver.wired()
    world.passes(3, clock)
    assert {one["eth_src"] for one in world.heard["wire"]} == {own["hv1"]}
    world.heard.clear()
    world.from_wire(asks(4))
    assert said_on_the_wire(world) == [(own["hv1"], own["hv1"])]


async def test_a_node_without_any_port_answers(clock: list[float]) -> None:
    """It hears of the router because it is the one."""
    region = Region(nodes=1)
    region.create(RED, R, replace(TO_RED, answers_on="hv1"))
    region.settle()
    world = World(region)
    world.from_wire(asks(4))
    assert said_on_the_wire(world) == [(wire_mac("hv1", TO_RED.id),) * 2]


async def test_a_scan_from_the_wire_leaves_room_for_vms(world: World, clock: list[float]) -> None:
    for number in range(100, 250):
        world.from_wire(routed(4, f"10.0.1.{number}"))
    hv3 = world.agents["hv3"].resolver
    assert 0 < len(hv3._questions) < 60
    world.send(B2, packets.ping(B2.mac_address, TO_BLUE.mac_address, "10.0.0.11", "10.0.1.77"))
    assert "10.0.1.77" in [str(place.address) for place in hv3._questions]
