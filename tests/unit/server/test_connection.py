"""What a client may not do to a connection."""

import asyncio
import json

import pytest
from structlog.testing import capture_logs
from tests.unit.server.place import ROOMY, Client, Place, run
from tests.waiting import PATIENCE, until

from netweft.server import connection, connection_limits, slow_clients


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_limits, "SWEEP_SECONDS", 0.05)


GET = b"GET %b HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /" + b"a" * 17_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + b"".join(b"h%d: x\r\n" % number for number in range(101)) + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"".join(b"h%d: %b\r\n" % (n, b"x" * 900) for n in range(99)) + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nlong: " + b"x" * 2**20, 431),
        (b"GET / HTTP/1.1\r\n" + b"n" * 2**20, 431),
        (b"\r\n" * 2**18, 431),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\ntrailer: " + b"x" * 2**20, 431),
        (b"CONNECT example.org:443 HTTP/1.1\r\n\r\n", 405),
        (b"CONNECT / HTTP/1.1\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n", 405),
        (b"NO SUCH THING\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ],
)
def test_a_head_too_long_is_refused_in_words_and_counted(head: bytes, status: int) -> None:
    async def test(here: Place) -> None:
        client = await (await here.connect()).send(head)
        assert await client.status() == status
        assert await client.ended()
        assert here.asked == []
        assert await (await (await here.connect()).send(GET % b"/")).status() == 200

    with capture_logs() as logs:
        run(test)
    assert [line["event"] for line in logs] == ["refused"]


def test_a_gigabyte_of_headers_is_not_read() -> None:
    async def test(here: Place) -> None:
        client = await here.connect()
        sent, block = 0, b"x: " + b"y" * 2**20
        client.writer.write(b"GET / HTTP/1.1\r\n")
        try:
            async with asyncio.timeout(PATIENCE):
                while sent < 2**30:
                    client.writer.write(block)
                    await client.writer.drain()
                    sent += len(block)
        except ConnectionError:
            pass
        assert sent < 64 * 2**20  # what the sockets' buffers hold among it

    run(test)


def test_the_largest_that_is_allowed_arrives() -> None:
    line = b"/" + b"a" * 16_000
    headers = b"".join(b"h%02d: %b\r\n" % (number, b"x" * 600) for number in range(99))

    async def test(here: Place) -> None:
        client = await here.connect()
        request = b"POST " + line + b" HTTP/1.1\r\n" + headers + b"content-length: 3\r\n\r\nabc"
        for start in range(0, len(request), 1000):
            await client.send(request[start : start + 1000])
        assert await client.status() == 200
        assert here.asked == [("POST", line.decode(), b"abc")]

    run(test)


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"", 0),
        (b"GET /a", 408),
        (b"POST / HTTP/1.1\r\ncontent-length: 10\r\n\r\nabc", 408),
        (b"POST /unread HTTP/1.1\r\ncontent-length: 10\r\n\r\nabc", 200),
        (GET % b"/" + b"GET / HT", 200),
        (GET % b"/", 200),
    ],
)
def test_what_is_half_sent_is_not_waited_for(sent: bytes, answer: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEAD_SECONDS", "BODY_SECONDS", "IDLE_SECONDS"):
        monkeypatch.setattr(connection, name, 0.2)

    async def test(here: Place) -> None:
        client = await (await here.connect()).send(sent)
        drip = asyncio.create_task(_drip(client)) if sent[-1:].isalpha() else None
        assert await client.status() == answer
        await client.reader.read()
        assert await client.ended()
        if drip:
            drip.cancel()

    run(test)


async def _drip(client: Client) -> None:
    """A byte now and then is no progress."""
    with_pauses = 0.05
    for _ in range(5):
        await asyncio.sleep(with_pauses)
        await client.send(b"a")


def test_a_request_is_worked_on_as_long_as_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEAD_SECONDS", "BODY_SECONDS", "IDLE_SECONDS"):
        monkeypatch.setattr(connection, name, 0.2)

    async def test(here: Place) -> None:
        client = await (await here.connect()).send(GET % b"/slow" + b"GET /next HT")
        await asyncio.sleep(0.6)  # it is looked at more than once
        here.go.set()
        assert await client.status() == 200
        assert await (await client.send(b"TP/1.1\r\n\r\n")).status() == 200

    run(test)


def test_who_does_not_read_the_answer_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow_clients, "STALL_SECONDS", 0.5)

    async def test(here: Place) -> None:
        client = await here.connect()
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await client.send((GET % b"/big") * 8)
        with capture_logs() as logs:
            async with asyncio.timeout(PATIENCE):
                while not logs:
                    await asyncio.sleep(0.05)
        assert logs[0]["slow_reader"] == 1

    run(test)


