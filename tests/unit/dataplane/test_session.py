"""A peer that sends garbage, half messages or nothing: typed errors, and nobody waits for ever."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from netweft.dataplane.openflow import messages
from netweft.dataplane.openflow.client import OpenFlowConnection
from netweft.dataplane.openflow.errors import ConnectionLost
from netweft.dataplane.openflow.messages import HEADER, HELLO_VERSIONS, Type, message
from netweft.dataplane.ovsdb.client import OvsdbConnection
from netweft.dataplane.ovsdb.errors import OvsdbLost

HELLO = message(Type.HELLO, 1, HELLO_VERSIONS)
Serve = Callable[[bytes], Awaitable[Path]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """A peer that says these bytes and then keeps quiet."""
    servers: list[asyncio.Server] = []
    with tempfile.TemporaryDirectory(prefix="nw-of-") as folder:

        async def start(said: bytes) -> Path:
            async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                writer.write(said)
                await reader.read()
                writer.close()

            path = Path(folder) / str(len(servers))
            servers.append(await asyncio.start_unix_server(handle, path))
            return path

        yield start
        for server in servers:
            server.close()


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (b"\xff" * 100, "version 255"),
        (HEADER.pack(6, Type.ECHO_REQUEST, 4, 0), "shorter than its header"),
        (HEADER.pack(4, Type.HELLO, 8, 0), "does not speak OpenFlow 1.5"),
        (HELLO + message(Type.FEATURES_REPLY, 1, b""), "cut short"),
        (HELLO + message(Type.ERROR, 1, b"\0\1\0\1"), "bad request"),
        (HELLO + message(Type.MULTIPART_REPLY, 1, b"\0"), "cut short"),
        (HELLO, "no answer"),
    ],
)
async def test_a_bad_switch(serve: Serve, said: bytes, message: str) -> None:
    path = await serve(said)
    with pytest.raises(ConnectionLost, match=message):
        await OpenFlowConnection.connect(path, timeout=0.3)


async def test_a_flow_monitor_that_makes_no_sense_ends_the_connection(serve: Serve) -> None:
    features = message(Type.FEATURES_REPLY, 1, bytes(24))
    watching = message(Type.MULTIPART_REPLY, 2, bytes.fromhex("0010000000000000"))
    nonsense = message(Type.MULTIPART_REPLY, 0, bytes.fromhex("0010000000000000") + b"\0\1\0\1")
    connection = await OpenFlowConnection.connect(await serve(HELLO + features + watching), timeout=1)
    session = connection._session
    session.on_update = lambda body: list(messages.decode_changes(body, 0))  # type: ignore[assignment]
    session.data_received(nonsense)
    assert isinstance(await connection.wait_closed(), ConnectionLost)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (b"hello there", "not a JSON object"),
        (b'{"id": 1, "result": 5, "error": null}', "without tables"),
        (b'{"id": 1, "result": {"Nope": {"u": {"initial": {}}}}, "error": null}', "makes no sense"),
        (b'{"id": 1, "result": {"Bridge": {"u": {"initial": {"name": 5}}}}, "error": null}', "makes no sense"),
        (b'{"id": 1, "result": {"Bridge": {"u": {"modify": {"name": "a"}}}}, "error": null}', "makes no sense"),
        (b'{"id": 1, "result": {"Bridge": {"u": 7}}, "error": null}', "makes no sense"),
        (b'{"id": 1, "result": null, "error": "unknown database"}', "unknown database"),
        (b"{]}", "malformed"),
        (b'{"id": 1, "resu', "no answer"),
    ],
)
async def test_a_bad_database_server(serve: Serve, said: bytes, message: str) -> None:
    path = await serve(said)
    with pytest.raises(OvsdbLost, match=message):
        await OvsdbConnection.connect(path, timeout=0.3)
