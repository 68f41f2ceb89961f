"""One more floating IP, one more interface, or nothing at all costs an agent the same, however many routers have their
gateways on its node: counted in lines of our code that run, and in rows of Open vSwitch's database."""

import asyncio
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from tests.convergence.agent_world import AgentWorld
from tests.convergence.story import taken_at_once
from tests.convergence.test_cost_of_one_more import Counter, no_time_passes

from netweft.agent.host import datapath
from netweft.dataplane.openflow.messages import PacketIn
from netweft.dataplane.ovsdb.rows import KeptNumber, VifTag
from netweft.dataplane.packets import arp
from netweft.model import Object
from netweft.reconcile.memo import Unit
from netweft.services import rendering, units
from netweft.services.fields import LOCAL_VLAN, Reason, cookie
from netweft.testing.region import (
    ANYTHING,
    floating_ip,
    gateway,
    interface,
    network,
    port,
    router,
    subnet,
)
from netweft.wire.messages import Delta

FEW, MANY = 4, 64
CLAIM = cookie(Reason.NETWORK_CLAIM)
OUTSIDE = network(900, "flat", "public")
OWN, RED, R = network(800), network(801), router(800)
ONE, TWO = port(800, OWN, "10.0.0.10"), port(801, RED, "10.1.0.10")
GATEWAY = gateway(800, R, OUTSIDE, "hv1", "172.24.0.2")
FLOATING = floating_ip(800, R, OUTSIDE, "172.24.200.1", "10.0.0.10", ONE)


def other(number: int) -> list[Object]:
    net, of = network(number), router(number)
    vm = port(number, net, "10.0.0.10")
    return [
        *(net, subnet(net, "10.0.0.0/24"), of, interface(number, of, net, "10.0.0.1"), vm),
        gateway(number, of, OUTSIDE, "hv1", f"172.24.1.{number}"),
        floating_ip(number, of, OUTSIDE, f"172.24.2.{number}", "10.0.0.10", vm),
    ]


class Region:
    def __init__(self, size: int, folder: Path) -> None:
        self.world, self.size = AgentWorld(folder), size

    async def build(self) -> None:
        await self.world.start()
        for number in (*range(1, self.size + 1), 800, 801):
            self.world.plug(port(number, OWN).id)
        own: list[Object] = [
            *(OUTSIDE, subnet(OUTSIDE, "172.24.0.0/16", gateway_ip="172.24.0.1"), ANYTHING, OWN, RED, R, ONE, TWO),
            *(subnet(OWN, "10.0.0.0/24"), subnet(RED, "10.1.0.0/24"), interface(800, R, OWN, "10.0.0.1"), GATEWAY),
        ]
        others = [obj for number in range(1, self.size + 1) for obj in other(number)]
        self.world.see(self.world.desired.view, [*own, *others])
        await self.settle()

    async def settle(self) -> None:
        """Gateways and floating IPs are asked for."""
        for _ in range(6):
            await self.world.agent.turn()
            for _ in range(8):
                await asyncio.sleep(0)
        self.world.agent.resolver.tick()

    async def told(self, *objects: Object) -> None:
        revision = self.world.desired.view.revision + 1
        self.world.tell(Delta(revision=revision, upserts=objects, deletes=()))
        await self.world.agent.turn()


async def nothing(region: Region) -> None:
    await region.world.agent.turn()


async def a_tick(region: Region) -> None:
    region.world.agent.resolver.tick()


async def a_floating_ip_more(region: Region) -> None:
    await region.told(FLOATING)


async def an_interface_more(region: Region) -> None:
    await region.told(interface(801, R, RED, "10.1.0.1"))


async def a_next_hop_learned(region: Region) -> None:
    region.world.desired.learn(OUTSIDE.id, "172.24.0.1", "02:00:00:00:01:01")
    await region.world.agent.turn()


async def a_host_outside_asks(region: Region) -> None:
    """For anything, by broadcast, as one may some hundred times a second: it says where the host itself is."""
    vlan = region.world.desired.vlans[OUTSIDE.id]
    frame = arp.request(bytes.fromhex("020000000102"), IPv4Address("172.24.0.1"), IPv4Address("172.24.0.77"))
    list(region.world.agent.resolver.answer(None, PacketIn(CLAIM, {LOCAL_VLAN: vlan}, frame)))


CHANGES = (nothing, a_tick, a_floating_ip_more, an_interface_more, a_next_hop_learned, a_host_outside_asks)


@pytest.mark.parametrize("change", CHANGES)
async def test_one_more_costs_the_same(
    change: Callable[[Region], Awaitable[None]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken_at_once(monkeypatch)
    no_time_passes(monkeypatch)
    few, many = [await _lines(change, size, tmp_path / str(size)) for size in (FEW, MANY)]
    assert many <= few, f"{few} lines, {many} lines"


async def _lines(change: Callable[[Region], Awaitable[None]], size: int, folder: Path) -> int:
    region = Region(size, folder)
    await region.build()
    await a_host_outside_asks(region)
    await nothing(region)
    region.world.agent.resolver.tick()
    with Counter() as counter:
        await change(region)
    return counter.lines


async def test_an_interface_more_is_one_number_more_on_the_row(tmp_path: Path) -> None:
    """And no row of ours is written whole: of 1,000 networks behind routers the link's row says a thousand numbers."""
    region = Region(FEW, tmp_path)
    await region.build()
    before = list(region.world.ovs.rows)
    await an_interface_more(region)
    changed = [row for row in region.world.ovs.rows if row not in before]
    assert [type(row) for row in changed if not isinstance(row, VifTag)] == [KeptNumber]


async def test_an_agent_that_begins_again_renders_each_router_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not again when it has read the bridge and asked what its datapath can do."""

    async def command(*_: object) -> str:
        return "Check pkt length action: Yes\nIPv6 ND Extension: Yes\n"

    monkeypatch.setattr(datapath, "command", command)
    taken_at_once(monkeypatch)
    region = Region(FEW, tmp_path)
    await region.build()
    rendered: list[Unit] = []
    render = units.render

    def noted(unit: Unit, *others: Any, **also: Any) -> Any:
        rendered.append(unit)
        return render(unit, *others, **also)

    monkeypatch.setattr(rendering, "render", noted)
    region.world.new_agent(region.world.desired.view)
    await region.world.agent.turn()
    await region.world.attach()
    await region.settle()
    routers = [unit for unit in rendered if unit[0] == "router"]
    assert sorted(routers) == sorted(set(routers))
    assert len(routers) == FEW + 1
