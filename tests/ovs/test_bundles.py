"""A bundle is all or nothing; what others do is heard; the driver puts right what is ours and leaves the rest."""

import asyncio

import pytest
import uvloop
from msgspec.structs import replace
from tests.ovs.sandbox import Sandbox
from tests.waiting import PATIENCE

from netweft.dataplane.openflow.client import OpenFlowConnection
from netweft.dataplane.openflow.driver import FlowDriver
from netweft.dataplane.openflow.errors import ConnectionLost, FlowRejected
from netweft.dataplane.openflow.fields import match
from netweft.dataplane.openflow.flow import Flow, Output
from netweft.dataplane.openflow.messages import FlowChange
from netweft.dataplane.ovsdb.client import OvsdbConnection

OURS, MASK = 0xAB << 56, 0xFF << 56


def flow(port: int, *, to: int = 1, cookie: int = OURS) -> Flow:
    return Flow(table=1, priority=10, match=match(in_port=port), actions=(Output(to),), cookie=cookie)


class Events:
    """Counts calls and lets a test wait for the next one."""

    def __init__(self) -> None:
        self.seen: asyncio.Queue[object] = asyncio.Queue()

    def __call__(self, event: object = None) -> None:
        self.seen.put_nowait(event)

    async def next(self) -> object:
        async with asyncio.timeout(PATIENCE):
            return await self.seen.get()


async def test_a_bad_flow_names_itself_and_nothing_changes(switch: OpenFlowConnection) -> None:
    await switch.apply([flow(1)])
    bad = Flow(table=1, priority=10, match=(("ipv4_src", 5, None),))
    with pytest.raises(FlowRejected, match="bad prerequisite") as caught:
        await switch.apply([flow(2), bad, flow(3)], [flow(1).key])
    assert caught.value.flow == bad
    assert await switch.dump_flows() == [flow(1)]


async def test_an_add_replaces_actions_and_cookie(switch: OpenFlowConnection) -> None:
    await switch.apply([flow(1)])
    changed = flow(1, to=9, cookie=OURS | 5)
    await switch.apply([changed])
    assert await switch.dump_flows() == [changed]


async def test_when_all_changes_what_is_ours_goes_at_once_and_what_is_not_stays(switch: OpenFlowConnection) -> None:
    others = flow(99, cookie=5)
    await switch.apply([*(flow(port) for port in range(20)), others])
    driver = FlowDriver(switch, OURS, MASK)
    wanted = [replace(flow(port), table=2) for port in range(20)] + [flow(0)]
    driver.want({each.key: each for each in wanted})
    plan = await driver.apply(delete=True)
    assert (len(plan.adds), len(plan.deletes)) == (20, 19)
    there = await switch.dump_flows()
    assert {each.key: each for each in there} == {each.key: each for each in [*wanted, others]}
    assert driver.in_sync


async def test_a_delete_is_strict(switch: OpenFlowConnection) -> None:
    other = Flow(table=1, priority=11, match=match(in_port=1))
    await switch.apply([flow(1), other])
    await switch.apply([], [flow(1).key, flow(7).key])
    assert await switch.dump_flows() == [other]


async def test_a_dump_filters_by_cookie(switch: OpenFlowConnection) -> None:
    await switch.apply([flow(1), flow(2, cookie=5)])
    assert await switch.dump_flows(OURS, MASK) == [flow(1)]


async def test_many_flows_in_one_bundle(switch: OpenFlowConnection) -> None:
    flows = [flow(port) for port in range(1, 3001)]
    await switch.apply(flows)
    assert {found.key: found for found in await switch.dump_flows()} == {wanted.key: wanted for wanted in flows}


async def test_what_others_do_is_heard_and_our_own_doing_is_not(
    ovs: Sandbox, bridge: str, switch: OpenFlowConnection
) -> None:
    events = Events()
    await switch.watch_flows(events)
    await switch.apply([flow(1), flow(2)])
    ovs.ofctl("del-flows", bridge, "table=1,in_port=1")
    assert await events.next() == FlowChange(flow(1), removed=True)
    ovs.ofctl("mod-flows", bridge, "table=1,in_port=2,actions=output:7")
    assert await events.next() == FlowChange(flow(2, to=7))
    ovs.ofctl("add-flow", bridge, "table=9,priority=3,actions=drop")
    assert await events.next() == FlowChange(Flow(table=9, priority=3))


async def test_a_flow_that_somebody_deleted_is_put_back(ovs: Sandbox, bridge: str, switch: OpenFlowConnection) -> None:
    events = Events()
    driver = FlowDriver(switch, OURS, MASK, events)
    await driver.read()
    driver.want({f.key: f for f in (flow(1), flow(2))})
    await driver.apply(delete=True)
    assert not driver.plan(delete=True)
    ovs.ofctl("del-flows", bridge, "table=1,in_port=1")
    await events.next()
    assert (await driver.apply(delete=True)).adds == (flow(1),)
    assert sorted(map(str, await switch.dump_flows())) == sorted(map(str, (flow(1), flow(2))))


