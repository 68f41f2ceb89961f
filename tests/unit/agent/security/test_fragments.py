"""What becomes of fragments is looked after: a switch that forgets it, or is told otherwise, is put right."""

from pathlib import Path
from typing import cast

import pytest
from structlog.testing import capture_logs

from netweft.agent.security import fragments
from netweft.agent.security.fragments import BridgeFragments
from netweft.dataplane.openflow.client import OpenFlowConnection
from netweft.dataplane.unixctl.client import CommandFailed

STATUS = """\
        Fragmentation Module Status
        ---------------------------
        v4 enabled: 1
        max num frags (v4/v6): {number}
        min v4 frag size: {v4}
        v4 frags too small: 1300
        min v6 frag size: {v6}
        num frag: {kept}
"""


class Switch:
    """As it is after a start; userspace: whether that is its datapath."""

    def __init__(self, *, userspace: bool = True) -> None:
        self.shown, self.userspace = False, userspace
        self.sizes, self.number = {"v4": 1200, "v6": 1280}, 1000
        self.refuses, self.kept = False, 0

    async def shows_first_fragments(self) -> bool:
        return self.shown

    async def show_first_fragments(self) -> None:
        self.shown = True

    async def command(self, _: Path, verb: str, datapath: str, *words: str) -> str:
        assert datapath == "netdev@ovs-netdev"
        if not self.userspace or (words and self.refuses):
            raise CommandFailed("no")
        match words:
            case [number]:
                self.number = int(number)
            case [family, size]:
                self.sizes[family] = int(size)
        return STATUS.format_map(self.sizes | {"number": self.number, "kept": self.kept})


@pytest.fixture
def switch(monkeypatch: pytest.MonkeyPatch) -> Switch:
    found = Switch()
    monkeypatch.setattr(fragments, "command", found.command)
    return found


async def watching(switch: Switch) -> BridgeFragments:
    found = BridgeFragments(Path())
    await found.read(cast(OpenFlowConnection, switch))
    return found


async def test_all_is_set_when_it_connects_and_then_nothing_is_to_be_done(switch: Switch) -> None:
    found = await watching(switch)
    assert [step.verb for step in found.plan()] == ["update", "create", "create", "create"]
    assert len({step.key for step in found.plan()}) == 4
    assert await found.put() == 4
    assert (switch.shown, switch.sizes, switch.number) == (True, {"v4": 400, "v6": 400}, 5000)
    assert not await found.look()
    assert not found.plan()
    assert await found.put() == 0


@pytest.mark.parametrize("change", [{"shown": False}, {"sizes": {"v4": 1200, "v6": 400}}, {"number": 1000}])
async def test_what_somebody_changes_is_noticed_and_put_right(switch: Switch, change: dict[str, object]) -> None:
    found = await watching(switch)
    await found.put()
    for name, value in change.items():
        setattr(switch, name, value)
    assert await found.look()
    assert await found.put() == 1
    assert not await found.look()


async def test_what_is_refused_is_tried_again(switch: Switch) -> None:
    switch.refuses = True
    found = await watching(switch)
    await found.put()
    assert switch.shown
    switch.refuses = False
    assert await found.look()
    await found.put()
    assert switch.sizes == {"v4": 400, "v6": 400}


async def test_a_full_conntrack_is_reported_once(switch: Switch) -> None:
    found = await watching(switch)
    await found.put()
    told = []
    for switch.kept in (0, 4499, 4500, 5000, 4499, 4500):
        with capture_logs() as logs:
            assert not await found.look()
        told.append([(line["kept"], line["most"]) for line in logs])
    assert told == [[], [], [(4500, 5000)], [], [], [(4500, 5000)]]


async def test_another_datapath_needs_no_sizes(switch: Switch) -> None:
    switch.userspace = False
    found = await watching(switch)
    assert await found.put() == 1


async def test_of_a_lost_bridge_there_is_nothing_to_do(switch: Switch) -> None:
    found = await watching(switch)
    found.lost()
    assert not await found.look()
    assert await found.put() == 0
