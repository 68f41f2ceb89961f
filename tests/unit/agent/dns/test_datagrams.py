"""An answer comes from the address that was asked, whichever of the interface's that is."""

import asyncio
import socket

import pytest

from netweft.agent.dns.datagrams import Datagrams


@pytest.mark.parametrize("address", ["127.0.0.5", "127.9.9.9", "::1"])
async def test_an_answer_leaves_from_the_requested_address(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    one = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    one.bind(("", 0))
    heard: list[tuple[str, bytes]] = []

    def take(peer: str, data: bytes, reply: object) -> None:
        heard.append((peer, data))
        assert callable(reply)
        reply(b"said")

    server = Datagrams(one, take)
    with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as client:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, (address, one.getsockname()[1]))  # hears nobody else
        await loop.sock_sendall(client, b"asked")
        async with asyncio.timeout(5):
            assert await loop.sock_recv(client, 100) == b"said"
    assert [data for _, data in heard] == [b"asked"]
    server.close()
    server.close()
