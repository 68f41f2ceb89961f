"""Which agent runs is a name; who has installed one, finds it."""

import sys
from pathlib import Path

import pytest

from netweft.agent.loop import Agent
from netweft.agent.main import AgentError, run
from netweft.agent.plugin import l2_agent
from netweft.settings import AgentSettings, SettingsError


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What pip leaves of a third party's package."""
    (tmp_path / "their_agent.py").write_text("def agent(settings):\n    return f'wires {settings.node}'\n")
    metadata = tmp_path / "their_agent-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: their-agent\nVersion: 1.0\n")
    lines = (
        "[netweft.l2_agents]",
        "theirs = their_agent:agent",
        "torn = their_agent:gone",
        "openvswitch = other:thing",
    )
    (metadata / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "their_agent", raising=False)


def test_ours_is_the_default() -> None:
    assert l2_agent(AgentSettings().driver) is Agent


@pytest.mark.usefixtures("installed")
def test_theirs_is_found_by_its_name_and_cannot_take_ours() -> None:
    assert str(l2_agent("theirs")(AgentSettings(node="hv1"))) == "wires hv1"
    assert l2_agent("openvswitch") is Agent


@pytest.mark.usefixtures("installed")
def test_one_that_is_unknown_or_cannot_be_loaded_is_named() -> None:
    with pytest.raises(SettingsError, match="no L2 agent 'other'; there are: openvswitch, ovn, theirs, torn"):
        l2_agent("other")
    with pytest.raises(SettingsError, match="'torn' cannot be loaded"):
        l2_agent("torn")


def test_the_process_ends_before_it_touches_anything(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match="driver: no L2 agent 'other'"):
        run(AgentSettings(driver="other", socket=str(tmp_path / "s")))
    assert not (tmp_path / "s").exists()
