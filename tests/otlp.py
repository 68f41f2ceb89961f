"""A collector of OpenTelemetry's spans by OTLP over HTTP, on loopback: what it was sent is kept."""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pyroute2 import netns


class Received(NamedTuple):
    service: str
    name: str
    trace: str
    id: str
    parent: str
    began: int
    ended: int
    attributes: dict[str, Any]
    failed: bool


class Collector:
    """hangs: it takes what comes and answers nothing."""

    def __init__(self, *, hangs: bool = False) -> None:
        self.hangs = hangs
        self.paths: set[str] = set()
        self._spans: list[Received] = []
        self._lock = threading.Lock()
        self.ending = threading.Event()

    @property
    def spans(self) -> Sequence[Received]:
        with self._lock:
            return tuple(self._spans)

    def take(self, path: str, body: bytes) -> None:
        told = ExportTraceServiceRequest.FromString(body)
        found = [
            _received(str(_attributes(resource.resource.attributes).get("service.name")), span)
            for resource in told.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        with self._lock:
            self.paths.add(path)
            self._spans += found

    @contextmanager
    def listening(self, namespace: str = "") -> Iterator[str]:
        """Its address.  namespace: of the network, in which it is this one."""
        server = _Server(("127.0.0.1", 0), _handler(self), bind_and_activate=False)
        server.socket.close()
        server.socket = _socket(namespace)
        server.server_bind()
        server.server_activate()
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            self.ending.set()
            server.shutdown()
            server.server_close()
            thread.join()


class _Server(ThreadingMixIn, TCPServer):
    daemon_threads = True
    block_on_close = False


def _handler(collector: Collector) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if collector.hangs:
                collector.ending.wait()
                return
            collector.take(self.path, body)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None: ...

    return Handler


def _socket(namespace: str) -> socket.socket:
    """A thread that has gone to another namespace does not come back."""
    made: list[socket.socket] = []

    def make() -> None:
        if namespace:
            netns.setns(namespace)
        made.append(socket.socket())

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return made[0]


def _received(service: str, span: Any) -> Received:
    return Received(
        service,
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        _attributes(span.attributes),
        span.status.code == span.status.STATUS_CODE_ERROR,
    )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value") for pair in pairs}
