"""What bench/scale.py measures in: a lab that grows, a watch on its flows, and nodes that are only feed clients."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypervisors import BULK, Lab, add_port, check, make_ports

from netweft.dataplane.openflow.client import OpenFlowConnection
from netweft.dataplane.openflow.messages import FlowChange

PEERS = Path(__file__).resolve().parent / "peers.py"
QUIET_SECONDS = 0.05


@dataclass(frozen=True)
class Shape:
    """simulated: so many nodes beside the real ones.  per_network: ports; 0: all in one network."""

    title: str
    real: int
    simulated: int
    per_network: int


SHAPES = {
    "host": Shape("One hypervisor, ten ports to a network", real=2, simulated=1, per_network=10),
    "network": Shape("One network and one group over 50 nodes", real=1, simulated=49, per_network=0),
}


class Watch:
    """Which flows of a node change, heard by a monitor of its own."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._connections: list[OpenFlowConnection] = []
        self.count = 0
        self.last = 0.0

    async def __aenter__(self) -> "Watch":
        for bridge in ("br-int", "br-tun"):
            connection = await OpenFlowConnection.connect(self._run_dir / f"{bridge}.mgmt")
            await connection.watch_flows(self._changed)
            self._connections.append(connection)
        return self

    async def __aexit__(self, *_: object) -> None:
        for connection in self._connections:
            await connection.close()

    def _changed(self, _: FlowChange) -> None:
        self.count += 1
        self.last = time.perf_counter()

    async def settled(self) -> None:
        """Something has changed, and then nothing for a while."""
        deadline = time.monotonic() + 30
        while not self.count or time.perf_counter() - self.last < QUIET_SECONDS:
            check(deadline, "in the flows")
            await asyncio.sleep(0.002)

    async def flows(self) -> list[int]:
        return [len(await connection.dump_flows()) for connection in self._connections]


@dataclass
class Scene:
    """The lab as it has grown so far."""

    lab: Lab
    shape: Shape
    ports: list[dict[str, Any]] = field(default_factory=list)
    networks: list[str] = field(default_factory=list)
    taps: int = 0

    def __post_init__(self) -> None:
        self.api = self.lab.api()
        self.node = self.lab.node()
        self.run_dir = Path(self.node["ovs_run_dir"])
        group = self.api.request("GET", "/v2.0/security-groups?name=default")["security_groups"][0]
        self.group = group["id"]
        quota = dict.fromkeys(("network", "subnet", "port", "security_group_rule"), -1)
        self.api.request("PUT", f"/v2.0/quotas/{group['project_id']}", {"quota": quota})
        self.hosts = ["hv1"]
        self.apart = self.make_network("10.1.0.0/16")

    async def request(self, method: str, path: str, body: object = None) -> Any:
        """In a thread: the watch goes on hearing."""
        return await asyncio.to_thread(self.api.request, method, path, body)

    def network_for(self, number: int) -> str:
        at = number // self.shape.per_network if self.shape.per_network else 0
        while len(self.networks) <= at:
            self.networks.append(self.make_network("10.0.0.0/16"))
        return self.networks[at]

    def make_network(self, cidr: str) -> str:
        network: str = self.api.request("POST", "/v2.0/networks", {"network": {"name": "scale"}})["network"]["id"]
        self.api.request("POST", "/v2.0/subnets", {"subnet": {"network_id": network, "ip_version": 4, "cidr": cidr}})
        return network

    def host_for(self, number: int) -> str:
        return self.hosts[number % len(self.hosts)] if not self.shape.per_network else "hv1"

    def make(self, wanted: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return make_ports(self.api, wanted)

    def plug(self, ports: list[dict[str, Any]]) -> None:
        words: list[str] = []
        for port in ports:
            self.taps += 1
            words += add_port(f"b{self.taps}", port)
        subprocess.run(["ovs-vsctl", f"--db=unix:{self.run_dir}/db.sock", *words[1:]], check=True)

    def until_active(self, port: dict[str, Any], seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while self.api.request("GET", f"/v2.0/ports/{port['id']}?fields=status")["port"]["status"] != "ACTIVE":
            check(deadline, "ACTIVE")
            time.sleep(0.001)

    def until_all_active(self, seconds: float = 300) -> None:
        deadline = time.monotonic() + seconds
        while self.api.request("GET", "/v2.0/ports?status=DOWN&fields=id&limit=1")["ports"]:
            check(deadline, "all ACTIVE")
            time.sleep(0.02)

    def grow(self, size: int) -> None:
        numbers = range(len(self.ports), size)
        wanted = [{"network_id": self.network_for(n), "binding:host_id": self.host_for(n)} for n in numbers]
        made = self.make(wanted)
        here = [port for port in made if port["binding:host_id"] == "hv1"]
        for start in range(0, len(here), BULK):
            self.plug(here[start : start + BULK])
        self.until_all_active()
        self.ports += made

    def pids(self) -> dict[str, int]:
        names = {"agent": "hv1", "server": None, "ovs-vswitchd": "hv1"}
        return {kind: self.lab.pid_of(kind, node) for kind, node in names.items()}


@asynccontextmanager
async def peers(scene: Scene, endpoint: str, number_of: int) -> AsyncIterator[None]:
    tokens = {}
    for number in range(1, number_of + 1):
        name = f"sim{number}"
        made = scene.api.request("POST", "/netweft/v1/nodes", {"node": {"name": name, "rotate": True}})
        tokens[name] = made["node"]["token"]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, PEERS, stdin=pipe, stdout=pipe)
    assert process.stdin and process.stdout
    process.stdin.write(json.dumps({"endpoint": endpoint, "nodes": tokens}).encode() + b"\n")
    await process.stdout.readline()
    scene.hosts += tokens
    try:
        yield
    finally:
        process.stdin.close()
        await process.wait()
