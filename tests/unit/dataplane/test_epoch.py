"""The flows of an epoch: which bits they look at, and when a driver begins the next one."""

from collections.abc import Iterable, Sequence
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.dataplane.test_driver import MASK, OURS, Switch, flow

from netweft.dataplane.openflow.client import OpenFlowConnection
from netweft.dataplane.openflow.driver import FlowDriver
from netweft.dataplane.openflow.epoch import Epochs
from netweft.dataplane.openflow.flow import Flow, FlowKey, Meter
from netweft.services.pipeline import INT, PHYS, PIPELINES, TUN

EPOCHS = Epochs(cookie=OURS | 0x200, tables=(0, 3), shift=8, width=4)


def bits(epochs: Epochs, number: int) -> int:
    """Of the field, that this epoch's flows look at."""
    (found,) = {mask for flow in epochs.flows(number) for name, _, mask in flow.match if name == epochs.field}
    assert found is not None
    return found


# two of the bridges have the same place of their role only where there are more than 16 physical networks
BRIDGES = (INT.epochs(0), TUN.epochs(1), *(PHYS.epochs(place) for place in range(2, 18)))


@given(st.lists(st.integers(0, 255), min_size=len(BRIDGES), max_size=len(BRIDGES)), st.data())
def test_what_one_epoch_cached_never_covers_another(numbers: list[int], data: st.DataObject) -> None:
    """Nor with what the packet has met on other bridges, all of them at once."""
    cached: dict[str, int] = {}
    for epochs, number in zip(BRIDGES, numbers, strict=True):
        cached[epochs.field] = cached.get(epochs.field, 0) | bits(epochs, number)
    which = data.draw(st.integers(0, len(BRIDGES) - 1))
    epochs, following = BRIDGES[which], data.draw(st.integers(0, 255))
    if bits(epochs, following) != bits(epochs, numbers[which]):
        assert bits(epochs, following) & ~cached[epochs.field]


@given(st.sampled_from(sorted(PIPELINES)), st.integers(0, 20), st.integers(0, 1000))
def test_a_number_is_read_from_what_is_there(role: str, place: int, number: int) -> None:
    epochs = PIPELINES[role].epochs(place)
    assert {epochs.number(flow) for flow in epochs.flows(number)} == {number & (1 << epochs.width) - 1}


async def begun(switch: Switch, *wanted: Flow) -> FlowDriver:
    driver = FlowDriver(cast(OpenFlowConnection, switch), OURS, MASK, epochs=EPOCHS)
    driver.want({each.key: each for each in wanted or (flow(1), flow(2))})
    await driver.apply(delete=True)
    return driver


def epoch(switch: Switch) -> int:
    """The one that is there, and whole."""
    there = [each for each in switch.flows.values() if each.cookie == EPOCHS.cookie]
    (number,) = {EPOCHS.number(each) for each in there}
    assert number is not None
    assert len(there) == len(EPOCHS.tables)
    return number


async def test_an_epoch_ends_when_something_is_taken_away() -> None:
    switch = Switch()
    driver = await begun(switch)
    before = epoch(switch)
    driver.change(upserts=[flow(3)])
    await driver.apply(delete=True)
    assert epoch(switch) == before, "nothing is taken away"
    driver.change(deletes=[flow(3).key])
    await driver.apply(delete=True)
    assert epoch(switch) == before + 1
    driver.change(upserts=[flow(1, to=9)])
    await driver.apply(delete=False)
    assert epoch(switch) == before + 2
    assert driver.in_sync


async def test_a_limit_takes_something_away() -> None:
    switch = Switch()
    driver = await begun(switch)
    before = epoch(switch)
    limited = replace(flow(1), actions=(Meter(1), *flow(1).actions))
    driver.change(upserts=[limited])
    await driver.apply(delete=True)
    assert epoch(switch) == before + 1
    driver.change(upserts=[replace(limited, actions=(*limited.actions, *flow(1, to=5).actions))])
    await driver.apply(delete=True)
    assert epoch(switch) == before + 1, "only something more is done"


async def test_the_next_agent_goes_on_from_the_epoch_that_is_there() -> None:
    switch = Switch()
    await begun(switch)
    before = epoch(switch)
    driver = await begun(switch)
    assert epoch(switch) == before
    driver.change(deletes=[flow(1).key])
    await driver.apply(delete=True)
    assert epoch(switch) == before + 1


async def test_all_new_flows_are_a_new_epoch() -> None:
    switch = Switch()
    await begun(switch)
    before = epoch(switch)
    await begun(switch, flow(7))
    assert epoch(switch) == before + 1
    assert flow(7).key in switch.flows
    assert flow(1).key not in switch.flows


async def test_a_new_epoch_makes_no_small_change_one_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a bridge with hardly more flows than an epoch has: what stays keeps its counters."""
    switch, cleared = Switch(), []
    driver = await begun(switch)
    apply = switch.apply

    async def watched(
        adds: Sequence[Flow], deletes: Iterable[FlowKey] = (), *, clear: tuple[int, int] | None = None
    ) -> None:
        cleared.append(clear)
        await apply(adds, deletes, clear=clear)

    monkeypatch.setattr(switch, "apply", watched)
    driver.change(deletes=[flow(1).key])
    await driver.apply(delete=True)
    assert cleared == [None]


async def test_an_epoch_that_others_disturb_is_made_whole() -> None:
    switch = Switch()
    driver = await begun(switch)
    before = epoch(switch)
    switch.others_delete(EPOCHS.flows(before)[1])
    assert not driver.in_sync
    await driver.apply(delete=False)
    assert epoch(switch) == before + 1
    switch.others_put(EPOCHS.flows(before)[0])
    assert not driver.in_sync
    await driver.apply(delete=False)
    epoch(switch)
    assert driver.in_sync


async def test_the_epochs_numbers_go_round() -> None:
    switch = Switch()
    driver = await begun(switch)
    seen = []
    for number in range(20):
        driver.change(upserts=[flow(1, to=number + 10)])
        await driver.apply(delete=True)
        seen.append(epoch(switch))
    assert seen == [number % 16 for number in range(1, 21)]
