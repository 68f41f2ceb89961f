"""The agent's end of the feed: one session with any of the servers, kept up for as long as `run` runs.

Owns connecting, subscribing, the newest view and the delivery of what the agent reports.  It must not look at the
switch, decide what a change means, or keep anything on disk.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Protocol

import structlog
from msgspec import Struct
from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from netweft.model import EMPTY_VIEW, KINDS, Key, NodeFacts, NodeView, PortStatus, Tracked, key_of, view_of
from netweft.model.counting import Counted
from netweft.model.health import MemberHealth
from netweft.settings import AgentSettings
from netweft.wire import messages as wire
from netweft.wire.causes import MOST_CAUSES, Cause
from netweft.wire.queries import Answer, Ask

OPEN_SECONDS = 5.0
PING_SECONDS = 10.0  # a server that is silently gone is noticed within twice this time
RETRY_CAP_SECONDS = 5.0
MOST_ASKED = 16  # questions at once
NO_CAUSES: Mapping[str, Cause] = {}
STABLE_SECONDS = 1.0  # a session that lived this long is followed by a retry without delay

log = structlog.get_logger(__name__)


class Changes(Struct, frozen=True):
    """A newer view, and the keys that differ from the one before.

    subscribed: these are the first words of a session.  As soon as this view is wired the agent owes the server
    `report(every plugged-in port, complete=True)`, even if nothing changed.
    causes: why, where the server knows.
    """

    view: NodeView
    upserts: frozenset[Key]
    deletes: frozenset[Key]
    subscribed: bool = False
    causes: tuple[Cause, ...] = ()


class Link(Struct, frozen=True):
    """up: subscribed, so that `view` follows the server.  problem: why not, for a person."""

    server: str = ""
    up: bool = False
    problem: str = ""


class Listener(Protocol):
    """Whom the client notifies.  Called in the event loop; must return at once."""

    def view_changed(self, changes: Changes) -> None: ...

    def ports_denied(self, reasons: Mapping[str, str]) -> None:
        """Plugged-in ports this node cannot have, for now.  The server tries again by itself when they change."""

    def link_changed(self, link: Link) -> None: ...


class FeedClient:
    """Constructing it does no I/O; `run` as a task does it all.

    view: where to start from, e.g. what was kept on disk.
    ready: waited for by whoever is connected, before it subscribes: the server has looked at who we are meanwhile.
    """

    def __init__(
        self, settings: AgentSettings, listener: Listener, *, facts: NodeFacts, view: NodeView = EMPTY_VIEW
    ) -> None:
        self.view = view
        self.link = Link()
        self._settings = settings
        self._listener = listener
        self._facts = facts
        self._unsent = _Unsent()
        self._awake = asyncio.Event()
        self.ready: Callable[[], Awaitable[None]] = _at_once
        self.on_asked: Callable[[Ask], Awaitable[Answer]] | None = None  # None: this agent answers no queries
        self._answering: set[asyncio.Task[None]] = set()

    def report(
        self, statuses: Iterable[PortStatus], *, complete: bool = False, causes: Mapping[str, Cause] = NO_CAUSES
    ) -> None:
        """Delivered at once, or after the next subscribe; the latest of a port wins.  causes: by port."""
        self._unsent.add(statuses, complete=complete)
        self._unsent.causes.update(causes)
        self._awake.set()

    def tell_left(self, port_id: str, connections: tuple[Tracked, ...]) -> None:
        """What a port was connected to that has moved away."""
        self._unsent.left[port_id] = connections
        self._awake.set()

    def tell_taken_up(self, port_id: str, at: float) -> None:
        """The list of a port that has moved here."""
        self._unsent.taken_up[port_id] = at
        self._awake.set()

    def tell_counted(self, counted: Iterable[Counted]) -> None:
        """The totals of these objects; the latest of each wins."""
        self._unsent.counted.update(((one.kind, one.id), one) for one in counted)
        self._awake.set()

    def tell_health(self, health: Iterable[MemberHealth]) -> None:
        """Of balancers' members; the latest of each wins."""
        self._unsent.health.update((one.member_id, one) for one in health)
        self._awake.set()

    def tell_gateways(self, port_ids: Iterable[str]) -> None:
        """Of routers, that this node has taken over."""
        self._unsent.gateways |= set(port_ids)
        self._awake.set()

    def tell_has_alone(self, floating_ip: str, led: int) -> None:
        """That nobody else answers for it; led: which association of it this is."""
        self._unsent.floating_ips[floating_ip] = led
        self._awake.set()

    def tell(self, facts: NodeFacts) -> None:
        if facts != self._facts:
            self._facts = facts
            self._unsent.facts = True
            self._awake.set()

    async def run(self) -> None:
        """Returns only by being cancelled: whatever is wrong with a server may be put right."""
        clock = asyncio.get_running_loop().time
        failures = 0
        for server in cycle(self._settings.server):
            started = clock()
            try:
                await self._session(server)
                problem, delay = "the server closed the session", 0.0
            except NoSession as refusal:
                problem, delay = str(refusal), 1.0 if refusal.retry else RETRY_CAP_SECONDS
            except (OSError, WebSocketException, wire.BadMessage) as error:
                problem, delay = in_words(error), 0.0
            failures = 0 if self.link.up and clock() - started > STABLE_SECONDS else failures + 1
            self._set_link(Link(server, problem=problem))
            await asyncio.sleep(max(delay, self._pause(failures)))

    def _pause(self, failures: int) -> float:
        """Each server is tried once without waiting, then ever more slowly; jitter keeps a region from marching."""
        rounds = failures - len(self._settings.server)
        ceiling = 0.05 if rounds < 0 else min(RETRY_CAP_SECONDS, 0.1 * 2 ** min(rounds, 10))
        return random.uniform(0.5, 1.0) * ceiling

    async def _session(self, server: str) -> None:
        async with connection(server, node_token(self._settings)) as socket:
            await self.ready()
            view, facts = self.view, self._facts
            self._unsent.facts = False
            await socket.send(
                wire.encode(
                    wire.Subscribe(
                        node=self._settings.node,
                        facts=facts,
                        # one that an older agent has left on disk lacks what that did not know
                        have_history=view.history if view.kinds >= KINDS else "",
                        have_revision=view.revision,
                        kinds=KINDS,
                        answers=self.on_asked is not None,
                    )
                )
            )
            sender: asyncio.Task[None] | None = None
            try:
                async for frame in socket:
                    self._receive(server, frame, socket)
                    if self.link.up and not sender:
                        sender = asyncio.create_task(self._send(socket))
            finally:
                for task in (*([sender] if sender else ()), *self._answering):
                    task.cancel()

    def _receive(self, server: str, frame: str | bytes, socket: ClientConnection) -> None:
        message = wire.decode_downward(frame if isinstance(frame, bytes) else frame.encode())
        if isinstance(message, wire.Refused):
            raise NoSession(message.reason, retry=message.retry)
        if isinstance(message, wire.Denied):
            self._listener.ports_denied(message.ports)
            return
        if isinstance(message, Ask):
            self._answer_soon(message, socket)
            return
        changes = changes_by(self.view, message, subscribed=not self.link.up)
        self.view = changes.view
        if not self.link.up:
            self._set_link(Link(server, up=True))
        self._listener.view_changed(changes)

    def _answer_soon(self, question: Ask, socket: ClientConnection) -> None:
        """Nothing else waits for it.  Queries beyond the limit are not answered: the server has a deadline."""
        if self.on_asked is None or len(self._answering) >= MOST_ASKED:
            return
        task = asyncio.create_task(self._answer(self.on_asked, question, socket))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(
        self, answer: Callable[[Ask], Awaitable[Answer]], question: Ask, socket: ClientConnection
    ) -> None:
        try:
            await socket.send(wire.encode(await answer(question)))
        except ConnectionClosed:
            pass
        except Exception:  # whatever the query: the session goes on
            log.exception("a question was not answered")

    async def _send(self, socket: ClientConnection) -> None:
        """From the first answer on: the server takes reports only from who is subscribed."""
        self._awake.set()
        while True:
            await self._awake.wait()
            self._awake.clear()
            taken = self._unsent
            self._unsent = _Unsent()
            try:
                if taken.facts:
                    await socket.send(wire.encode(wire.Facts(self._facts)))
                for report in taken.as_reports(self.view.revision):
                    await socket.send(wire.encode(report))
            except ConnectionClosed:
                self._unsent = taken.followed_by(self._unsent)
                return

    def _set_link(self, link: Link) -> None:
        if link != self.link:
            self.link = link
            if link.up:
                log.info("feed subscribed", server=link.server, revision=self.view.revision)
            else:
                log.warning("feed lost", server=link.server, problem=link.problem)
            self._listener.link_changed(link)


