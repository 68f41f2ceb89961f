"""One node's session: its WebSocket, from Subscribe to the end.

Owns the protocol's rules and what a node is allowed to cost others.  What a report or a node's facts mean is decided in
`control.l2.binding`; what the node needs to know in `hub`.
"""

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Iterable
from ipaddress import ip_address
from typing import Any, Generic, TypeVar

import msgspec
import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect

from netweft.control.l3.counters import BALANCED
from netweft.feed.causes import ReportedSpans
from netweft.feed.hub import Hub
from netweft.feed.outbox import Closed, Outbox
from netweft.feed.queries import Queries
from netweft.feed.relevance import RowKey
from netweft.feed.writer import Writer
from netweft.model import NodeFacts, PortStatus
from netweft.model.counting import Counted
from netweft.model.health import MemberHealth
from netweft.store.changelog import actor
from netweft.store.turns import asking
from netweft.wire import messages as wire
from netweft.wire.queries import MAX_ANSWER_BYTES, Answer

T = TypeVar("T")

HELLO_SECONDS = 10.0
FRAMES_PER_SECOND = 200  # what a node may send for long; short bursts may be twice that
MAX_HELLO_BYTES = 64 * 1024  # Subscribe and Facts
MAX_PORTS = 16_384
MAX_WAITING = 65_536  # objects that a node has said something of, and that is not written yet
MAX_DETAIL = 500
MAX_PLUGGING = 64  # characters of a name
MOVING_AT_ONCE = 8  # reports about connections of ports that move; a node that sends more waits
COUNTED_SECONDS = 1.0  # between two times that counts are stored
FACTS_SECONDS = 1.0  # between two that are stored: the newest counts

log = structlog.get_logger(__name__)


class _Refusal(Exception):
    def __init__(self, reason: str, *, retry: bool = False) -> None:
        super().__init__(reason)
        self.message = wire.Refused(reason=reason, retry=retry)


