"""What the row of a VM's tap says is what its port's status says; real taps, before their row and after it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.ovs.hypervisors import Hypervisor, available, new_tag
from tests.ovs.test_agent import HERE, until, view

from netweft.model import PortState, PortStatus
from netweft.testing.feed import FakeFeed

pytestmark = [pytest.mark.root, pytest.mark.skipif(not available(), reason="needs root and Open vSwitch")]

TAP = f"tap{HERE.id[:8]}"
ROUNDS = 12


class Host:
    def __init__(self, feed: FakeFeed, hypervisor: Hypervisor) -> None:
        self.feed, self.hypervisor = feed, hypervisor

    async def do(self, *words: str) -> str:
        return await asyncio.to_thread(self.hypervisor.inside, *words)

    async def make(self) -> None:
        """As libvirt does; without anybody at its other end yet."""
        await self.do("ip", "tuntap", "add", "dev", TAP, "mode", "tap")

    async def plug(self) -> None:
        await asyncio.to_thread(self.hypervisor.vsctl, "--no-wait", "add-port", "br-int", TAP, "--", "set",
            "Interface", TAP, f"external_ids:iface-id={HERE.id}")  # fmt: skip

    async def unplug(self) -> None:
        await asyncio.to_thread(self.hypervisor.vsctl, "--if-exists", "del-port", TAP)
        await asyncio.to_thread(self.hypervisor.inside, "ip", "link", "del", TAP, check=False)
        await self.reported(PortStatus(HERE.id, PortState.DOWN))

    async def reported(self, status: PortStatus) -> None:
        await self.feed.wait(lambda: self.feed.statuses["hv1"].get(HERE.id) == status)

    async def is_on(self) -> bool:
        return ",UP" in await self.do("ip", "-o", "link", "show", TAP)


UP = PortStatus(HERE.id, PortState.UP)
OFF = PortStatus(HERE.id, PortState.DOWN, f"its interface {TAP} is switched off")
GONE = PortStatus(HERE.id, PortState.DOWN, f"its interface {TAP} is gone")


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[Host]:
    async with FakeFeed(tmp_path / "feed") as feed:
        hypervisor = Hypervisor("hv1", new_tag(), tmp_path, feed.path, "192.0.2.1")
        try:
            await feed.set("hv1", view(HERE))
            hypervisor.start_agent()
            await until(lambda: asyncio.to_thread(lambda: "br-int" in hypervisor.vsctl("list-br")))
            yield Host(feed, hypervisor)
        finally:
            hypervisor.close()


async def test_a_tap_works_whichever_of_it_and_its_row_is_first(host: Host) -> None:
    """Nobody at its other end is no fault: Nova waits for the port before it starts the guest."""
    for number in range(ROUNDS):
        for step in (host.plug, host.make) if number % 2 else (host.make, host.plug):
            await step()
        await host.reported(UP)
        assert await host.is_on()
        await host.unplug()


async def test_a_tap_that_goes_takes_its_port_down(host: Host) -> None:
    await host.make()
    await host.plug()
    await host.reported(UP)
    await host.do("ip", "link", "del", TAP)
    await host.reported(GONE)
    await host.make()
    await host.reported(UP)
    await host.unplug()


async def test_who_switches_it_off_again_means_it(host: Host) -> None:
    await host.make()
    await host.plug()
    await host.reported(UP)
    await host.do("ip", "link", "set", TAP, "down")
    await host.reported(OFF)
    assert not await host.is_on()
    await host.do("ip", "link", "set", TAP, "up")
    await host.reported(UP)
    await host.unplug()


async def test_another_kind_of_device_is_left_to_who_made_it(host: Host) -> None:
    await host.do("ip", "link", "add", TAP, "type", "veth", "peer", "name", "other")
    await host.plug()
    await host.reported(OFF)
    await host.do("ip", "link", "set", TAP, "up")
    await host.reported(UP)
    await host.unplug()
