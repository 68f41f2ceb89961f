"""A new agent, on a node that has a router's gateway: what was on the bridge says so."""

import asyncio
from pathlib import Path
from typing import Any

from tests.convergence.agent_world import AgentWorld
from tests.convergence.test_agent import calm

from netweft.dataplane.openflow.flow import Flow
from netweft.model import NodeView
from netweft.services.fields import Reason, cookie
from netweft.testing.region import gateway, network, router, subnet

EXTERNAL = network(1, "flat", "public")
ROUTER = router(1)
GATEWAY = gateway(1, ROUTER, EXTERNAL, "hv1", "203.0.113.5")
OBJECTS = (EXTERNAL, subnet(EXTERNAL, "203.0.113.0/24"), ROUTER, GATEWAY)
ANSWERS = cookie(Reason.ROUTER_ANSWERS, GATEWAY.id)


def answering(world: AgentWorld) -> list[Flow]:
    return sorted((flow for flow in world.switches["int"].flows.values() if flow.cookie == ANSWERS), key=str)


async def world_with_gateway(folder: Path) -> tuple[AgentWorld, NodeView]:
    world = AgentWorld(folder)
    await world.start()
    world.see(world.desired.view, OBJECTS)
    async with asyncio.timeout(60):
        while not answering(world):  # it asks whether somebody else does, first
            await calm(world)
            await asyncio.sleep(0.01)
    await calm(world)
    return world, world.desired.view


async def test_it_goes_on_answering(tmp_path: Path) -> None:
    world, view = await world_with_gateway(tmp_path)
    before = answering(world)
    await world.start(subscribed=False, on_disk=view)
    await calm(world)
    assert answering(world) == before
    assert world.switches["int"].deleted == 0


async def test_what_is_on_the_bridge_is_looked_at_once_there_is_something_rendered(tmp_path: Path) -> None:
    """A bridge may be read before the database is: then nobody knows yet which gateways may be here."""
    world = AgentWorld(tmp_path)
    world.new_agent()
    attaching = asyncio.create_task(world.attach())
    for _ in range(50):
        await asyncio.sleep(0)
    assert not attaching.done()
    assert not world.agent.bridges["int"].connected
    await world.agent.turn()
    await attaching
    assert world.agent.bridges["int"].connected


async def test_it_goes_on_answering_where_the_bridge_is_read_within_the_first_turn(tmp_path: Path) -> None:
    """What that turn rendered knew nothing of the bridge: nothing that is said of it is said by that turn."""
    world, view = await world_with_gateway(tmp_path)
    before = answering(world)
    world.new_agent(view)
    attaching = asyncio.create_task(world.attach())
    apply = world.ovs.apply

    async def slow(**how: Any) -> int:
        await attaching
        return await apply(**how)

    world.ovs.apply = slow  # type: ignore[method-assign]
    async with asyncio.timeout(60):
        await world.agent.turn()
    await calm(world)
    assert answering(world) == before
    assert world.switches["int"].deleted == 0
