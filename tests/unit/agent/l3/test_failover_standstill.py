"""A vswitchd that stands still hears nobody, and finds all of its sessions ended: nobody leaves a gateway over that.
Who is cut off does, as soon as before."""

import asyncio

import pytest
from tests.unit.agent.l3.failover_world import EXPIRED, RENDERED_AFTER, World, in_own_time
from tests.unit.agent.l3.test_failover import GATEWAYS, SETTLED, USERS, has_it

SEEN_WITHIN = 0.3  # seconds, that a node is cut off
SEEDS = range(4)


@pytest.mark.parametrize("seconds", [0.25, 1.0])
def test_all_stand_still_and_nothing_moves(seconds: float) -> None:
    """Of a host that runs them all, which had no processor for them."""

    async def story(seed: int) -> None:
        world = World(GATEWAYS, USERS, seed)
        await world.passes(SETTLED)
        for node in world.nodes.values():
            node.freeze()
        await world.passes(seconds)
        for node in world.nodes.values():
            node.thaw()
        for _ in range(20):
            await world.passes(0.1)
            assert world.nodes["a"].place.answers
        await world.passes(SETTLED)
        assert has_it(world) == "a"
        assert [node.failover.left for node in world.nodes.values()] == [0] * 5
        assert not world.twice

    for seed in SEEDS:
        in_own_time(story(seed))


@pytest.mark.parametrize("seconds", [0.2, 0.3, 1.0])
def test_one_stands_still_and_one_has_it(seconds: float) -> None:
    """Others that have heard nothing of it for 300 ms may have taken over: it asks whether they have."""

    async def story(seed: int) -> None:
        world = World(GATEWAYS, USERS, seed)
        await world.passes(SETTLED)
        first = world.nodes["a"]
        first.freeze()
        await world.passes(seconds)
        first.thaw()
        for _ in range(60):
            await world.passes(0.1)
            assert world.answering
        assert world.twice * 0.005 < 0.1, "as long as it takes to find out"
        taken = world.nodes["b"].failover.taken
        assert first.failover.left == taken
        assert has_it(world) == ("b" if taken else "a")

    for seed in SEEDS:
        in_own_time(story(seed))


def test_a_cut_is_seen_as_soon() -> None:
    async def story(seed: int) -> None:
        world = World(GATEWAYS, USERS, seed)
        await world.passes(SETTLED)
        first = world.nodes["a"]
        first.underlay = False
        await world.passes(SEEN_WITHIN + 2 * RENDERED_AFTER[1])
        assert not first.told.place.answers
        await world.passes(SETTLED)
        assert has_it(world, "a") == "b"
        assert first.asked_underlay == 1
        assert not world.twice

    for seed in SEEDS:
        in_own_time(story(seed))


def test_whoever_answers_and_is_never_seen_is_not_waited_for_twice() -> None:
    """Something between them lets all through but the tunnels."""

    async def story() -> None:
        world = World(GATEWAYS, USERS, 3)
        await world.passes(SETTLED)
        first = world.nodes["a"]
        first.underlay = False
        asked: list[None] = []
        first.failover.ask_underlay(lambda hosts: _answered(asked))
        await world.passes(SETTLED)
        assert has_it(world, "a") == "b"
        assert len(asked) == 1
        first.underlay = True
        await world.passes(SETTLED)
        assert set(first.failover.seen.values()) == {world.nodes["b"].failover.seen["a"]}
        first.sessions = dict.fromkeys(first.sessions, EXPIRED | {"flap_count": "6"})
        first.wake()
        await world.passes(0.2)
        assert len(asked) == 2, "they have been seen meanwhile"

    async def _answered(asked: list[None]) -> bool:
        asked.append(None)
        await asyncio.sleep(0)
        return True

    in_own_time(story())


@pytest.mark.parametrize("server", [True, False])
@pytest.mark.parametrize("seconds", [0.4, 2.0])
def test_of_two_one_stands_still_and_both_have_it_for_a_moment_only(seconds: float, server: bool) -> None:
    """One session has ended, which says nothing of whose end it was; no server need say who has it now."""

    async def story(seed: int) -> None:
        world = World(("a", "b"), (), seed)
        world.server = server
        await world.passes(SETTLED)
        first = world.nodes["a"]
        first.freeze()
        await world.passes(seconds)
        assert world.nodes["b"].place.answers
        first.thaw()
        for _ in range(80):
            await world.passes(0.1)
            assert world.answering
        assert world.twice * 0.005 < 0.2, "as long as it takes to find out"
        assert len(world.answering) == 1

    for seed in SEEDS:
        in_own_time(story(seed))
