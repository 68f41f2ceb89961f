"""The feed of a real server process, with the agent's own client: tokens, and a server that is killed."""

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

import httpx
import pytest
from tests.api.process.conftest import Server
from tests.waiting import PATIENCE, Awaited
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from netweft.agent.sync import Changes, FeedClient, Link
from netweft.model import NodeFacts, PortState, PortStatus
from netweft.settings import AgentSettings


class Agent(Awaited):
    """The feed's client with nothing behind it."""

    def __init__(self, server: str, node: str, token: str) -> None:
        self.problems: list[str] = []
        self.changes: list[Changes] = []
        self.news = asyncio.Event()
        settings = AgentSettings(node=node, token=token, server=(server,))
        self.feed = FeedClient(settings, self, facts=NodeFacts(tunnel_ip="192.0.2.1"))
        self.task = asyncio.create_task(self.feed.run())

    def view_changed(self, changes: Changes) -> None:
        self.changes.append(changes)
        self.news.set()

    def ports_denied(self, reasons: Mapping[str, str]) -> None: ...

    def link_changed(self, link: Link) -> None:
        self.problems.append(link.problem)
        self.news.set()


class Region:
    def __init__(self, server: Server) -> None:
        self.server = server
        self.http = httpx.AsyncClient(base_url=server.url, headers={"X-Auth-Token": server.token()}, timeout=PATIENCE)
        self.agents: list[Agent] = []

    async def post(self, path: str, body: Any) -> Any:
        answer = await self.http.post(path, json=body)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    async def node(self, name: str) -> str:
        token: str = (await self.post("/netweft/v1/nodes", {"node": {"name": name}}))["node"]["token"]
        return token

    async def network(self) -> str:
        network: str = (await self.post("/v2.0/networks", {"network": {"name": "net"}}))["network"]["id"]
        subnet = {"network_id": network, "ip_version": 4, "cidr": "10.5.5.0/24"}
        await self.post("/v2.0/subnets", {"subnet": subnet})
        return network

    async def port(self, network: str, host: str) -> str:
        wanted = {"network_id": network, "binding:host_id": host}
        port: str = (await self.post("/v2.0/ports", {"port": wanted}))["port"]["id"]
        return port

    async def bound(self, host: str) -> set[str]:
        answer = await self.http.get("/v2.0/ports", params={"binding:host_id": host, "fields": "id"})
        return {port["id"] for port in answer.json()["ports"]}

    def agent(self, node: str, token: str, server: str = "") -> Agent:
        self.agents.append(Agent(server or self.server.url, node, token))
        return self.agents[-1]

    def kill(self) -> None:
        assert self.server.process
        self.server.process.send_signal(signal.SIGKILL)
        self.server.process.wait()


@pytest.fixture
async def region(server: Server) -> AsyncIterator[Region]:
    await asyncio.to_thread(server.start)
    region = Region(server)
    yield region
    for agent in region.agents:
        agent.task.cancel()
    await asyncio.gather(*(agent.task for agent in region.agents), return_exceptions=True)
    await region.http.aclose()


async def test_only_its_own_token_opens_a_nodes_session(region: Region) -> None:
    token = await region.node("hv1")
    await region.node("hv2")
    stranger = region.agent("hv1", "hv1.made-up")
    impostor = region.agent("hv2", token)
    await stranger.until(lambda: any("does not know" in problem for problem in stranger.problems))
    await impostor.until(lambda: any("another node" in problem for problem in impostor.problems))
    assert stranger.changes == impostor.changes == []


async def test_a_removed_node_is_shown_the_door(region: Region) -> None:
    agent = region.agent("hv1", await region.node("hv1"))
    await agent.until(lambda: agent.feed.link.up)
    await region.http.delete("/netweft/v1/nodes/hv1")
    await agent.until(lambda: any("does not know" in problem for problem in agent.problems))


async def test_it_is_served_on_the_unix_socket_too(region: Region) -> None:
    agent = region.agent("hv1", await region.node("hv1"), f"unix:{region.server.socket}")
    port = await region.port(await region.network(), "hv1")
    await agent.until(lambda: port in agent.feed.view.ports)
    view = agent.feed.view
    assert view.networks[view.ports[port].network_id].segments[0].network_type == "vxlan"
    assert view.ports[port].fixed_ips
    assert len(view.subnets) == 1


async def test_a_killed_server_changes_nothing_and_is_found_again(region: Region) -> None:
    agent = region.agent("hv1", await region.node("hv1"))
    network = await region.network()
    port = await region.port(network, "hv1")
    await agent.until(lambda: port in agent.feed.view.ports)
    before = agent.feed.view
    region.kill()
    await agent.until(lambda: not agent.feed.link.up)
    agent.feed.report([PortStatus(port, PortState.UP)], complete=True)
    await asyncio.to_thread(region.server.start)
    await agent.until(lambda: agent.feed.link.up)
    assert agent.changes[-1].subscribed
    assert not agent.changes[-1].upserts | agent.changes[-1].deletes
    assert agent.feed.view.ports == before.ports
    async with asyncio.timeout(PATIENCE):
        while (await region.http.get(f"/v2.0/ports/{port}")).json()["port"]["status"] != "ACTIVE":
            await asyncio.sleep(0.02)


async def test_views_are_right_after_any_number_of_kills(region: Region) -> None:
    agents = {name: region.agent(name, await region.node(name)) for name in ("hv1", "hv2")}
    network = await region.network()
    for round in range(3):
        made = [await region.port(network, f"hv{number % 2 + 1}") for number in range(6)]
        region.kill()
        await asyncio.to_thread(region.server.start)
        await region.http.delete(f"/v2.0/ports/{made[round]}")
        await region.http.put(f"/v2.0/ports/{made[-1]}", json={"port": {"binding:host_id": "hv1"}})
    own = {name: await region.bound(name) for name in agents}
    for name, other in (("hv1", "hv2"), ("hv2", "hv1")):
        feed = agents[name].feed

        def right(feed: FeedClient = feed, name: str = name, other: str = other) -> bool:
            return set(feed.view.ports) == own[name] and set(feed.view.peers) == own[other]

        await agents[name].until(right)
        assert set(feed.view.nodes) == {other}


async def test_garbage_does_not_harm_the_server(region: Region) -> None:
    """From a node that may speak: each of these ends its session and nothing else."""
    token = await region.node("hv1")
    other = region.agent("hv2", await region.node("hv2"))
    await other.until(lambda: other.feed.link.up)
    url = region.server.url.replace("http", "ws") + "/netweft/v1/feed"
    for frame in (b"", b"\xff" * 10_000, "text", b"\xdf\xff\xff\xff\xff", b"\x91" * 100_000, bytes(5 * 2**20)):
        async with connect(url, additional_headers={"Authorization": f"Bearer {token}"}, close_timeout=1) as socket:
            with suppress(ConnectionClosed):
                await socket.send(frame)
            await asyncio.wait_for(socket.wait_closed(), PATIENCE)
    port = await region.port(await region.network(), "hv2")
    await other.until(lambda: port in other.feed.view.ports)
    assert [problem for problem in other.problems if problem] == []
    assert "Traceback" not in region.server.log()
