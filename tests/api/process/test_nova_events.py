"""Nova is told: a real server process with its own identity, a node's session, and a recorder in Nova's place that
fails, hangs and refuses in turn."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from tests.api.process.conftest import Server
from tests.api.process.test_feed import Region
from tests.api.quiet_http import QuietHttp

from netweft.model import PortState, PortStatus

PATIENCE = 30.0
HANG_SECONDS = 1.0


class Nova:
    """plan: how it answers the next requests: a status, a list of codes, or "hang"; after them, 200."""

    def __init__(self) -> None:
        self.plan: list[Any] = []
        self.taken: list[tuple[str, str, str]] = []  # (event, server, port) of those it took, in order
        self.bodies: list[Any] = []
        self.http = QuietHttp(self.answer)
        self.url = f"{self.http.url}/v2.1"
        self.close = self.http.close

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        body = json.loads(request.rfile.read(int(request.headers["Content-Length"])))
        self.bodies.append((request.path, request.headers["X-Auth-Token"], body))
        told = body["events"]
        now = self.plan.pop(0) if self.plan else 200
        if now == "hang":
            self.http.ended.wait(HANG_SECONDS)
            request.close_connection = True
            return
        codes = now if isinstance(now, list) else [now] * len(told)
        status = now if isinstance(now, int) else 207
        for event, code in zip(told, codes, strict=False):
            if code == 200:
                self.taken.append((event["name"], event["server_uuid"], event["tag"]))
        answered = [event | {"code": code} for event, code in zip(told, codes, strict=False)]
        content = json.dumps({"events": answered}).encode() if status < 300 else b"{}"
        request.send_response(status)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)


@pytest.fixture
def nova() -> Iterator[Nova]:
    nova = Nova()
    yield nova
    nova.close()


def start(server: Server, nova: Nova) -> None:
    password = server.folder / "service.password"
    options = ["--nova-events", "--nova-url", nova.url, "--service-username", "admin", "--service-project", "admin"]
    password.write_text(server.openrc()["OS_PASSWORD"] if (server.folder / "admin-openrc").exists() else "not yet")
    server.start(*options, "--service-password-file", str(password))


@pytest.fixture
async def region(server: Server, nova: Nova) -> AsyncIterator[Region]:
    await asyncio.to_thread(server.start)  # makes the admin
    await asyncio.to_thread(server.stop)
    await asyncio.to_thread(start, server, nova)
    region = Region(server)
    yield region
    for agent in region.agents:
        agent.task.cancel()
    await asyncio.gather(*(agent.task for agent in region.agents), return_exceptions=True)
    await region.http.aclose()


async def until(condition: Callable[[], object], what: object = "") -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.02)


async def boot(region: Region, network: str) -> tuple[str, str]:
    """(server, port) as Nova makes it, not plugged in yet."""
    server, port = str(uuid.uuid4()), await region.port(network, "hv1")
    owner = {"device_id": server, "device_owner": "compute:nova"}
    assert (await region.http.put(f"/v2.0/ports/{port}", json={"port": owner})).status_code == 200
    return server, port


async def test_the_life_of_a_port_as_nova_hears_of_it(region: Region, nova: Nova) -> None:
    agent = region.agent("hv1", await region.node("hv1"))
    network = await region.network()
    server, port = await boot(region, network)
    await agent.until(lambda: port in agent.feed.view.ports)
    agent.feed.report([PortStatus(port, PortState.UP)], complete=True)
    await until(lambda: nova.taken == [("network-vif-plugged", server, port)], nova.taken)
    path, token, body = nova.bodies[-1]
    assert path == "/v2.1/os-server-external-events"
    assert token
    event = {"name": "network-vif-plugged", "server_uuid": server, "tag": port, "status": "completed"}
    assert body == {"events": [event]}
    assert (await region.http.put(f"/v2.0/ports/{port}", json={"port": {"fixed_ips": []}})).status_code == 200
    await until(lambda: len(nova.taken) == 2, nova.taken)
    agent.feed.report([PortStatus(port, PortState.DOWN)], complete=True)
    await until(lambda: len(nova.taken) == 3, nova.taken)
    assert (await region.http.delete(f"/v2.0/ports/{port}")).status_code == 204
    await until(lambda: len(nova.taken) == 4, nova.taken)
    assert [name for name, _, _ in nova.taken] == [
        "network-vif-plugged",
        "network-changed",
        "network-vif-unplugged",
        "network-vif-deleted",
    ]


async def test_a_nova_that_fails_hangs_and_refuses_hears_everything_once_and_in_order(
    region: Region, nova: Nova
) -> None:
    agent = region.agent("hv1", await region.node("hv1"))
    network = await region.network()
    booted = [await boot(region, network) for _ in range(6)]
    await agent.until(lambda: all(port in agent.feed.view.ports for _, port in booted))
    nova.plan = [500, "hang", [200, 422, 404, 200, 200, 200], 503, [422]]
    agent.feed.report([PortStatus(port, PortState.UP) for _, port in booted], complete=True)
    await until(lambda: len(nova.taken) == 5, nova.taken)
    assert len(set(nova.taken)) == 5
    await until(lambda: not nova.plan)
    answer = (await region.http.get("/netweft/v1/followers/nova")).json()["follower"]
    await until(lambda: answer["status"] in ("RUNNING", "RETRYING"))
    assert "given up" in region.server.log()  # the 404
    assert "Traceback" not in region.server.log()


async def test_events_that_were_not_sent_are_sent_after_a_kill(region: Region, nova: Nova) -> None:
    agent = region.agent("hv1", await region.node("hv1"))
    network = await region.network()
    server, port = await boot(region, network)
    await agent.until(lambda: port in agent.feed.view.ports)
    nova.plan = [503] * 1000
    agent.feed.report([PortStatus(port, PortState.UP)], complete=True)
    await until(lambda: len(nova.plan) < 1000)
    answer = (await region.http.get("/netweft/v1/followers")).json()["followers"]
    assert [each["name"] for each in answer] == ["nova"]
    region.kill()
    nova.plan = []
    await asyncio.to_thread(start, region.server, nova)
    await until(lambda: nova.taken == [("network-vif-plugged", server, port)], nova.taken)