class Session:
    """node: whose token it was."""

    def __init__(self, websocket: WebSocket, node: str, hub: Hub, writer: Writer, queries: Queries) -> None:
        self._websocket = websocket
        self._queries = queries
        self._node = node
        self._hub = hub
        self._writer = writer
        self._sending = asyncio.Lock()
        self._reports = _Reports()
        self._facts: asyncio.Queue[NodeFacts] = asyncio.Queue(1)
        self._moving: asyncio.Queue[wire.Report] = asyncio.Queue(MOVING_AT_ONCE)
        self._counted = _Latest[Counted](lambda one: (one.kind, one.id), wire.MOST_COUNTED, "counted")
        self._health = _Latest[MemberHealth](lambda one: one.member_id, wire.MOST_MEMBERS, "members")
        self._spans = ReportedSpans()

    async def run(self) -> None:
        """Returns when the session is over, however it ends."""
        outbox: Outbox | None = None
        asking.set((f"node {self._node}",))
        actor.set(f"node {self._node}")
        try:
            hello = await self._hello()
            await self._store_facts(hello.facts)
            outbox = self._hub.subscribe(self._node, hello.have_history, hello.have_revision)
            log.info("node subscribed", node=self._node, have_revision=hello.have_revision)
            if hello.answers:
                self._queries.join(self._node, self._send)
            writing = (self._write_reports(), self._write_facts(), self._write_moving(), self._write_counted())
            parts = (self._deliver(outbox, hello.kinds), self._listen(), self._write_health())
            await _until_one_ends(*parts, *writing)
        except WebSocketDisconnect:
            log.info("node left", node=self._node)
        except Closed as closed:
            await self._refuse(wire.Refused(reason=str(closed), retry=True))
        except _Refusal as refusal:
            await self._refuse(refusal.message)
        finally:
            self._queries.leave(self._node, self._send)
            if outbox:
                self._hub.leave(self._node, outbox)

    async def _hello(self) -> wire.Subscribe:
        try:
            async with asyncio.timeout(HELLO_SECONDS):
                message = await self._receive()
        except TimeoutError:
            raise _Refusal("no Subscribe came", retry=True) from None
        if not isinstance(message, wire.Subscribe):
            raise _Refusal("the first message has to be Subscribe")
        if message.protocol != wire.PROTOCOL:
            raise _Refusal(f"this server speaks protocol {wire.PROTOCOL}, not {message.protocol}")
        if message.node != self._node:
            raise _Refusal(f"the token is that of another node than {message.node}")
        return message

    # -- downwards

    async def _deliver(self, outbox: Outbox, kinds: frozenset[str]) -> None:
        while True:
            await self._send(wire.known(await outbox.take(), kinds))
            outbox.sent()

    async def _send(self, message: wire.Downward) -> None:
        async with self._sending:
            await self._websocket.send_bytes(wire.encode(message))

    async def _refuse(self, refused: wire.Refused) -> None:
        log.warning("node refused", node=self._node, reason=refused.reason)
        try:
            await self._send(refused)
            await self._websocket.close(code=1008)
        except (WebSocketDisconnect, RuntimeError):  # it is gone already
            log.info("node left", node=self._node)

    # -- upwards

    async def _receive(self) -> wire.Upward:
        event = await self._websocket.receive()
        if event["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(event.get("code", 1006))
        frame = event.get("bytes")
        if frame is None:
            raise _Refusal("a text frame: messages are MessagePack in binary frames")
        await self._hub.turns.begin()  # it may be long
        try:
            message = wire.decode_upward(frame)
        except wire.BadMessage as error:
            raise _Refusal(f"not a message of this protocol: {error}") from None
        if isinstance(message, Answer):
            if len(frame) > MAX_ANSWER_BYTES:
                raise _Refusal(f"more than {MAX_ANSWER_BYTES} bytes of an answer")
        elif not isinstance(message, wire.Report) and len(frame) > MAX_HELLO_BYTES:
            raise _Refusal(f"more than {MAX_HELLO_BYTES} bytes of facts")
        return message

    async def _listen(self) -> None:
        """A node that sends too fast is read more slowly: TCP's flow control slows it down."""
        clock = asyncio.get_running_loop().time
        owed = clock()
        while True:
            message = await self._receive()
            if isinstance(message, wire.Report):
                self._reports.add(message.ports, complete=message.complete)
                self._spans.add(message.causes)
                await self._moves(message)
                self._counted.add(message.counted)
                self._health.add(message.members)
            elif isinstance(message, wire.Facts):
                if self._facts.full():
                    self._facts.get_nowait()
                self._facts.put_nowait(message.facts)
            elif isinstance(message, Answer):
                self._queries.answered(self._node, message)
            else:
                raise _Refusal("subscribed already")
            owed = max(owed, clock() - 1.0) + 1 / FRAMES_PER_SECOND
            if owed > clock() + 1.0:
                await asyncio.sleep(owed - clock() - 1.0)

    async def _store_facts(self, facts: NodeFacts) -> None:
        """The tunnel's address is sent to other nodes: it has to be one."""
        if facts.tunnel_ip:
            try:
                ip_address(facts.tunnel_ip)
            except ValueError:
                raise _Refusal(f"tunnel_ip {facts.tunnel_ip[:80]!r} is no IP address") from None
        if not await self._writer.connected(self._node, facts):
            raise _Refusal("the facts could not be stored", retry=True)

    async def _write_facts(self) -> None:
        while True:
            await self._store_facts(await self._facts.get())
            await asyncio.sleep(FACTS_SECONDS)

    async def _moves(self, report: wire.Report) -> None:
        if max(map(len, (report.left, report.taken_up, report.gateways, report.floating_ips))) > wire.MOST_MOVING:
            raise _Refusal(f"more than {wire.MOST_MOVING} ports that move in one report")
        if report.left or report.taken_up or report.gateways or report.floating_ips:
            await self._moving.put(report)

    async def _write_moving(self) -> None:
        while True:
            report = await self._moving.get()
            await self._writer.gateways(self._node, report.gateways)
            await self._writer.moving(self._node, report.left, report.taken_up)
            await self._writer.floating_ips(self._node, report.floating_ips)

    async def _write_counted(self) -> None:
        """What comes in while some are being written goes with the next, the latest of each object."""
        while True:
            if not await self._writer.counted(self._node, await self._of_its_own(await self._counted.take())):
                raise _Refusal("what was counted could not be stored", retry=True)
            await asyncio.sleep(COUNTED_SECONDS)

    async def _write_health(self) -> None:
        """What comes in while some is being written goes with the next, the latest of each member."""
        while True:
            if not await self._writer.health(self._node, await self._health.take()):
                raise _Refusal("what was said of members could not be stored", retry=True)

    async def _of_its_own(self, counted: Iterable[Counted]) -> list[Counted]:
        """Of balancers that are sent to the node: it may have clients of these.  What else is its own is known from
        the rows (`control.l3.counters`)."""
        found = list(counted)
        asked: set[RowKey] = {(BALANCED[one.kind], one.id) for one in found if one.kind in BALANCED}
        told = await self._hub.tells(self._node, asked) if asked else asked
        return [one for one in found if one.kind not in BALANCED or (BALANCED[one.kind], one.id) in told]

    async def _write_reports(self) -> None:
        """What comes in while a report is being written goes into the next one, all of it."""
        reports = self._reports
        while True:
            await reports.wait()
            statuses, complete = reports.take()
            self._hub.claim(self._node, reports.claims(), reports.retry)
            with self._spans.writing(statuses):
                denied = await self._writer.report(self._node, statuses, complete=complete)
            if denied is None:
                raise _Refusal("the report could not be stored", retry=True)
            reports.written(denied.keys())
            self._hub.claim(self._node, reports.claims(), reports.retry)
            if denied:
                await self._send(wire.Denied(ports=dict(denied)))


class _Latest(Generic[T]):
    """What the node has said, the latest of each object, and is not written yet.  most: in one report."""

    def __init__(self, key: Callable[[T], Hashable], most: int, what: str) -> None:
        self._key, self._most, self._what = key, most, what
        self._waiting: dict[Hashable, T] = {}
        self._some = asyncio.Event()

    def add(self, said: Iterable[T]) -> None:
        told = {self._key(one): one for one in said}
        if len(told) > self._most:
            raise _Refusal(f"more than {self._most} {self._what} in one report")
        self._waiting |= told
        if len(self._waiting) > MAX_WAITING:
            raise _Refusal(f"more than {MAX_WAITING} {self._what}")
        if told:
            self._some.set()

    async def take(self) -> list[T]:
        await self._some.wait()
        self._some.clear()
        taken, self._waiting = self._waiting, {}
        return list(taken.values())


class _Reports:
    """What the node reported and is not written yet; and the ports it was denied, to try them again."""

    def __init__(self) -> None:
        self._waiting: dict[str, PortStatus] = {}
        self._complete = False
        self._writing: dict[str, PortStatus] = {}
        self._denied: dict[str, PortStatus] = {}
        self._freed: set[str] = set()
        self._some = asyncio.Event()

    def add(self, statuses: Iterable[PortStatus], *, complete: bool) -> None:
        if complete:
            self._waiting.clear()
            self._denied.clear()
            self._complete = True
        for status in statuses:
            self._waiting[status.port_id] = msgspec.structs.replace(
                status, detail=status.detail[:MAX_DETAIL], plugging=status.plugging[:MAX_PLUGGING]
            )
        if len(self._waiting) > MAX_PORTS:
            raise _Refusal(f"more than {MAX_PORTS} ports reported")
        self._some.set()

    async def wait(self) -> None:
        await self._some.wait()
        self._some.clear()

    def take(self) -> tuple[list[PortStatus], bool]:
        self._writing, complete = self._waiting, self._complete
        self._waiting, self._complete = {}, False
        self._freed.clear()
        return list(self._writing.values()), complete

    def claims(self) -> set[str]:
        """Ports whose binding matters: denied, or about to be."""
        return self._denied.keys() | self._writing.keys()

    def written(self, denied: Iterable[str]) -> None:
        for port in self._writing:
            self._denied.pop(port, None)
        self._denied.update((port, self._writing[port]) for port in denied if port in self._writing)
        self._writing = {}
        self.retry(self._freed)

    def retry(self, ports: Iterable[str]) -> None:
        """They can be had now, perhaps: report them once more, unless there is newer to report or to be written."""
        again = {port: self._denied[port] for port in ports if port in self._denied and port not in self._writing}
        self._freed.update(port for port in ports if port in self._writing)
        if again:
            self._waiting = again | self._waiting
            self._some.set()


async def _until_one_ends(*parts: Coroutine[Any, Any, None]) -> None:
    """Raises what that one raised; the others are cancelled."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
