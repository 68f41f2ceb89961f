"""The recorder of OpenTelemetry's SDK.  The only module that imports it."""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.trace import Span as SdkSpan

from netweft.spans.parents import Parent
from netweft.spans.recording import Attributes, Kind, Span

CLOSE_SECONDS: Final = 1.0
SELDOM_SECONDS: Final = 60.0
_KINDS: Final[Mapping[Kind, SpanKind]] = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}


class Seldom(logging.Handler):
    """What the SDK says of a collector that is away, which it tries again and again: once a minute by each module."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        now = time.monotonic()
        if now - self._said.get(record.name, -SELDOM_SECONDS) >= SELDOM_SECONDS:
            self._said[record.name] = now
            logging.getLogger().handle(record)


class SdkRecorder:
    def __init__(self, service: str, endpoint: str, attributes: Mapping[str, str]) -> None:
        theirs = logging.getLogger("opentelemetry")
        theirs.handlers, theirs.propagate = [Seldom()], False
        named = {} if os.environ.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: service}
        resource = Resource.create({**attributes, **named})
        exporter = OTLPSpanExporter(endpoint=endpoint)
        processor = BatchSpanProcessor(exporter)
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        provider.add_span_processor(processor)
        self._shutdown: Callable[[], None] = processor.shutdown
        self._give_up: Callable[[], None] = exporter.shutdown
        self._tracer = provider.get_tracer("netweft")

    def begin(
        self, name: str, parent: Parent | None, kind: Kind, attributes: Attributes, at: int | None
    ) -> Span | None:
        within = Context() if parent is None else _context(parent)
        span = self._tracer.start_span(name, within, _KINDS[kind], attributes, start_time=at)
        return _Recorded(span) if span.is_recording() else None

    def close(self) -> None:
        """The processor itself waits longer for a collector that hangs, and asks one that is away again and again for
        half a minute; its threads do not keep the process."""
        closing = threading.Thread(target=self._shutdown, daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)
        if closing.is_alive():
            self._give_up()


def _context(parent: Parent) -> Context:
    flags = TraceFlags(TraceFlags.SAMPLED if parent.sampled else TraceFlags.DEFAULT)
    remote = SpanContext(parent.trace_id, parent.span_id, is_remote=True, trace_flags=flags)
    return set_span_in_context(NonRecordingSpan(remote), Context())


class _Recorded:
    def __init__(self, span: SdkSpan) -> None:
        self._span = span
        context = span.get_span_context()
        self.as_parent = Parent(context.trace_id, context.span_id, bool(context.trace_flags & TraceFlags.SAMPLED))

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def set(self, attributes: Attributes) -> None:
        self._span.set_attributes(attributes)

    def end(self, *, at: int | None = None, problem: str | None = None) -> None:
        if self._span.is_recording():
            if problem is not None:
                self._span.set_status(Status(StatusCode.ERROR, problem))
            self._span.end(at)
