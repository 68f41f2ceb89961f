"""Hosts on routed networks that the database does not know: asked for, reached, followed, forgotten."""

import asyncio
from ipaddress import IPv4Address

import pytest
from msgspec.structs import replace
from tests.unit.agent.l3.unknown_world import World, announced

from netweft.agent.l3 import neighbour_entries, resolver
from netweft.agent.l3.requesters import requesters_on
from netweft.model import AddressPair, HostRoute, Port
from netweft.model.wire_macs import wire_mac
from netweft.services.addresses import mac, prefix
from netweft.testing import packets
from netweft.testing.region import Region, interface, network, port, router, subnet
from netweft.testing.switch import Packet

BLUE, GREEN, RED, OTHER = network(1), network(2), network(3, "vlan"), network(4)
R, R2 = router(1), router(2)
TO_BLUE = interface(1, R, BLUE, "10.0.0.1", "fd00:a::1")
TO_GREEN = interface(2, R, GREEN, "10.0.1.1", "fd00:b::1")
TO_RED = interface(3, R, RED, "10.0.2.1", "fd00:c::1")
B1 = port(10, BLUE, "10.0.0.10", "fd00:a::10")  # hv1
B2 = port(11, BLUE, "10.0.0.11", "fd00:a::11")  # hv3
G1 = port(20, GREEN, "10.0.1.20", "fd00:b::20", port_security_enabled=False)  # hv2
G2 = port(21, GREEN, "10.0.1.21", "fd00:b::21")  # hv2
RED2 = port(30, RED, "10.0.2.30", "fd00:c::30", port_security_enabled=False)  # hv2
O1 = port(40, OTHER, "10.0.0.40")  # hv1, of another tenant
SECOND = {4: "10.0.1.77", 6: "fd00:b::77"}
PHYSICAL = {4: "10.0.2.99", 6: "fd00:c::99"}
THEIRS, NEW = "52:54:00:00:00:99", "52:54:00:00:00:98"
ROUTER_OF = {BLUE.id: TO_BLUE, GREEN.id: TO_GREEN, RED.id: TO_RED}


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found = [1000.0]
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: found[0])
    return found


@pytest.fixture
async def world(clock: list[float]) -> World:
    """R joins BLUE, GREEN (tunnels) and RED (a wire).  No node with BLUE has a port on GREEN or RED."""
    return World(made())


def made(*changed: Port) -> Region:
    region = Region(nodes=3)
    region.create(BLUE, GREEN, RED, OTHER, R, TO_BLUE, TO_GREEN, TO_RED, B1, B2, G1, G2, RED2, O1, *changed)
    for number, (net, letter) in enumerate(((BLUE, "a"), (GREEN, "b"), (RED, "c"))):
        region.create(subnet(net, f"10.0.{number}.0/24"), subnet(net, f"fd00:{letter}::/64"))
    region.plug("hv1", B1, O1)
    region.plug("hv2", G1, G2, RED2)
    region.plug("hv3", B2)
    region.settle()
    return region


def to(address: str, frm: Port = B1, number: int = 1) -> Packet:
    version = prefix(address).version
    own = next(one.ip_address for one in frm.fixed_ips if prefix(one.ip_address).version == version)
    by = ROUTER_OF[frm.network_id].mac_address
    return packets.udp(frm.mac_address, by, own, address, 1000 + number, 7)


@pytest.mark.parametrize("version", [4, 6])
async def test_a_second_address_of_a_vm_is_reached(world: World, clock: list[float], version: int) -> None:
    """The first packets wait; then it is a flow; the answer to one node's question is heard by all that route there."""
    there = SECOND[version]
    world.silent.add(G1.id)
    world.has[G1.id][there] = G1.mac_address
    for number in range(5):
        world.send(B1, to(there, number=number))
    assert len(world.heard[G1.id]) == len(world.heard[G2.id]) == 1, "all of the network is asked, once"
    assert not world.got[G1.id]
    asked = world.heard[G1.id][0]
    assert asked["eth_src"] == asked["arp_sha" if version == 4 else "nd_sll"] == mac(TO_GREEN.mac_address)
    world.silent.clear()
    world.passes(0.5, clock)
    assert len(world.got[G1.id]) == resolver.MOST_PACKETS
    world.send(B1, to(there))
    assert len(world.got[G1.id]) == resolver.MOST_PACKETS + 1
    assert world.got[G1.id][-1]["eth_dst"] == mac(G1.mac_address)
    assert world.got[G1.id][-1]["ip_ttl"] == 63
    assert world.agents["hv1"].known == {there: G1.mac_address}
    assert not world.got[G2.id]


