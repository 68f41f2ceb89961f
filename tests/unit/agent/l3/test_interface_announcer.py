"""VMs hear with which MAC a router has an address of their network, when that is new."""

from msgspec.structs import replace
from tests.unit.agent.l3.test_unknown_hosts import B1, B2, BLUE, G1, TO_BLUE, R, clock, made
from tests.unit.agent.l3.unknown_world import World

from netweft.services.addresses import mac, prefix
from netweft.testing.region import interface, router
from netweft.testing.switch import Packet

__all__ = ["clock"]
OTHER = router(5)
INSTEAD = interface(9, OTHER, BLUE, "10.0.0.1", "fd00:a::1")


def wired(world: World) -> None:
    world.region.settle()
    for agent in world.agents.values():
        agent.resolver.wired()
    world._settle()


def told(heard: list[Packet], address: str) -> list[int]:
    """Which MACs have it, as is said unasked."""
    value = prefix(address).value
    arp = [one["arp_sha"] for one in heard if one.get("arp_spa") == one.get("arp_tpa") == value]
    return arp + [one["nd_tll"] for one in heard if one.get("nd_target") == value and "nd_tll" in one]


async def test_a_router_in_the_place_of_another_is_announced_to_the_vms_there(clock: list[float]) -> None:
    """By each node to its own, three times; to nobody elsewhere."""
    world = World(made())
    wired(world)
    assert not world.heard, "what was there before is known"
    del world.region.router_ports[TO_BLUE.id]
    world.region.create(OTHER, INSTEAD)
    wired(world)
    world.passes(3, clock)
    for one in (B1, B2):
        for address in ("10.0.0.1", "fd00:a::1"):
            assert told(world.heard[one.id], address) == [mac(INSTEAD.mac_address)] * 3
    assert not world.heard[G1.id]


async def test_another_address_is_announced_and_what_stays_is_not(clock: list[float]) -> None:
    world = World(made())
    wired(world)
    world.region.create(replace(R, name="renamed"))
    wired(world)
    world.passes(3, clock)
    assert not world.heard[B1.id]
    moved = interface(1, R, BLUE, "10.0.0.2")
    world.region.create(moved)
    wired(world)
    assert told(world.heard[B1.id], "10.0.0.2") == [mac(moved.mac_address)]


async def test_one_that_is_down_says_nothing(clock: list[float]) -> None:
    world = World(made())
    wired(world)
    world.region.create(replace(R, admin_state_up=False))
    wired(world)
    assert not world.heard[B1.id]
    world.region.create(R)
    wired(world)
    assert told(world.heard[B1.id], "10.0.0.1") == [mac(TO_BLUE.mac_address)]
