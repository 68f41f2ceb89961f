"""A server whose collector of spans hangs, or is not there, serves as if there were none."""

import signal
import time

import httpx
from tests.api.process.conftest import Server, free_port
from tests.api.process.test_process import netweft
from tests.otlp import Collector
from tests.waiting import PATIENCE

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
        assert time.monotonic() - ended < 10
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
