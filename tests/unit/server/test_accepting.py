"""New connections: who is opened when, and what happens when there are no descriptors left."""

import asyncio
import errno
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from structlog.testing import capture_logs
from tests.unit.server.place import Place, run
from tests.waiting import until

from netweft.server.accepting import Acceptor

GET = b"GET %b HTTP/1.1\r\nhost: x\r\n\r\n"


def _connect(here: Place, source: str) -> socket.socket:
    """The system takes the connection, before the server has accepted it."""
    return socket.create_connection(here.address, timeout=10, source_address=(source, 0))


def test_a_client_that_connects_again_and_again_keeps_no_other_waiting() -> None:
    async def test(here: Place) -> None:
        with ExitStack() as opened:
            for source in [*["127.0.0.1"] * 20, "127.0.0.2"]:
                client = opened.enter_context(_connect(here, source))
                client.sendall(GET % f"/{source}".encode())
            await until(lambda: len(here.asked) == 21)
        order = [path for _, path, _ in here.asked]
        assert order.index("/127.0.0.2") <= 3

    run(test)


def test_more_than_a_few_of_one_client_do_not_wait_for_their_turn() -> None:
    async def test(here: Place) -> None:
        with ExitStack() as opened, capture_logs() as logs:
            for _ in range(here.crowd.most_waiting + 20):
                opened.enter_context(_connect(here, "127.0.0.1")).sendall(GET % b"/many")
            with _connect(here, "127.0.0.2") as other:
                other.sendall(GET % b"/other")
                await until(lambda: ("GET", "/other", b"") in here.asked)
        assert logs[0]["connections_of_client"] == 1

    run(test)


@contextmanager
def _no_descriptors_left() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 512), hard))
    taken: list[int] = []
    try:
        while True:
            try:
                taken.append(os.dup(0))
            except OSError as error:
                assert error.errno == errno.EMFILE
                break
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_without_descriptors_those_connected_are_served_and_it_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the others when there are some again, though all of them wait at the same socket meanwhile."""
    tried = 0
    accept = Acceptor._accept

    def counted(self: Acceptor) -> None:
        nonlocal tried
        tried += 1
        accept(self)

    async def test(here: Place) -> None:
        nonlocal tried
        connected = await here.connect()
        assert await (await connected.send(GET % b"/first")).status() == 200
        with ExitStack() as opened, capture_logs() as logs:
            waiting = [opened.enter_context(socket.socket()) for _ in range(20)]
            with _no_descriptors_left():
                for client in waiting:
                    client.connect(here.address)
                    client.sendall(GET % b"/late")
                await until(lambda: bool(logs))
                tried, begun = 0, asyncio.get_running_loop().time()
                for number in range(50):
                    assert await (await connected.send(GET % f"/{number}".encode())).status() == 200
                    await asyncio.sleep(0.01)
                seconds = asyncio.get_running_loop().time() - begun
                assert tried <= seconds / 0.1 + 2  # no busy loop
                assert not any(path == "/late" for _, path, _ in here.asked)
            await until(lambda: sum(path == "/late" for _, path, _ in here.asked) == 20)
        assert [line["no_descriptors"] for line in logs] == [1]

    monkeypatch.setattr(Acceptor, "_accept", counted)
    run(test)