@pytest.mark.parametrize("version", [4, 6])
async def test_a_physical_host_is_reached_from_a_node_without_a_port_there(world: World, version: int) -> None:
    there = PHYSICAL[version]
    world.has["wire"][there] = THEIRS
    world.send(B1, to(there))
    own = wire_mac("hv1", TO_RED.id)
    (asked,) = [one for one in world.heard["wire"] if one["eth_src"] == own]
    assert asked["arp_sha" if version == 4 else "nd_sll"] == own, "switches and hosts know this node by its own MAC"
    assert world.got["wire"][-1]["eth_dst"] == mac(THEIRS)
    assert world.got["wire"][-1]["eth_src"] == own
    assert world.agents["hv1"].known == {there: THEIRS}
    (seen,) = world.heard[RED2.id]
    assert seen["eth_src"] == seen["arp_sha" if version == 4 else "nd_sll"] == mac(TO_RED.mac_address)


@pytest.mark.parametrize("version", [4, 6])
async def test_a_second_address_behind_a_wire_is_reached(world: World, version: int) -> None:
    """On another node: what is for the router's MAC is not lost there."""
    there = "10.0.2.77" if version == 4 else "fd00:c::77"
    world.has[RED2.id][there] = RED2.mac_address
    world.send(B1, to(there))
    assert [one["eth_dst"] for one in world.got[RED2.id]] == [mac(RED2.mac_address)]


async def test_no_mac_of_a_routers_is_seen_on_the_wire(world: World) -> None:
    """In both directions, also of what is asked and answered."""
    world.has["wire"][PHYSICAL[4]] = THEIRS
    world.has[RED2.id]["10.0.2.77"] = RED2.mac_address
    for address in (PHYSICAL[4], "10.0.2.77", "10.0.2.78"):
        world.send(B1, to(address))
        world.send(B2, to(address, B2))
    everything = world.heard["wire"] + world.got["wire"]
    assert everything
    assert mac(TO_RED.mac_address) not in [one["eth_src"] for one in everything]
    assert {one["eth_src"] for one in everything if one["eth_src"] >> 40 == 2} == {
        wire_mac(name, TO_RED.id) for name in ("hv1", "hv3")
    }


def vrrp(address: str, *holders: Port) -> list[Port]:
    """With MACs of their own."""
    return [replace(one, allowed_address_pairs=(AddressPair(address, one.mac_address),)) for one in holders]


@pytest.mark.parametrize("version", [4, 6])
async def test_an_address_that_moves_is_followed_at_once(clock: list[float], version: int) -> None:
    """Also by a node that has no port on its network, and no packet of a stream is lost but those on their way."""
    there = SECOND[version]
    one, two = vrrp(there, replace(G1, port_security_enabled=True), G2)
    world = World(made(one, two))
    world.has[one.id][there] = one.mac_address
    world.send(B1, to(there))
    world.send(B2, to(there, B2))
    assert [len(world.got[each.id]) for each in (one, two)] == [2, 0]
    world.has = type(world.has)(dict, {two.id: {there: two.mac_address}})
    world.send(two, announced(two, there))
    for agent in ("hv1", "hv3"):
        assert world.agents[agent].known == {there: two.mac_address}
    world.send(B1, to(there))
    world.send(B2, to(there, B2))
    assert [len(world.got[each.id]) for each in (one, two)] == [2, 2]


