"""A server on a loopback socket, and clients that are bytes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import uvicorn
import uvloop
from tests.waiting import PATIENCE

from netweft.listeners import bind
from netweft.server import accepting
from netweft.server.connection_limits import Crowd
from netweft.store.turns import Turns

ROOMY = 100
BIG = 4 * 2**20
Test = Callable[["Place"], Awaitable[None]]


class Place:
    """A server, and what its application was asked.  `/slow` is answered when `go` is set, `/big` in many bytes; on the
    WebSocket `/feed` nothing is read, on `/heard` everything."""

    def __init__(self, address: tuple[str, int], crowd: Crowd) -> None:
        self.address, self.crowd = address, crowd
        self.asked: list[tuple[str, str, bytes]] = []
        self.answered = 0
        self.heard: list[bytes] = []
        self.go = asyncio.Event()
        self.clients: list[Client] = []

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept" if scope["path"] in ("/feed", "/heard") else "websocket.close"})
            while scope["path"] == "/heard" and (message := await receive())["type"] == "websocket.receive":
                self.heard.append(message["bytes"])
            await self.go.wait()
            return
        body, message = b"", {"more_body": True}
        if scope["path"] != "/unread":
            while message.get("more_body", False):
                message = await receive()
                if message["type"] == "http.disconnect":
                    return
                body += message.get("body", b"")
        self.asked.append((scope["method"], scope["path"], body))
        if scope["path"] == "/slow":
            await self.go.wait()
        answer = b"x" * BIG if scope["path"] == "/big" else b"ok"
        headers = [(b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})
        self.answered += 1

    async def connect(self) -> "Client":
        self.clients.append(Client(*await asyncio.open_connection(*self.address)))
        return self.clients[-1]


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> "Client":
        self.writer.write(data)
        with suppress(ConnectionError):  # what it was told can still be read
            await self.writer.drain()
        return self

    async def status(self) -> int:
        """0: closed without an answer.  The body is read."""
        try:
            async with asyncio.timeout(PATIENCE):
                line = await self.reader.readline()
                headers = {}
                while (header := await self.reader.readline()) not in (b"\r\n", b""):
                    name, _, value = header.decode().partition(":")
                    headers[name.lower()] = value.strip()
                await self.reader.readexactly(int(headers.get("content-length", "0")))
        except (ConnectionError, asyncio.IncompleteReadError):
            return 0
        return int(line.split()[1]) if line else 0

    async def ended(self) -> bool:
        try:
            async with asyncio.timeout(PATIENCE):
                return await self.reader.read() == b""
        except ConnectionError:
            return True


@asynccontextmanager
async def place(most: int = ROOMY, per_client: int = ROOMY) -> AsyncIterator[Place]:
    (listener,) = bind(["127.0.0.1:0"])
    everybody, turns = Crowd(most, per_client), Turns(embedded=True)
    here = Place(listener.getsockname(), everybody)
    http, ws = accepting.protocols(everybody, turns)
    config = uvicorn.Config(
        here.app, interface="asgi3", http=http, ws=ws, lifespan="off", log_config=None, ws_per_message_deflate=False
    )
    config.load()
    server = accepting.Server(config, everybody, turns)
    server.lifespan = config.lifespan_class(config)
    await server.startup([listener])
    try:
        yield here
    finally:
        here.go.set()
        for acceptor in server._acceptors:
            acceptor.close()
        turns.close()
        for client in here.clients:
            client.writer.transport.abort()
        for member in list(server.server_state.connections):
            member.transport.abort()
        await asyncio.sleep(0)
        listener.close()


def run(test: Test, **options: int) -> None:
    async def main() -> None:
        async with place(**options) as here:
            await test(here)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
