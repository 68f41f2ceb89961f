"""Where spans go, and that nothing is disturbed by what becomes of them there."""

import logging
import sys
import threading
import time
from collections.abc import Iterator, Mapping

import pytest
from tests.otlp import Collector
from tests.waiting import PATIENCE, until

from netweft.spans import exporting as module
from netweft.spans import recording
from netweft.spans.exporting import SpansError, endpoint, exporting, problem

NAMES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL")
ALL, TRACES, PROTOCOL = NAMES


@pytest.fixture(autouse=True)
def _nobodys_variables(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in (*NAMES, "OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_SERVICE_NAME"):
        monkeypatch.delenv(name, raising=False)
    yield
    assert not recording.is_on()
    for thread in threading.enumerate():
        if thread.name.startswith("Otel"):  # it draws from `random`, which hypothesis takes for the next test's doing
            thread.join(PATIENCE)
            assert not thread.is_alive()


@pytest.mark.parametrize(
    ("setting", "environ", "found"),
    [
        ("", {}, ""),
        ("http://c:4318", {}, "http://c:4318/v1/traces"),
        ("http://c:4318/", {}, "http://c:4318/v1/traces"),
        ("https://c/own/path", {}, "https://c/own/path"),
        ("", {ALL: "http://c:4318/"}, "http://c:4318/v1/traces"),
        ("", {ALL: "http://c:4318", TRACES: "http://t/x"}, "http://t/x"),
        ("http://s", {ALL: "http://c:4318"}, "http://s/v1/traces"),
        ("http://s", {"OTEL_SDK_DISABLED": "true"}, ""),
        ("http://s", {"OTEL_TRACES_EXPORTER": "none"}, ""),
    ],
)
def test_where_they_go(setting: str, environ: Mapping[str, str], found: str) -> None:
    assert endpoint(setting, environ) == found


@pytest.mark.parametrize("environ", [{PROTOCOL: "grpc", ALL: "http://c:4317"}, {ALL: "c:4318"}, {TRACES: "ftp://c"}])
def test_what_cannot_be_is_said_by_the_variables_name(environ: Mapping[str, str]) -> None:
    with pytest.raises(SpansError, match=next(iter(environ))):
        endpoint("", environ)


def test_without_the_package_a_start_says_so_and_doctor_before(monkeypatch: pytest.MonkeyPatch) -> None:
    assert problem("http://127.0.0.1:9") == ""
    monkeypatch.setenv(PROTOCOL, "grpc")
    assert PROTOCOL in problem("http://127.0.0.1:9")
    monkeypatch.delenv(PROTOCOL)
    monkeypatch.setattr(module, "PACKAGE", "no_such_package.exporter")
    assert "netweft[otel]" in problem("http://127.0.0.1:9")
    assert problem("") == ""
    monkeypatch.setitem(sys.modules, "netweft.spans.sdk", None)
    with pytest.raises(SpansError, match=r"netweft\[otel\]"), exporting("x", "http://127.0.0.1:9"):
        pass


async def test_spans_arrive_with_their_parents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=lab")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")  # ms; else they wait for 5 s
    collector = Collector()
    with collector.listening() as url, exporting("netweft-test", url):
        above = recording.begin("above", None, {"n": 1}, kind="server", at=5)
        assert above is not None
        token = recording.current.set(above)
        with pytest.raises(KeyError), recording.child("below"):
            raise KeyError("a secret")
        recording.current.reset(token)
        above.end(at=9)
        above.end(problem="twice")
        await until(lambda: len(collector.spans) == 2)
    found = {span.name: span for span in collector.spans}
    assert found["below"].parent == found["above"].id
    assert found["below"].trace == found["above"].trace
    assert (found["below"].failed, found["above"].failed) == (True, False)
    assert found["above"][5:8] == (5, 9, {"n": 1})
    assert found["above"].service == "netweft-test"


@pytest.mark.parametrize("variable", ["always_off", "parentbased_always_off"])
def test_the_environments_sampler_holds(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", variable)
    with exporting("x", "http://127.0.0.1:9"):
        assert recording.begin("a", None) is None


def test_a_collector_that_hangs_costs_its_spans_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue is bounded; who ends a span does not wait, nor who ends the process for longer than a second."""
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "600")
    with Collector(hangs=True).listening() as url:
        with exporting("x", url):
            longest = 0.0
            for _ in range(3000):
                started = time.thread_time()
                span = recording.begin("a", None)
                assert span is not None
                span.end()
                longest = max(longest, time.thread_time() - started)
            assert longest < 0.5
            closing = time.monotonic()
        assert time.monotonic() - closing < 20


def test_of_a_collector_that_is_away_is_said_little(caplog: pytest.LogCaptureFixture) -> None:
    with exporting("x", "http://127.0.0.1:9"):
        for name in ("opentelemetry.exporter.x", "opentelemetry.sdk.x"):
            for at in range(100):
                logging.getLogger(name).warning("Transient error %s", at)
    said = [(record.name, record.getMessage()) for record in caplog.records if record.name.endswith(".x")]
    assert said == [(f"opentelemetry.{name}.x", "Transient error 0") for name in ("exporter", "sdk")]
