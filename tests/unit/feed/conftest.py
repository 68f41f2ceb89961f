"""A feed that really listens, on a unix socket, on a real store; and agents' clients for it."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from tests.waiting import PATIENCE, Awaited
from websockets.asyncio.client import ClientConnection, connect, unix_connect

from netweft.agent.sync import Changes, FeedClient, Link
from netweft.feed.service import Feed
from netweft.model import EMPTY_VIEW, NodeFacts, NodeView
from netweft.settings import AgentSettings
from netweft.store import Store
from netweft.wire import messages as wire

NODES = ("hv1", "hv2", "hv3")


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Recorder(Awaited):
    """A listener that remembers."""

    def __init__(self) -> None:
        self.changes: list[Changes] = []
        self.denied: dict[str, str] = {}
        self.links: list[Link] = []
        self.news = asyncio.Event()

    def view_changed(self, changes: Changes) -> None:
        self.changes.append(changes)
        self.news.set()

    def ports_denied(self, reasons: Mapping[str, str]) -> None:
        self.denied.update(reasons)
        self.news.set()

    def link_changed(self, link: Link) -> None:
        self.links.append(link)
        self.news.set()


class Rig:
    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        self.socket = folder / "feed.sock"
        self.down_seconds = 0.1
        self._stack = AsyncExitStack()

    async def start(self) -> None:
        self.feed = Feed(self.store, node_for_token=lambda t: t if t in NODES else None, down_seconds=self.down_seconds)

        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            async with self.feed.running():
                yield

        app = Starlette(routes=self.feed.routes(), lifespan=lifespan)
        config = uvicorn.Config(app, uds=str(self.socket), log_level="warning", timeout_graceful_shutdown=1)
        self.server = _Server(config)
        self._serving = asyncio.create_task(self.server.serve())
        async with asyncio.timeout(PATIENCE):
            while not self.server.started:
                await asyncio.sleep(0.01)

    async def stop(self) -> None:
        self.server.should_exit = True
        await self._serving

    async def close(self) -> None:
        await self._stack.aclose()
        await self.stop()

    def connect(self, token: str) -> connect:
        headers = {"Authorization": f"Bearer {token}"}
        uri = f"ws://localhost{wire.FEED_PATH}"
        return unix_connect(str(self.socket), uri, additional_headers=headers, close_timeout=0.1)

    async def raw(self, node: str) -> ClientConnection:
        """A subscribed connection in the hands of the test."""
        socket: ClientConnection = await self._stack.enter_async_context(self.connect(node))
        await socket.send(wire.encode(wire.Subscribe(node=node, facts=NodeFacts(tunnel_ip="192.0.2.9"))))
        assert isinstance(await receive(socket), wire.Snapshot)
        return socket

    async def client(
        self, node: str, *, view: NodeView = EMPTY_VIEW, token: str = "", name: str = ""
    ) -> tuple[FeedClient, Recorder]:
        """A running one; it may not be subscribed yet."""
        recorder = Recorder()
        settings = AgentSettings(node=name or node, server=(f"unix:{self.socket}",), token=token or node)
        client = FeedClient(settings, recorder, facts=NodeFacts(tunnel_ip=f"192.0.2.{node[-1]}"), view=view)
        self.run(client)
        return client, recorder

    def run(self, client: FeedClient) -> asyncio.Task[None]:
        task = asyncio.create_task(client.run())
        self._stack.push_async_callback(cancelled, task)
        return task

    def write(self, kind: str, **row: Any) -> None:
        with self.store.write() as tx:
            if tx.lock(kind, row["id"]):
                tx.update(kind, row["id"], row)
            else:
                tx.insert(kind, row)

    def network(self, id: str = "n1") -> None:
        segment = {"network_type": "vxlan", "physical_network": None, "segmentation_id": 7}
        self.write("networks", id=id, **{f"provider:{name}": value for name, value in segment.items()})

    def port(self, id: str, host: str = "", network: str = "n1", **more: Any) -> None:
        row = {"network_id": network, "mac_address": "fa:16:3e:00:00:01", "binding:host_id": host}
        row["binding:vif_type"] = "ovs" if host else "unbound"
        shown = {"status": "DOWN", "status_detail": "", "revision_number": 1}
        self.write("ports", id=id, **(row | shown | more))

    def row(self, kind: str, id: str) -> dict[str, Any]:
        with self.store.read() as tx:
            return tx.get(kind, id) or {}


async def cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def receive(socket: ClientConnection) -> wire.Downward:
    frame = await asyncio.wait_for(socket.recv(), PATIENCE)
    assert isinstance(frame, bytes)
    return wire.decode_downward(frame)


@pytest.fixture
async def rig(store: Store, tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(store, tmp_path)
    await rig.start()
    yield rig
    await rig.close()
