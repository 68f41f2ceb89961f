"""Spans to a collector by OTLP over HTTP, with OpenTelemetry's SDK, whose environment variables hold (`OTEL_*`).

    with exporting("netweft-server", settings.otlp_endpoint): ...

The SDK is imported only where spans are on.  What waits for the collector is bounded (OTEL_BSP_MAX_QUEUE_SIZE, 2,048
spans) and sent by a thread of its own: one that hangs or is not there costs the oldest of these spans, nothing else.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Final
from urllib.parse import urlsplit

from netweft.spans import recording

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
PATH: Final = "/v1/traces"
PACKAGE: Final = "opentelemetry.exporter.otlp.proto.http"
MISSING: Final = "otlp_endpoint: OpenTelemetry's packages are missing: pip install 'netweft[otel]'"


class SpansError(Exception):
    """Spans cannot be exported as they are to be; one sentence."""


def endpoint(setting: str, environ: Mapping[str, str] = os.environ) -> str:
    """Where spans go, as OpenTelemetry reads its variables; empty: nowhere.  Raises SpansError."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or environ.get("OTEL_TRACES_EXPORTER") == "none":
        return ""
    of_traces, of_all = (environ.get(name, "") for name in ENDPOINTS)
    found = _with_path(setting) if setting else of_traces or (of_all and f"{of_all.rstrip('/')}{PATH}")
    if not found:
        return ""
    for name in PROTOCOLS:
        if environ.get(name, "http/protobuf") != "http/protobuf":
            raise SpansError(f"environment: {name}: spans are sent by http/protobuf; given: {environ[name]!r}")
    if urlsplit(found).scheme not in ("http", "https") or not urlsplit(found).netloc:
        raise SpansError(f"environment: {ENDPOINTS[0] if of_traces else ENDPOINTS[1]}: expected http://HOST:PORT")
    return found


def problem(setting: str) -> str:
    """Why spans could not be exported, as long as nobody does."""
    try:
        where = endpoint(setting)
    except SpansError as error:
        return str(error)
    return "" if not where or _is_there() else MISSING


def _is_there() -> bool:
    try:
        return find_spec(PACKAGE) is not None
    except ModuleNotFoundError:  # nor what it would be in
        return False


def _with_path(base: str) -> str:
    return base if urlsplit(base).path.strip("/") else f"{base.rstrip('/')}{PATH}"


@contextmanager
def exporting(service: str, setting: str, attributes: Mapping[str, str] | None = None) -> Iterator[None]:
    """For as long as the block.  service: its name, unless OTEL_SERVICE_NAME has another.  attributes: of its
    resource.  Raises SpansError."""
    where = endpoint(setting)
    if not where:
        yield
        return
    try:
        from netweft.spans.sdk import SdkRecorder  # large, and not everywhere
    except ImportError:
        raise SpansError(MISSING) from None
    recorder = SdkRecorder(service, where, attributes or {})
    recording.record_by(recorder)
    try:
        yield
    finally:
        recording.record_by(None)
        recorder.close()
