"""Spans, as those use them who do something worth one.

    with child("write transaction"): ...        within the span of this task or thread, if there is one
    span = begin("apply", parent, ...)          None: nobody records it; else whoever began it ends it

Attributes are ids, counts and words of ours: nothing that a tenant wrote, and no secret.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Final, Literal, Protocol, TypeAlias

from netweft.spans.parents import Parent

Value: TypeAlias = str | int | bool
Attributes: TypeAlias = Mapping[str, Value]
Kind: TypeAlias = Literal["internal", "server", "client", "producer", "consumer"]


class Span(Protocol):
    @property
    def as_parent(self) -> Parent: ...

    def rename(self, name: str) -> None: ...

    def set(self, attributes: Attributes) -> None: ...

    def end(self, *, at: int | None = None, problem: str | None = None) -> None:
        """at: nanoseconds since 1970.  problem: it failed by this; nothing happens when it was ended before."""


class Recorder(Protocol):
    def begin(
        self, name: str, parent: Parent | None, kind: Kind, attributes: Attributes, at: int | None
    ) -> Span | None:
        """None: it is not one of those that are recorded."""

    def close(self) -> None:
        """Within a second, whether or not all of it is delivered."""


current: ContextVar[Span | None] = ContextVar("span", default=None)  # that this task or thread works in
_NOTHING: Final[AbstractContextManager[None]] = nullcontext()
_recorder: Recorder | None = None


def record_by(recorder: Recorder | None) -> None:
    """From now on, in this process.  None: spans are off."""
    global _recorder
    _recorder = recorder


def is_on() -> bool:
    return _recorder is not None


def now() -> int:
    """As spans are told when they began, and ended."""
    return time.time_ns()


def begin(
    name: str,
    parent: Parent | None,
    attributes: Attributes | None = None,
    *,
    kind: Kind = "internal",
    at: int | None = None,
) -> Span | None:
    """parent: None begins a trace.  at: when, if not now."""
    return None if _recorder is None else _recorder.begin(name, parent, kind, attributes or {}, at)


def child(name: str, attributes: Attributes | None = None) -> AbstractContextManager[Span | None]:
    """Nothing happens, and costs anything, where this task or thread works in no span."""
    within = current.get()
    return _NOTHING if within is None else _within(name, within, attributes)


@contextmanager
def _within(name: str, parent: Span, attributes: Attributes | None) -> Iterator[Span | None]:
    span = begin(name, parent.as_parent, attributes)
    before = current.set(span)
    try:
        yield span
    except BaseException as error:
        if span is not None:
            span.end(problem=type(error).__name__)
        raise
    finally:
        current.reset(before)
        if span is not None:
            span.end()
