"""A member's change, or a load balancer more, costs an agent the same, however many balancers there are on the client's
network: counted in lines of our code that run, and in flows that are written."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.convergence.agent_world import AgentWorld
from tests.convergence.test_cost_of_one_more import Counter

from netweft.model import Listener, LoadBalancer, Member, Node, Object, Pool
from netweft.testing.region import ANYTHING, network, port, subnet
from netweft.wire.messages import Delta

FEW, MANY, MEMBERS = 4, 64, 10
BLUE, CLIENT = network(1), port(1, network(1), "10.0.0.10")


def member(number: int, at: int, **more: object) -> Member:
    """Those of all balancers listen at the same addresses."""
    made = Member(
        id=f"{number:04x}{at:04x}-3333", pool_id=f"{number:08x}-2222", load_balancer_id=f"{number:08x}-1111",
        address="10.0.0.99", protocol_port=8000 + at, operating_status="NO_MONITOR",
    )  # fmt: skip
    return replace(made, **more)


def balancer(number: int) -> list[Object]:
    id, pool_id = f"{number:08x}-1111", f"{number:08x}-2222"
    vip, mac = f"10.0.{number >> 8}.{number & 255}", f"fa:16:3e:bb:{number >> 8:02x}:{number & 255:02x}"
    return [
        LoadBalancer(id=id, vip_address=vip, vip_port_id=f"vip{number}", vip_network_id=BLUE.id, vip_mac_address=mac),
        Pool(id=pool_id, load_balancer_id=id, protocol="TCP", lb_algorithm="ROUND_ROBIN"),
        Listener(
            id=f"{number:08x}-4444", load_balancer_id=id, protocol="TCP", protocol_port=80, default_pool_id=pool_id
        ),
        *(member(number, at) for at in range(MEMBERS)),
    ]


class Region:
    def __init__(self, size: int, folder: Path) -> None:
        self.world, self.size = AgentWorld(folder), size

    async def build(self) -> None:
        await self.world.start()
        self.world.plug(CLIENT.id)
        node = Node(name="hv11", tunnel_ip="192.0.2.11", tunnel_types=("vxlan",))
        own: list[Object] = [node, BLUE, subnet(BLUE, "10.0.0.0/16"), ANYTHING, CLIENT]
        others = [one for number in range(512, 512 + self.size) for one in balancer(number)]
        self.world.see(self.world.desired.view, [*own, *others])
        for _ in range(3):
            await self.world.agent.turn()

    async def told(self, *objects: Object) -> None:
        revision = self.world.desired.view.revision + 1
        self.world.tell(Delta(revision=revision, upserts=objects, deletes=()))
        await self.world.agent.turn()

    @property
    def written(self) -> int:
        return sum(switch.written for switch in self.world.switches.values())


async def a_member_drained(region: Region) -> None:
    await region.told(member(512, 3, weight=0))


async def a_member_that_gets_nearly_all(region: Region) -> None:
    await region.told(member(512, 3, weight=100))


async def a_balancer_more(region: Region) -> None:
    await region.told(*balancer(5000))


MOST: dict[Callable[[Region], Awaitable[None]], int] = {
    a_member_drained: 64,
    a_member_that_gets_nearly_all: 32,
    a_balancer_more: 320,
}  # flows written


@pytest.mark.parametrize("change", MOST)
async def test_it_costs_the_same(change: Callable[[Region], Awaitable[None]], tmp_path: Path) -> None:
    lines, flows = [], []
    for size in (FEW, MANY):
        region = Region(size, tmp_path / str(size))
        await region.build()
        before = region.written
        with Counter() as counter:
            await change(region)
        lines.append(counter.lines)
        flows.append(region.written - before)
    assert flows[0] == flows[1] <= MOST[change], f"{flows} flows"
    assert lines[1] <= 1.02 * lines[0], f"{lines} lines"
