"""Why the agent does what it does: the requests that it works for, for its log, and their spans.

    from when a change came until all of it is in place      `apply on node`, with a span for each turn that it took
    from when a port came until it is reported ACTIVE        `wire port`; how long nobody plugs it in is part of it,
                                                             and the turn after that

Knows no flow and no row.  What nobody traces costs a look at an empty list.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import structlog

from netweft.agent.sync import Changes
from netweft.model import NodeView, PortState, PortStatus
from netweft.spans import recording
from netweft.spans.parents import parsed
from netweft.spans.recording import Span
from netweft.wire.causes import MOST_CAUSES, Cause, is_sound

MOST_PORTS: Final = 1024  # that are waited for


class _Pending(NamedTuple):
    request: str
    span: Span | None

    @property
    def trace_id(self) -> str:
        return f"{self.span.as_parent.trace_id:032x}" if self.span else ""


class _Phase(NamedTuple):
    name: str
    began: int
    ended: int


class Causes:
    def __init__(self, node: str) -> None:
        self._node = node
        self._new: list[_Pending] = []  # and not looked at by a turn yet
        self._at_work: list[_Pending] = []
        self._ports: dict[str, Span] = {}
        self._turn_began = self._phase_began = 0
        self._phases: list[_Phase] = []

    # what comes

    def see(self, before: NodeView, changes: Changes) -> None:
        for id in [id for kind, id in changes.deletes if kind == "port" and id in self._ports]:
            self._ports.pop(id).end(problem="taken away")
        came = {id for kind, id in changes.upserts if kind == "port" and id not in before.ports}
        for cause in changes.causes[:MOST_CAUSES]:
            if not is_sound(cause):
                continue
            span = self._begin(cause)
            self._new.append(_Pending(cause.request, span))
            for id in came.intersection(cause.ids) if span is not None else ():
                self._wait_for(id, span)
        for given_up in self._new[:-MOST_CAUSES]:
            _end(given_up, "too many at once")
        del self._new[:-MOST_CAUSES]

    def _begin(self, cause: Cause) -> Span | None:
        parent = parsed(cause.span)
        if parent is None:
            return None
        return recording.begin("apply on node", parent, {"netweft.node": self._node}, kind="consumer")

    def _wait_for(self, port_id: str, span: Span | None) -> None:
        wiring = recording.begin("wire port", span.as_parent, {"netweft.port_id": port_id}) if span else None
        if wiring is not None:
            self._ports[port_id] = wiring
        if len(self._ports) > MOST_PORTS:
            self._ports.pop(next(iter(self._ports))).end(problem="too many at once")

    # a turn

    def begin_turn(self) -> None:
        """What came until now is what it works for."""
        self._at_work += self._new
        self._new = []
        for given_up in self._at_work[:-MOST_CAUSES]:
            _end(given_up, "too many at once")
        del self._at_work[:-MOST_CAUSES]
        self._turn_began = self._phase_began = recording.now()
        self._phases = []
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(**self._said())  # what is logged from here on, until the next

    def done(self, phase: str) -> None:
        """All since the one before, or since the turn began."""
        ended = recording.now()
        self._phases.append(_Phase(phase, self._phase_began, ended))
        self._phase_began = ended

    def end_turn(self, problem: str | None, *, in_place: bool) -> None:
        """problem: None: nobody knows."""
        kept = []
        for pending in self._at_work:
            if pending.span is not None:
                self._record_turn(pending.span, problem)
            if in_place:
                _end(pending)
            else:
                kept.append(pending)
        self._at_work = kept

    def _record_turn(self, within: Span, problem: str | None) -> None:
        turn = recording.begin("turn", within.as_parent, at=self._turn_began)
        if turn is None:
            return
        for name, began, ended in self._phases:
            if (phase := recording.begin(name, turn.as_parent, at=began)) is not None:
                phase.end(at=ended)
        turn.end(at=self._phase_began, problem=None if problem == "" else "not in place")

    # what is told

    def told(self, statuses: Iterable[PortStatus]) -> Mapping[str, Cause]:
        """Of the ports that are up now and were waited for, by id."""
        causes: dict[str, Cause] = {}
        traces = {pending.span.as_parent.trace_id for pending in self._at_work if pending.span}
        for status in statuses:
            if status.state is PortState.UP and (span := self._ports.pop(status.port_id, None)):
                if span.as_parent.trace_id not in traces:  # it was plugged in when all else was done
                    self._record_turn(span, "")
                span.end()
                causes[status.port_id] = Cause(span=str(span.as_parent))
        return causes

    def _said(self) -> dict[str, str]:
        """What this turn works for."""
        requests = dict.fromkeys(one.request for one in self._at_work if one.request)
        traces = dict.fromkeys(one.trace_id for one in self._at_work if one.span)
        found = {"request_id": ",".join(requests), "trace_id": ",".join(traces)}
        return {name: text for name, text in found.items() if text}


def _end(pending: _Pending, problem: str | None = None) -> None:
    if pending.span is not None:
        pending.span.end(problem=problem)
