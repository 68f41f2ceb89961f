"""Which mechanisms are begun anew when hosts hear something else by LLDP: those that it concerns."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from netweft.feed import devices
from netweft.feed.devices import Mechanisms
from netweft.plugins.mechanisms import vetoes
from netweft.settings import ServerSettings
from netweft.store import Store

SWITCH = """
[genericswitch:{name}]
device_type = ovsdb
netweft_remote = unix:/nowhere/{name}
netweft_bridge = br0
netweft_lldp = true
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "LOOK_SECONDS", 0.01)


@asynccontextmanager
async def running(store: Store, folder: Path) -> AsyncIterator[Mechanisms]:
    file = folder / "switches.ini"
    file.write_text("".join(SWITCH.format(name=name) for name in ("tor1", "tor2")))
    made = Mechanisms(store, ServerSettings(state_dir=str(folder), switches_file=str(file)))
    async with made.running():
        yield made


def hears(store: Store, switch: str, port: str) -> None:
    said = {"neighbours": [{"interface": "eth1", "switch_id": "", "switch_name": switch, "port": port}]}
    row = {"id": "hv1", "host": "hv1", "agent_type": "x", "binary": "x", "configurations": said}
    with store.write() as tx:
        if tx.lock("agents", "hv1") is None:
            tx.insert("agents", row)
        else:
            tx.update("agents", "hv1", {"configurations": said})


def running_now(found: Mechanisms) -> dict[str, int]:
    return {run.mechanism.name: id(run) for run in found._runs}


async def settled(found: Mechanisms, seen: int) -> None:
    """It has looked at what is heard now."""
    async with asyncio.timeout(60):
        while found.looked < seen + 3:
            await asyncio.sleep(0.01)


async def test_only_those_whose_links_are_others_begin_anew(store: Store, tmp_path: Path) -> None:
    async with running(store, tmp_path) as found:
        first = running_now(found)
        assert set(first) == {"switch:tor1", "switch:tor2"}
        for number in range(3):  # of nobody whom we know: a neighbour that has another name each time
            hears(store, f"liar{number}", "e1")
            await settled(found, found.looked)
            assert running_now(found) == first
        hears(store, "tor1", "e1")
        await settled(found, found.looked)
        second = running_now(found)
        assert second["switch:tor2"] == first["switch:tor2"]
        assert second["switch:tor1"] != first["switch:tor1"]
        assert vetoes._known[found] == found._mechanisms


async def test_a_file_that_has_changed_begins_all_anew(store: Store, tmp_path: Path) -> None:
    async with running(store, tmp_path) as found:
        first = running_now(found)
        (tmp_path / "switches.ini").write_text(SWITCH.format(name="tor1"))
        await settled(found, found.looked)
        (only,) = running_now(found).items()
        assert only[0] == "switch:tor1"
        assert only[1] not in first.values()
