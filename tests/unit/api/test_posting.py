"""What a webhook's receiver can do to the server that posts to it: nothing but not to take it."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from netweft.api.stream import posting
from netweft.api.stream.posting import Posting

Does = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
MIB = 2**20


class Receiver:
    """sent: bytes that it got rid of."""

    def __init__(self, does: Does) -> None:
        self._does = does
        self.connections = self.sent = 0
        self.url = ""
        self._open: set[asyncio.StreamWriter] = set()

    async def met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        with suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            await self._does(reader, writer)
        writer.close()

    async def leave(self) -> None:
        """What it still sends or waits for ends."""
        for writer in self._open:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()

    async def pour(self, writer: asyncio.StreamWriter, piece: bytes, times: int) -> None:
        for _ in range(times):
            writer.write(piece)
            await writer.drain()
            self.sent += len(piece)


@asynccontextmanager
async def receiving(does: Callable[[Receiver], Does], userinfo: str = "") -> AsyncIterator[tuple[Receiver, Posting]]:
    receiver = Receiver(lambda reader, writer: does(receiver)(reader, writer))
    server = await asyncio.start_server(receiver.met, "127.0.0.1", 0)
    receiver.url = f"http://{userinfo}127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    client = Posting(receiver.url)
    try:
        yield receiver, client
    finally:
        await client.close()
        server.close()
        await receiver.leave()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "ANSWER_SECONDS", 1.0)


def pours(head: bytes, piece: bytes, times: int) -> Callable[[Receiver], Does]:
    def of(receiver: Receiver) -> Does:
        async def does(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(head)
            await receiver.pour(writer, piece, times)

        return does

    return of


def trickles(head: bytes, piece: bytes) -> Callable[[Receiver], Does]:
    def of(receiver: Receiver) -> Does:
        async def does(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(head)
            for _ in range(200):
                await receiver.pour(writer, piece, 1)
                await asyncio.sleep(0.05)

        return does

    return of


GIGABYTE = b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (GIGABYTE, b"x" * 65536),
        (GIGABYTE.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n"), b"x" * 65536),
        (CHUNKED, b"10000\r\n" + b"x" * 65536 + b"\r\n"),
    ],
)
async def test_an_answer_of_a_gigabyte_is_not_read(head: bytes, piece: bytes) -> None:
    async with receiving(pours(head, piece, 16384)) as (receiver, client):
        assert await client.post(b"{}", {}) == ""  # it has taken it
        assert await client.post(b"{}", {}) == ""
        assert (receiver.connections, receiver.sent < 32 * MIB) == (2, True)


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-Much: " + b"x" * 65536 + b"\r\n"),
        (b"HTTP/1.1 200 ", b"x" * 65536),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
        (CHUNKED, b"0" * 65536),
    ],
)
async def test_heads_without_an_end_are_given_up(head: bytes, piece: bytes) -> None:
    begun = time.monotonic()
    async with receiving(pours(head, piece, 16384)) as (receiver, client):
        assert await client.post(b"{}", {}) != ""
        assert receiver.sent < 64 * MIB
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize(
    ("head", "piece"), [(b"", b""), (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), (CHUNKED, b"1\r\nx\r\n")]
)
async def test_one_that_never_ends_is_waited_for_so_long(head: bytes, piece: bytes) -> None:
    async with receiving(trickles(head, piece)) as (_, client):
        assert await client.post(b"{}", {}) == "no answer within 1 s"


async def test_a_redirect_is_followed_nowhere() -> None:
    elsewhere = pours(b"", b"", 0)
    async with receiving(elsewhere) as (other, _):
        head = f"HTTP/1.1 307 Elsewhere\r\nLocation: {other.url}\r\nContent-Length: 0\r\n\r\n".encode()
        async with receiving(pours(head, b"", 1)) as (_, client):
            assert await client.post(b"{}", {}) == "it answers 307"
        assert other.connections == 0


@pytest.mark.parametrize("head", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"])
async def test_a_password_in_the_url_is_in_no_words(head: bytes) -> None:
    async with receiving(pours(head, b"", 1), "netweft:opensesame@") as (_, client):
        why = await client.post(b"{}", {})
        assert why
        assert "opensesame" not in why
