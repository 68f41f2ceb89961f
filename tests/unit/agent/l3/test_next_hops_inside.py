"""Next hops on tenants' networks, of which a route has several: all nodes watch them, and leave out who is
dead."""

import pytest
from msgspec.structs import replace
from tests.unit.agent.l3.test_unknown_hosts import (
    B1,
    BLUE,
    G1,
    G2,
    GREEN,
    PHYSICAL,
    RED,
    SECOND,
    THEIRS,
    TO_GREEN,
    R,
    clock,
    made,
    to,
)
from tests.unit.agent.l3.unknown_world import World, announced

from netweft.agent.l3.next_hop_watch import AGAIN, EVERY, MOST_UNANSWERED
from netweft.model import HostRoute, Port
from netweft.services.addresses import mac
from netweft.testing.region import interface, router

__all__ = ["clock"]

ONE, TWO = replace(G1, port_security_enabled=True), G2  # both on hv2; B1 is on hv1
BEHIND = {4: "192.0.2.", 6: "2001:db8:99::"}
NOTICED = EVERY + 0.5 + AGAIN * MOST_UNANSWERED + 2 * AGAIN  # the longest that a hop has lain dead unnoticed
FLOWS = range(32)


def routed(version: int, *hops: str) -> list[HostRoute]:
    return [HostRoute(f"{BEHIND[version]}{'0/24' if version == 4 else '/64'}", hop) for hop in hops]


def hop_of(one: Port, version: int) -> str:
    return next(fixed.ip_address for fixed in one.fixed_ips if (":" in fixed.ip_address) == (version == 6))


@pytest.fixture(params=[4, 6])
def version(request: pytest.FixtureRequest) -> int:
    found: int = request.param
    return found


@pytest.fixture
async def world(clock: list[float], version: int) -> World:
    return watching(World(made(ONE)), *(hop_of(one, version) for one in (ONE, TWO)))


def watching(world: World, *hops: str) -> World:
    version = 6 if ":" in hops[0] else 4
    world.region.create(replace(R, routes=tuple(routed(version, *hops))))
    world.region.settle()
    for one in (ONE, TWO):
        world.has[one.id][hop_of(one, version)] = one.mac_address
    return world


def reached(world: World, version: int, frm: Port = B1) -> set[str]:
    """Who gets what is sent there."""
    world.got.clear()
    for number in FLOWS:
        world.send(frm, to(f"{BEHIND[version]}{number + 1}", frm, number))
    return {who for who, packets in world.got.items() for packet in packets if packet["eth_type"] and who != frm.id}


async def test_who_answers_is_used(world: World, clock: list[float], version: int) -> None:
    world.passes(5, clock)
    assert reached(world, version) == {ONE.id, TWO.id}
    assert not world.agents["hv1"].known, "the database knows them"


async def test_one_node_probes_for_all(world: World, clock: list[float]) -> None:
    """Some once a second, of a hop, alone."""
    world.passes(5, clock)
    world.heard.clear()
    world.passes(20, clock)
    assert 20 / (EVERY + 1) <= len(world.heard[ONE.id]) <= 2 * 20 / EVERY
    assert {one["eth_dst"] for one in world.heard[ONE.id]} == {mac(ONE.mac_address)}
    assert {one["eth_src"] for one in world.heard[ONE.id]} == {mac(TO_GREEN.mac_address)}


async def test_a_dead_one_is_left_out_until_it_lives(world: World, clock: list[float], version: int) -> None:
    world.passes(3, clock)
    world.silent.add(TWO.id)
    world.passes(NOTICED, clock)
    assert reached(world, version) == {ONE.id}
    world.silent.clear()
    world.passes(EVERY + 2 * AGAIN, clock)
    assert reached(world, version) == {ONE.id, TWO.id}


async def test_while_nobody_lives_all_are_used(world: World, clock: list[float], version: int) -> None:
    world.silent |= {ONE.id, TWO.id}
    world.passes(NOTICED, clock)
    assert reached(world, version) == {ONE.id, TWO.id}


