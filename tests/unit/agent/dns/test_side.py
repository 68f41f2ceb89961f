"""Who asks is known by his address, hears names of his own network, and nothing once his port has gone."""

import asyncio
import socket
from functools import partial
from ipaddress import ip_address

import dns.message
import dns.rcode
import pytest
from tests.unit.agent.dns.test_names import named
from tests.unit.agent.metadata.test_side import FREE, GUARDED, Ports, requester

from netweft.agent.desired import Part
from netweft.agent.dns.forwarding import Forwarder
from netweft.agent.dns.side import ANSWERED, MANY, UNHEARD, DnsSide
from netweft.agent.metadata.guests import Guests
from netweft.agent.metadata.interface import InterfaceWatch
from netweft.services.metadata import ends
from netweft.services.values import Asked, LocalPort
from netweft.settings import AgentSettings

QUERY = dns.message.make_query("web.openstacklocal.", "A").to_wire()


class Stage:
    def __init__(self) -> None:
        self.ports = Ports()
        self.side = DnsSide(AgentSettings(), self.ports, InterfaceWatch(), lambda: None, partial(asyncio.sleep, 0))
        self.side._forwarder = Forwarder(())
        self.side.change(Part(upserts=[named("web", "web", "10.0.0.80", network=GUARDED.network.network.id)]))
        self.heard: list[dns.message.Message] = []

    async def ask(self, here: LocalPort, wire: bytes = QUERY) -> None:
        self.side._take(requester(here), wire, lambda said: self.heard.append(dns.message.from_wire(said)))
        await asyncio.gather(*self.side._under_way)


@pytest.fixture
async def stage() -> Stage:
    return Stage()


async def test_a_port_hears_its_networks_names(stage: Stage) -> None:
    await stage.ask(GUARDED)
    await stage.ask(FREE)
    assert [str(one.answer[0][0]) for one in stage.heard] == ["10.0.0.80"] * 2
    assert stage.side.said == {ANSWERED: 2}


async def test_who_is_no_port_here_and_what_is_no_query_is_not_heard(stage: Stage) -> None:
    stage.side._take("240.0.0.99", QUERY, lambda _: None)
    assert not stage.side._under_way
    await stage.ask(GUARDED, b"hello")
    assert stage.heard == []
    assert stage.side.said == {UNHEARD: 2}


async def test_a_port_that_has_gone_hears_nothing_nor_does_who_gets_its_number(stage: Stage) -> None:
    stage.side._take(requester(GUARDED), QUERY, lambda said: stage.heard.append(dns.message.from_wire(said)))
    stage.ports.here[GUARDED.number] = FREE
    await asyncio.gather(*stage.side._under_way)
    assert stage.heard == []


async def test_who_floods_queries_is_ignored_for_a_while(stage: Stage) -> None:
    for _ in range(MANY + 5):
        stage.side._take(requester(GUARDED), b"", lambda _: None)
    await asyncio.gather(*stage.side._under_way)
    assert stage.ports.told == [(GUARDED.port.id, Asked.DNS, False)]
    await stage.ask(GUARDED)
    assert stage.heard == []
    await stage.ask(FREE)
    assert stage.heard[0].rcode() == dns.rcode.NOERROR


async def test_by_tcp_a_connection_counts_with_its_first_query(stage: Stage) -> None:
    stage.side._guests = Guests(8)
    number = ends.numbers(ip_address("127.0.0.1"))[0]
    stage.ports.here[number] = GUARDED
    async with await asyncio.start_server(stage.side._serve, "127.0.0.1", family=socket.AF_INET) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for _ in range(3):
            writer.write(len(QUERY).to_bytes(2, "big") + QUERY)
            await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
        writer.close()
        await writer.wait_closed()
    assert stage.side._requesters._counts == {GUARDED.port.id: 3}
