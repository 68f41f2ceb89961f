"""Followers of the feed that are no nodes, within one transaction: lease, place in the change log, what they made so.

A lease is held by one server at a time; its times are the database's, so servers' clocks do not matter.  Writing is
fenced: a server that was too slow and lost its lease can write nothing any more.  None of it is in the change log.
"""

import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Float, Table, bindparam, cast, delete, func, insert, select, update

from netweft.store.errors import NotHeld
from netweft.store.schema import follower_begun, follower_state, followers
from netweft.store.sql import Among, Connection, Statement


class _Values:
    """JSON by follower and key."""

    def __init__(self, table: Table) -> None:
        of_one = table.c.follower == bindparam("f")
        self._all = Statement(every := select(table.c.key, table.c.value).where(of_one))
        self._some = Statement(every.where(Among(table.c.key, "keys")))
        self._forget = Statement(delete(table).where(of_one, table.c.key == bindparam("k")))
        self._remember = Statement(insert(table))

    def get(self, connection: Connection, name: str, keys: Collection[str] | None) -> dict[str, Any]:
        """Of these, or of all."""
        some = (self._all, {}) if keys is None else (self._some, {"keys": list(keys)})
        return dict(connection.rows(some[0], f=name, **some[1]))

    def put(self, connection: Connection, name: str, values: Mapping[str, Any]) -> None:
        self.forget(connection, name, values)
        rows = [{"follower": name, "key": key, "value": value} for key, value in values.items()]
        if rows:
            connection.run(self._remember, *rows)

    def forget(self, connection: Connection, name: str, keys: Iterable[str]) -> None:
        if rows := [{"f": name, "k": key} for key in keys]:
            connection.run(self._forget, *rows)


_made, _begun = _Values(follower_state), _Values(follower_begun)
_get = Statement(_this := select(followers).where(followers.c.name == bindparam("n")))
_names = Statement(select(followers.c.name))
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

    def names(self) -> list[str]:
        """All that there have ever been."""
        return self._connection.column(_names)

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
        return _made.get(self._connection, name, keys)

    def begun(self, name: str, keys: Collection[str] | None = None) -> dict[str, Any]:
        """What it has begun to make so (None: gone), and may have made or not: of these, or of all."""
        return _begun.get(self._connection, name, keys)

    def begin(self, name: str, values: Mapping[str, Any]) -> None:
        """Before it makes these so.  Call `move` in the same transaction."""
        _begun.put(self._connection, name, values)

    def give_up(self, name: str, keys: Iterable[str]) -> None:
        """What was begun of these is surely not made so.  Call `move` in the same transaction."""
        _begun.forget(self._connection, name, keys)

    def make(self, name: str, values: Mapping[str, Any]) -> None:
        """It has made these so; None: forget it.  Call `move` in the same transaction: that is the fence."""
        _begun.forget(self._connection, name, values)
        _made.forget(self._connection, name, [key for key, value in values.items() if value is None])
        _made.put(self._connection, name, {key: value for key, value in values.items() if value is not None})

    def _now(self) -> float:
        return float(self._connection.scalar(_time)) if self._connection.is_postgresql else time.time()  # one machine
