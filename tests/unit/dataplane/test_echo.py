"""Whether anybody answers an echo, with the kernel's own answers."""

import asyncio
import os
import socket
import struct
from typing import Any

import pytest

from netweft.dataplane.host.echo import anybody_answers
from netweft.dataplane.packets.datagram import checksum

NOBODY = "192.0.2.1"  # TEST-NET-1 (RFC 5737)


@pytest.mark.root
@pytest.mark.parametrize("own", ["127.0.0.1", "::1"])
def test_one_that_answers_is_enough(own: str) -> None:
    others = [own] if ":" in own else [NOBODY, own]
    assert asyncio.run(anybody_answers(own, others, seconds=10))


def test_nobody_answers() -> None:
    assert not asyncio.run(anybody_answers("127.0.0.1", [NOBODY], seconds=0.05))


def test_an_address_that_is_not_here_sends_no_request() -> None:
    assert not asyncio.run(anybody_answers(NOBODY, ["127.0.0.1"], seconds=10))


@pytest.mark.root
def test_answers_without_a_request_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one who has seen the question."""
    mark = b"\1\2\3\4\5\6\7\x08"
    monkeypatch.setattr(os, "urandom", lambda size: mark[:size])
    bare = struct.pack("!BBH", 0, 0, 0) + mark
    forged = struct.pack("!BBH", 0, 0, checksum(bare)) + mark

    async def run(others: list[str], seconds: float) -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as stranger:
            stranger.bind(("127.0.0.3", 0))
            asking = asyncio.create_task(anybody_answers("127.0.0.1", others, seconds=seconds))
            while not asking.done():
                stranger.sendto(forged, ("127.0.0.1", 0))
                await asyncio.sleep(0.02)
            return await asking

    assert not asyncio.run(run([NOBODY], 0.3))
    assert asyncio.run(run([NOBODY, "127.0.0.3"], 20))


@pytest.mark.root
def test_a_flood_of_anything_does_not_outlast_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is always another packet, so that nothing is ever waited for."""
    heard = 0

    async def another(found: socket.socket, size: int) -> tuple[bytes, Any]:
        nonlocal heard
        heard += 1
        assert heard < 1_000_000
        return b"\x45" + bytes(40), ("127.0.0.3", 0)

    async def run() -> bool:
        monkeypatch.setattr(asyncio.get_running_loop(), "sock_recvfrom", another)
        return await anybody_answers("127.0.0.1", [NOBODY], seconds=0.05)

    assert not asyncio.run(run())
    assert heard
