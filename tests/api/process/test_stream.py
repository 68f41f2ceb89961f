"""The feed as lines of JSON, from a real server: the example in Node.js, readers that do not read, tokens."""

import asyncio
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from tests.api.process.conftest import Server, environment
from tests.waiting import PATIENCE

EXAMPLE = Path(__file__).parents[3] / "examples/feed-nodejs/follow.js"
FEED = "/v2.0/netweft/feed"


class Region:
    def __init__(self, server: Server) -> None:
        self.server = server
        self.http = httpx.Client(base_url=server.url, headers={"X-Auth-Token": server.token()}, timeout=PATIENCE)

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        answer = self.http.request(method, path, json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def network(self, name: str, **values: Any) -> str:
        id: str = self("POST", "/v2.0/networks", {"network": {"name": name} | values})["network"]["id"]
        return id


class Node:
    """The example, with what it keeps."""

    def __init__(self, region: Region, folder: Path, **variables: str) -> None:
        self.file, self.log = folder / "state.json", folder / "said"
        self._environment = environment(region.server.openrc() | {"NETWEFT_URL": region.server.url} | variables)
        self.start()

    def start(self) -> None:
        self.log.write_text("")
        with self.log.open("a") as log:
            command = ["node", str(EXAMPLE), str(self.file), "networks,subnets"]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=self._environment)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def names(self) -> set[str]:
        if not self.file.exists():
            return set()
        return {one["name"] for one in json.loads(self.file.read_text())["objects"].get("networks", {}).values()}

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline and self.process.poll() is None, self.log.read_text()
            time.sleep(0.02)


@pytest.fixture(scope="module")
def region(running: Server) -> Iterator[Region]:
    region = Region(running)
    yield region
    region.http.close()


@pytest.fixture
def own(server: Server) -> Iterator[Region]:
    """Of one test, which may kill its server."""
    server.start()
    region = Region(server)
    yield region
    region.http.close()


@pytest.fixture
def node(own: Region, tmp_path: Path) -> Iterator[Node]:
    node = Node(own, tmp_path)
    yield node
    node.kill()


def test_the_example_follows_through_kills_of_either(own: Region, node: Node, server: Server) -> None:
    region = own
    ids = {name: region.network(name) for name in ("kept", "goes")}
    node.until(lambda: node.names() == {"kept", "goes"})
    node.kill()
    region("DELETE", f"/v2.0/networks/{ids['goes']}")
    region("PUT", f"/v2.0/networks/{ids['kept']}", {"network": {"name": "changed"}})
    node.start()
    node.until(lambda: node.names() == {"changed"})
    said = node.log.read_text().splitlines()
    assert sorted(said) == sorted([f"- networks {ids['goes']}", f"~ networks {ids['kept']}"])
    server.stop()
    node.until(lambda: "ECONNREFUSED" in node.log.read_text())
    server.start()
    region.network("new")
    node.until(lambda: node.names() == {"changed", "new"})


def credential(region: Region) -> dict[str, str]:
    """Good for the feed, and for nothing else."""
    rule = {"service": "network", "method": "GET", "path": FEED}
    wanted = {"name": os.urandom(4).hex(), "access_rules": [rule]}
    user = region("GET", "/identity/v3/auth/tokens", **{"X-Subject-Token": region.http.headers["X-Auth-Token"]})
    path = f"/identity/v3/users/{user['token']['user']['id']}/application_credentials"
    made: dict[str, str] = region("POST", path, {"application_credential": wanted})["application_credential"]
    return made


def test_a_token_for_nothing_but_the_feed(region: Region) -> None:
    made = credential(region)
    proof = {"id": made["id"], "secret": made["secret"]}
    auth = {"auth": {"identity": {"methods": ["application_credential"], "application_credential": proof}}}
    answer = httpx.post(f"{region.server.url}/identity/v3/auth/tokens", json=auth, timeout=PATIENCE)
    headers = {"X-Auth-Token": answer.headers["X-Subject-Token"]}
    told = httpx.get(f"{region.server.url}{FEED}?wait=0&kinds=networks", headers=headers, timeout=PATIENCE)
    events = [json.loads(line)["event"] for line in told.text.splitlines()]
    assert (told.status_code, events[0], events[-1]) == (200, "whole", "place")
    assert httpx.get(f"{region.server.url}/v2.0/networks", headers=headers, timeout=PATIENCE).status_code == 401


def test_it_ends_with_its_token(region: Region) -> None:
    token = region.server.token()
    with httpx.stream(
        "GET", f"{region.server.url}{FEED}?kinds=networks", headers={"X-Auth-Token": token}, timeout=PATIENCE
    ) as answer:
        lines = answer.iter_lines()
        while json.loads(next(lines))["event"] != "place":
            pass
        region("DELETE", "/identity/v3/auth/tokens", **{"X-Subject-Token": token})
        assert [json.loads(line)["event"] for line in lines][-1] == "end"


def test_who_does_not_read_delays_nobody(region: Region) -> None:
    """Five streams whose readers do nothing, and one that reads: it is told at once, and the server grows by nothing
    that could be seen."""
    address = urlsplit(region.server.url)
    ask = f"GET {FEED} HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {region.http.headers['X-Auth-Token']}\r\n\r\n".encode()
    idle = []
    for _ in range(5):
        sock = socket.create_connection((address.hostname or "", address.port or 0))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(ask)
        idle.append(sock)
    before = _memory(region.server)
    network = region.network("busy", description="x" * 200)
    told: list[float] = []

    async def read() -> None:
        async with (
            httpx.AsyncClient(base_url=region.server.url, headers=region.http.headers, timeout=PATIENCE) as http,
            http.stream("GET", f"{FEED}?kinds=networks") as answer,
        ):
            lines = answer.aiter_lines()
            async for line in lines:
                if '"place"' in line:
                    break
            for at in range(100):
                body = {"network": {"description": f"{at} {'x' * 200}"}}
                assert (await http.put(f"/v2.0/networks/{network}", json=body)).is_success
                changed = time.monotonic()
                async for line in lines:
                    if f'"{at} x' in line:
                        break
                told.append(time.monotonic() - changed)

    asyncio.run(asyncio.wait_for(read(), PATIENCE))
    print(f"told after {sorted(told)[50] * 1e3:.0f} ms, grown by {_memory(region.server) - before} kB")
    assert _memory(region.server) - before < 30_000
    for sock in idle:
        sock.close()


def _memory(server: Server) -> int:
    """kB."""
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))


def test_the_oldest_of_too_many_gives_way(region: Region) -> None:
    async def streams() -> list[str]:
        async with httpx.AsyncClient(base_url=region.server.url, headers=region.http.headers, timeout=PATIENCE) as http:
            first = http.stream("GET", f"{FEED}?kinds=networks")
            lines = (await first.__aenter__()).aiter_lines()
            more = [http.stream("GET", f"{FEED}?kinds=networks") for _ in range(8)]
            read = [(await one.__aenter__()).aiter_lines() for one in more]
            for one in read:
                await anext(one)
            said = [line async for line in lines]
            for stream in (first, *more):
                await stream.__aexit__(None, None, None)
            return said

    said = asyncio.run(asyncio.wait_for(streams(), PATIENCE))
    assert json.loads(said[-1])["event"] == "end" and "8 streams" in said[-1]
