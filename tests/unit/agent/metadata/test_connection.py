"""A VM's connection: what it asks in HTTP is answered in turn; what is too slow, too long or no HTTP ends."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from tests.waiting import PATIENCE

from netweft.agent.metadata import connection
from netweft.agent.metadata.connection import Answer, Connection
from netweft.wire.metadata import MOST_ASKED, MOST_TARGET, Said


class House:
    """Answers with what was asked."""

    def __init__(self) -> None:
        self.open = True
        self.inside: set[Connection] = set()
        self.asked: list[str] = []
        self.hold = asyncio.Event()
        self.hold.set()
        self.body = b""

    def enter(self, one: Connection, ends: tuple[Any, Any]) -> Answer | None:
        if not self.open:
            return None
        self.inside.add(one)
        return self._answer

    def left(self, one: Connection) -> None:
        self.inside.discard(one)

    async def _answer(self, method: str, target: str, body: bytes) -> Said:
        self.asked.append(f"{method} {target} {body.decode()}".strip())
        await self.hold.wait()
        return Said(status=200, body=self.body or target.encode())


class Vm:
    def __init__(self, house: House, ours: socket.socket, theirs: socket.socket) -> None:
        self.house, self._ours, self.socket = house, ours, theirs

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(lambda: Connection(self.house), self._ours)

    async def say(self, *data: bytes) -> None:
        for one in data:
            await asyncio.get_running_loop().sock_sendall(self.socket, one)

    async def hear(self, until: bytes = b"") -> bytes:
        """What comes to this, or to the end."""
        heard = b""
        async with asyncio.timeout(PATIENCE):
            while not until or until not in heard:
                try:
                    chunk = await asyncio.get_running_loop().sock_recv(self.socket, 65536)
                except ConnectionResetError:
                    break
                if not chunk:
                    break
                heard += chunk
        return heard


@pytest.fixture
async def vm() -> AsyncIterator[Vm]:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    found = Vm(House(), ours, theirs)
    with theirs:
        yield found


def get(target: str, *headers: str, method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: x", *headers, "", ""]).encode()


async def test_requests_on_one_connection_are_answered_in_turn(vm: Vm) -> None:
    await vm.connect()
    await vm.say(get("/one") + get("/two"), get("/three"), get("/four", "Connection: close"))
    heard = await vm.hear()
    assert [heard.index(name) for name in (b"/one", b"/two", b"/three", b"/four")] == sorted(
        heard.index(name) for name in (b"/one", b"/two", b"/three", b"/four")
    )
    assert heard.count(b"HTTP/1.1 200") == 4
    assert not vm.house.inside


async def test_a_request_may_come_in_pieces_and_with_a_body(vm: Vm) -> None:
    await vm.connect()
    request = get("/p", "Content-Length: 5", "Connection: close", method="POST") + b"hello"
    for number in range(len(request)):
        await vm.say(request[number : number + 1])
    await vm.hear()
    assert vm.house.asked == ["POST /p hello"]


async def test_old_clients_are_answered(vm: Vm) -> None:
    await vm.connect()
    await vm.say(b"GET /old HTTP/1.0\r\n\r\n")
    assert (await vm.hear()).endswith(b"/old")


async def test_a_head_has_no_body(vm: Vm) -> None:
    await vm.connect()
    await vm.say(get("/h", "Connection: close", method="HEAD"))
    heard = await vm.hear()
    assert b"content-length: 2" in heard.lower() and heard.endswith(b"\r\n\r\n")


async def test_a_client_that_closes_its_half_still_gets_the_answer(vm: Vm) -> None:
    await vm.connect()
    await vm.say(get("/half"))
    vm.socket.shutdown(socket.SHUT_WR)
    assert (await vm.hear()).endswith(b"/half")


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
        (get("/x", "Content-Length: 1", "Content-Length: 2"), 400),
        (get("/x", method="DELETE"), 405),
        (get("/" + "x" * MOST_TARGET), 414),
        (get("/x", "Y: " + "y" * connection.HEAD_BYTES), 431),
        (get("/x", f"Content-Length: {MOST_ASKED + 1}", method="POST") + bytes(MOST_ASKED + 1), 413),
    ],
)
async def test_what_makes_no_sense_is_refused_and_ends(vm: Vm, said: bytes, status: int) -> None:
    await vm.connect()
    await vm.say(said[: 60 * 1024])
    await asyncio.sleep(0)
    with suppress(ConnectionError):
        await vm.say(said[60 * 1024 :])
    heard = await vm.hear(b"\r\n\r\n")
    assert heard.startswith(f"HTTP/1.1 {status}".encode())
    assert vm.house.asked == []


async def test_who_may_not_come_in_hears_nothing(vm: Vm) -> None:
    vm.house.open = False
    await vm.connect()
    assert await vm.hear() == b""


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\n", get("/x", "Content-Length: 9", method="POST")])
async def test_a_request_has_to_be_there_in_time(vm: Vm, said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.05)
    await vm.connect()
    await vm.say(said)
    assert await vm.hear() == b""
    assert not vm.house.inside


async def test_an_answer_has_to_be_taken_in_time(vm: Vm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "TAKE_SECONDS", 0.05)
    vm.house.body = bytes(2**22)
    await vm.connect()
    await vm.say(get("/large"))
    async with asyncio.timeout(PATIENCE):
        while vm.house.inside or not vm.house.asked:
            await asyncio.sleep(0.01)


async def test_a_long_answer_arrives_whole(vm: Vm) -> None:
    vm.house.body = bytes(range(256)) * 4096
    await vm.connect()
    await vm.say(get("/large", "Connection: close"))
    assert (await vm.hear()).endswith(vm.house.body)


async def test_the_next_is_not_read_before_the_last_is_answered(vm: Vm) -> None:
    vm.house.hold.clear()
    await vm.connect()
    await vm.say(get("/one"), get("/two"))
    async with asyncio.timeout(PATIENCE):
        while not vm.house.asked:
            await asyncio.sleep(0.01)
    assert vm.house.asked == ["GET /one"]
    vm.house.hold.set()
    assert (await vm.hear(b"/two")).count(b"200") == 2


async def test_requests_of_a_gone_client_end(vm: Vm) -> None:
    vm.house.hold.clear()
    await vm.connect()
    await vm.say(get("/one"))
    async with asyncio.timeout(PATIENCE):
        while not vm.house.asked:
            await asyncio.sleep(0.01)
        next(iter(vm.house.inside)).leave()
        while vm.house.inside:
            await asyncio.sleep(0.01)
    assert await vm.hear() == b""