async def test_who_is_unplugged_here_is_left_out_at_once(world: World, clock: list[float], version: int) -> None:
    """Where he was, that is: elsewhere as soon as he does not answer."""
    world.passes(3, clock)
    node = world.region.nodes["hv2"]
    node.unplug(TWO.id)
    node.settle()
    hops = {one for route in [node.rendering.routers.get(R.id)] if route for i in route.interfaces for one in i.silent}
    assert len(hops) == 1


async def test_who_is_switched_off_is_left_out_at_once(world: World, version: int) -> None:
    world.region.create(replace(TWO, admin_state_up=False))
    world.region.settle()
    hv2 = world.region.nodes["hv2"].rendering.routers.get(R.id)
    assert hv2 is not None
    assert [len(one.silent) for one in hv2.interfaces if one.port.id == TO_GREEN.id] == [1]


async def test_nobody_else_keeps_a_dead_one_in_use(clock: list[float]) -> None:
    """By claiming its address, as a port without port security may."""
    liar = replace(ONE, port_security_enabled=False)
    world = watching(World(made(liar)), hop_of(ONE, 4), hop_of(TWO, 4))
    world.passes(3, clock)
    world.silent.add(TWO.id)
    world.has[ONE.id][hop_of(TWO, 4)] = ONE.mac_address
    for _ in range(round(NOTICED * 4)):
        world.send(liar, announced(liar, hop_of(TWO, 4)))
        world.passes(0.25, clock)
    assert reached(world, 4) == {ONE.id}


async def test_the_only_next_hop_is_not_probed(clock: list[float]) -> None:
    world = watching(World(made(ONE)), hop_of(ONE, 4))
    world.passes(5, clock)
    assert not world.heard[ONE.id]


async def test_another_router_is_never_probed_and_left_out_when_it_is_down(clock: list[float]) -> None:
    other = router(7)
    world = World(made(ONE))
    world.region.create(other, interface(7, other, GREEN, "10.0.1.7"))
    watching(world, "10.0.1.7", hop_of(TWO, 4))
    world.passes(5, clock)
    assert reached(world, 4) == {TWO.id, B1.id} - {B1.id}
    assert not [one for heard in world.heard.values() for one in heard if one.get("arp_tpa") == 0x0A000107]
    silent = [one.silent for _, one in world.agents["hv1"].watching()]
    assert silent == [frozenset()]
    world.region.create(replace(other, admin_state_up=False))
    world.region.settle()
    assert [len(one.silent) for _, one in world.agents["hv1"].watching()] == [1]


async def test_hosts_that_the_database_does_not_know(clock: list[float]) -> None:
    """A VM's second address and a physical host, each on a network of its own: asked by all nodes' routers."""
    world = watching(World(made()), SECOND[4], PHYSICAL[4])
    world.has[G1.id][SECOND[4]] = G1.mac_address
    world.has["wire"][PHYSICAL[4]] = THEIRS
    world.passes(3, clock)
    assert world.agents["hv1"].known == {SECOND[4]: G1.mac_address, PHYSICAL[4]: THEIRS}, "before a packet needs it"
    assert reached(world, 4) >= {G1.id, "wire"}
    del world.has["wire"][PHYSICAL[4]]
    world.passes(NOTICED, clock)
    assert reached(world, 4) == {G1.id}


async def test_where_no_host_can_be_there_is_no_request(clock: list[float]) -> None:
    world = watching(World(made(ONE)), "10.0.1.99", hop_of(TWO, 4))
    world.passes(1, clock)
    assert reached(world, 4) == {TWO.id}
    assert not [one for heard in world.heard.values() for one in heard if one.get("arp_tpa") == 0x0A000163]


async def test_what_is_not_watched_any_more_is_used(world: World, clock: list[float], version: int) -> None:
    world.silent.add(TWO.id)
    world.passes(NOTICED, clock)
    watching(world, hop_of(TWO, version))
    world.passes(1, clock)
    assert reached(world, version) == {TWO.id}
    for net in (BLUE, GREEN, RED):
        assert not world.agents["hv1"].node.rendering._memo.get(("silent", net.id))
