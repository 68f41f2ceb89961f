"""Who needs what: the whole of it, as data.

A *topic* is something a node may follow: the ports of a host, what belongs to a network, ...  Each rule says that rows
of one kind stand in a topic, which object they give there, and to which further topics they lead whoever follows it:

    host(hv1) ── port ──▶ network(N) ── bound port ──▶ endpoint(hv2)
        gives Port           gives Network,               gives Node
                             Subnet, Peer

A node starts at its own `host` topic and follows all topics that it can reach.  A new kind of object is one more rule
(or a few); what follows from it for loading, snapshots, deltas and their routing is worked out in `interest`.

One law: an object's key comes from one topic only at a time, so that leaving the topic takes the object away.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

import structlog

from netweft.feed import objects
from netweft.feed.objects import Row
from netweft.model import Object

RowKey: TypeAlias = tuple[str, str]  # kind and id, in the store's words

log = structlog.get_logger(__name__)


class Topic(NamedTuple):
    name: str
    id: str


@dataclass(frozen=True, slots=True)
class Rule:
    """Rows of `kind` stand in the topic that their attribute `by` names (none if it is empty).

    gives: the object, or None if this row has none to give; it then leads nowhere either.
    leads: (topic, the attribute that has its id).
    not_for: the attribute that names a node which does not need this object, because it has a better one.
    """

    topic: str
    kind: str
    by: str
    gives: Callable[[Row], Object | None]
    leads: Sequence[tuple[str, str]] = ()
    not_for: str = ""


RULES = (
    Rule("host", "ports", by="binding:host_id", gives=objects.port, leads=[("network", "network_id")]),
    Rule("network", "networks", by="id", gives=objects.network),
    Rule("network", "subnets", by="network_id", gives=objects.subnet),
    Rule(
        "network",
        "ports",
        by="network_id",
        gives=objects.peer,
        leads=[("endpoint", "binding:host_id")],
        not_for="binding:host_id",
    ),
    Rule("endpoint", "agents", by="host", gives=objects.node, not_for="host"),
)


class Entry(NamedTuple):
    """A row's part in one topic."""

    topic: Topic
    object: Object
    leads: tuple[Topic, ...]
    not_for: str


class Reader(Protocol):
    """What is asked of the store: rows of a kind whose attribute has any of these values, in one snapshot."""

    def find(self, kind: str, by: str, values: Iterable[str]) -> Iterable[Row]: ...


class Rules:
    """The rules, looked up the two ways they are needed."""

    def __init__(self, rules: Sequence[Rule] = RULES) -> None:
        self._by_kind: dict[str, list[Rule]] = {}
        self._by_topic: dict[str, list[Rule]] = {}
        for rule in rules:
            self._by_kind.setdefault(rule.kind, []).append(rule)
            self._by_topic.setdefault(rule.topic, []).append(rule)

    def concerns(self, kind: str) -> bool:
        return kind in self._by_kind

    def entries(self, kind: str, row: Row) -> Iterator[Entry]:
        """A row that makes no sense is left out and logged: it must not cost others their feed."""
        for rule in self._by_kind[kind]:
            id = row.get(rule.by)
            if not id:
                continue
            try:
                given = rule.gives(row)
            except (KeyError, TypeError, ValueError) as error:  # msgspec's errors are ValueErrors
                log.error("row left out of the feed", kind=kind, id=row.get("id"), problem=repr(error))
                continue
            if given is not None:
                leads = tuple(Topic(name, row[attribute]) for name, attribute in rule.leads)
                yield Entry(Topic(rule.topic, id), given, leads, row[rule.not_for] if rule.not_for else "")

    def load(self, reader: Reader, topics: Iterable[Topic]) -> Mapping[RowKey, Row]:
        """All rows of these topics, with as few questions as there are rules."""
        ids: dict[str, list[str]] = {}
        for topic in topics:
            ids.setdefault(topic.name, []).append(topic.id)
        return {
            (rule.kind, row["id"]): row
            for name, wanted in ids.items()
            for rule in self._by_topic[name]
            for row in reader.find(rule.kind, rule.by, wanted)
        }
