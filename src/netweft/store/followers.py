"""Followers of the feed that are no nodes, within one transaction: lease, place in the change log, what they made so.

A lease is held by one server at a time; its times are the database's, so servers' clocks do not matter.  Writing is
fenced: a server that was too slow and lost its lease can write nothing any more.  None of it is in the change log.
"""

import time
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Float, bindparam, cast, delete, func, insert, select, update

from netweft.store.errors import NotHeld
from netweft.store.schema import follower_state, followers
from netweft.store.sql import Among, Connection, Statement

_of_one = follower_state.c.follower == bindparam("f")
_all = Statement(_made := select(follower_state.c.key, follower_state.c.value).where(_of_one))
_some = Statement(_made.where(Among(follower_state.c.key, "keys")))
_forget = Statement(delete(follower_state).where(_of_one, follower_state.c.key == bindparam("k")))
_remember = Statement(insert(follower_state))
_get = Statement(_this := select(followers).where(followers.c.name == bindparam("n")))
_lock = Statement(_this.with_for_update())
_add = Statement(insert(followers))
_lease = update(followers).where(followers.c.name == bindparam("n")).values(held_until=bindparam("u"))
_hold = Statement(_lease.values(holder=bindparam("h")))
_let_go = Statement(_lease)
_let_go_mine = Statement(_lease.where(followers.c.holder == bindparam("h")))
_move = Statement(
    update(followers)
    .where(followers.c.name == bindparam("n"), followers.c.holder == bindparam("h"))
    .values(revision=bindparam("r"), problem=bindparam("p"))
)
_time = Statement(select(cast(func.extract("epoch", func.clock_timestamp()), Float)))


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
        row = self._connection.first(_get, n=name)
        if row is None:
            return None
        name, holder, until, revision, problem = row
        return Following(name, holder, until > self._now(), revision, problem)

    def hold(self, name: str, holder: str, seconds: float) -> bool:
        """Takes or prolongs the lease.  False: another one has it."""
        row, now = self._connection.first(_lock, n=name), self._now()
        if row is None:
            new = {"name": name, "holder": holder, "held_until": now + seconds, "revision": None, "problem": ""}
            self._connection.run(_add, new)
            return True
        if row[1] != holder and row[2] > now:
            return False
        self._connection.run(_hold, {"n": name, "h": holder, "u": now + seconds})
        return True

    def let_go(self, name: str, holder: str | None = None) -> None:
        """Another server may have it at once.  holder: only if it is this one."""
        which = {"n": name, "u": 0.0}
        self._connection.run(*((_let_go_mine, which | {"h": holder}) if holder else (_let_go, which)))

    def move(self, name: str, holder: str, revision: int | None, problem: str) -> None:
        """Its place is this one now.  Raises NotHeld."""
        if not self._connection.run(_move, {"n": name, "h": holder, "r": revision, "p": problem}):
            raise NotHeld(name)

    def made(self, name: str, keys: Collection[str] | None = None) -> dict[str, Any]:
        """What it has made so: of these, or of all."""
        some = (_all, {}) if keys is None else (_some, {"keys": list(keys)})
        return dict(self._connection.rows(some[0], f=name, **some[1]))

    def make(self, name: str, values: Mapping[str, Any]) -> None:
        """It has made these so; None: forget it.  Call `move` in the same transaction: that is the fence."""
        if values:
            self._connection.run(_forget, *({"f": name, "k": key} for key in values))
        rows = [{"follower": name, "key": key, "value": value} for key, value in values.items() if value is not None]
        if rows:
            self._connection.run(_remember, *rows)

    def _now(self) -> float:
        return float(self._connection.scalar(_time)) if self._connection.is_postgresql else time.time()  # one machine
