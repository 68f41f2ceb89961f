"""What a third party's agent gets from us: a view, a wake-up for any change, reports, retries; over a fake server."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.waiting import until

from netweft.agent import follower
from netweft.agent.follower import Follower
from netweft.metrics.definitions import AGENT
from netweft.model import Network, NodeFacts, NodeView, Port, PortState, PortStatus
from netweft.reconcile.plan import Plan, Step
from netweft.settings import AgentSettings
from netweft.testing.feed import FakeFeed

NET = Network(id="net")
P, Q = (Port(id=id, network_id="net", mac_address=f"fa:16:3e:00:00:0{n}") for n, id in enumerate(("p", "q")))


class Host:
    """Wires what is plugged in.  refuses: ports that it cannot wire.  broken: nothing can be done at all."""

    def __init__(self, *plugged: str) -> None:
        self.plugged = set(plugged)
        self.wired: set[str] = set()
        self.refuses: set[str] = set()
        self.broken = False
        self.turns = 0
        self.open = asyncio.Event()  # else a turn takes that long
        self.open.set()
        self.changed: Callable[[], None] = lambda: None

    def facts(self) -> NodeFacts:
        return NodeFacts(agent_type="Test agent")

    async def watch(self, changed: Callable[[], None]) -> None:
        self.changed = changed
        await asyncio.Event().wait()

    async def plan(self, view: NodeView, *, delete: bool) -> Plan:
        gone = self.wired - view.ports.keys() if delete else set()
        new = view.ports.keys() & self.plugged - self.wired
        steps = [*(Step("port", id, was=id) for id in gone), *(Step("port", id, now=id) for id in new)]
        return Plan.of(steps, ("port",))

    async def wire(self, view: NodeView, *, delete: bool) -> Mapping[str, PortStatus]:
        self.turns += 1
        await self.open.wait()
        if self.broken:
            raise OSError("the host is on fire")
        if delete:
            self.wired &= view.ports.keys()
        self.wired |= view.ports.keys() & self.plugged - self.refuses
        return {id: self._status(id) for id in view.ports.keys() & self.plugged}

    def _status(self, id: str) -> PortStatus:
        return PortStatus(id, PortState.UP) if id in self.wired else PortStatus(id, PortState.ERROR, "no")


@pytest.fixture
def settings(tmp_path: Path) -> AgentSettings:
    return AgentSettings(node="hv1", server=(f"unix:{tmp_path}/feed",), token="t", state_dir=str(tmp_path))


@pytest.fixture
async def feed(tmp_path: Path) -> AsyncIterator[FakeFeed]:
    async with FakeFeed(tmp_path / "feed") as feed:
        yield feed


@asynccontextmanager
async def running(settings: AgentSettings, host: Host) -> AsyncIterator[Follower]:
    agent = Follower(settings, host)
    task = asyncio.create_task(agent.run())
    try:
        yield agent
    finally:
        await agent.stop()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def states(feed: FakeFeed) -> dict[str, PortState]:
    return {status.port_id: status.state for status in feed.statuses["hv1"].values()}


async def test_a_port_is_wired_and_reported_in_whichever_order_things_happen(
    settings: AgentSettings, feed: FakeFeed
) -> None:
    host = Host(P.id)
    async with running(settings, host):
        await feed.set("hv1", [NET, P, Q])
        await feed.wait(lambda: states(feed) == {P.id: PortState.UP})
        host.plugged.add(Q.id)
        host.changed()
        await feed.wait(lambda: states(feed) == {P.id: PortState.UP, Q.id: PortState.UP})
        host.plugged.remove(P.id)
        host.changed()
        await feed.wait(lambda: states(feed) == {P.id: PortState.DOWN, Q.id: PortState.UP})


async def test_a_deleted_port_is_unwired(settings: AgentSettings, feed: FakeFeed) -> None:
    host = Host(P.id)
    await feed.set("hv1", [NET, P])
    async with running(settings, host) as agent:
        await until(lambda: host.wired == {P.id})
        await feed.set("hv1", [NET])
        await until(lambda: host.wired == set())
        assert not await agent.plan()


async def test_without_a_server_what_is_on_disk_is_wired_and_nothing_is_removed(
    settings: AgentSettings, feed: FakeFeed
) -> None:
    """Q was wired after the view was written for the last time."""
    await feed.set("hv1", [NET, P])
    first = Host(P.id)
    async with running(settings, first):
        await until(lambda: first.wired == {P.id})
    await feed.close()
    again = Host(P.id, Q.id)
    again.wired = {Q.id}
    async with running(settings, again) as agent:
        await until(lambda: again.wired == {P.id, Q.id})
        assert "as kept on disk" in agent.show()
        await feed.open()
        await until(lambda: again.wired == {P.id})
        assert f"port {P.id} up" in agent.show()


async def test_a_session_begins_with_what_its_own_view_led_to(settings: AgentSettings, feed: FakeFeed) -> None:
    """What a turn finds that is under way is not all there is: it would take ports down that are up."""
    await feed.set("hv1", [NET, P])
    first = Host(P.id)
    async with running(settings, first):
        await until(lambda: first.wired == {P.id})
    await feed.close()
    feed.statuses["hv1"] = {Q.id: PortStatus(Q.id, PortState.UP)}
    again = Host(P.id, Q.id)
    again.open.clear()
    async with running(settings, again) as agent:
        await until(lambda: again.turns == 1)
        await feed.set("hv1", [NET, P, Q])
        await feed.open()
        await until(lambda: "as kept on disk" not in agent.show())
        again.open.set()
        await feed.wait(lambda: P.id in states(feed))
        assert states(feed) == {P.id: PortState.UP, Q.id: PortState.UP}


async def test_nothing_is_touched_before_there_is_a_view(settings: AgentSettings) -> None:
    host = Host(P.id)
    host.wired = {P.id}
    async with running(settings, host) as agent:
        await asyncio.sleep(0)
        host.changed()
        await asyncio.sleep(3 * follower.SETTLE_SECONDS)
        assert host.turns == 0
        assert not await agent.plan()


async def test_a_port_in_error_says_why_and_is_tried_again_by_itself(settings: AgentSettings, feed: FakeFeed) -> None:
    host = Host(P.id, Q.id)
    host.refuses = {P.id}
    await feed.set("hv1", [NET, P, Q])
    async with running(settings, host):
        await feed.wait(lambda: states(feed) == {P.id: PortState.ERROR, Q.id: PortState.UP})
        assert feed.statuses["hv1"][P.id].detail == "no"
        host.refuses = set()
        await feed.wait(lambda: states(feed) == {P.id: PortState.UP, Q.id: PortState.UP})


async def test_a_fault_of_the_plug_in_takes_nothing_down(settings: AgentSettings, feed: FakeFeed) -> None:
    host = Host(P.id)
    host.broken = True
    await feed.set("hv1", [NET, P])
    async with running(settings, host) as agent:
        await until(lambda: host.turns >= 2)
        assert "problem OSError: the host is on fire" in agent.show()
        assert states(feed) == {}, "not down: nobody has looked yet"
        host.broken = False
        await feed.wait(lambda: states(feed) == {P.id: PortState.UP})
        host.broken = True
        turns = host.turns
        host.changed()
        await until(lambda: host.turns >= turns + 2)
        assert states(feed) == {P.id: PortState.UP}
        assert "problem" in agent.show()


async def test_it_says_at_metrics_what_it_knows(settings: AgentSettings, feed: FakeFeed) -> None:
    host = Host(P.id, Q.id)
    host.refuses.add(Q.id)
    async with running(settings, host) as agent:
        await feed.set("hv1", [NET, P, Q])
        await feed.wait(lambda: states(feed) == {P.id: PortState.UP, Q.id: PortState.ERROR})
        found = {(one.metric.name, *one.labels): one.value for one in await agent.readings()}
        assert found["netweft_agent_feed_session",] == 1
        assert found["netweft_agent_ports", "up"] == found["netweft_agent_ports", "error"] == 1
    assert {one.metric for one in await agent.readings()} <= set(AGENT)
