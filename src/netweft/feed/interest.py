"""Which node follows which topics, and what a change means to each: incremental, in memory, no clock, no threads.

Each row of a followed topic is held once, rendered, however many nodes follow it.  A change costs as much as the nodes
that follow its topics.  A way that appears between two topics leads on from there; only when one vanishes are the
topics (not the rows) of the nodes concerned walked through again.

    rows ─▶ entries ─▶ topics ─▶ followers          ways: topic ─▶ topic, counted by the rows that lead there
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from netweft.feed.objects import Row
from netweft.feed.relevance import RULES, Entry, Reader, RowKey, Rule, Rules, Topic
from netweft.model import Key, Object, key_of

_WAY: Key = ("way", "")  # type: ignore[assignment]
ROOT = "host"  # the topic a node starts from
Update: TypeAlias = dict[Key, Object | None]  # None: gone
Updates: TypeAlias = dict[str, Update]  # by node


@dataclass(slots=True)
class _Loaded:
    """A topic that is kept up to date because somebody follows it."""

    entries: dict[tuple[RowKey, Key], Entry] = field(default_factory=dict)
    ways: Counter[Topic] = field(default_factory=Counter)
    followers: set[str] = field(default_factory=set)


class Restless:
    """Nodes that may have to follow other topics now.  To which ways from what they follow have only appeared; None:
    some have vanished, so all is walked through again."""

    def __init__(self, nodes: "Mapping[str, set[Topic] | None]" = MappingProxyType({})) -> None:
        self.nodes: dict[str, set[Topic] | None] = dict(nodes)

    def add(self, other: "Restless") -> None:
        for node, gained in other.nodes.items():
            before = self.nodes.get(node, set())
            self.nodes[node] = None if gained is None or before is None else before | gained


class Interest:
    """`reader` arguments: each call sees one snapshot, and no call sees an older one than the call before."""

    def __init__(self, rules: Iterable[Rule] = RULES) -> None:
        self._rules = Rules(tuple(rules))
        self._topics: dict[Topic, _Loaded] = {}
        self._rows: dict[RowKey, dict[tuple[Topic, Key], Entry]] = {}
        self._follows: dict[str, set[Topic]] = {}

    def advance(self, reader: Reader, changed: Iterable[RowKey]) -> Updates:
        """What these changes mean to the nodes that follow."""
        ids: dict[str, set[str]] = {}
        for kind, id in changed:
            if self._rules.concerns(kind):
                ids.setdefault(kind, set()).add(id)
        updates: Updates = {}
        restless = Restless()
        for kind, wanted in ids.items() if self._topics else ():
            rows = {row["id"]: row for row in reader.find(kind, "id", wanted)}
            for id in wanted:
                restless.add(self._put((kind, id), rows.get(id), updates))
        self._settle(reader, restless, updates)
        return updates

    def follow(self, reader: Reader, nodes: Iterable[str]) -> Updates:
        """The whole view of each node; and, where the snapshot is ahead of the changes, what it means to others."""
        wanted = set(nodes)
        updates: Updates = {}
        fresh = {node for node in wanted if node not in self._follows}
        self._follows.update((node, set()) for node in fresh)
        self._settle(reader, Restless(dict.fromkeys(fresh)), updates)
        return updates | {node: dict(self.view(node)) for node in wanted}

    def unfollow(self, node: str) -> None:
        topics = self._follows.pop(node, set())
        for topic in topics:
            self._topics[topic].followers.discard(node)
        self._unload(topics)

    def view(self, node: str) -> Mapping[Key, Object]:
        return {key: object for topic in self._follows[node] for key, object in self._told(topic, node)}

    def _told(self, topic: Topic, node: str) -> Iterator[tuple[Key, Object]]:
        for (_, key), entry in self._topics[topic].entries.items():
            if entry.object is not None and entry.not_for != node:
                yield key, entry.object

    def followers(self, topic: Topic) -> frozenset[str]:
        """Also from another thread."""
        loaded = self._topics.get(topic)
        return frozenset(loaded.followers) if loaded else frozenset()

    def tells(self, node: str, row: RowKey) -> bool:
        """Whether the node follows a topic that this row stands in."""
        return any(node in self._topics[topic].followers for topic, _ in self._rows.get(row, ()))

    # -- rows

    def _put(self, row_key: RowKey, row: Row | None, updates: Updates) -> "Restless":
        """Returns the nodes that may have to follow other topics now."""
        before = self._rows.pop(row_key, {})
        after = {
            (entry.topic, _key(entry)): entry
            for entry in (self._rules.entries(row_key[0], row, self._topics) if row else ())
        }
        if after:
            self._rows[row_key] = after
        turned: Counter[tuple[Topic, Topic]] = Counter()
        for place, entry in before.items():
            if (now := after.get(place)) != entry:
                self._take_out(row_key, entry, updates)
                turned.subtract((entry.topic, target) for target in _besides(entry, now))
        for place, entry in after.items():
            if (was := before.get(place)) != entry:
                self._put_in(row_key, entry, updates)
                turned.update((entry.topic, target) for target in _besides(entry, was))
        return self._turn(turned)

    def _take_out(self, row_key: RowKey, entry: Entry, updates: Updates) -> None:
        topic = self._topics[entry.topic]
        key = _key(entry)
        del topic.entries[row_key, key]
        for node in topic.followers if entry.object is not None else ():
            if node != entry.not_for:
                updates.setdefault(node, {})[key] = None

    def _put_in(self, row_key: RowKey, entry: Entry, updates: Updates) -> None:
        topic = self._topics[entry.topic]
        key = _key(entry)
        topic.entries[row_key, key] = entry
        for node in topic.followers if entry.object is not None else ():
            if node != entry.not_for:
                updates.setdefault(node, {})[key] = entry.object

    def _turn(self, turned: Counter[tuple[Topic, Topic]]) -> "Restless":
        """Count the ways; the followers of a topic from which one appeared or vanished."""
        restless = Restless()
        for (source, target), difference in turned.items():
            if not difference:
                continue
            topic = self._topics[source]
            was_there = target in topic.ways
            topic.ways[target] += difference
            if not topic.ways[target]:
                del topic.ways[target]
            if was_there != (target in topic.ways):
                restless.add(Restless({node: None if was_there else {target} for node in topic.followers}))
        return restless

    # -- topics

    def _settle(self, reader: Reader, restless: "Restless", updates: Updates) -> None:
        """Load what is reached and not there yet, level by level; then let each node follow just what it reaches."""
        loaded: set[Topic] = set()
        while True:
            reached = {node: self._reach(node, gained) for node, gained in restless.nodes.items()}
            missing = {topic for topics in reached.values() for topic in topics if topic not in self._topics}
            if not missing:
                break
            loaded |= missing
            restless.add(self._load(reader, missing, updates))
        left: set[Topic] = set()
        for node, topics in reached.items():
            is_all = restless.nodes[node] is None
            left |= self._follow_just(node, topics, updates) if is_all else self._follow_more(node, topics, updates)
        self._unload(left | loaded)

    def _reach(self, node: str, gained: set[Topic] | None) -> set[Topic]:
        """All that it reaches; or, where it has only gained ways to these, what it reaches besides what it follows."""
        follows = set() if gained is None else self._follows[node]
        reached = {Topic(ROOT, node)} if gained is None else gained - follows
        ahead = list(reached)
        while ahead:
            topic = self._topics.get(ahead.pop())
            new = topic.ways.keys() - reached - follows if topic else set()
            reached.update(new)
            ahead.extend(new)
        return reached

    def _load(self, reader: Reader, topics: set[Topic], updates: Updates) -> "Restless":
        self._topics.update((topic, _Loaded()) for topic in topics)
        restless = Restless()
        for row_key, row in self._rules.load(reader, topics).items():
            restless.add(self._put(row_key, row, updates))
        return restless

    def _follow_just(self, node: str, topics: set[Topic], updates: Updates) -> set[Topic]:
        """Returns the topics that the node does not follow any more."""
        left = self._follows[node] - topics
        for topic in left:
            self._topics[topic].followers.discard(node)
            update = updates.setdefault(node, {})
            update.update((key, None) for key, _ in self._told(topic, node))
        self._follow_more(node, topics - self._follows[node], updates)
        self._follows[node] = topics
        return left

    def _follow_more(self, node: str, topics: set[Topic], updates: Updates) -> set[Topic]:
        for topic in topics:
            self._topics[topic].followers.add(node)
            updates.setdefault(node, {}).update(self._told(topic, node))
        self._follows[node] |= topics
        return set()

    def _unload(self, topics: Iterable[Topic]) -> None:
        for name in topics:
            topic = self._topics.get(name)
            if topic is None or topic.followers:
                continue
            del self._topics[name]
            for row_key, key in topic.entries:
                places = self._rows[row_key]
                del places[name, key]
                if not places:
                    del self._rows[row_key]


def _besides(entry: Entry, other: Entry | None) -> Iterable[Topic]:
    """Where it leads, each place once, and the other does not: of one that leads to a thousand, most stay."""
    there = set(other.leads) if other else ()
    return [topic for topic in entry.leads if topic not in there] if there else entry.leads


def _key(entry: Entry) -> Key:
    """A row leads further from a topic once, or gives one object there."""
    return key_of(entry.object) if entry.object is not None else _WAY