async def test_a_refused_flow_holds_up_its_own_unit_only(switch: OpenFlowConnection) -> None:
    old, good, more = flow(1, cookie=OURS | 1), flow(2, cookie=OURS | 2), flow(3, cookie=OURS | 1)
    bad = Flow(table=1, priority=10, match=(("ipv4_src", 5, None),), cookie=OURS | 1)
    await switch.apply([old])
    driver = FlowDriver(switch, OURS, MASK, unit_mask=0xFF)
    driver.want({each.key: each for each in (good, more, bad)})
    await driver.apply(delete=True)
    assert sorted(map(str, await switch.dump_flows())) == sorted(map(str, (old, good))), "the other one's is as before"
    assert [(unit, error.flow) for unit, error in driver.refused.items()] == [(1, bad)]
    assert not driver.in_sync
    driver.change(deletes=[bad.key])
    await driver.apply(delete=True)
    assert sorted(map(str, await switch.dump_flows())) == sorted(map(str, (good, more)))
    assert driver.in_sync
    assert not driver.refused


async def test_nothing_obsolete_goes_before_it_may(switch: OpenFlowConnection) -> None:
    foreign = flow(8, cookie=0x77)
    await switch.apply([flow(1), foreign])
    driver = FlowDriver(switch, OURS, MASK)
    await driver.read()
    driver.want({flow(2).key: flow(2)})
    await driver.apply(delete=False)
    assert {found.key for found in await switch.dump_flows()} == {flow(1).key, flow(2).key, foreign.key}
    plan = await driver.apply(delete=True)
    assert plan.deletes == (flow(1),)
    assert {found.key for found in await switch.dump_flows()} == {flow(2).key, foreign.key}


async def test_actions_we_do_not_speak_are_replaced(ovs: Sandbox, bridge: str, switch: OpenFlowConnection) -> None:
    driver = FlowDriver(switch, OURS, MASK)
    ovs.ofctl("add-flow", bridge, f"cookie={OURS:#x},table=1,priority=10,in_port=1,actions=controller,note:01.02")
    await driver.read()
    driver.want({flow(1).key: flow(1)})
    assert (await driver.apply(delete=True)).updates == (flow(1),)
    assert await switch.dump_flows() == [flow(1)]


async def test_a_match_we_do_not_speak_can_be_deleted(ovs: Sandbox, bridge: str, switch: OpenFlowConnection) -> None:
    ovs.ofctl("add-flow", bridge, f"cookie={OURS:#x},table=1,tcp,tcp_flags=+syn-ack,nw_frag=no,actions=drop")
    driver = FlowDriver(switch, OURS, MASK)
    assert len(await driver.read()) == 1
    await driver.apply(delete=True)
    assert await switch.dump_flows() == []


def test_it_runs_on_uvloop(ovs: Sandbox, bridge: str) -> None:
    async def work() -> list[Flow]:
        database = await OvsdbConnection.connect(ovs.db)
        connection = await OpenFlowConnection.connect(ovs.mgmt(bridge))
        await connection.apply([flow(1)])
        flows = await connection.dump_flows()
        await connection.close()
        await database.close()
        return flows

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(work()) == [flow(1)]


async def test_a_bridge_that_is_not_there(ovs: Sandbox) -> None:
    with pytest.raises(ConnectionLost, match="no-such-bridge"):
        await OpenFlowConnection.connect(ovs.mgmt("no-such-bridge"))


async def test_a_bridge_without_our_version_says_so(ovs: Sandbox, bridge: str) -> None:
    ovs.vsctl("set", "bridge", bridge, "protocols=OpenFlow13")
    with pytest.raises(ConnectionLost):
        await OpenFlowConnection.connect(ovs.mgmt(bridge))


async def test_vswitchd_killed_is_seen_at_once(own_ovs: Sandbox) -> None:
    own_ovs.add_bridge("br-int")
    connection = await OpenFlowConnection.connect(own_ovs.mgmt("br-int"))
    own_ovs.kill("ovs-vswitchd")
    async with asyncio.timeout(PATIENCE):
        assert isinstance(await connection.wait_closed(), ConnectionLost)
    with pytest.raises(ConnectionLost):
        await connection.dump_flows()
    with pytest.raises(ConnectionLost):
        await connection.apply([flow(1)])


async def test_connections_of_a_zone_are_forgotten(switch: OpenFlowConnection) -> None:
    """What it comes to is shown by packets (tests/netns); here, that the switch takes it."""
    await switch.flush_zones([1, 4094])
    await switch.barrier()
    assert switch._session.refusals == []
