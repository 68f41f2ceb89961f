"""A recorder of spans that keeps them: `with recorded() as spans:`."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from netweft.spans import recording
from netweft.spans.parents import Parent
from netweft.spans.recording import Attributes, Kind


class KeptSpan:
    def __init__(
        self, name: str, parent: Parent | None, kind: Kind, attributes: Attributes, began: int, number: int
    ) -> None:
        self.name, self.parent, self.kind, self.began = name, parent, kind, began
        self.attributes: dict[str, Any] = dict(attributes)
        self.as_parent = Parent(parent.trace_id if parent else number, number, True)
        self.ended: int | None = None
        self.problem: str | None = None

    def rename(self, name: str) -> None:
        self.name = name

    def set(self, attributes: Attributes) -> None:
        self.attributes.update(attributes)

    def end(self, *, at: int | None = None, problem: str | None = None) -> None:
        if self.ended is None:
            self.ended, self.problem = at or recording.now(), problem


class KeepingRecorder:
    """Records what has no parent, and what has one that is sampled, as OpenTelemetry does by default."""

    def __init__(self) -> None:
        self.spans: list[KeptSpan] = []
        self._numbers = count(1)

    def begin(
        self, name: str, parent: Parent | None, kind: Kind, attributes: Attributes, at: int | None
    ) -> KeptSpan | None:
        if parent is not None and not parent.sampled:
            return None
        span = KeptSpan(name, parent, kind, attributes, at or recording.now(), next(self._numbers))
        self.spans.append(span)
        return span

    def named(self, name: str) -> list[KeptSpan]:
        return [span for span in self.spans if span.name == name]

    def close(self) -> None: ...


@contextmanager
def recorded() -> Iterator[KeepingRecorder]:
    recorder = KeepingRecorder()
    recording.record_by(recorder)
    try:
        yield recorder
    finally:
        recording.record_by(None)
