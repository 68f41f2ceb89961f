"""A request's span, which begins once it is known who asks: before that nobody's `traceparent` is looked at.

So who has no token makes the server record nothing, and gets no say in what others see of it.
"""

from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any

import structlog

from netweft.spans import recording
from netweft.spans.parents import Parent, parsed
from netweft.spans.recording import Attributes, Span

TRACE_ID = "trace_id"  # in the log


class Arrived:
    def __init__(self, method: str, parents: list[bytes]) -> None:
        self._method = method
        self._parents = parents
        self._at = recording.now()
        self.span: Span | None = None

    def let_in(self, attributes: Attributes) -> None:
        if self.span is not None:
            return  # whoever asks for it twice
        self.span = recording.begin(self._method, self._parent(), attributes, kind="server", at=self._at)
        if self.span is not None:
            recording.current.set(self.span)
            structlog.contextvars.bind_contextvars(**{TRACE_ID: f"{self.span.as_parent.trace_id:032x}"})

    def answered(self, route: str, status: int, request_id: str) -> None:
        """route: the path's template.  status: 0: there was nobody to answer."""
        if self.span is not None:
            self.span.rename(f"{self._method} {route}")
            self.span.set({"http.route": route, "netweft.request_id": request_id})
            if status:
                self.span.set({"http.response.status_code": status})
            self.span.end(problem=str(status) if status >= 500 else None)

    def _parent(self) -> Parent | None:
        """Of several headers none is meant."""
        return parsed(self._parents[0].decode("latin-1")) if len(self._parents) == 1 else None


_arrived: ContextVar[Arrived | None] = ContextVar("arrived", default=None)


def arrived(method: str, headers: Iterable[tuple[bytes, bytes]]) -> Arrived | None:
    """A request begins.  None where spans are off."""
    outside()
    if not recording.is_on():
        return None
    one = Arrived(method, [value for name, value in headers if name == b"traceparent"])
    _arrived.set(one)
    return one


def outside() -> None:
    """What begins here begins in no span: its task may have been made in what was set for another one."""
    if recording.current.get() is not None:
        recording.current.set(None)
        structlog.contextvars.unbind_contextvars(TRACE_ID)


def let_in(**attributes: Any) -> None:
    """It is known who asks.  What is None is left out."""
    one = _arrived.get()
    if one is not None:
        given = {f"netweft.{name}": value for name, value in attributes.items() if value is not None}
        one.let_in({"http.request.method": one._method, **given})
