"""Desired rows against the database: bridges and ports of ours, and the tags we set on the ports of others.

A row of ours carries external_ids:MARK; only such rows are deleted.  Of rows that others made we write what our
values name and nothing else.  It never retries: the caller's loop comes back.
"""

from collections.abc import Iterable

from msgspec import Struct

from netweft.dataplane.ovsdb.client import OvsdbConnection
from netweft.dataplane.ovsdb.rows import Row, RowKey


class RowPlan(Struct, frozen=True):
    """What `apply` would do now, in order.  deletes: rows as they are there.
    conflicts: what cannot be done, in words, because somebody else's row is in the way."""

    upserts: tuple[Row, ...] = ()
    deletes: tuple[Row, ...] = ()
    conflicts: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.upserts or self.deletes)


class RowDriver:
    """Compares with the connection's replica each time, so there is nothing to read first."""

    def __init__(self, connection: OvsdbConnection) -> None:
        self._connection = connection
        self._desired: dict[RowKey, Row] = {}

    def want(self, rows: Iterable[Row]) -> None:
        """All that should be there.  A VifTag for a port that does not exist (yet) comes to nothing."""
        raise NotImplementedError

    def plan(self, *, delete: bool) -> RowPlan:
        """delete=False leaves obsolete rows and tags in place."""
        raise NotImplementedError

    async def apply(self, *, delete: bool, wait: bool = False) -> RowPlan:
        """Do the plan in one transaction, all or nothing.  wait: until vswitchd has done its part as well.

        Raises Conflict when another writer came in between, TransactionFailed, OvsdbLost."""
        raise NotImplementedError
