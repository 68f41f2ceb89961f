"""What the running agent answers, and what a person sees who asks where nobody answers."""

import asyncio
import re
import socket
from pathlib import Path
from typing import cast

import pytest
from click.testing import CliRunner

from netweft.agent.local_socket import SocketInUse, listen, serve
from netweft.agent.loop import Agent
from netweft.agent.plugin import L2Agent
from netweft.cli.agent import answer_to, ask
from netweft.cli.commands import cli
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


WRONG = (
    ("explain nobody", "no port here with the id, address or interface nobody"),
    ("explain ", "no port here"),
    ("trace nonsense", "malformed"),
    ('trace {"frm": "web"}', "missing required field `to`"),
    ('trace {"frm": "web", "to": "10.0.0.9", "protocol": "$(reboot)"}', "Expected `int`"),
    ('trace {"frm": "web", "to": "10.0.0.9"}', "no port here"),
)


@pytest.mark.parametrize(("question", "why"), WRONG)
async def test_what_it_cannot_say_of_a_port(tmp_path: Path, question: str, why: str) -> None:
    path = tmp_path / "agent.sock"
    agent = Agent(AgentSettings(node="hv1", state_dir=str(tmp_path), ovs_run_dir=str(tmp_path)))
    async with await serve(agent, listen(path)):
        with pytest.raises(CommandError, match=re.escape(why)):
            await asyncio.to_thread(answer_to, str(path), question)


async def test_another_agent_need_not_explain(tmp_path: Path) -> None:
    path = tmp_path / "agent.sock"
    async with await serve(cast(L2Agent, object()), listen(path)):
        with pytest.raises(CommandError, match="this L2 agent says nothing of single ports"):
            await asyncio.to_thread(answer_to, str(path), "explain web")


def test_neither_agent_nor_open_vswitch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line, and with the exit code that says that nothing was found out."""
    config = tmp_path / "netweft.toml"
    config.write_text(f'[agent]\nsocket = "{tmp_path}/a.sock"\novs_run_dir = "{tmp_path}"\nstate_dir = "{tmp_path}"\n')
    monkeypatch.delenv("OS_AUTH_URL", raising=False)
    for words in (["explain", "web"], ["explain", "web", "--here"], ["trace", "web", "10.0.0.9", "--proto", "6"]):
        told = CliRunner().invoke(cli, [*words, "--config", str(config)])
        assert told.exit_code == 2, told.output
        assert "neither the agent nor Open vSwitch's database answers on this node; no agent answers on" in told.output
        assert told.output.count("\n") == 1


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
    path.unlink(missing_ok=True)  # Python 3.13 removes what it served, 3.11 does not
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
    assert path.exists(), "as after a kill -9"
    listen(path).close()


def test_nobody_answers(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no agent answers on"):
        ask(str(tmp_path / "none"), "plan")
