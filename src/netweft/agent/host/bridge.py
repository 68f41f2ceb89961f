"""One bridge's flows: a connection that is kept up, and a driver while there is one.

A bridge that is not there yet, or whose vswitchd is away, is waited for; when it is back its flows are read anew.
One that carries nothing for us is left alone but for a look now and then: vswitchd's main thread serves every
connection each turn, and forwards nothing meanwhile (docs/decisions/0193).
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

import structlog

from netweft.agent.desired import FlowChanges
from netweft.agent.host.datapath import BridgeDatapath
from netweft.agent.host.meters import BridgeMeters
from netweft.agent.security.fragments import BridgeFragments
from netweft.dataplane.openflow.client import OpenFlowConnection
from netweft.dataplane.openflow.conntrack import Connections
from netweft.dataplane.openflow.driver import FlowDriver, FlowPlan
from netweft.dataplane.openflow.errors import ConnectionLost, OpenFlowError
from netweft.dataplane.openflow.flow import Flow, FlowKey
from netweft.dataplane.openflow.messages import Count, PacketIn
from netweft.dataplane.openflow.text import format_flow
from netweft.reconcile.plan import Step
from netweft.reconcile.retry import Backoff
from netweft.services.fields import AGENT, OBJECT_MASK, OURS, OURS_MASK, Reason, cookie
from netweft.services.l2.announce import Packet
from netweft.services.pipeline import INT, pipeline_of
from netweft.services.security.firewall_policies import TABLES

log = structlog.get_logger(__name__)

LOOK_SECONDS = 10.0


async def _nothing(_: OpenFlowConnection) -> None:
    return


class BridgeSide:
    """role: as in BridgeFlow.  wanted: all flows that should be there, called once per connection.
    wake: called when there is something to do.  taking_away: called before flows go, or do less, where anybody cares.
    meters: where flows go through some.  fragments: where flows look at them.  datapath: where they need some of it.
    place: which one of its role it is on this node, by number.
    on_packet: called with what flows send to the agent.  on_lost: called when the switch closed the connection.
    sessions: how often it has been (re)connected.
    at_rest: all was in place when it was looked at last, and there is nothing on it but what every node has."""

    def __init__(
        self,
        role: str,
        socket: Path,
        wanted: Callable[[], Mapping[FlowKey, Flow]],
        wake: Callable[[], None],
        taking_away: Callable[[FlowPlan], None] | None = None,
        meters: BridgeMeters | None = None,
        place: int = 0,
        fragments: BridgeFragments | None = None,
        datapath: BridgeDatapath | None = None,
    ) -> None:
        self.role = role
        self.sessions = 0
        self._socket = socket
        self._wanted = wanted
        self._wake = wake
        self._taking_away = taking_away
        self._meters = meters
        self._fragments = fragments
        self._datapath = datapath
        self.at_rest = False
        self.on_packet: Callable[[PacketIn], None] | None = None
        self.on_lost: Callable[[], None] = lambda: None
        self.on_connected: Callable[[OpenFlowConnection], Awaitable[None]] = _nothing  # before anything is changed
        self.on_read: Callable[[Iterable[Flow]], None] = lambda _: None  # what was there when it was connected
        self.rendered: Callable[[], Awaitable[object]] = partial(asyncio.sleep, 0)  # when on_read can make sense of it
        self._driver: FlowDriver | None = None
        self._connection: OpenFlowConnection | None = None
        self._expected = asyncio.Event()
        self._read = asyncio.Event()
        self.asked = asyncio.Event()  # or it did not answer
        self._tables = {table.id: table.name for table in pipeline_of(role).tables.values()}
        self._epochs = pipeline_of(role).epochs(place)

    @property
    def connected(self) -> bool:
        """Or left alone for good reason."""
        return self.at_rest or self._driver is not None

    @property
    def in_sync(self) -> bool:
        return self.at_rest if self._driver is None else self._driver.in_sync

    @property
    def refused(self) -> Mapping[int, str]:
        """Objects of which the bridge refuses a flow, by their bits in cookies, and why."""
        refused = self._driver.refused if self._driver else {}
        return {bits: f"{self._socket.stem} refuses a flow: {error}" for bits, error in refused.items()}

    def expect(self) -> None:
        """The bridge has just appeared, or something is to be done there: try now, not later."""
        self.at_rest = False
        self._expected.set()

    async def look(self) -> None:
        """At what is on a bridge at rest; returns when that is known, or the bridge does not answer."""
        if self.at_rest:
            self._read.clear()
            self._expected.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._read.wait()

    async def run(self) -> None:
        clock = asyncio.get_running_loop().time
        backoff = Backoff(first=0.03, limit=1.0, steady=100)  # a vswitchd that starts is there within 3 s
        while True:
            try:
                connection = await OpenFlowConnection.connect(self._socket)
            except OpenFlowError:  # not there (yet): why is reported by the rows' side
                self._away()
                await self._pause(backoff.failed(clock()))
                continue
            try:
                await self.attach(connection)
                backoff.succeeded()
                lost = await self._until_lost(connection)
            except OpenFlowError as error:
                self._away()
                log.warning("bridge not read", bridge=self._socket.stem, problem=str(error))
                await asyncio.sleep(backoff.failed(clock()))
                continue
            finally:
                self._driver = self._connection = None
                if self._meters:
                    self._meters.lost()
                if self._fragments:
                    self._fragments.lost()
                await connection.close()
            if lost is None:
                await self._pause(LOOK_SECONDS)
            else:
                log.warning("bridge lost", bridge=self._socket.stem, problem=str(lost))
                self.on_lost()

    async def _until_lost(self, connection: OpenFlowConnection) -> ConnectionLost | None:
        """None: there is nothing to stay for.  Of meters, and what becomes of fragments, the switch does not say that
        somebody else changes them: they are looked at now and then.  Raises OpenFlowError."""
        seconds = 0.0 if self.at_rest else LOOK_SECONDS
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    return await connection.wait_closed()
            if self._meters and self._meters.doubt():
                self._wake()
            if self._fragments and await self._fragments.look():
                log.warning("fragments are treated otherwise", bridge=self._socket.stem)
                self._wake()
            if self._idle:
                self.at_rest = True
                return None
            seconds = LOOK_SECONDS

    @property
    def _idle(self) -> bool:
        if self._driver is None or not self._driver.in_sync or self.on_packet is not None:
            return False
        return all(flow.cookie == cookie(Reason.PIPELINE) for flow in self._driver.desired.values())

    def _away(self) -> None:
        """Nobody knows what is on it."""
        self.at_rest = False
        self._read.set()
        self.asked.set()

    def _drifted(self) -> None:
        """A flow may have gone with its meter."""
        if self._meters:
            self._meters.doubt()
        self._wake()

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._expected.wait()
        self._expected.clear()

    async def attach(self, connection: OpenFlowConnection) -> None:
        """Read what is there, and compare from now on.  Raises OpenFlowError."""
        refusing = TABLES if self.role == INT.role else frozenset()
        driver = FlowDriver(
            connection, OURS, OURS_MASK, self._drifted, self._taking_away, OBJECT_MASK, self._epochs, refusing
        )
        reading = asyncio.gather(driver.read(), asyncio.gather(*self._others(connection)))
        self.asked.set()
        found, _ = await reading
        await self.rendered()
        self.on_read(found.values())
        driver.want(self._wanted())
        self._driver, self._connection = driver, connection
        self.at_rest = self.at_rest and driver.in_sync
        self._read.set()
        if self.at_rest:
            return
        self.sessions += 1
        log.info("bridge connected", bridge=self._socket.stem, flows=len(found))
        self._wake()

    def _others(self, connection: OpenFlowConnection) -> Iterator[Awaitable[object]]:
        """Further requests before anything is changed: concurrently, since each waits for a turn of vswitchd."""
        if self.on_packet is not None:
            yield connection.watch_packets(AGENT, self.on_packet)
        if self._datapath:
            yield self._datapath.read()
        if self._meters:
            yield self._meters.read(connection)
        if self._fragments:
            yield self._fragments.read(connection)
        yield self.on_connected(connection)

    def change(self, part: FlowChanges) -> None:
        if self._driver:
            self._driver.change(part.upserts, part.deletes)
        if self.at_rest and (part.upserts or part.deletes):
            self.expect()

    @property
    def flows(self) -> Collection[Flow] | None:
        """Ours that are there; None: it is away, or left alone."""
        return self._driver.actual.values() if self._driver else None

    async def count(self, table: int, cookie: int, mask: int) -> list[tuple[Flow, Count]]:
        """Raises OpenFlowError."""
        if self._connection is None:
            raise ConnectionLost(f"{self._socket.stem} is away")
        return await self._connection.count_flows(table, cookie, mask)

    async def forget_connections(self, zones: Iterable[int]) -> bool:
        """In these conntrack zones.  False: the bridge is away.  Raises OpenFlowError."""
        if self._connection is None:
            return False
        await self._connection.flush_zones(zones)
        return True

    async def end_connections(self, which: Iterable[Connections]) -> bool:
        """False: the bridge is away.  Raises OpenFlowError."""
        if self._connection is None:
            return False
        await self._connection.end_connections(which)
        return True

    def plan(self, *, delete: bool) -> list[Step]:
        if self._driver is None:
            return []
        plan, actual = self._driver.plan(delete=delete), self._driver.actual
        return [
            *(self._step(flow.key, None, flow) for flow in plan.adds),
            *(self._step(flow.key, actual[flow.key], flow) for flow in plan.updates),
            *(self._step(flow.key, flow, None) for flow in plan.deletes),
            *(self._meters.plan(delete=delete) if self._meters else ()),
            *(self._fragments.plan() if self._fragments else ()),
        ]

    def flow_plan(self) -> FlowPlan | None:
        """None: it is away, or left alone."""
        return self._driver.plan(delete=True) if self._driver else None

    async def apply(self, *, delete: bool) -> int:
        """Meters come before the flows that name them, and go after; what becomes of fragments before flows that look
        at them.  Returns how much was written.

        Raises OpenFlowError."""
        driver = self._driver  # should it be another one meanwhile, this request was not for that one's flows
        if driver is None or (not delete and self._is_of_another_version(driver)):
            return 0
        put = await self._meters.put() if self._meters else 0
        put += await self._fragments.put() if self._fragments else 0
        try:
            plan = await driver.apply(delete=delete)
        except OpenFlowError:
            if self._meters:
                self._meters.doubt()
            raise
        removed = await self._meters.remove() if self._meters and delete else 0
        return len(plan.adds) + len(plan.updates) + len(plan.deletes) + put + removed

    def _is_of_another_version(self, driver: FlowDriver) -> bool:
        """The tables on the bridge are another pipeline's: with parts of ours between them nobody knows what passes."""
        plan = driver.plan(delete=True)
        return any(
            flow.cookie == cookie(Reason.PIPELINE) and not flow.match for flow in (*plan.deletes, *plan.replaced)
        )

    async def send_packet(self, packet: Packet) -> None:
        await self.send_packets([packet])

    async def send_packets(self, packets: Iterable[Packet]) -> None:
        """Returns when they are done.  Raises OpenFlowError.  A bridge that is away has nobody to hear it."""
        if self._driver is not None:
            await self._driver.send_packets((packet.frame, packet.actions) for packet in packets)

    def answer(self, packet: Packet) -> None:
        """At once, and without a retry: a client without an answer sends its request again."""
        if self._connection is not None:
            with contextlib.suppress(ConnectionLost):
                self._connection.send_packet_soon(packet.frame, packet.actions)

    def _step(self, key: FlowKey, was: Flow | None, now: Flow | None) -> Step:
        texts = (flow and f"{self._socket.stem} {format_flow(flow, self._tables)}" for flow in (was, now))
        return Step("flow", (self.role, key), *texts)
