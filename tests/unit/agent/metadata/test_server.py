"""The agent's questions to a server: the feed's first, any other else; a port has few under way; always an answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from netweft.agent.metadata.server import A_SECOND_EACH, AT_ONCE_EACH, BURST_SECONDS, MetadataServer
from netweft.settings import AgentSettings
from netweft.wire.metadata import PATH, Ask, Said
from netweft.wire.posted import decode, encode


class Server:
    """Answers with the port that it was asked for, or with this status."""

    def __init__(self, status: int = 200, body: bytes | None = None) -> None:
        self.status, self.body = status, body
        self.heads: list[str] = []
        self.now = self.most = 0
        self.hold = asyncio.Event()
        self.hold.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(int(line.split()[1]) for line in head.lower().split("\r\n") if line.startswith("content-length"))
        question = decode(Ask, await reader.readexactly(length))
        self.heads.append(head)
        self.now += 1
        self.most = max(self.most, self.now)
        await self.hold.wait()
        self.now -= 1
        body = encode(Said(status=200, body=question.port_id.encode())) if self.body is None else self.body
        start = f"HTTP/1.1 {self.status} x\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(start.encode() + body)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def asking(
    tmp_path: Path, *servers: Server, first: int = 0, token: str = "hv1.x"
) -> AsyncIterator[MetadataServer]:
    paths = [f"{tmp_path}/{number}" for number in range(len(servers))]
    there = [await asyncio.start_unix_server(one.serve, path) for one, path in zip(servers, paths, strict=True)]
    urls = tuple(f"unix:{path}" for path in (*paths, f"{tmp_path}/nobody"))
    settings = AgentSettings(server=urls, token=token, token_file=f"{tmp_path}/none")
    found = MetadataServer(settings, lambda: urls[first])
    try:
        yield found
    finally:
        found.close()
        for one in there:
            one.close()


def question(port_id: str = "p") -> Ask:
    return Ask(port_id=port_id, asked_from="", method="GET", target="/")


async def test_requests_go_to_the_feeds_server_with_the_nodes_token(tmp_path: Path) -> None:
    one, other = Server(), Server()
    async with asking(tmp_path, one, other, first=1) as server:
        assert (await server.ask(question())).body == b"p"
    assert not one.heads
    [head] = other.heads
    assert head.startswith(f"POST {PATH} ") and "authorization: bearer hv1.x" in head.lower()


@pytest.mark.parametrize("broken", [Server(500), Server(200, b"nonsense"), Server(401)])
async def test_another_server_is_tried_where_one_does_not_answer(tmp_path: Path, broken: Server) -> None:
    async with asking(tmp_path, broken, Server()) as server:
        assert (await server.ask(question())).body == b"p"


@pytest.mark.parametrize("token", ["hv1.x", ""])
async def test_there_is_an_answer_when_nobody_has_one(tmp_path: Path, token: str) -> None:
    async with asking(tmp_path, token=token) as server:
        assert (await server.ask(question())).status == 503


async def test_a_port_has_few_questions_under_way_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    slow = Server()
    slow.hold.clear()
    async with asking(tmp_path, slow) as server, asyncio.TaskGroup() as tasks:
        many = [tasks.create_task(server.ask(question("greedy"))) for _ in range(50)]
        other = tasks.create_task(server.ask(question("other")))
        async with asyncio.timeout(5):
            while slow.now < AT_ONCE_EACH + 1:
                await asyncio.sleep(0.01)
        slow.hold.set()
        assert (await other).body == b"other"
        assert [(await one).body for one in many] == [b"greedy"] * 50
        assert slow.most <= AT_ONCE_EACH + 1


async def test_a_flooding_client_is_answered_more_slowly_and_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async with asking(tmp_path, Server()) as server:
        monkeypatch.setattr(asyncio, "sleep", sleep)
        for _ in range(int(BURST_SECONDS * A_SECOND_EACH)):
            await server._pace("greedy")
        assert not slept
        for _ in range(10):
            await server._pace("greedy")
        assert len(slept) >= 9
        await server._pace("other")
        assert len(slept) <= 10
