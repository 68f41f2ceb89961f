"""A server's end of the feed without a server: any number of nodes, views as a test sets them, reports as they came.

It speaks the real protocol over a unix socket, which crosses network namespaces.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from websockets.asyncio.server import Server, ServerConnection, unix_serve
from websockets.exceptions import ConnectionClosed

from netweft.model import EMPTY_VIEW, NodeView, Object, PortStatus, key_of, view_of
from netweft.wire import messages as wire


class FakeFeed:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.views: defaultdict[str, NodeView] = defaultdict(lambda: EMPTY_VIEW)
        self.statuses: defaultdict[str, dict[str, PortStatus]] = defaultdict(dict)
        self._sessions: dict[str, ServerConnection] = {}
        self._reported = asyncio.Event()
        self._server: Server | None = None

    async def __aenter__(self) -> "FakeFeed":
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> None:
        self._server = await unix_serve(self._session, str(self.path), compression=None)

    async def close(self) -> None:
        if self._server:
            self._server.close()
            await self._server.wait_closed()

    async def set(self, node: str, objects: Iterable[Object]) -> None:
        """From now on the node's view is this; it is told what differs."""
        before = self.views[node]
        after = view_of("fake", before.revision + 1, objects)
        self.views[node] = after
        keys = {key_of(obj) for obj in before.objects()} | {key_of(obj) for obj in after.objects()}
        changed = [key for key in keys if before.get(key) != after.get(key)]
        upserts = tuple(obj for key in changed if (obj := after.get(key)))
        deletes = tuple(key for key in changed if after.get(key) is None)
        if node in self._sessions:
            delta = wire.Delta(revision=after.revision, upserts=upserts, deletes=deletes)
            await self._sessions[node].send(wire.encode(delta))

    async def wait(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        """Returns when it holds; asked again after each report."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._reported.clear()
                await self._reported.wait()

    async def _session(self, connection: ServerConnection) -> None:
        subscribe = wire.decode_upward(await self._frame(connection))
        assert isinstance(subscribe, wire.Subscribe)
        node, view = subscribe.node, self.views[subscribe.node]
        snapshot = wire.Snapshot(history="fake", revision=view.revision, objects=tuple(view.objects()))
        await connection.send(wire.encode(snapshot))
        self._sessions[node] = connection
        try:
            async for frame in connection:
                message = wire.decode_upward(frame if isinstance(frame, bytes) else frame.encode())
                if isinstance(message, wire.Report):
                    self._report(node, message)
        except ConnectionClosed:
            pass  # agents are killed in tests
        finally:
            if self._sessions.get(node) is connection:
                del self._sessions[node]

    async def _frame(self, connection: ServerConnection) -> bytes:
        frame = await connection.recv()
        return frame if isinstance(frame, bytes) else frame.encode()

    def _report(self, node: str, report: wire.Report) -> None:
        if report.complete:
            self.statuses[node].clear()
        self.statuses[node].update((status.port_id, status) for status in report.ports)
        self._reported.set()
