"""The feed as the server mounts it: a route, and what runs for as long as the server does.

    feed = Feed(store, node_for_token=..., down_seconds=settings.agent_down_seconds)
    app = Starlette(routes=[*feed.routes(), ...], lifespan=...)     # async with feed.running(): yield

Owns who may open a session, and which nodes are there.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from anyio import CapacityLimiter, to_thread
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket

from netweft.control.explain.snapshot import Lag
from netweft.control.lb import tree
from netweft.feed.hub import Hub
from netweft.feed.other_servers import ByServerMessages
from netweft.feed.queries import Elsewhere, Queries
from netweft.feed.session import Session
from netweft.feed.settling import FIREWALLS, InPlace, Settling, balancers
from netweft.feed.writer import Writer
from netweft.store import Store
from netweft.wire.messages import FEED_PATH

HEARTBEAT_SECONDS = 25.0
LOOK_SECONDS = 1.0
JUMP_SECONDS = 5.0
# of one node: each stores its facts and may be sent all that it has to know
SESSION_SECONDS = 1.0
SESSIONS_AT_ONCE = 5
SESSIONS_WAITING = 10  # further ones are held against it no more


class Feed:
    """node_for_token: the name of the node that a token was issued for, or None; called in a thread.
    balancer_in_place: what becomes of a balancer then."""

    def __init__(
        self,
        store: Store,
        *,
        node_for_token: Callable[[str], str | None],
        down_seconds: float,
        balancer_in_place: InPlace = tree.in_place,
    ) -> None:
        self._hub = Hub(store)
        self._writer = Writer(store)
        self.queries = Queries()
        self.settling = Settling(store, self._hub, self.queries, balancers(balancer_in_place))
        self.firewalls = Settling(store, self._hub, self.queries, FIREWALLS)
        self._server_messages = store.server_messages
        self._node_for_token = node_for_token
        self._down_seconds = down_seconds
        self._door = CapacityLimiter(2)  # threads that look tokens up
        self._departures: dict[str, asyncio.Task[None]] = {}
        self._sessions_until: dict[str, float] = {}  # node -> what its sessions so far are worth, as a moment

    def routes(self) -> list[BaseRoute]:
        return [WebSocketRoute(FEED_PATH, self._endpoint)]

    def lags(self) -> dict[str, Lag]:
        """How far the nodes are behind that are connected here, or were just now."""
        return self._hub.lags()

    @property
    def revision(self) -> int:
        """The newest that was read; 0: none was."""
        return self._hub.revision

    @property
    def waiting(self) -> int:
        """How much of what nodes tell waits to be written."""
        return self._writer.waiting

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        runs = (self._hub.run(), self._heartbeat(), self.settling.run(), self.firewalls.run())
        tasks = [asyncio.create_task(run) for run in runs]
        by_messages = ByServerMessages(self._server_messages, self.queries) if self._server_messages else None
        self.queries.elsewhere = by_messages or Elsewhere()
        if by_messages:
            for settling in (self.settling, self.firewalls):
                by_messages.serve(settling.topic, settling.here)
        try:
            if by_messages:
                tasks.append(asyncio.create_task(by_messages.run()))
            yield
        finally:
            if by_messages:
                by_messages.close()
            await _cancel([*tasks, *self._departures.values()])

    async def _endpoint(self, websocket: WebSocket) -> None:
        scheme, _, token = websocket.headers.get("authorization", "").partition(" ")
        node = None
        if scheme.lower() == "bearer" and token:
            node = await to_thread.run_sync(self._node_for_token, token.strip(), limiter=self._door)
        if node is None:
            await websocket.send_denial_response(JSONResponse({"error": "no node has this token"}, status_code=401))
            return
        await self._its_turn(node)
        await websocket.accept()
        await Session(websocket, node, self._hub, self._writer, self.queries).run()
        self._await_return(node)

    async def _its_turn(self, node: str) -> None:
        """A node that begins again and again waits, and gives way as all do that were not let in yet."""
        now = asyncio.get_running_loop().time()
        owed = max(self._sessions_until.get(node, 0.0) - now, 0.0) + SESSION_SECONDS
        owed = min(owed, (SESSIONS_AT_ONCE + SESSIONS_WAITING) * SESSION_SECONDS)
        self._sessions_until[node] = now + owed
        await asyncio.sleep(max(0.0, owed - SESSIONS_AT_ONCE * SESSION_SECONDS))

    def _await_return(self, node: str) -> None:
        """A node that is back in time was never gone."""
        if before := self._departures.pop(node, None):
            before.cancel()
        self._departures[node] = asyncio.create_task(self._depart(node))

    async def _depart(self, node: str) -> None:
        await asyncio.sleep(self._down_seconds)
        if not self._hub.is_here(node):
            await self._writer.gone(node, self._down_seconds)

    async def _heartbeat(self) -> None:
        """One transaction for all nodes, and none of it in the change log.  At once when the machine's clock was set:
        by the new time nobody has reported."""
        while True:
            await _until_clock_jumps(HEARTBEAT_SECONDS)
            if nodes := self._hub.here():
                await self._writer.seen(nodes)


async def _until_clock_jumps(seconds: float) -> None:
    """Or until these are over."""
    steady = asyncio.get_running_loop().time
    end, offset = steady() + seconds, time.time() - steady()
    while steady() < end and abs(time.time() - steady() - offset) < JUMP_SECONDS:
        await asyncio.sleep(min(LOOK_SECONDS, end - steady()))


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
