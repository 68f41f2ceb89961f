"""Followers of the feed that are no nodes, within one transaction: lease, place in the change log, what they made so.

A lease is held by one server at a time; its times are the database's, so servers' clocks do not matter.  Writing is
fenced: a server that was too slow and lost its lease can write nothing any more.  None of it is in the change log.
"""

import time
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, Float, bindparam, cast, delete, func, insert, select, true, update

from netweft.store.errors import NotHeld
from netweft.store.schema import follower_state, followers

_of_one = follower_state.c.follower == bindparam("f")
_all = select(follower_state.c.key, follower_state.c.value).where(_of_one)
_some = _all.where(follower_state.c.key.in_(bindparam("keys", expanding=True)))
_forget = delete(follower_state).where(_of_one, follower_state.c.key == bindparam("k"))
_get = select(followers).where(followers.c.name == bindparam("n"))
_move = (
    update(followers)
    .where(followers.c.name == bindparam("n"), followers.c.holder == bindparam("h"))
    .values(revision=bindparam("r"), problem=bindparam("p"))
)
_CHUNK = 500


class Following(NamedTuple):
    """One follower.  holder: the server that runs it, or ran it last.  held: whether its lease is still good.
    revision: up to which change it has looked, None: at none yet.  problem: what is in its way, for a person."""

    name: str
    holder: str
    held: bool
    revision: int | None
    problem: str


class Followers:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, name: str) -> Following | None:
        row = self._connection.execute(_get, {"n": name}).first()
        return Following(row.name, row.holder, row.held_until > self._now(), row.revision, row.problem) if row else None

    def hold(self, name: str, holder: str, seconds: float) -> bool:
        """Takes or prolongs the lease.  False: another one has it."""
        row = self._connection.execute(_get.with_for_update(), {"n": name}).first()
        until = self._now() + seconds
        if row is None:
            new = {"name": name, "holder": holder, "held_until": until, "revision": None, "problem": ""}
            self._connection.execute(insert(followers), new)
            return True
        if row.holder != holder and row.held_until > self._now():
            return False
        self._connection.execute(
            update(followers).where(followers.c.name == name).values(holder=holder, held_until=until)
        )
        return True

    def let_go(self, name: str, holder: str | None = None) -> None:
        """Another server may have it at once.  holder: only if it is this one."""
        mine = (followers.c.holder == holder) if holder else true()
        self._connection.execute(update(followers).where(followers.c.name == name, mine).values(held_until=0.0))

    def move(self, name: str, holder: str, revision: int | None, problem: str) -> None:
        """Its place is this one now.  Raises NotHeld."""
        if not self._connection.execute(_move, {"n": name, "h": holder, "r": revision, "p": problem}).rowcount:
            raise NotHeld(name)

    def made(self, name: str, keys: Collection[str] | None = None) -> dict[str, Any]:
        """What it has made so: of these, or of all."""
        if keys is None:
            return dict(self._rows(_all, {"f": name}))
        wanted, result = list(keys), dict[str, Any]()
        for start in range(0, len(wanted), _CHUNK):
            result |= self._rows(_some, {"f": name, "keys": wanted[start : start + _CHUNK]})
        return result

    def make(self, name: str, values: Mapping[str, Any]) -> None:
        """It has made these so; None: forget it.  Call `move` in the same transaction: that is the fence."""
        if values:
            self._connection.execute(_forget, [{"f": name, "k": key} for key in values])
        rows = [{"follower": name, "key": key, "value": value} for key, value in values.items() if value is not None]
        if rows:
            self._connection.execute(insert(follower_state), rows)

    def _rows(self, statement: Any, parameters: dict[str, Any]) -> dict[str, Any]:
        return {row.key: row.value for row in self._connection.execute(statement, parameters)}

    def _now(self) -> float:
        if self._connection.dialect.name != "postgresql":
            return time.time()  # one machine
        return float(self._connection.scalar(select(cast(func.extract("epoch", func.clock_timestamp()), Float))) or 0)
