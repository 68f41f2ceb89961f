"""One trace id from a client's request to flows in place: a real server, a real agent, a collector on loopback."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from tests.api.process.conftest import Server
from tests.api.process.test_process import add_node
from tests.otlp import Collector, Received
from tests.ovs.hypervisors import Hypervisor, available, new_tag
from tests.waiting import PATIENCE, until

from netweft.model import Port

pytestmark = [pytest.mark.root, pytest.mark.skipif(not available(), reason="needs root and Open vSwitch")]

QUICK = {"OTEL_BSP_SCHEDULE_DELAY": "50"}
TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class World(NamedTuple):
    collector: Collector
    server: Server
    node: Hypervisor
    http: httpx.Client

    def post(self, path: str, body: Mapping[str, Any], **headers: str) -> dict[str, Any]:
        answer = self.http.post(path, json={path.rpartition("/")[2][:-1]: body}, headers=headers)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = next(iter(answer.json().values()))
        return found

    def trace(self, id: str) -> list[Received]:
        return [span for span in self.collector.spans if span.trace == id]


@pytest.fixture
def world(tmp_path: Path, empty: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name, value in QUICK.items():
        monkeypatch.setenv(name, value)
    collector = Collector()
    with ExitStack() as opened:
        shutil.copy(empty, tmp_path)
        server = Server(tmp_path)
        opened.callback(server.stop)
        server.start("--otlp-endpoint", opened.enter_context(collector.listening()))
        node = Hypervisor("hv1", new_tag(), tmp_path, server.socket, "192.0.2.1")
        opened.callback(node.close)
        beside = opened.enter_context(collector.listening(node.namespace))
        node.token, node.underlay, node.settings = add_node(server, "hv1"), "", f'otlp_endpoint = "{beside}"'
        node.start_agent()
        headers = {"X-Auth-Token": server.token()}
        yield World(
            collector, server, node,
            opened.enter_context(httpx.Client(base_url=server.url, headers=headers, timeout=PATIENCE)),
        )  # fmt: skip


async def test_a_port_is_one_trace_from_the_request_to_its_flows(world: World) -> None:
    await until(world.node.in_sync)
    network = world.post("/v2.0/networks", {"name": "a tenant's secret"})["id"]
    world.post("/v2.0/subnets", {"network_id": network, "ip_version": 4, "cidr": "10.5.5.0/24"})
    given = {"traceparent": f"00-{TRACE}-{CALLER}-01", "tracestate": "vendor=stranger"}
    answer = world.http.post(
        "/v2.0/ports", json={"port": {"network_id": network, "binding:host_id": "hv1"}}, headers=given
    )
    port = answer.json()["port"]
    world.node.plug(Port(id=port["id"], network_id=network, mac_address=port["mac_address"], fixed_ips=()))
    await until(lambda: world.http.get(f"/v2.0/ports/{port['id']}").json()["port"]["status"] == "ACTIVE")
    chain = ["write port status", "wire port", "apply on node", "send to node", "feed", "write transaction"]
    chain = [*chain, "POST /v2.0/ports"]
    await until(lambda: {*chain, "turn"} <= {span.name for span in world.trace(TRACE)})
    spans = world.trace(TRACE)
    by_id, by_name = {span.id: span for span in spans}, {span.name: span for span in spans}
    request = by_name["POST /v2.0/ports"]
    assert request.parent == CALLER
    assert request.attributes["http.response.status_code"] == 201
    assert request.attributes["netweft.request_id"] == answer.headers["x-openstack-request-id"]
    assert request.attributes["netweft.project_id"] == port["project_id"]
    for name, above in pairwise(chain):
        assert by_id[by_name[name].parent].name == above
    turns = [span for span in spans if span.name == "turn"]
    assert {by_id[turn.parent].name for turn in turns} <= {"apply on node", "wire port"}
    assert {by_id[span.parent].name for span in spans if span.name == "write rows and flows"} == {"turn"}
    assert {span.service for span in spans} == {"netweft-server", "netweft-agent"}
    assert by_name["apply on node"].service == by_name["wire port"].service == "netweft-agent"
    assert all(span.began <= span.ended for span in spans)
    assert not any(span.failed for span in spans if span.name != "turn")
    assert by_name["send to node"].attributes["netweft.node"] == "hv1"
    text = repr(world.collector.spans)
    assert not any(words in text for words in ("a tenant's secret", "stranger", "10.5.5.", port["mac_address"]))
    assert world.collector.paths == {"/v1/traces"}
    said = [line for line in world.node.log().splitlines() if "event=applied" in line]
    assert any(request.attributes["netweft.request_id"] in line and TRACE in line for line in said)