async def _at_once() -> None:
    return


def changes_by(view: NodeView, message: wire.Snapshot | wire.Delta, *, subscribed: bool = False) -> Changes:
    """What the message makes of the view; an object that is sent again as it was is no change."""
    if isinstance(message, wire.Snapshot):
        after = view_of(message.history, message.revision, message.objects)
        touched = {key_of(obj) for obj in view.objects()} | {key_of(obj) for obj in message.objects}
    else:
        after = view.merged(message.revision, message.upserts, message.deletes)
        touched = {key_of(obj) for obj in message.upserts} | set(message.deletes)
    changed = {key for key in touched if view.get(key) != after.get(key)}
    gone = frozenset(key for key in changed if after.get(key) is None)
    return Changes(after, frozenset(changed - gone), gone, subscribed, message.causes)


class _Unsent:
    """What has not been reported to the server yet."""

    def __init__(self) -> None:
        self.ports: dict[str, PortStatus] = {}
        self.causes: dict[str, Cause] = {}
        self.complete = False
        self.facts = False
        self.left: dict[str, tuple[Tracked, ...]] = {}
        self.taken_up: dict[str, float] = {}
        self.counted: dict[tuple[str, str], Counted] = {}
        self.gateways: set[str] = set()
        self.floating_ips: dict[str, int] = {}
        self.health: dict[str, MemberHealth] = {}

    def add(self, statuses: Iterable[PortStatus], *, complete: bool) -> None:
        if complete:
            self.ports.clear()
            self.complete = True
        self.ports.update((status.port_id, status) for status in statuses)

    def followed_by(self, newer: "_Unsent") -> "_Unsent":
        self.add(newer.ports.values(), complete=newer.complete)
        self.causes |= newer.causes
        self.facts |= newer.facts
        self.left |= newer.left
        self.taken_up |= newer.taken_up
        self.counted |= newer.counted
        self.gateways |= newer.gateways
        self.floating_ips |= newer.floating_ips
        self.health |= newer.health
        return self

    def as_reports(self, revision: int) -> Iterator[wire.Report]:
        """Those that a VM waits for first; each list by itself, since a message has a most."""
        gateways = sorted(self.gateways)
        for start in range(0, len(gateways), wire.MOST_MOVING):
            yield wire.Report(revision=revision, ports=(), gateways=tuple(gateways[start : start + wire.MOST_MOVING]))
        health = tuple(self.health.values())
        for start in range(0, len(health), wire.MOST_MEMBERS):
            yield wire.Report(revision=revision, ports=(), members=health[start : start + wire.MOST_MEMBERS])
        for port_id, connections in self.left.items():
            yield wire.Report(revision=revision, ports=(), left=(wire.Left(port_id, connections),))
        if self.ports or self.complete:
            causes = dict(islice(self.causes.items(), MOST_CAUSES))
            yield wire.Report(
                revision=revision, ports=tuple(self.ports.values()), complete=self.complete, causes=causes
            )
        alone = tuple(wire.HasAlone(id, led) for id, led in self.floating_ips.items())
        for start in range(0, len(alone), wire.MOST_MOVING):
            yield wire.Report(revision=revision, ports=(), floating_ips=alone[start : start + wire.MOST_MOVING])
        done = tuple(wire.TakenUp(port_id, at) for port_id, at in self.taken_up.items())
        for start in range(0, len(done), wire.MOST_MOVING):
            yield wire.Report(revision=revision, ports=(), taken_up=done[start : start + wire.MOST_MOVING])
        counted = tuple(self.counted.values())
        for start in range(0, len(counted), wire.MOST_COUNTED):
            yield wire.Report(revision=revision, ports=(), counted=counted[start : start + wire.MOST_COUNTED])


