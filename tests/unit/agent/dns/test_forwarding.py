"""Other names are asked for elsewhere, with an id that nobody can guess, of one server after the other."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import dns.message
import dns.rcode
import dns.rrset
import pytest

from netweft.agent.dns import forwarding
from netweft.agent.dns.exchanging import is_answer
from netweft.agent.dns.forwarding import AT_ONCE_EACH, Forwarder

QUERY = dns.message.make_query("example.org.", "A", id=7)


class Server(asyncio.DatagramProtocol):
    """silent: it answers nobody."""

    def __init__(self) -> None:
        self.asked: list[dns.message.Message] = []
        self.silent = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.address = "{}#{}".format(*transport.get_extra_info("sockname"))

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        self.asked.append(query)
        if not self.silent:
            answer = dns.message.make_response(query)
            answer.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "A", "192.0.2.1"))
            self.transport.sendto(answer.to_wire(), addr)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    transport, found = await asyncio.get_running_loop().create_datagram_endpoint(Server, ("127.0.0.1", 0))
    yield found
    transport.close()


async def test_the_answer_is_as_if_it_was_queried_itself(server: Server) -> None:
    said = await Forwarder([server.address]).ask("port", QUERY, tcp=False)
    assert said is not None
    answer = dns.message.from_wire(said)
    assert (answer.id, str(answer.answer[0][0])) == (7, "192.0.2.1")


async def test_its_id_is_another_each_time(server: Server) -> None:
    forwarder = Forwarder([server.address])
    for _ in range(8):
        await forwarder.ask("port", QUERY, tcp=False)
    assert len({one.id for one in server.asked}) > 4
    assert QUERY.id == 7


async def test_who_is_silent_is_passed_over(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarding, "TIMEOUT", 0.05)
    nobody = "127.0.0.1#9"
    said = await Forwarder([nobody, server.address]).ask("port", QUERY, tcp=False)
    assert said is not None
    assert dns.message.from_wire(said).answer
    server.silent = True
    said = await Forwarder([server.address]).ask("port", QUERY, tcp=False)
    assert said is not None
    assert dns.message.from_wire(said).rcode() == dns.rcode.SERVFAIL


FULL: Final = dns.message.make_response(QUERY)
FULL.answer.append(dns.rrset.from_text_list("example.org.", 60, "IN", "A", [f"192.0.2.{n}" for n in range(250)]))
FULL_WIRE: Final = FULL.to_wire()  # its records are in another order each time


async def test_by_tcp_as_it_comes_and_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that somebody has filled keeps nobody else from an answer."""
    heard = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
        wire = asked[:2] + FULL_WIRE[2:]
        writer.write(len(wire).to_bytes(2, "big") + wire)
        writer.close()
        heard.set()

    async with await asyncio.start_server(serve, "127.0.0.1") as server:
        address = "{}#{}".format(*server.sockets[0].getsockname())
        with monkeypatch.context() as reading:
            reading.setattr(dns.message, "from_wire", lambda *_, **__: pytest.fail("it was read"))
            assert await Forwarder([address]).ask("port", QUERY, tcp=True) == FULL_WIRE
    assert heard.is_set()


def test_whose_answer_it_is() -> None:
    query, said = QUERY.to_wire(), FULL_WIRE
    assert is_answer(query, said)
    assert is_answer(query, said.replace(b"example", b"eXaMPle"))
    other = dns.message.make_query("example.com.", "A", id=7)
    kind = dns.message.make_query("example.org.", "AAAA", id=7)
    for one in (other, kind):
        assert not is_answer(query, dns.message.make_response(one).to_wire())
    for wire in (query, b"", said[:11], b"\0\0" + said[2:], said[:12]):
        assert not is_answer(query, wire)
    for code, expected in ((0, False), (2, True), (3, False), (5, True)):
        assert is_answer(query, query[:2] + bytes((0x80, code)) + bytes(8)) is expected


async def test_a_busy_client_leaves_room_for_others(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarding, "TIMEOUT", 30.0)
    forwarder = Forwarder([server.address])
    server.silent = True
    queries = [dns.message.make_query("example.org.", "A") for _ in range(AT_ONCE_EACH)]
    under_way = [asyncio.create_task(forwarder.ask("greedy", one, tcp=False)) for one in queries]
    await asyncio.sleep(0)
    assert await forwarder.ask("greedy", QUERY, tcp=False) is None
    server.silent = False
    said = await forwarder.ask("other", QUERY, tcp=False)
    assert said is not None
    assert dns.message.from_wire(said).answer
    for one in under_way:
        one.cancel()
    await asyncio.wait(under_way)
    assert await forwarder.ask("greedy", QUERY, tcp=False) is not None