@pytest.mark.parametrize(
    "more", [GET % b"/next" * 1000, GET % b"/next" + b"NO SUCH THING\r\n\r\n", b"NO SUCH THING\r\n\r\n", GET % b"/next"]
)
def test_what_is_refused_behind_a_request_that_is_worked_on_ends_that_too(
    more: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """What it answers goes nowhere, without a word in the log.  The last one is a client that goes away."""

    async def test(here: Place) -> None:
        client = await (await here.connect()).send(GET % b"/slow")
        await until(lambda: bool(here.asked))
        await client.send(more)
        if more == GET % b"/next":
            client.writer.transport.abort()
        else:
            assert await client.status() == 0
        here.go.set()
        await until(lambda: bool(here.answered or caplog.records))
        assert (here.answered, [path for _, path, _ in here.asked], caplog.records) == (1, ["/slow"], [])

    run(test)


@pytest.mark.parametrize("more", [b"", b"content-length: 5\r\n", b"transfer-encoding: chunked\r\n"])
@pytest.mark.parametrize("kind", [b"h2c", b"websocket, h2c", b"TLS/1.0"])
def test_an_upgrade_that_we_do_not_offer_is_a_plain_request(kind: bytes, more: bytes) -> None:
    body = b"" if not more else b"hello" if b"length" in more else b"5\r\nhello\r\n0\r\n\r\n"
    request = b"POST /x HTTP/1.1\r\nconnection: Upgrade\r\nupgrade: %b\r\n%b\r\n%b" % (kind, more, body)

    async def test(here: Place) -> None:
        for size in (len(request), 1, 40):
            client = await here.connect()
            for start in range(0, len(request), size):
                await client.send(request[start : start + size])
            assert await client.status() == 200
            assert here.asked.pop() == ("POST", "/x", b"hello" if body else b"")
            assert await (await client.send(GET % b"/next")).status() == 200

    run(test)


WS = b"GET /feed HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n%b\r\n%b"
KEY = b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (WS % (KEY, b""), 101),
        (WS.replace(b"feed", b"other") % (KEY, b""), 403),
        (WS % (b"", b""), 400),
        (WS % (KEY + b"content-length: 5\r\n", b"hello"), 400),
        (WS % (KEY + b"transfer-encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"), 400),
        (WS.replace(b"GET", b"POST") % (KEY, b""), 400),
        (WS % (KEY + b"long: " + b"x" * 9000 + b"\r\n", b""), 431),
        (WS % (KEY + b"".join(b"h%d: x\r\n" % number for number in range(150)), b""), 431),
        (WS.replace(b"/feed", b"/feed?" + b"x" * 9000) % (KEY, b""), 431),
    ],
)
def test_a_request_for_websocket_is_answered_whatever_it_has(request_: bytes, status: int) -> None:
    async def test(here: Place) -> None:
        assert await (await (await here.connect()).send(request_)).status() == status

    run(test)


def test_idle_connections_give_way_to_requests() -> None:
    """Six half-sent requests where four connections fit: everybody else is still served."""

    async def test(here: Place) -> None:
        half = [await (await here.connect()).send(b"GET / HT") for _ in range(6)]
        for _ in range(3):
            assert await (await (await here.connect()).send(GET % b"/")).status() == 200
        assert await half[0].ended()

    with capture_logs() as logs:
        run(test, most=4, per_client=ROOMY)
        run(test, most=ROOMY, per_client=4)
    assert {name for line in logs for name in line if name.startswith("connections")} == {
        "connections",
        "connections_of_client",
    }


def test_where_all_are_being_served_the_next_gets_an_error() -> None:
    async def test(here: Place) -> None:
        busy = [await (await here.connect()).send(GET % b"/slow") for _ in range(3)]
        while len(here.asked) < 3:
            await asyncio.sleep(0.01)
        answer = await (await (await here.connect()).send(GET % b"/")).reader.read()
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"retry-after" in answer
        assert "no room" in json.loads(answer.partition(b"\r\n\r\n")[2])["NeutronError"]["message"]
        here.go.set()
        assert [await one.status() for one in busy] == [200, 200, 200]

    run(test, per_client=3)


def test_a_node_that_was_let_in_keeps_its_place() -> None:
    async def test(here: Place) -> None:
        node = await (await here.connect()).send(WS % (KEY, b""))
        assert await node.status() == 101
        for _ in range(5):
            await (await here.connect()).send(b"GET / HT")
        assert await (await (await here.connect()).send(GET % b"/")).status() == 200
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await node.reader.read(1)

    run(test, most=3)


def test_who_was_served_before_gives_way_last() -> None:
    async def test(here: Place) -> None:
        quiet = await (await here.connect()).send(GET % b"/")
        assert await quiet.status() == 200
        for _ in range(10):
            await (await here.connect()).send(b"GET / HT")
        assert await (await quiet.send(GET % b"/")).status() == 200

    run(test, most=4)
