"""Members of every kind, well, broken and hostile, asked over the loopback interface."""

import asyncio
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.waiting import PATIENCE

from netweft.agent.health import datagrams
from netweft.agent.health.crc32c import crc32c
from netweft.agent.health.ground import Ground
from netweft.agent.health.outcomes import Heard
from netweft.agent.health.probes import ask
from netweft.services.health.watched import Check, Watched

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
GROUND = Ground(interface="", own={4: "127.0.0.1", 6: "::1"})
SHORT = 0.3  # s: of those that do not answer


def watched(type_: str, port: int, timeout: float = PATIENCE, **more: Any) -> Watched:
    check = Check(type=type_, delay=5, timeout=timeout, rise=2, fall=3, **more)
    return Watched(member_id="m1", known="OFFLINE", check=check, to="127.0.0.1", port=port)


def saying(answer: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    return serve


async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


async def closing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def dripping(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for byte in b"HTTP/1.1 200 OK and so on, for ever and ever":
        writer.write(bytes([byte]))
        await asyncio.sleep(0.05)


async def flooding(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """10 MB, and no end of a line."""
    await reader.readuntil(b"\r\n\r\n")
    for _ in range(160):
        writer.write(b"x" * 65536)
        await writer.drain()


@asynccontextmanager
async def served(serve: Serve, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    async def quietly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(quietly, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def asked(serve: Serve, type_: str, context: ssl.SSLContext | None = None, **more: Any) -> Heard | None:
    async with served(serve, context) as port:
        return await ask(GROUND, watched(type_, port, **more), 0)


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
MOVED = b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\n\r\n"


@pytest.mark.parametrize(
    ("serve", "type_", "more", "why"),
    [
        (silent, "TCP", {}, ""),
        (saying(OK), "HTTP", {}, ""),
        (saying(OK), "HTTP", {"version": "1.1", "domain": "a.example", "method": "HEAD", "path": "/x"}, ""),
        (saying(b"HTTP/1.0 204\r\n\r\n"), "HTTP", {"codes": ((200, 204),)}, ""),
        (saying(MOVED), "HTTP", {}, "HTTP status 302"),
        (saying(b"HTTP/1.1 2000 OK\r\n"), "HTTP", {}, "its answer is not HTTP"),
        (saying(b"SSH-2.0-OpenSSH\r\n"), "HTTP", {}, "its answer is not HTTP"),
        (silent, "HTTP", {"timeout": SHORT}, "no answer within 0.3 s"),
        (dripping, "HTTP", {"timeout": SHORT}, "no answer within 0.3 s"),
        (flooding, "HTTP", {}, "its answer is not HTTP"),
        (silent, "TLS-HELLO", {"timeout": SHORT}, "no answer within 0.3 s"),
        (saying(OK), "TLS-HELLO", {"timeout": SHORT}, "no answer within 0.3 s"),
        (silent, "HTTPS", {"timeout": SHORT}, "no answer within 0.3 s"),
    ],
)
async def test_over_tcp(serve: Serve, type_: str, more: dict[str, Any], why: str) -> None:
    assert await asked(serve, type_, **more) == Heard(not why, why)


@pytest.mark.parametrize("type_", ["HTTP", "TLS-HELLO", "HTTPS"])
async def test_one_that_closes_is_not_well(type_: str) -> None:
    heard = await asked(closing, type_)
    assert heard and not heard.well and heard.why


async def test_one_that_floods_is_read_no_further_than_a_line_could_be() -> None:
    started = time.process_time()
    await asked(flooding, "HTTP")
    assert time.process_time() - started < 0.5


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """Of a server whose certificate nobody has signed."""
    from tests.unit.agent.health.certificate import self_signed

    path: Path = self_signed(tmp_path_factory.mktemp("tls"))
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    found.load_cert_chain(path)
    return found


@pytest.mark.parametrize("domain", ["", "a.example", ".none"])
@pytest.mark.parametrize("type_", ["TLS-HELLO", "HTTPS"])
async def test_over_tls(context: ssl.SSLContext, type_: str, domain: str) -> None:
    assert await asked(saying(OK), type_, context, domain=domain) == Heard(well=True)


async def test_https_is_judged_by_its_status(context: ssl.SSLContext) -> None:
    answer = await asked(saying(b"HTTP/1.1 503 Busy\r\n\r\n"), "HTTPS", context)
    assert answer == Heard(well=False, why="HTTP status 503")


async def test_what_the_api_lets_pass_makes_no_second_request() -> None:
    heard: list[bytes] = []

    async def listening(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK)

    path = "/a HTTP/1.0\r\nX: y\r\n\r\nGET /b"
    await asked(listening, "HTTP", path=path, domain="a\r\nHost: b")
    assert [line.split(b" ")[0] for line in heard[0].split(b"\r\n") if line] == [b"GET", b"Host:"]


@pytest.mark.parametrize("type_", ["TCP", "HTTP", "HTTPS", "TLS-HELLO"])
async def test_nobody_listens(type_: str, unused_tcp_port: int) -> None:
    assert await ask(GROUND, watched(type_, unused_tcp_port), 0) == Heard(well=False, why="connection refused")


async def test_what_the_host_lacks_says_nothing_of_the_member() -> None:
    assert await ask(Ground(interface="nw-none", own=GROUND.own), watched("TCP", 1), 0) is None
    assert await ask(Ground(interface="", own={4: "203.0.113.1"}), watched("TCP", 1), 0) is None


@pytest.mark.root
@pytest.mark.parametrize(("type_", "well"), [("PING", True), ("UDP-CONNECT", False)])
async def test_without_a_connection(type_: str, well: bool, unused_udp_port: int) -> None:
    heard = await ask(GROUND, watched(type_, unused_udp_port), 20100)
    assert heard and heard.well == well


@pytest.mark.root
async def test_udp_that_listens_and_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datagrams, "QUIET_SECONDS", SHORT)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, ("127.0.0.1", 0))
    try:
        heard = await ask(GROUND, watched("UDP-CONNECT", transport.get_extra_info("sockname")[1]), 20101)
    finally:
        transport.close()
    assert heard == Heard(well=True)


@pytest.mark.parametrize("version", [4, 6])
async def test_a_refusal_is_the_one_of_this_question(version: int) -> None:
    """What is said of others is passed over: of another port or protocol, no refusal at all, cut short."""
    asked = replace(watched("UDP-CONNECT", 53), version=version)
    kind, other = (3, 11) if version == 4 else (1, 3)

    def said(kind: int, protocol: int, source: int, target: int) -> bytes:
        outer = b"\x45" + bytes(19) if version == 4 else b""
        inner = (
            b"\x45" + bytes(8) + bytes([protocol]) + bytes(10)
            if version == 4
            else bytes(6) + bytes([protocol]) + bytes(33)
        )
        return outer + bytes([kind]) + bytes(7) + inner + struct.pack("!HH", source, target)

    own = said(kind, 17, 20103, 53)
    others = (
        said(kind, 17, 20104, 53),
        said(kind, 17, 20103, 54),
        said(kind, 6, 20103, 53),
        said(other, 17, 20103, 53),
    )
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with here, there:
        here.setblocking(False)
        for message in (*others, own[:-4], own[: 28 if version == 4 else 8], own):
            there.send(message)
        await asyncio.wait_for(datagrams._refused(here, asked, 17, 20103), PATIENCE)
        with pytest.raises(BlockingIOError):  # it was the last one
            here.recv(1)


@pytest.mark.root
@pytest.mark.parametrize(("kind", "why"), [(2, ""), (6, "nothing listens there"), (0, "no answer within 0.3 s")])
async def test_over_sctp(kind: int, why: str) -> None:
    """kind: of the chunk that it answers with: INIT ACK, ABORT, none.  Raw sockets hear other tests' as well."""
    port = 1320 + kind
    loop = asyncio.get_running_loop()

    async def answer(raw: socket.socket) -> None:
        while True:
            packet = (await loop.sock_recv(raw, 2048))[20:]
            source, target = struct.unpack_from("!HH", packet)
            if target == port and kind:
                assert crc32c(packet[:8] + bytes(4) + packet[12:]) == struct.unpack_from("<I", packet, 8)[0]
                raw.sendto(struct.pack("!HHIIBBH", target, source, 0, 0, kind, 0, 4), ("127.0.0.1", 0))

    with socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 132) as raw:
        answering = asyncio.create_task(answer(raw))
        heard = await ask(GROUND, watched("SCTP", port, timeout=PATIENCE if kind else SHORT), 20102)
        answering.cancel()
    assert heard == Heard(not why, why)


def test_crc32c_is_that_of_the_rfc() -> None:
    """RFC 3720, B.4."""
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(bytes(range(32))) == 0x46DD794E


@pytest.fixture
def unused_tcp_port() -> Iterator[int]:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))  # bound, and not listening
        yield found.getsockname()[1]


@pytest.fixture
def unused_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
