"""The least there can be of an L2 agent, as docs/plugins.md shows it, does what the page says."""

import re
from pathlib import Path
from typing import Any

from netweft.agent.follower import Follower
from netweft.model import Port, view_of
from netweft.settings import AgentSettings

PAGE = Path(__file__).parents[3] / "docs" / "plugins.md"


async def test_the_page_shows_an_agent_that_runs(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    shown: dict[str, Any] = {}
    exec(code, shown)
    assert isinstance(shown["create"](AgentSettings(state_dir=str(tmp_path))), Follower)
    wiring, port = shown["Notebook"](), Port(id="p", network_id="n", mac_address="fa:16:3e:00:00:01")
    assert (await wiring.wire(view_of("h", 1, [port]), delete=True)).keys() == {"p"}
    assert not await wiring.plan(view_of("h", 1, [port]), delete=True)
    assert str(await wiring.plan(view_of("h", 2, []), delete=True)) == "- port p"
    assert not await wiring.plan(view_of("h", 2, []), delete=False)
