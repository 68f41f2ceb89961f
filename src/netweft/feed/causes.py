"""Why a node is sent something: from the change log to the messages, and the spans of that way.

A request's change is a span of the feed; each node that it is sent to has a span below it, which ends when the message
is with the node's connection.  What reaches a node together has all its causes in one message.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from netweft.feed.interest import Update
from netweft.model import PortStatus
from netweft.spans import recording
from netweft.spans.parents import parsed
from netweft.spans.recording import Span
from netweft.store.changelog import Change
from netweft.wire.causes import MOST_CAUSES, MOST_IDS, Cause, is_sound

MOST_WAITING: Final = 1024  # of a node's ports, to be written


class Delivery:
    """Of one cause to one node."""

    def __init__(self, cause: Cause, span: Span | None) -> None:
        self.cause, self._span = cause, span

    def done(self, problem: str | None = None) -> None:
        if self._span is not None:
            self._span.end(problem=problem)


class Causes:
    """Of the changes of one step of the feed, by the ids of the objects that they name."""

    def __init__(self) -> None:
        self._began = recording.now() if recording.is_on() else 0
        self._ids: defaultdict[tuple[str, str, int], set[str]] = defaultdict(set)  # request, span, revision

    def add(self, changes: Iterable[Change]) -> None:
        for change in changes:
            if change.request or change.span:
                self._ids[change.request or "", change.span or "", change.revision].add(change.id)

    def deliveries(self, updates: Mapping[str, Update]) -> dict[str, list[Delivery]]:
        """By node: why it is sent this."""
        by_node: dict[str, list[Delivery]] = {}
        if not self._ids:
            return by_node
        told = {node: {id for _, id in update} for node, update in updates.items() if update}
        for (request, span, revision), ids in self._ids.items():
            nodes = {node: found for node, named in told.items() if (found := ids & named)}
            feed = self._span(span, revision, len(nodes))
            for node, found in nodes.items():
                deliveries = by_node.setdefault(node, [])
                if len(deliveries) < MOST_CAUSES:
                    deliveries.append(_delivery(request, feed, node, found))
            if feed is not None:
                feed.end()
        return by_node

    def _span(self, parent: str, revision: int, nodes: int) -> Span | None:
        if not parent or not recording.is_on():
            return None
        said = {"netweft.revision": revision, "netweft.nodes": nodes}
        return recording.begin("feed", parsed(parent), said, at=self._began or None)


def _delivery(request: str, feed: Span | None, node: str, ids: set[str]) -> Delivery:
    if feed is None:
        return Delivery(Cause(request=request), None)
    span = recording.begin("send to node", feed.as_parent, {"netweft.node": node}, kind="producer")
    parent = str(span.as_parent) if span is not None else ""
    return Delivery(Cause(request=request, span=parent, ids=tuple(sorted(ids)[:MOST_IDS])), span)


class ReportedSpans:
    """Of what a node reports, until that is written: the last spans of what a request began."""

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}  # by port

    def add(self, causes: Mapping[str, Cause]) -> None:
        if recording.is_on() and len(causes) <= MOST_CAUSES and len(self._parents) < MOST_WAITING:
            self._parents.update({id: cause.span for id, cause in causes.items() if is_sound(cause)})

    @contextmanager
    def writing(self, statuses: Iterable[PortStatus]) -> Iterator[None]:
        """For as long as these are."""
        parents = self._parents
        if not parents:
            yield
            return
        self._parents = {}
        spans = [span for status in statuses if (span := _status_span(status, parents.get(status.port_id, "")))]
        try:
            yield
        finally:
            for span in spans:
                span.end()


def _status_span(status: PortStatus, parent: str) -> Span | None:
    within = parsed(parent)
    if within is None:
        return None
    said = {"netweft.port_id": status.port_id, "netweft.state": status.state.name}
    return recording.begin("write port status", within, said, kind="consumer")