async def test_an_extra_route_leads_to_it(world: World) -> None:
    world.region.create(replace(R, routes=(HostRoute("192.0.2.0/24", SECOND[4]),)))
    world.region.settle()
    world.has[G1.id][SECOND[4]] = G1.mac_address
    world.send(B1, to("192.0.2.7"))
    assert [one["ipv4_dst"] for one in world.got[G1.id]] == [prefix("192.0.2.7").value]


async def test_where_no_host_can_be_there_is_no_request(world: World) -> None:
    """All ports are guarded, and the database knows their addresses: it is unreachable at once."""
    world.send(G1, to("10.0.0.99", G1))
    assert not world.heard[B1.id] and not world.heard[B2.id]
    (said,) = world.got[G1.id]
    assert (said["ipv4_src"], said["ip_proto"]) == (prefix("10.0.1.1").value, 1)


async def test_who_waited_in_vain_gets_an_icmp_error(world: World, clock: list[float]) -> None:
    world.send(B1, to(SECOND[4]))
    world.passes(10, clock)
    assert len(world.heard[G1.id]) == len(resolver.PATIENCE) + 1
    (said,) = world.got[B1.id]
    assert (said["ipv4_src"], said["ip_proto"]) == (prefix("10.0.0.1").value, 1)
    assert not world.agents["hv1"].resolver._questions


async def test_it_stays_while_it_answers_and_one_node_probes_for_all(world: World, clock: list[float]) -> None:
    world.has[G1.id][SECOND[4]] = G1.mac_address
    world.send(B1, to(SECOND[4]))
    world.send(B2, to(SECOND[4], B2))
    before = len(world.heard[G1.id])
    world.passes(resolver.FORGET_AFTER + 60, clock)
    asked = len(world.heard[G1.id]) - before
    rounds = (resolver.FORGET_AFTER + 60) / resolver.AGAIN_AFTER
    assert rounds * 0.7 <= asked <= rounds * 1.3, "not twice as often for two nodes"
    assert world.agents["hv1"].known == world.agents["hv3"].known == {SECOND[4]: G1.mac_address}
    world.send(B1, to(SECOND[4]))
    assert len(world.got[G1.id]) == 3, "after all that time none waits, and none is lost"
    world.silent.add(G1.id)
    world.passes(resolver.AGAIN_AFTER + 2 * resolver.SPREAD, clock)
    assert world.agents["hv1"].known == {}


async def test_a_scan_takes_nobodys_place(world: World, clock: list[float]) -> None:
    """By one VM: the other one's questions are asked, and its answers come."""
    for number in range(100, 254):
        world.send(B1, to(f"10.0.1.{number}"))
    hv1 = world.agents["hv1"].resolver
    assert len(hv1._questions) == resolver.MOST_OF_ONE
    assert sum(len(one.packets) for one in hv1._questions.values()) <= resolver.MOST_OF_ONE * resolver.MOST_PACKETS
    world.region.create(neighbour := port(12, BLUE, "10.0.0.12"))
    world.region.plug("hv1", neighbour)
    world.region.settle()
    world.has[G1.id][SECOND[4]] = G1.mac_address
    world.send(neighbour, to(SECOND[4], neighbour))
    assert len(world.got[G1.id]) == 1
    world.passes(10, clock)
    assert not hv1._questions
    assert len(hv1._known) == 1


async def test_the_tables_of_two_routers_are_apart(world: World) -> None:
    """MOST_WAITING is one router's interface's."""
    hv1 = world.agents["hv1"].resolver
    for number in range(4 * resolver.MOST_WAITING):
        (who,) = requesters_on(world.agents["hv1"], GREEN.id)
        place = neighbour_entries.Place(GREEN.id, IPv4Address(0x0A000100 + number))
        if hv1._has_room(place, who, 0):
            hv1._questions[place] = neighbour_entries.Question(who, 1e9)
    assert len(hv1._questions) == resolver.MOST_WAITING
    (other,) = requesters_on(world.agents["hv1"], RED.id)
    assert hv1._has_room(neighbour_entries.Place(RED.id, IPv4Address(0x0A000201)), other, 0)