class NoSession(Exception):
    """The server refused, or there is nothing to go to it with."""

    def __init__(self, reason: str, *, retry: bool) -> None:
        super().__init__(f"refused: {reason}")
        self.retry = retry


def node_token(settings: AgentSettings) -> str:
    """Read anew each time, so that a replaced token is picked up.  Raises NoSession."""
    if settings.token:
        return settings.token
    try:
        return Path(settings.token_file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise NoSession(f"no token in {settings.token_file}: {error}", retry=True) from None


def connection(server: str, token: str) -> connect:
    options: dict[str, Any] = {
        "additional_headers": {"Authorization": f"Bearer {token}"},
        "compression": None,
        "max_size": wire.MAX_MESSAGE_BYTES,
        "open_timeout": OPEN_SECONDS,
        "ping_interval": PING_SECONDS,
        "ping_timeout": PING_SECONDS,
        "close_timeout": 1.0,
    }
    if server.startswith("unix:"):
        return unix_connect(server.removeprefix("unix:"), f"ws://localhost{wire.FEED_PATH}", **options)
    base = server.rstrip("/").replace("http", "ws", 1) if server.startswith("http") else f"ws://{server}"
    return connect(f"{base}{wire.FEED_PATH}", proxy=None, **options)


def in_words(error: Exception) -> str:
    if isinstance(error, InvalidStatus) and error.response.status_code == 401:
        return "the server does not know this node's token"
    if isinstance(error, wire.BadMessage):
        return f"the server speaks another protocol: {error}"
    return str(error) or type(error).__name__
