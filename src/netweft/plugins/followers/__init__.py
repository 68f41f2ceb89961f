"""Followers of the feed that are no nodes: Nova's event API, physical switches, SDN controllers.

A follower makes something outside of Netweft equal to the rows of one collection.  `desired` says, purely, what one row
should be there; `apply` makes it so, idempotently; `feed.followers` does the rest: one server of many runs it, each
row in order, again after failures, kept over restarts, with a plan that can be printed (decision 0300).

Values are plain JSON: they are stored, so that the next server knows what is there already.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from msgspec import Struct

from netweft.reconcile.plan import Step
from netweft.store import Object


class Outcome(Struct, frozen=True):
    """done: keys that are as their steps wanted.  again: key -> why it has to be tried again.
    dropped: key -> why it can never be; it counts as done."""

    done: frozenset[str] = frozenset()
    again: dict[str, str] = {}
    dropped: dict[str, str] = {}


class Unreachable(Exception):
    """Whatever is followed for does not answer, or refuses us: everything has to be tried again.  The text says why."""


class Follower(Protocol):
    """name: its place and lease in the database.  kind: the collection whose rows it follows.
    batch: at most so many steps at once."""

    name: str
    kind: str
    batch: int

    def desired(self, row: Object) -> Any:
        """What this row should be there, as JSON; an empty value: nothing.  Pure."""
        ...

    async def apply(self, steps: Sequence[Step]) -> Outcome:
        """Each step is one row; now=None: the row is gone.  Raises Unreachable."""
        ...

    def close(self) -> None: ...
