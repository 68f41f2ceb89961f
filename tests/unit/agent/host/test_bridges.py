"""Which bridges have been asked what is on them."""

import asyncio
from pathlib import Path

from netweft.agent.loop import Agent
from netweft.settings import AgentSettings


def agent(folder: Path) -> Agent:
    return Agent(AgentSettings(node="hv1", ovs_run_dir=str(folder), state_dir=str(folder), bridge_mappings=("a:br-a",)))


async def test_bridges_that_do_not_answer_hold_nobody_up(tmp_path: Path) -> None:
    bridges = agent(tmp_path).bridges
    running = [asyncio.create_task(side.run()) for side in bridges.values()]
    async with asyncio.timeout(10):
        await bridges.asked(60)
    assert all(side.asked.is_set() for side in bridges.values())
    for task in running:
        task.cancel()


async def test_bridges_that_are_slow_hold_nobody_up_for_long(tmp_path: Path) -> None:
    bridges = agent(tmp_path).bridges
    async with asyncio.timeout(10):
        await bridges.asked(0.01)
    assert not any(side.asked.is_set() for side in bridges.values())
