"""What the running agent answers, and what a person sees who asks where nobody answers."""

import asyncio
from pathlib import Path

import pytest

from netweft.agent.loop import Agent
from netweft.agent.questions import SocketInUse, listen, serve
from netweft.cli.agent import ask
from netweft.cli.errors import CommandError
from netweft.settings import AgentSettings


async def test_plan_and_show(tmp_path: Path) -> None:
    path = tmp_path / "run" / "agent.sock"
    agent = Agent(AgentSettings(node="hv1", state_dir=str(tmp_path), ovs_run_dir=str(tmp_path)))
    async with await serve(agent, listen(path)):
        with pytest.raises(CommandError, match="not connected: ovsdb-server"):
            await asyncio.to_thread(ask, str(path), "plan")
        shown = await asyncio.to_thread(ask, str(path), "show")
        assert "node hv1" in shown
        assert "bridge int away" in shown
        with pytest.raises(CommandError, match="unknown question"):
            await asyncio.to_thread(ask, str(path), "riddle")


async def test_only_its_owner_may_ask(tmp_path: Path) -> None:
    path = tmp_path / "agent.sock"
    with listen(path):
        assert path.stat().st_mode & 0o777 == 0o600


async def test_a_second_agent_is_refused_and_a_dead_ones_socket_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "agent.sock"
    agent = Agent(AgentSettings(node="hv1", state_dir=str(tmp_path)))
    async with await serve(agent, listen(path)):
        with pytest.raises(SocketInUse, match="running already"):
            listen(path)
    assert path.exists(), "as after a kill -9"
    listen(path).close()


def test_nobody_answers(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no agent answers on"):
        ask(str(tmp_path / "none"), "plan")
