"""The page is served beside whatever else the loop does, and says nothing of what went wrong."""

import socket
from collections.abc import Iterable

import httpx

from netweft.listeners import bind
from netweft.metrics.definitions import AGENT, SESSION
from netweft.metrics.serving import served
from netweft.metrics.values import Reading


def place(sockets: list[socket.socket]) -> str:
    host, port = sockets[0].getsockname()
    return f"http://{host}:{port}/metrics"


async def up() -> Iterable[Reading]:
    return [SESSION.at(1)]


async def broken() -> Iterable[Reading]:
    raise ValueError("secret")


async def test_for_as_long_as_the_block() -> None:
    sockets = bind(["127.0.0.1:0"])
    url = place(sockets)
    async with httpx.AsyncClient() as client:
        async with served(sockets, AGENT, up):
            answer = await client.get(url)
            assert "netweft_agent_feed_session 1.0\n" in answer.text
            assert "# TYPE netweft_agent_flows gauge\n" in answer.text
            assert "process_resident_memory_bytes" in answer.text
            assert (await client.post(url)).status_code == 405
        try:
            await client.get(url)
        except httpx.TransportError:
            return
    raise AssertionError("it still answers")


async def test_two_in_one_process_share_nothing() -> None:
    one, two = bind(["127.0.0.1:0"]), bind(["127.0.0.1:0"])
    first, second = place(one), place(two)

    async def down() -> Iterable[Reading]:
        return [SESSION.at(0)]

    async with served(one, AGENT, up), served(two, AGENT, down), httpx.AsyncClient() as client:
        texts = [(await client.get(url)).text for url in (first, second)]
    assert ["netweft_agent_feed_session 1.0\n" in text for text in texts] == [True, False]


async def test_a_fault_is_in_the_log_alone() -> None:
    sockets = bind(["127.0.0.1:0"])
    url = place(sockets)
    async with served(sockets, AGENT, broken), httpx.AsyncClient() as client:
        answer = await client.get(url)
    assert answer.status_code == 500
    assert "secret" not in answer.text
