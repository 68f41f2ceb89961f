#!/usr/bin/env python3
"""What the feed costs: `bench/feed_nodes.py` starts a server of its own, plays many nodes, and prints a table.

The nodes are real agents' clients with nothing behind them, all in this one process: with many of them and a large
network it is they who are busy, not the server.  The clock starts just before the request is sent to the
API and stops when the nodes have the object; the server's processor time is taken from /proc.
"""

import argparse
import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop
from hypervisors import Api, resident_mb
from table import Row, percentile, print_table

from api import server
from netweft.agent.sync import Changes, FeedClient, Link
from netweft.model import NodeFacts, PortState, PortStatus
from netweft.settings import AgentSettings

ROUNDS = 100


class Node:
    """Notes when it got to know of which port."""

    def __init__(self, endpoint: str, name: str, token: str, number: int) -> None:
        self.name = name
        self.seen: dict[str, float] = {}
        self.news = asyncio.Event()
        settings = AgentSettings(node=name, token=token, server=(endpoint,))
        self.feed = FeedClient(settings, self, facts=NodeFacts(tunnel_ip=f"192.0.2.{number}"))

    def view_changed(self, changes: Changes) -> None:
        now = time.perf_counter()
        self.seen.update((id, now) for kind, id in changes.upserts if kind in ("port", "peer"))
        self.news.set()

    def ports_denied(self, reasons: Mapping[str, str]) -> None: ...

    def link_changed(self, link: Link) -> None: ...

    async def until(self, condition: Callable[["Node"], bool]) -> None:
        async with asyncio.timeout(60):
            while not condition(self):
                await self.news.wait()
                self.news.clear()

    async def sees(self, *ports: str) -> None:
        await self.until(lambda node: node.seen.keys() >= set(ports))


class Region:
    def __init__(self, endpoint: str, password: str, pid: int) -> None:
        env = {"OS_AUTH_URL": f"{endpoint}/identity/v3", "OS_USERNAME": "admin", "OS_PROJECT_NAME": "admin"}
        self.api = Api(env | {"OS_PASSWORD": password})
        self.endpoint, self.pid = endpoint, pid
        self.nodes: list[Node] = []

    async def request(self, method: str, path: str, body: object = None) -> Any:
        return await asyncio.to_thread(self.api.request, method, path, body)

    @asynccontextmanager
    async def joined(self, count: int) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            for number in range(1, count + 1):
                name = f"hv{number}"
                made = await self.request("POST", "/netweft/v1/nodes", {"node": {"name": name, "rotate": True}})
                self.nodes.append(Node(self.endpoint, name, made["node"]["token"], number))
            running = [tasks.create_task(node.feed.run()) for node in self.nodes]
            for node in self.nodes:
                await node.until(lambda node: node.feed.link.up)
            yield
            for task in running:
                task.cancel()
        self.nodes.clear()

    async def network(self) -> str:
        network = (await self.request("POST", "/v2.0/networks", {"network": {"name": "bench"}}))["network"]
        subnet = {"network_id": network["id"], "ip_version": 4, "cidr": "10.0.0.0/16"}
        await self.request("POST", "/v2.0/subnets", {"subnet": subnet})
        return str(network["id"])

    async def ports(self, network: str, hosts: Iterable[str]) -> list[str]:
        wanted = [{"network_id": network, "binding:host_id": host} for host in hosts]
        ids: list[str] = []
        for start in range(0, len(wanted), 100):
            made = await self.request("POST", "/v2.0/ports", {"ports": wanted[start : start + 100]})
            ids += [port["id"] for port in made["ports"]]
        return ids

    def busy_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def one_change(region: Region, nodes: int) -> list[Row]:
    """Each new port on a network that all nodes have."""
    network = await region.network()
    async with region.joined(nodes):
        ready = (await region.ports(network, (node.name for node in region.nodes)))[-1]
        for node in region.nodes:
            await node.sees(ready)
        first, last = [], []
        busy = region.busy_seconds()
        for _ in range(ROUNDS):
            started = time.perf_counter()
            port = (await region.ports(network, ["hv1"]))[0]
            for node in region.nodes:
                await node.sees(port)
            times = [node.seen[port] - started for node in region.nodes]
            first.append(times[0] * 1000)
            last.append(max(times) * 1000)
        busy = (region.busy_seconds() - busy) / ROUNDS * 1000
    return [
        Row(f"request to delta at the port's node, {nodes} nodes: p50", percentile(first, 50), "ms"),
        Row(f"request to delta at the last of {nodes} nodes: p50", percentile(last, 50), "ms"),
        Row(f"request to delta at the last of {nodes} nodes: p95", percentile(last, 95), "ms"),
        Row(f"server's processor time per port, API included, {nodes} nodes", busy, "ms"),
    ]


async def one_report(region: Region) -> list[Row]:
    network = await region.network()
    async with region.joined(1):
        node = region.nodes[0]
        ids = await region.ports(network, ["hv1"] * (ROUNDS + 200))
        await node.sees(ids[-1])
        times = []
        for port in ids[:ROUNDS]:
            started = time.perf_counter()
            node.feed.report([PortStatus(port, PortState.UP)])
            path = f"/v2.0/ports/{port}?fields=status"
            while (await region.request("GET", path))["port"]["status"] != "ACTIVE":
                pass
            times.append((time.perf_counter() - started) * 1000)
        started = time.perf_counter()
        for port in ids[ROUNDS:]:
            node.feed.report([PortStatus(port, PortState.UP)])
        path = f"/v2.0/ports?network_id={network}&status=DOWN&fields=id&limit=1"
        while (await region.request("GET", path))["ports"]:
            await asyncio.sleep(0.002)
        burst = (time.perf_counter() - started) * 1000
    return [
        Row("report to ACTIVE at the API: p50", percentile(times, 50), "ms"),
        Row("report to ACTIVE at the API: p95", percentile(times, 95), "ms"),
        Row("200 reports to all ACTIVE", burst, "ms"),
    ]


async def big_network(region: Region, nodes: int, ports: int) -> list[Row]:
    network = await region.network()
    ids = await region.ports(network, (f"hv{number % nodes + 1}" for number in range(ports)))
    started, busy = time.perf_counter(), region.busy_seconds()
    async with region.joined(nodes):
        for node in region.nodes:
            await node.sees(*ids)
        elapsed, busy = time.perf_counter() - started, region.busy_seconds() - busy
        times = []
        for _ in range(20):
            begun = time.perf_counter()
            port = (await region.ports(network, ["hv1"]))[0]
            for node in region.nodes:
                await node.sees(port)
            times.append((time.perf_counter() - begun) * 1000)
    what = f"{nodes} nodes, network of {ports} ports"
    return [
        Row(f"{what}: all have their snapshot", elapsed, "s"),
        Row(f"{what}: server's processor time for that", busy, "s"),
        Row(f"{what}: one more port at the last node: p50", percentile(times, 50), "ms"),
        Row(f"{what}: server's resident memory", resident_mb(region.pid), "MB"),
    ]


async def measure(nodes: int, ports: int) -> list[Row]:
    with server() as (endpoint, password, pid):
        region = Region(endpoint, password, pid)
        rows = await one_change(region, 1)
        rows += await one_change(region, nodes)
        rows += await one_report(region)
        rows += await big_network(region, nodes, ports)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=50)
    parser.add_argument("--ports", type=int, default=5000, help="of the large network")
    parser.add_argument("--out", type=Path, help="append the rows as JSON lines")
    options = parser.parse_args()
    rows = uvloop.run(measure(options.nodes, options.ports))
    print_table("The feed", rows, options.out)


if __name__ == "__main__":
    main()
