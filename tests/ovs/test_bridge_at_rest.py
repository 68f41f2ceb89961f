"""A bridge that carries nothing for us is left alone, and yet looked after."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.ovs.sandbox import Sandbox
from tests.waiting import until

from netweft.agent.desired import FlowChanges
from netweft.agent.host import bridge as bridge_module
from netweft.agent.host.bridge import BridgeSide
from netweft.dataplane.openflow.flow import Flow, FlowKey, Output
from netweft.services.fields import Reason, cookie

ALWAYS = Flow(table=0, priority=1, match=(("in_port", 1, None),), cookie=cookie(Reason.PIPELINE))
NETWORK = Flow(
    table=0,
    priority=2,
    match=(("in_port", 1, None), ("vlan_vid", 0x1005, None)),
    actions=(Output(2),),
    cookie=cookie(Reason.NETWORK_PHYSICAL, "11111111-0000-4000-8000-000000000000"),
)


@dataclass
class Node:
    """An agent with nothing but this bridge."""

    ovs: Sandbox
    name: str
    wanted: dict[FlowKey, Flow] = field(default_factory=lambda: {ALWAYS.key: ALWAYS})
    awake: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.side = BridgeSide("phys:public", self.ovs.mgmt(self.name), lambda: self.wanted, self.awake.set)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.side.run())
            while True:
                await self.awake.wait()
                self.awake.clear()
                await self.side.apply(delete=True)

    def change(self, *, upserts: list[Flow] | None = None, deletes: list[FlowKey] | None = None) -> None:
        for key in deletes or ():
            del self.wanted[key]
        self.wanted |= {flow.key: flow for flow in upserts or ()}
        self.side.change(FlowChanges(upserts or [], deletes or []))
        self.awake.set()

    def flows(self) -> int:
        """Ours, without the epoch's."""
        return sum("priority=65535" not in line for line in self.ovs.dump_flows(self.name))

    def connections(self) -> int:
        """To the bridge's socket."""
        path = str(self.ovs.mgmt(self.name))
        lines = [line for line in Path("/proc/net/unix").read_text().splitlines() if line.endswith(f" {path}")]
        return len(lines) - 1  # where it listens


@pytest.fixture
async def node(ovs: Sandbox, bridge: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Node]:
    monkeypatch.setattr(bridge_module, "LOOK_SECONDS", 0.2)
    node = Node(ovs, bridge)
    task = asyncio.create_task(node.run())
    yield node
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_nobody_stays_connected_to_a_bridge_that_carries_nothing(node: Node) -> None:
    await until(lambda: node.side.at_rest and not node.connections())
    assert node.side.in_sync
    assert node.side.connected
    assert node.flows() == 1


async def test_what_somebody_does_to_a_bridge_at_rest_is_put_right(node: Node) -> None:
    await until(lambda: node.side.at_rest)
    for command, *words in (("del-flows",), ("add-flow", f"cookie={ALWAYS.cookie},priority=7,actions=drop")):
        node.ovs.ofctl(command, node.name, *words)
        assert node.flows() != 1
        await until(lambda: node.flows() == 1 and node.side.at_rest)


async def test_a_network_wakes_it(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    await until(lambda: node.side.at_rest)
    monkeypatch.setattr(bridge_module, "LOOK_SECONDS", 60)
    await asyncio.sleep(0.5)  # the last look that is soon followed by another one
    node.change(upserts=[NETWORK])
    assert not node.side.in_sync
    await until(lambda: node.flows() == 2 and node.side.in_sync)
    assert not node.side.at_rest


async def test_it_rests_again_when_the_network_has_gone(node: Node) -> None:
    await until(lambda: node.side.at_rest)
    node.change(upserts=[NETWORK])
    await until(lambda: node.flows() == 2)
    await asyncio.sleep(0.5)
    assert not node.side.at_rest
    node.change(deletes=[NETWORK.key])
    await until(lambda: node.flows() == 1 and node.side.at_rest)


async def test_a_plan_is_of_what_is_there(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    await until(lambda: node.side.at_rest)
    await node.side.look()
    assert node.side.plan(delete=True) == []
    monkeypatch.setattr(node.side, "_wake", lambda: None)
    node.ovs.ofctl("del-flows", node.name)
    await node.side.look()
    assert [step.kind for step in node.side.plan(delete=True)] == ["flow"] * 2, "what is always there, and the epoch"


async def test_a_bridge_that_is_gone_is_not_at_rest(node: Node) -> None:
    await until(lambda: node.side.at_rest)
    node.ovs.vsctl("del-br", node.name)
    await until(lambda: not node.side.at_rest)
    assert not node.side.in_sync
    node.ovs.add_bridge(node.name)
    await until(lambda: node.flows() == 1 and node.side.at_rest)
