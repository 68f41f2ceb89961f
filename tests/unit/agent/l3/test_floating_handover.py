"""A floating IP that is led from node to node is answered for by one at a time, and soon, whoever is gone meanwhile."""

from ipaddress import IPv4Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.examples import examples
from tests.unit.agent.l3.failover_world import in_own_time
from tests.unit.agent.l3.handover_world import ADDRESS, ID, World

from netweft.agent.l3.floating_handover import MOST
from netweft.dataplane.packets import arp
from netweft.model.wire_macs import asking_mac
from netweft.services.addresses import octets_of_mac
from netweft.services.l3.floating_ips.places import FloatingPlace, Where

NODES = ("a", "b", "c")
SOON = 0.2  # heard, rendered twice, asked


def test_a_new_one_is_answered_for_without_asking() -> None:
    async def story() -> None:
        world = begun(1)
        world.led_to("a")
        await world.passes(1.0)
        assert world.answering == ["a"]
        assert world.silent < 0.1
        assert not any(node.asked for node in world.nodes.values())

    in_own_time(story())


def test_where_it_has_been_is_forgotten_once_one_has_it_alone() -> None:
    """To another port of that node it is led without asking, as if it had never been elsewhere."""

    async def story() -> None:
        world = begun(1)
        for host in ("a", "b"):
            world.led_to(host)
            await world.passes(1.0)
        assert world.one.led_on == "b"
        asked = world.nodes["b"].asked
        world.led_to("b")
        await world.passes(1.0)
        assert (world.one.led_on, world.nodes["b"].asked) == ("b", asked)
        world.led_to("a")
        await world.passes(1.0)
        assert world.nodes["a"].asked, "but elsewhere"
        assert not world.twice

    in_own_time(story())


def test_who_was_waited_for_in_vain_may_have_it_still() -> None:
    async def story() -> None:
        world = begun(1)
        world.led_to("a")
        await world.passes(1.0)
        world.nodes["a"].agent_dies()
        world.led_to("b")
        await world.passes(MOST + 3)
        assert world.nodes["b"].answers
        assert world.one.led_on == "*"

    in_own_time(story())


@pytest.mark.parametrize("seed", range(10))
def test_never_two(seed: int) -> None:
    async def story() -> None:
        world = begun(seed)
        for host in ("a", "b", "c", "a", "c"):
            world.led_to(host, left=True)
            await world.passes(1.0)
            assert world.answering == [host]
            assert world.silent <= SOON
        for host in ("a", "b", "a", "b", "c"):
            world.led_to(host)
            await world.passes(0.02)
        await world.passes(1.0)
        assert world.answering == ["c"]
        assert not world.twice

    in_own_time(story())


def test_who_is_dead_is_not_waited_for() -> None:
    async def story() -> None:
        world = World(NODES, 2)
        world.led_to("a")
        await world.passes(1.0)
        world.nodes["a"].alive = False
        world.led_to("b")
        await world.passes(1.0)
        assert world.answering == ["b"]
        assert world.silent <= SOON

    in_own_time(story())


def test_who_only_has_no_agent_is_waited_for() -> None:
    """It answers on; and when nobody puts that right, it is as with a node that is gone."""

    async def story() -> None:
        for back in (3.0, None):
            world = World(NODES, 3)
            world.led_to("a")
            await world.passes(1.0)
            world.nodes["a"].agent_dies()
            world.led_to("b")
            await world.passes(back or MOST - 1)
            assert world.answering == ["a"]
            if back:
                world.nodes["a"].agent_is_back(None)
                await world.passes(1.0)
                assert world.answering == ["b"]
            assert not world.twice
            await world.passes(3.0)
            assert world.nodes["b"].answers

    in_own_time(story())


def test_an_agent_that_restarts_goes_on_answering() -> None:
    async def story() -> None:
        world = World(NODES, 4)
        world.led_to("a")
        await world.passes(1.0)
        asked = world.nodes["a"].asked
        world.nodes["a"].agent_dies()
        world.nodes["a"].agent_is_back(world.place("a"))
        for _ in range(100):
            await world.passes(0.005)
            assert world.answering == ["a"]
        assert world.nodes["a"].asked == asked

    in_own_time(story())


def test_what_others_say_of_it() -> None:
    """A stranger who has the address too keeps nobody from it."""

    async def story() -> None:
        world = World(NODES, 5)
        world.led_to("a")
        await world.passes(1.0)
        world.nodes["a"].alive = False
        world.led_to("b")
        asks = arp.Said(octets_of_mac(asking_mac("b", ID)), IPv4Address(ADDRESS))
        for _ in range(1000):
            await world.passes(0.001)
            world.nodes["b"].takes(arp.answer(bytes.fromhex("020000000bad"), asks))
        assert world.answering == ["b"]
        assert world.silent <= SOON

    in_own_time(story())


def test_one_that_was_here_with_its_gateway_is_this_nodes_alone() -> None:
    """Nobody is asked again when its VM comes; but the server is told, as when one was."""

    async def story() -> None:
        world = begun(1)
        world.led_to("b")
        await world.passes(2.0)
        world.host, world.one = "", replace(world.one, led_on="*", led=world.one.led + 1)
        world.nodes["b"].hears_of(None)
        world.nodes["a"].hears_of(FloatingPlace(world.one, Where.GATEWAY, "", True))  # which is there
        await world.passes(2.0)
        assert (world.answering, world.one.led_on) == (["a"], "*")
        asked = world.nodes["a"].asked
        world.led_to("a")
        await world.passes(1.0)
        assert (world.answering, world.one.led_on) == (["a"], "a")
        assert world.nodes["a"].asked == asked

    in_own_time(story())


moves = st.lists(st.tuples(st.sampled_from(NODES), st.sampled_from((0.0, 0.01, 0.05, 0.2, 1.0))), max_size=8)


@settings(max_examples=examples(15), deadline=None)
@given(moves, st.sampled_from(("", *NODES)), st.integers(0, 1000))
def test_in_any_order(story: list[tuple[str, float]], restarts: str, seed: int) -> None:
    async def play() -> None:
        world = begun(seed)
        for place, (host, seconds) in enumerate([*story, ("a", 1.0)]):
            if restarts and place == len(story) // 2:
                node = world.nodes[restarts]
                node.agent_dies()
                node.agent_is_back(world.place(restarts))
            if host != world.host:
                world.led_to(host)
            await world.passes(seconds)
        assert world.answering == ["a"]
        assert not world.twice

    in_own_time(play())


def begun(seed: int) -> World:
    """Its agents know all that concerns them."""
    world = World(NODES, seed)
    for node in world.nodes.values():
        node.handover.observe()
    return world
