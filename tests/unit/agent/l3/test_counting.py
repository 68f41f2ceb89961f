"""The agent's counters: on disk before they are told, and nothing of it stops the agent."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.unit.services.l3.test_counting import ONE, VIEW

from netweft.agent.l3.counting import Counting
from netweft.dataplane.openflow.errors import ConnectionLost
from netweft.dataplane.openflow.messages import Count
from netweft.model.counting import Counted
from netweft.services.fields import Reason, cookie
from netweft.services.l3.counting import TABLES


class Switch:
    """One flow, of a floating IP, inwards."""

    packets = 0
    there = True

    async def count(self, table: int, wanted: int, mask: int) -> list[Count]:
        if not self.there:
            raise ConnectionLost("gone")
        own = cookie(Reason.FLOATING_ADDRESS, ONE.id)
        mine = table == TABLES["from_outside"] and own & mask == wanted & mask
        return [Count(own, (table, 20, b""), self.packets, 100 * self.packets)] if mine else []


class Agent:
    def __init__(self, folder: Path, switch: Switch, node: str = "hv1") -> None:
        self.told: list[int] = []
        self.lives: set[int] = set()
        self.switch: Any = switch
        self.counting = Counting(folder / "counts", node, 1.0, lambda: VIEW, self.tell)

    def tell(self, counted: Iterable[Counted]) -> None:
        for one in counted:
            self.told.append(one.packets_in)
            self.lives.add(one.life)

    async def start(self) -> "Agent":
        await self.counting.connected(self.switch)
        return self


async def test_it_counts_on_over_its_own_end(tmp_path: Path) -> None:
    switch = Switch()
    agent = await Agent(tmp_path, switch).start()
    switch.packets = 5
    await agent.counting.look()
    switch.packets = 8
    after = await Agent(tmp_path, switch).start()
    assert (agent.told, after.told, after.lives) == ([5], [8], agent.lives)


async def test_a_server_that_is_new_hears_all_of_it(tmp_path: Path) -> None:
    switch = Switch()
    agent = await Agent(tmp_path, switch).start()
    agent.counting.begin_session()
    switch.packets = 5
    await agent.counting.look()
    agent.counting.begin_session()
    assert agent.told == [5, 5]


async def test_without_its_file_it_begins_anew(tmp_path: Path) -> None:
    switch = Switch()
    agent = await Agent(tmp_path, switch).start()
    switch.packets = 5
    await agent.counting.look()
    for torn in (b"", b"\x93torn", b"\xc0"):
        (tmp_path / "counts").write_bytes(torn)
        anew = await Agent(tmp_path, switch).start()
        switch.packets += 1
        await anew.counting.look()
        assert anew.told == [1]
        assert not anew.lives & agent.lives
    other = await Agent(tmp_path, switch, "hv2").start()
    assert other.told == [], "another node's is none"


async def test_a_switch_that_is_away_or_a_disk_that_is_full_costs_nothing(tmp_path: Path) -> None:
    switch = Switch()
    agent = await Agent(tmp_path, switch).start()
    switch.packets, switch.there = 5, False
    await agent.counting.look()
    await agent.counting.look()
    assert agent.told == []
    switch.there = True
    (tmp_path / "counts").unlink()
    (tmp_path / "counts").mkdir()
    await agent.start()
    assert agent.told == [5], "told all the same: the flows still know it"
