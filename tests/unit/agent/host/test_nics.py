"""A NIC that went and came back is another device: its port is taken out of its bridge and in again."""

import socket

import pytest

from netweft.agent.desired import RowChanges
from netweft.agent.host import nics
from netweft.agent.host.nics import NicsSide
from netweft.dataplane.ovsdb.rows import PortRow

NIC, INTERNAL = PortRow(name="eth1", bridge="br-phy"), PortRow(name="br-phy", bridge="br-phy", type="internal")


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The kernel's, by name."""
    found: dict[str, int] = {}

    def index(name: str) -> int:
        if name not in found:
            raise OSError("no such device")
        return found[name]

    monkeypatch.setattr(socket, "if_nametoindex", index)
    monkeypatch.setattr(nics, "_answer_for_nothing", lambda name: None)
    return found


async def test_one_that_is_replaced_is_opened_again(devices: dict[str, int]) -> None:
    opened: list[PortRow] = []

    async def reopen(port: PortRow) -> None:
        opened.append(port)

    async def seen(**there: int) -> list[PortRow]:
        devices.clear()
        devices.update(there)
        opened.clear()
        await side._look()
        return list(opened)

    side = NicsSide(reopen)
    side.change(RowChanges(upserts=[NIC, INTERNAL], deletes=[]))
    steps: tuple[dict[str, int], ...] = (
        {"eth1": 5, "br-phy": 6},
        {"eth1": 5, "br-phy": 7},
        {},
        {"eth1": 8},
        {"eth1": 8},
    )
    assert [await seen(**there) for there in steps] == [[], [], [], [NIC], []]
    side.change(RowChanges(upserts=[], deletes=[("port", "another"), ("vif", "eth1")]))
    assert await seen(eth1=9) == [NIC]
    side.change(RowChanges(upserts=[], deletes=[("port", "eth1")]))
    assert await seen(eth1=10) == []
