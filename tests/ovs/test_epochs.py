"""A bundle that takes something away empties the cache, asked of a real vswitchd."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from tests.ovs.sandbox import Sandbox

from netweft.dataplane.openflow.client import OpenFlowConnection
from netweft.dataplane.openflow.driver import FlowDriver
from netweft.dataplane.openflow.flow import Flow, Output
from netweft.services.fields import OURS, OURS_MASK
from netweft.services.pipeline import PHYS

SOURCE, BRIDGES = "ep-in", ("ep-a", "ep-b")
OUT, MIRROR = 2, 3  # where each of the two bridges sends the frame
FRAME = (
    "in_port(1),eth(src=fa:16:3e:00:00:01,dst=ff:ff:ff:ff:ff:ff),eth_type(0x0800),"
    "ipv4(src=10.0.0.1,dst=10.0.0.255,proto=17,tos=0,ttl=64,frag=no),udp(src=1,dst=2)"
)


@pytest.fixture
def flooding(ovs: Sandbox) -> Iterator[None]:
    """What comes in is sent to both bridges at once, as in a network with a segment on each."""
    for bridge in (SOURCE, *BRIDGES):
        ovs.add_bridge(bridge)
    words = ["add-port", SOURCE, "ep-vif", "--", "set", "Interface", "ep-vif", "type=dummy", "ofport_request=1"]
    for number, bridge in enumerate(BRIDGES, 2):
        words += _patch(SOURCE, bridge, number) + _patch(bridge, SOURCE, 1)
        for ofport in (OUT, MIRROR):
            name = f"{bridge}{ofport}"
            words += ["--", "add-port", bridge, name, "--", "set", "Interface", name, "type=dummy"]
            words += [f"ofport_request={ofport}"]
    ovs.vsctl(*words)
    ovs.ofctl("add-flow", SOURCE, "in_port=1,actions=output:2,output:3")
    yield
    for bridge in (SOURCE, *BRIDGES):
        ovs.vsctl("del-br", bridge)


def _patch(bridge: str, to: str, ofport: int) -> list[str]:
    name, peer = f"{bridge}-{to[-1]}", f"{to}-{bridge[-1]}"
    options = ["type=patch", f"options:peer={peer}", f"ofport_request={ofport}"]
    return ["--", "add-port", bridge, name, "--", "set", "Interface", name, *options]


@asynccontextmanager
async def drivers(ovs: Sandbox, places: tuple[int, int]) -> AsyncIterator[list[FlowDriver]]:
    """Of both bridges, each with what it does to the frame."""
    connections = [await OpenFlowConnection.connect(ovs.mgmt(bridge)) for bridge in BRIDGES]
    found = []
    for connection, place in zip(connections, places, strict=True):
        driver = FlowDriver(connection, OURS, OURS_MASK, epochs=PHYS.epochs(place))
        driver.want({flow.key: flow for flow in (doing(OUT, MIRROR),)})
        await driver.apply(delete=True)
        found.append(driver)
    try:
        yield found
    finally:
        for connection in connections:
            await connection.close()


def doing(*ofports: int) -> Flow:
    return Flow(
        table=0, priority=5, match=(("in_port", 1, None),), actions=tuple(map(Output, ofports)), cookie=OURS | 1
    )


async def cached(ovs: Sandbox, *, outputs: int) -> bool:
    """Whether the frame is cached, within a second, with so many outputs; 0: whether it is not cached any more."""
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        lines = [line for line in ovs.appctl("dpctl/dump-flows", "-m").splitlines() if "in_port(ep-vif)" in line]
        if [line.partition("actions:")[2].count("ep-") for line in lines] == [outputs] * bool(outputs):
            return True
        await asyncio.sleep(0.02)
    return False


@pytest.mark.parametrize(("places", "emptied"), [((0, 1), True), ((0, 0), False)])
async def test_what_is_flooded_to_two_bridges_is_cached_anew_when_either_takes_something_away(
    ovs: Sandbox, flooding: None, places: tuple[int, int], emptied: bool
) -> None:
    """The other bridge has the number that this one is about to take.  With the same place for both the cached flow
    would be changed where it is, which is what may hit another one (docs/decisions/0123)."""
    async with drivers(ovs, places) as (one, other):
        other.change(upserts=[doing(OUT)])
        await other.apply(delete=True)
        ovs.appctl("netdev-dummy/receive", "ep-vif", FRAME)
        assert await cached(ovs, outputs=3)
        one.change(upserts=[doing(MIRROR)])
        await one.apply(delete=True)
        assert await cached(ovs, outputs=0) == emptied
        assert await cached(ovs, outputs=2) != emptied
        ovs.appctl("netdev-dummy/receive", "ep-vif", FRAME)
        assert await cached(ovs, outputs=2)
