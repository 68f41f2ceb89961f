"""What a node may not do to its WebSocket."""

import asyncio
import socket
from contextlib import suppress
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.unit.server.place import Client, Place, run
from tests.waiting import until
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from netweft.server import connection_limits, session, slow_clients
from netweft.server.session import Session

UPGRADE = (
    b"GET %b HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"
)
BINARY, CLOSE, PING = 0x82, 0x88, 0x89
PINGED = b"x" * 125
PINGS = bytes((PING, 0x80 | 125)) + bytes(4) + PINGED
PONGS = bytes((0x8A, 125)) + PINGED


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_limits, "SWEEP_SECONDS", 0.05)


def frame(data: bytes, kind: int = BINARY) -> bytes:
    """Masked by zeros."""
    return bytes((kind, 0x80 | 127)) + len(data).to_bytes(8, "big") + bytes(4) + data


async def node(here: Place, path: bytes) -> tuple[Client, Any]:
    """And the server's end of it."""
    client = await (await here.connect()).send(UPGRADE % path)
    assert await client.status() == 101
    (found,) = here.crowd._admitted
    assert isinstance(found, Session)
    for each, name in ((client.writer, socket.SO_RCVBUF), (found.transport, socket.SO_SNDBUF)):
        each.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, name, 16 * 1024)  # soon full
    return client, found


async def _pour(client: Client, data: bytes) -> int:
    """How many bytes of an endless stream are taken until nothing is any more."""
    sent = 0
    with suppress(TimeoutError, ConnectionError):
        while True:
            client.writer.write(data)
            async with asyncio.timeout(0.5):
                await client.writer.drain()
            sent += len(data)
    return sent


def test_a_node_that_pings_and_does_not_read_fills_no_memory_and_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow_clients, "STALL_SECONDS", 2.0)

    async def test(here: Place) -> None:
        client, there = await node(here, b"/heard")
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        with capture_logs() as logs:
            pouring = asyncio.create_task(_pour(client, PINGS * 500))
            most = 0
            while not logs:
                most = max(most, there.transport.get_write_buffer_size() + len(there._unread))
                await asyncio.sleep(0.01)
        assert logs[0]["slow_reader"] == 1
        assert await pouring < 64 * 2**20  # what two sockets hold
        assert most < 2**20
        await until(lambda: not here.crowd._admitted)

    run(test)


def test_a_node_that_reads_again_gets_all_answers_and_is_heard() -> None:
    async def test(here: Place) -> None:
        client, there = await node(here, b"/heard")
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        sending = asyncio.create_task(client.send(PINGS * 20_000 + frame(b"last")))
        await until(lambda: bool(there._stall))
        client.writer.transport.resume_reading()  # type: ignore[attr-defined]
        async with asyncio.timeout(60):
            answers = await client.reader.readexactly(20_000 * len(PONGS))
        assert answers == PONGS * 20_000
        await sending
        await until(lambda: here.heard == [b"last"])

    run(test)


def test_messages_of_any_size_come_in_order() -> None:
    sent = [bytes([number % 251]) * size for number, size in enumerate((1, 0, 125, 1023, 1024, 5000, 300_000, 7) * 40)]

    async def test(here: Place) -> None:
        client, _ = await node(here, b"/heard")
        await client.send(b"".join(frame(data) for data in sent))
        await until(lambda: len(here.heard) == len(sent), 30)
        assert here.heard == sent

    run(test)


def test_messages_that_nobody_takes_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """`/feed` reads none: one is kept, and the network keeps the others."""

    async def test(here: Place) -> None:
        client, there = await node(here, b"/feed")
        assert await _pour(client, frame(b"x" * 1000) * 1000) < 64 * 2**20
        assert there.queue.qsize() <= session.SLICE
        assert len(there._unread) <= 2**20

    run(test)


def test_a_flood_of_small_frames_is_read_a_little_at_a_time() -> None:
    """Another client's requests are answered in between."""

    async def test(here: Place) -> None:
        client, _ = await node(here, b"/heard")
        client.writer.write(PINGS * 20_000)
        quiet, answered = await here.connect(), 0
        reading = asyncio.create_task(client.reader.readexactly(20_000 * len(PONGS)))
        while not reading.done():
            assert await (await quiet.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")).status() == 200
            answered += 1
        assert answered >= 20

    run(test)


def test_the_server_ends_while_a_page_closes() -> None:
    """Its close frame is answered, its connection not lost yet: there is nothing more to be said to it."""

    async def test(here: Place) -> None:
        client, there = await node(here, b"/heard")
        WebSocketsSansIOProtocol.data_received(there, frame((1000).to_bytes(2), CLOSE))
        there.shutdown()
        assert await client.reader.read() == bytes((CLOSE, 2)) + (1000).to_bytes(2)  # once, and its end
        await until(lambda: not here.crowd._admitted)

    run(test)


def test_the_server_ends_while_a_page_is_open() -> None:
    async def test(here: Place) -> None:
        client, there = await node(here, b"/heard")
        there.shutdown()
        assert await client.reader.read() == bytes((CLOSE, 2)) + (1012).to_bytes(2)
        await until(lambda: not here.crowd._admitted)

    run(test)
