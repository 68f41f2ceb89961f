"""A server whose collector of spans hangs, or is not there, serves as if there were none."""

import signal
import time
from pathlib import Path

import httpx
import pytest
from tests.api.process.conftest import Server, free_port
from tests.api.process.test_process import add_node, netweft
from tests.otlp import Collector, Received
from tests.waiting import PATIENCE, until
from websockets.asyncio.client import connect

from netweft.model import NodeFacts
from netweft.wire import messages as wire

REQUESTS = 1000
PARENTS = (f"00-{'a' * 32}-{'b' * 16}-01", "00-" + "a" * 8000, "garbage")


def test_a_collector_that_hangs_disturbs_nothing(server: Server) -> None:
    with Collector(hangs=True).listening() as url:
        process = server.start("--otlp-endpoint", url)
        with httpx.Client(base_url=server.url, headers={"x-auth-token": server.token()}, timeout=PATIENCE) as client:
            for at in range(REQUESTS):
                given = {"traceparent": PARENTS[at % len(PARENTS)], "tracestate": "x" * 1000}
                assert client.get("/v2.0/networks", headers=given).status_code == 200
            for _ in range(100):
                given = {"x-auth-token": "nobody", "traceparent": PARENTS[0]}
                assert client.get("/v2.0/networks", headers=given).status_code == 401
        process.send_signal(signal.SIGTERM)
        ended = time.monotonic()
        assert process.wait(PATIENCE) == 0
        assert time.monotonic() - ended < 20
    assert len(server.log().splitlines()) < 100
    assert "Traceback" not in server.log()


def test_what_cannot_be_exported_is_said_in_a_line(server: Server) -> None:
    place = ("--state-dir", str(server.folder), "--database", f"sqlite:///{server.folder}/netweft.db")
    words = ("server", "--listen", f"127.0.0.1:{free_port()}", *place)
    given = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    done = netweft(*words, **given)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "OTEL_EXPORTER_OTLP_PROTOCOL: spans are sent by http/protobuf; given: 'grpc'" in done.stderr
    done = netweft(*words, "--otlp-endpoint", "http://user:secret@127.0.0.1:4318")
    assert done.returncode != 0
    assert "--otlp-endpoint" in done.stderr


@pytest.mark.postgres
async def test_another_server_goes_on_with_the_trace(
    server: Server, tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    (tmp_path / "other").mkdir()
    collector, other = Collector(), Server(tmp_path / "other")
    with collector.listening() as url:
        server.start("--database", postgres_url, "--otlp-endpoint", url)
        try:
            monkeypatch.setenv("OTEL_SERVICE_NAME", "another")
            other.start("--database", postgres_url, "--otlp-endpoint", url)
            given = {"Authorization": f"Bearer {add_node(server, 'hv1')}"}
            feed = connect(f"{other.url.replace('http', 'ws')}{wire.FEED_PATH}", additional_headers=given)
            headers = {"x-auth-token": server.token(), "traceparent": PARENTS[0]}
            async with feed as node, httpx.AsyncClient(base_url=server.url, headers=headers, timeout=PATIENCE) as http:
                await node.send(wire.encode(wire.Subscribe(node="hv1", facts=NodeFacts())))
                await node.recv()
                made = await http.post("/v2.0/networks", json={"network": {}})
                wanted = {"network_id": made.json()["network"]["id"], "binding:host_id": "hv1"}
                port = await http.post("/v2.0/ports", json={"port": wanted})
                request, told = port.headers["x-openstack-request-id"], None
                while told is None:  # pytest's own timeout ends it
                    frame = await node.recv()
                    assert isinstance(frame, bytes)
                    message = wire.decode_downward(frame)
                    assert isinstance(message, wire.Delta)
                    told = next((cause for cause in message.causes if cause.request == request), None)
                await until(lambda: len(above(collector, told.span)) >= 4)
        finally:
            other.stop()
    found = above(collector, told.span)
    assert [(span.name, span.service) for span in found] == [
        ("send to node", "another"),
        ("feed", "another"),
        ("write transaction", "netweft-server"),
        ("POST /v2.0/ports", "netweft-server"),
    ]
    assert {span.trace for span in found} == {"a" * 32}


def above(collector: Collector, parent: str) -> list[Received]:
    """A span, what it is within, and so on, as far as they have come."""
    spans, found = {span.id: span for span in collector.spans}, []
    span = spans.get(parent.split("-")[2])
    while span is not None:
        found.append(span)
        span = spans.get(span.parent)
    return found
