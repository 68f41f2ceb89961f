"""What the agent says outside: of each port to its server, of what stands in its way, and where a VM has moved to."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.convergence.agent_world import AgentWorld, FakeSwitch
from tests.convergence.test_agent import NETWORKS, OBJECTS, PORTS, calm
from tests.waiting import PATIENCE

from netweft.agent.host import announcer
from netweft.agent.sync import NO_CAUSES
from netweft.dataplane.openflow.errors import FlowRejected
from netweft.dataplane.openflow.flow import Flow, FlowKey
from netweft.model import PortState, PortStatus, SecurityGroup, SecurityGroupRule
from netweft.services.fields import OBJECT_MASK, object_bits
from netweft.wire.causes import Cause
from netweft.wire.messages import Delta


async def test_up_is_reported_only_when_the_flows_are_in_place(tmp_path: Path) -> None:
    world = AgentWorld(tmp_path)
    await world.start()
    world.see(world.desired.view, OBJECTS)
    await calm(world)
    world.plug(PORTS[0].id)
    world.switches["int"].fail = True
    await world.agent.turn()
    status = world.told[PORTS[0].id]
    assert status.state == PortState.ERROR
    assert "table full" in status.detail
    await world.agent.turn()
    assert world.told[PORTS[0].id].state == PortState.UP


async def test_a_failure_does_not_take_an_up_port_down(tmp_path: Path) -> None:
    world = AgentWorld(tmp_path)
    await world.start()
    world.see(world.desired.view, OBJECTS)
    world.plug(PORTS[0].id)
    await calm(world)
    world.plug(PORTS[1].id)
    world.switches["int"].fail = True
    await world.agent.turn()
    assert world.told[PORTS[0].id].state == PortState.UP
    assert world.told[PORTS[1].id].state == PortState.ERROR


async def test_what_makes_us_stumble_stops_nobody_else(tmp_path: Path) -> None:
    world = AgentWorld(tmp_path)
    await world.start()
    for wanted in PORTS[:2]:
        world.plug(wanted.id)
    rule = SecurityGroupRule(id="r", direction="ingress", ethertype="IPv9")
    nonsense = replace(PORTS[0], mac_address="nonsense")
    group = SecurityGroup(id="g", rules=(rule,))
    world.see(world.desired.view, [*NETWORKS, nonsense, PORTS[1], group])
    await calm(world)
    assert world.told[PORTS[1].id].state == PortState.UP
    status = world.told[PORTS[0].id]
    assert (status.state, status.detail.partition(": ")[0]) == (PortState.ERROR, "cannot be wired")
    assert world.desired.problems == ["security_group g: KeyError: 'IPv9'"]
    world.see(world.desired.view, [*NETWORKS, *PORTS[:2]])
    await calm(world)
    assert world.told[PORTS[0].id].state == PortState.UP
    assert world.desired.problems == []


async def test_a_move_is_announced_on_a_physical_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some times, to different addresses of everybody; and not again when the same is told again."""
    monkeypatch.setattr(announcer, "PAUSES", (0.0, 0.0, 0.0, 0.0))
    world = AgentWorld(tmp_path)
    await world.start()
    moving = PORTS[3]
    assert moving.network_id == NETWORKS[1].id, "the VLAN network"
    world.see(world.desired.view, [*NETWORKS, replace(moving, active=False)])
    world.plug(moving.id)
    await calm(world)
    packets = world.switches["int"].packets
    assert packets == []
    world.see(world.desired.view, [*NETWORKS, moving])
    await calm(world)
    announcing = asyncio.create_task(world.agent.announcer.run())
    async with asyncio.timeout(PATIENCE):
        while len(packets) < 4:
            await asyncio.sleep(0)
    assert len({packet[:6] for packet in packets}) == 4
    assert {packet[6:12].hex(":") for packet in packets} == {moving.mac_address}
    world.see(world.desired.view, [*NETWORKS, moving])
    await calm(world)
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(packets) == 4
    announcing.cancel()


async def test_a_denial_is_forgotten_when_it_is_over(tmp_path: Path) -> None:
    world = AgentWorld(tmp_path)
    await world.start()
    for wanted in PORTS[:2]:
        world.plug(wanted.id)
    await calm(world)
    world.agent.ports_denied({wanted.id: "bound to hv9" for wanted in PORTS[:3]})
    assert world.agent.denials.reasons.keys() == {wanted.id for wanted in PORTS[:2]}, "of those that are plugged in"
    world.see(world.desired.view, [*NETWORKS, PORTS[0]])
    await calm(world)
    assert world.agent.denials.reasons.keys() == {PORTS[1].id}
    world.ovs.plugged.clear()
    await calm(world)
    assert not world.agent.denials.reasons


class Slow(AgentWorld):
    """Whatever is written waits for `go`; complete: what the server got as a complete report, one after the other."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.writing, self.go = asyncio.Event(), asyncio.Event()
        self.go.set()
        self.complete: list[dict[str, PortState]] = []

    async def gate(self, what: str) -> None:
        self.writing.set()
        await self.go.wait()

    def _told(
        self, statuses: Iterable[PortStatus], *, complete: bool = False, causes: Mapping[str, Cause] = NO_CAUSES
    ) -> None:
        statuses = list(statuses)
        if complete:
            self.complete.append({status.port_id: status.state for status in statuses})
        super()._told(statuses, complete=complete)


async def test_a_complete_report_is_of_its_sessions_view(tmp_path: Path) -> None:
    """A session that begins while a turn is under way hears nothing of what that turn took for true."""
    world = Slow(tmp_path)
    await world.start()
    wanted, other = PORTS[0], PORTS[2]
    for each in (wanted, other):
        world.plug(each.id)
    world.see(world.desired.view, [*NETWORKS, wanted])
    await calm(world)
    world.complete.clear()
    world.tell(Delta(revision=world.desired.view.revision + 1, upserts=(other,), deletes=()))
    world.writing.clear()
    world.go.clear()
    turn = asyncio.create_task(world.agent.turn())
    await world.writing.wait()
    world.see(world.desired.view, [*NETWORKS, replace(wanted, admin_state_up=False), other])
    world.go.set()
    await turn
    assert world.complete == []
    await world.agent.turn()
    assert [report[wanted.id] for report in world.complete] == [PortState.DOWN]


async def test_a_refused_flow_is_reported_of_its_port(tmp_path: Path) -> None:
    """The others are served, also when the agent is new; and it is tried again."""
    refused = {object_bits(PORTS[0].id)}

    class Picky(FakeSwitch):
        async def apply(
            self, adds: Sequence[Flow], deletes: Iterable[FlowKey] = (), *, clear: tuple[int, int] | None = None
        ) -> None:
            for each in adds:
                if each.cookie & OBJECT_MASK in refused:
                    raise FlowRejected(4, 9, "bad prerequisite", each)
            await super().apply(adds, deletes, clear=clear)

    world = AgentWorld(tmp_path)
    world.switches["int"].__class__ = Picky
    await world.start()
    for wanted in PORTS:
        world.plug(wanted.id)
    world.see(world.desired.view, OBJECTS)
    await calm(world)
    assert not world.agent.bridges["int"].plan(delete=True)
    assert {id for id, status in world.told.items() if status.state is PortState.UP} == {each.id for each in PORTS[1:]}
    assert "bad prerequisite" in world.told[PORTS[0].id].detail
    assert "bad prerequisite" in world.agent.retries.problem
    refused.clear()
    await world.agent.turn()
    assert world.told[PORTS[0].id].state is PortState.UP
    assert not world.agent.retries.problem
