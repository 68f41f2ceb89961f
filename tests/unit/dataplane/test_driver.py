"""The flow driver between its own requests and what others do meanwhile."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import cast

import pytest

from netweft.dataplane.openflow.client import OpenFlowConnection
from netweft.dataplane.openflow.driver import FlowDriver
from netweft.dataplane.openflow.errors import ConnectionLost
from netweft.dataplane.openflow.fields import match
from netweft.dataplane.openflow.flow import Flow, FlowKey, Output
from netweft.dataplane.openflow.messages import FlowChange

OURS, MASK = 0xA0, 0xF0


def flow(port: int, *, to: int = 1, cookie: int = OURS) -> Flow:
    return Flow(table=0, priority=1, match=match(in_port=port), actions=(Output(to),), cookie=cookie)


class Switch:
    """`meanwhile` happens after the switch has answered and before the driver hears it."""

    def __init__(self) -> None:
        self.flows: dict[FlowKey, Flow] = {}
        self.tell: Callable[[FlowChange], None] | None = None
        self.meanwhile: Callable[[], None] = lambda: None
        self.error: Exception | None = None

    async def watch_flows(self, callback: Callable[[FlowChange], None]) -> None:
        self.tell = callback

    async def dump_flows(self, cookie: int = 0, cookie_mask: int = 0) -> list[Flow]:
        found = [each for each in self.flows.values() if each.cookie & cookie_mask == cookie]
        self._let_it_happen()
        return found

    async def apply(
        self, adds: Sequence[Flow], deletes: Iterable[FlowKey] = (), *, clear: tuple[int, int] | None = None
    ) -> None:
        if clear is not None:
            self.flows = {key: each for key, each in self.flows.items() if each.cookie & clear[1] != clear[0]}
        self.flows |= {each.key: each for each in adds}
        for key in deletes:
            self.flows.pop(key, None)
        self._let_it_happen()
        if self.error:
            raise self.error

    def others_delete(self, gone: Flow) -> None:
        del self.flows[gone.key]
        assert self.tell is not None
        self.tell(FlowChange(gone, removed=True))

    def others_put(self, put: Flow) -> None:
        self.flows[put.key] = put
        assert self.tell is not None
        self.tell(FlowChange(put))

    def _let_it_happen(self) -> None:
        happening, self.meanwhile = self.meanwhile, lambda: None
        happening()


@pytest.fixture
def switch() -> Switch:
    return Switch()


@pytest.fixture
def driver(switch: Switch) -> FlowDriver:
    driver = FlowDriver(cast(OpenFlowConnection, switch), OURS, MASK)
    driver.want({each.key: each for each in (flow(1), flow(2))})
    return driver


async def test_a_delete_while_we_read_is_not_forgotten(switch: Switch, driver: FlowDriver) -> None:
    switch.flows = {each.key: each for each in (flow(1), flow(2))}
    switch.meanwhile = lambda: switch.others_delete(flow(1))
    await driver.read()
    await driver.apply(delete=True)
    assert flow(1).key in switch.flows


async def test_a_delete_while_we_apply_is_not_forgotten(switch: Switch, driver: FlowDriver) -> None:
    await driver.read()
    switch.meanwhile = lambda: switch.others_delete(flow(1))
    await driver.apply(delete=True)
    await driver.apply(delete=True)
    assert flow(1).key in switch.flows


async def test_after_an_error_the_switch_is_read_again(switch: Switch, driver: FlowDriver) -> None:
    """The bundle may have been done before the connection broke."""
    await driver.read()
    switch.error = ConnectionLost("gone")
    with pytest.raises(ConnectionLost):
        await driver.apply(delete=True)
    switch.error = None
    assert not await driver.apply(delete=True)


async def test_a_flow_taken_over_by_others_is_taken_back(switch: Switch, driver: FlowDriver) -> None:
    await driver.apply(delete=True)
    switch.others_put(flow(1, to=9, cookie=0x10))
    await driver.apply(delete=True)
    assert switch.flows[flow(1).key] == flow(1)


async def test_the_flows_of_others_are_no_drift(switch: Switch) -> None:
    drifts: list[None] = []
    driver = FlowDriver(cast(OpenFlowConnection, switch), OURS, MASK, lambda: drifts.append(None))
    await driver.read()
    switch.others_put(flow(5, cookie=0x10))
    switch.others_delete(flow(5, cookie=0x10))
    assert drifts == []
    switch.others_put(flow(6))
    assert len(drifts) == 1
    assert driver.plan(delete=True).deletes == (flow(6),)


async def test_a_small_change_costs_a_small_plan(switch: Switch, driver: FlowDriver) -> None:
    await driver.apply(delete=True)
    driver.change(upserts=[flow(2, to=5), flow(3)], deletes=[flow(1).key])
    plan = await driver.apply(delete=True)
    assert (plan.adds, plan.updates, plan.deletes) == ((flow(3),), (flow(2, to=5),), (flow(1),))


class OneTurn(Switch):
    """Answers nothing before it has been asked everything, as a vswitchd does between two turns of its main loop."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self._all = asyncio.Event()

    async def watch_flows(self, callback: Callable[[FlowChange], None]) -> None:
        self.asked.append("watch")
        await self._all.wait()
        await super().watch_flows(callback)

    async def dump_flows(self, cookie: int = 0, cookie_mask: int = 0) -> list[Flow]:
        self.asked.append("dump")
        self._all.set()
        return await super().dump_flows(cookie, cookie_mask)


async def test_all_is_requested_in_one_turn_of_the_switch() -> None:
    switch = OneTurn()
    switch.flows = {flow(1).key: flow(1)}
    driver = FlowDriver(cast(OpenFlowConnection, switch), OURS, MASK)
    async with asyncio.timeout(10):
        assert await driver.read() == switch.flows
    assert switch.asked == ["watch", "dump"], "what changes in between is told"
