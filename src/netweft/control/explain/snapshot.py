"""What checks look at: rows as they were at one moment, and what was found out beside them.  No store, no clock."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeAlias

from netweft.control.explain.codes import Code

Row: TypeAlias = Mapping[str, Any]
Key: TypeAlias = tuple[str, str]  # kind and id


class Lag(NamedTuple):
    """How far a node is behind the feed.  revision: the last that it was sent.  revisions, objects: what it was not
    sent yet, and for how many seconds that has waited."""

    connected: bool
    revision: int
    revisions: int = 0
    objects: int = 0
    seconds: float = 0.0


class Told(NamedTuple):
    """What a check says.  detail: names hosts and wires; for admins.  values: for the code's fix.
    about: further objects that it tells of; who may not see them all is not told."""

    code: Code
    detail: str = ""
    values: Mapping[str, str] = {}
    about: tuple[Key, ...] = ()


class Find(Protocol):
    """A check: what it has to say of this row."""

    def __call__(self, seen: "Snapshot", row: Row, /) -> Iterable[Told]: ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """rows: by kind and id.  whole: kinds of which all rows are here.  silent: hosts whose agents count as dead, with
    how many seconds they have not reported.  lags: of hosts that this server has a session with, or had just now.
    rivals: host -> others at its tunnel address.  used_up: subnets without a free address.
    full: of what (`port`, ...) the quota of the object's project is used up.
    unused: ids of groups and policies that were looked at, and that nothing has."""

    rows: Mapping[str, Mapping[str, Row]]
    whole: frozenset[str] = frozenset()
    silent: Mapping[str, float] = field(default_factory=dict)
    lags: Mapping[str, Lag] = field(default_factory=dict)
    rivals: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    used_up: frozenset[str] = frozenset()
    full: frozenset[str] = frozenset()
    unused: frozenset[str] = frozenset()

    def get(self, kind: str, id: str | None) -> Row | None:
        return self.rows.get(kind, {}).get(id or "")

    def many(self, kind: str, ids: Iterable[str]) -> Iterator[Row]:
        """Those that are here."""
        of_kind = self.rows.get(kind, {})
        return (of_kind[id] for id in ids if id in of_kind)

    def all(self, kind: str, **equal: object) -> Iterator[Row]:
        """With these values."""
        for row in self.rows.get(kind, {}).values():
            if all(row.get(name) == value for name, value in equal.items()):
                yield row

    def agent(self, host: str) -> Row | None:
        return next(self.all("agents", host=host), None)
