"""Whoever dies, is cut off, comes back, is asked anew: one node has the gateway, all send there, never two answer."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.examples import examples
from tests.unit.agent.l3.failover_world import PORT, Node, World, in_own_time

from netweft.services.l2.announce import Packet
from netweft.services.l3.values import GatewayPlace

GATEWAYS, USERS = ("a", "b", "c"), ("x", "y")
SETTLED = 6.0
FAULTS = ("dies", "is cut off", "its uplink is cut")


def do(node: Node, what: str) -> None:
    match what:
        case "dies" if node.alive:
            node.die()
        case "comes back":
            if not node.alive:
                node.come_back()
            node.underlay = node.uplink = True
        case "is cut off":
            node.underlay = False
        case "its uplink is cut":
            node.uplink = False
        case "its agent restarts" if node.alive:
            node.agent_restarts()
    node.wake()


def has_it(world: World, *but: str) -> str:
    """The one that has the gateway, as all but these see it."""
    (one,) = world.answering
    assert one.place.here
    hosts = {node.place.host for node in world.nodes.values() if node.name not in but}
    assert hosts == {one.name}
    return one.name


def reached(world: World, node: Node) -> str:
    """Where what it sends leaves: who is meant may pass it on, once."""
    for _ in range(2):
        node = world.nodes[node.place.host]
    return node.name if node.place.host == node.name else ""


def test_the_first_takes_it() -> None:
    async def story() -> None:
        world = World(GATEWAYS, USERS, 1)
        await world.passes(SETTLED)
        assert has_it(world) == "a"
        assert world.order == GATEWAYS

    in_own_time(story())


def test_a_probe_that_could_not_be_sent_is_sent_again() -> None:
    async def story() -> None:
        world = World(GATEWAYS, USERS, 1)
        failing = [True]

        def say(packet: Packet) -> None:
            if failing.pop():
                raise ConnectionError("no bridge")

        first = world.nodes["a"].failover.asking
        first._say, works = say, first._say
        await world.passes(0.2)
        assert not failing
        assert not world.answering
        first._say = works
        world.nodes["a"].wake()
        await world.passes(SETTLED)
        assert has_it(world) == "a"

    in_own_time(story())


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("seed", range(10))
def test_the_next_takes_over_within_half_a_second(fault: str, seed: int) -> None:
    """And keeps it when the first comes back."""

    async def story() -> None:
        world = World(GATEWAYS, USERS, seed)
        await world.passes(SETTLED)
        do(world.nodes["a"], fault)
        await world.passes(0.5)
        assert has_it(world, "a") == "b"
        assert world.order[0] == "b"
        await world.passes(SETTLED)
        assert has_it(world, "a") == "b"
        do(world.nodes["a"], "comes back")
        for _ in range(60):
            await world.passes(0.1)
            assert has_it(world, "a") == "b", "not for a moment is it elsewhere"
        assert has_it(world) == "b"
        assert not world.twice

    in_own_time(story())


@pytest.mark.parametrize("fault", FAULTS)
def test_the_server_need_not_be_there(fault: str) -> None:
    """It does not hear of it; who comes back finds that somebody answers, and sends there."""

    async def story() -> None:
        world = World(GATEWAYS, USERS, 3)
        await world.passes(SETTLED)
        world.server = False
        do(world.nodes["a"], fault)
        await world.passes(1.0)
        assert has_it(world, "a") == "b"
        do(world.nodes["a"], "comes back")
        for _ in range(60):
            await world.passes(0.1)
            assert [one.name for one in world.answering] == ["b"]
            assert {reached(world, node) for node in world.nodes.values() if node.name != "a"} == {"b"}
        assert reached(world, world.nodes["a"]) == "b"
        world.server = True
        await world.passes(2.0)
        assert (world.order[0], has_it(world)) == ("b", "b")
        assert not world.twice

    in_own_time(story())


def test_an_agent_that_restarts_goes_on_answering() -> None:
    async def story() -> None:
        world = World(GATEWAYS, USERS, 4)
        await world.passes(SETTLED)
        for name in (*GATEWAYS, *USERS):
            do(world.nodes[name], "its agent restarts")
            for _ in range(20):
                await world.passes(0.05)
                assert has_it(world) == "a"

    in_own_time(story())


@pytest.mark.parametrize("seconds", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("who", ["a", "b", "x"])
def test_who_stands_still_for_a_moment_keeps_what_it_has(who: str, seconds: float) -> None:
    """Its ovsdb-server is killed: packets wait, and are not lost as long as nobody takes over."""

    async def story() -> None:
        world = World(GATEWAYS, USERS, 10)
        await world.passes(SETTLED)
        world.nodes[who].stand_still()
        for waits in (seconds, SETTLED):
            for _ in range(int(waits / 0.05)):
                await world.passes(0.05)
                assert {node.place.host for node in world.nodes.values()} == {"a"}
                assert not any(node.failover.asking.ids for node in world.nodes.values()), "nobody even asks"
                assert world.nodes["a"].place.answers
            if world.nodes[who].stands_still:
                world.nodes[who].go_on()
        assert has_it(world) == world.order[0] == "a"

    in_own_time(story())


def test_who_stands_still_for_good_is_replaced() -> None:
    async def story() -> None:
        world = World(GATEWAYS, USERS, 11)
        await world.passes(SETTLED)
        world.nodes["a"].stand_still()
        await world.passes(SETTLED)
        assert has_it(world, "a") == "b"
        world.nodes["a"].die()
        world.nodes["a"].stands_still = False
        world.nodes["a"].come_back()
        await world.passes(SETTLED)
        assert has_it(world) == "b"

    in_own_time(story())


def test_who_is_gone_after_it_was_deaf_is_gone_at_once() -> None:
    async def story() -> None:
        world = World(GATEWAYS, USERS, 12)
        await world.passes(SETTLED)
        world.nodes["a"].stand_still()
        await world.passes(1.0)
        world.nodes["a"].die()
        await world.passes(0.5)
        assert has_it(world, "a") == "b"

    in_own_time(story())


def test_who_finds_all_gone_when_its_database_is_back_waits_and_leaves() -> None:
    """It was cut off while it could not see it."""

    async def story() -> None:
        world = World(GATEWAYS, USERS, 13)
        await world.passes(SETTLED)
        do(world.nodes["a"], "is cut off")
        world.nodes["a"].stand_still()
        await world.passes(0.5)
        world.nodes["a"].go_on()
        await world.passes(SETTLED)
        assert has_it(world, "a") == "b"

    in_own_time(story())


def test_who_would_not_hear_an_answer_takes_nothing() -> None:
    """Somebody floods it with answers: then it knows nothing."""

    async def story() -> None:
        world = World(GATEWAYS, USERS, 8)
        await world.passes(SETTLED)
        for name in ("b", "c"):
            world.nodes[name].failover.asking.is_deaf = lambda port_id: True
        do(world.nodes["a"], "dies")
        await world.passes(2.0)
        assert not world.answering
        world.nodes["b"].failover.asking.is_deaf = lambda port_id: False
        await world.passes(2.0)
        assert has_it(world, "a") == "b"

    in_own_time(story())


@pytest.mark.parametrize("first_back", ["b", "c", "x", "y"])
def test_who_was_cut_off_waits_for_the_others(first_back: str) -> None:
    """It sees them one after the other; the one that has taken over may be the last."""

    async def story() -> None:
        world = World(GATEWAYS, USERS, 9)
        await world.passes(SETTLED)
        do(world.nodes["a"], "is cut off")
        await world.passes(SETTLED)
        assert has_it(world, "a") == "b"
        world.first_back = ("a", first_back)
        do(world.nodes["a"], "comes back")
        for _ in range(60):
            await world.passes(0.05)
            assert world.nodes["a"].failover.asking.ids == [], "it does not even ask"
            assert has_it(world, "a") == "b"
        assert has_it(world) == "b"

    in_own_time(story())


@pytest.mark.parametrize("seed", range(5))
def test_all_that_see_each_other_end_at_once_find_together_again(seed: int) -> None:
    """None of them gets a turn of its processor for a while, again and again, and the server none to note who took
    over: they must not wait for each other until one has been there for some time."""

    async def story() -> None:
        world = World(GATEWAYS, USERS, seed)
        await world.passes(SETTLED)
        world.server = False
        for _ in range(6):
            for node in world.nodes.values():
                do(node, "is cut off")
            await world.passes(0.3)
            for node in world.nodes.values():
                do(node, "comes back")
            await world.passes(2.0)
            (one,) = world.answering
            assert {reached(world, node) for node in world.nodes.values()} == {one.name}
        world.server = True
        await world.passes(SETTLED)
        assert has_it(world) == world.order[0]
        assert not world.twice

    in_own_time(story())


@pytest.mark.parametrize("who", ["a", "b"])
def test_a_way_outside_that_comes_and_goes_moves_nothing_more_than_once(who: str) -> None:
    """Ten times a second: nobody announces, asks or tells the server each time."""

    async def story() -> None:
        world = World(GATEWAYS, USERS, 2)
        await world.passes(SETTLED)
        taken = sum(node.failover.taken for node in world.nodes.values())
        for _ in range(30):
            do(world.nodes[who], "its uplink is cut")
            await world.passes(0.05)
            world.nodes[who].uplink = True
            world.nodes[who].wake()
            await world.passes(0.05)
        assert sum(node.failover.taken for node in world.nodes.values()) == taken + (who == "a")
        await world.passes(SETTLED)
        assert has_it(world) == "b" if who == "a" else "a"
        assert not world.twice

    in_own_time(story())


def test_two_alone() -> None:
    """One that sees its only neighbour gone cannot know whose end it is; who answers outside says so."""

    async def story() -> None:
        world = World(("a", "b"), (), 5)
        await world.passes(SETTLED)
        do(world.nodes["a"], "is cut off")
        await world.passes(SETTLED)
        assert [one.name for one in world.answering] == ["a"]
        do(world.nodes["a"], "dies")
        await world.passes(1.0)
        assert [one.name for one in world.answering] == ["b"]
        assert not world.twice

    in_own_time(story())


def test_what_is_left_to_another_is_heard_for_a_while() -> None:
    """The server wants it elsewhere: the new one has it before the old one stops taking what comes in."""

    async def story() -> None:
        world = World(GATEWAYS, USERS, 6)
        await world.passes(SETTLED)
        world.taken("b")  # as if somebody had asked for it
        here = dict.fromkeys(GATEWAYS, 0)
        for _ in range(200):
            await world.passes(0.005)
            now = [node.name for node in world.nodes.values() if node.place.here]
            assert now, "never nobody"
            here |= {name: here[name] + 1 for name in now}
        assert has_it(world, "a") == "b"
        assert here["a"] and here["b"]
        await world.passes(3.0)
        assert [node.name for node in world.nodes.values() if node.place.here] == ["b"]
        assert not world.twice

    in_own_time(story())


steps = st.lists(
    st.tuples(
        st.sampled_from((*GATEWAYS, "x")),
        st.sampled_from((*FAULTS, "comes back", "comes back", "its agent restarts")),
        st.sampled_from((0.0, 0.05, 0.2, 0.35, 1.0, 5.0)),
    ),
    max_size=6,
)


@settings(max_examples=examples(15), deadline=None)
@given(steps, st.integers(0, 1000))
def test_in_any_order_of_events(story: list[tuple[str, str, float]], seed: int) -> None:
    """In the end all are there again: one has it, and all send there.  At no time have two answered."""

    async def play() -> None:
        world = World(GATEWAYS, USERS, seed)
        await world.passes(SETTLED)
        for name, what, seconds in story:
            do(world.nodes[name], what)
            await world.passes(seconds)
        for node in world.nodes.values():
            do(node, "comes back")
        await world.passes(2 * SETTLED)
        assert has_it(world) == world.order[0]
        assert not world.twice

    in_own_time(play())


@pytest.mark.parametrize("order", [("b", "a", "c"), ("b", "c")])
def test_what_was_found_once_says_nothing_of_a_gateway_that_comes_again(order: tuple[str, ...]) -> None:
    """It had it when its agent restarted; then it was not concerned any more, and its flows went."""

    async def story() -> None:
        world = World(GATEWAYS, USERS, 8)
        await world.passes(SETTLED)
        do(world.nodes["a"], "its agent restarts")
        await world.passes(1.0)
        whole = world.view
        for world.order, world.view in (
            (GATEWAYS, whole.merged(2, (), [("gateway_port", PORT.id)])),
            (order, whole.merged(3, [replace(PORT, host_id="b", hosts=order)], ())),
        ):
            for node in world.nodes.values():
                node.wake()
            await world.passes(1.0)
        assert has_it(world) == "b"
        assert not world.twice

    in_own_time(story())


def test_flows_that_were_found_are_nothing_to_who_is_not_in_the_order() -> None:
    """It had it before its agent was restarted to be wired otherwise."""

    async def story() -> None:
        world = World(("b", "c"), ("a", *USERS), 9)
        await world.passes(SETTLED)
        node = world.nodes["a"]
        node.place = GatewayPlace("a", here=True, answers=True)
        node.agent_restarts()
        await world.passes(1.0)
        assert has_it(world) == "b"

    in_own_time(story())


def test_no_gateway_no_seat() -> None:
    async def story() -> None:
        world = World(GATEWAYS, USERS, 7)
        await world.passes(SETTLED)
        world.view = world.view.merged(2, (), [("gateway_port", PORT.id)])
        for node in world.nodes.values():
            node.wake()
        await world.passes(1.0)
        assert not world.answering
        assert len(asyncio.all_tasks()) == len(world.nodes) + 1, "nobody asks on"

    in_own_time(story())
