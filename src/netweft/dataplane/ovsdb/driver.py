"""Desired rows against the database: bridges and ports of ours, and the tags we set on the ports of others.

A row of ours carries external_ids:MARK; only such rows are deleted.  Of rows that others made we write what our
values name and nothing else.  It never retries: the caller's loop comes back.
"""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from netweft.dataplane.ovsdb import operations
from netweft.dataplane.ovsdb.client import OvsdbConnection
from netweft.dataplane.ovsdb.operations import Blocked, Operation
from netweft.dataplane.ovsdb.replica import InterfaceRecord, Replica
from netweft.dataplane.ovsdb.rows import MARK, PortRow, Row, RowKey, row_key
from netweft.dataplane.ovsdb.view import bridge_row, is_tagged_by_us, port_row, vif_tag

_NEXT_CFG: tuple[Operation, ...] = (
    {"op": "mutate", "table": "Open_vSwitch", "where": [], "mutations": [["next_cfg", "+=", 1]]},
    {"op": "select", "table": "Open_vSwitch", "where": [], "columns": ["next_cfg"]},
)
_RANK = {"bridge": 0, "port": 1, "vif": 2}


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
        self._desired = {row_key(row): row for row in rows}

    def plan(self, *, delete: bool) -> RowPlan:
        """delete=False leaves obsolete rows and tags in place."""
        return self._prepare(delete=delete)[0]

    async def apply(self, *, delete: bool, wait: bool = False) -> RowPlan:
        """Do the plan in one transaction, all or nothing.  wait: until vswitchd has done its part as well.

        Raises Conflict when another writer came in between, TransactionFailed, OvsdbLost."""
        plan, todo = self._prepare(delete=delete)
        if todo and wait:
            *_, selected = await self._connection.transact([*todo, *_NEXT_CFG])
            goal = max((row["next_cfg"] for row in selected["rows"]), default=0)
            await self._connection.wait_for(lambda replica: replica.root.cur_cfg >= goal)
        elif todo:
            await self._connection.transact(todo)
        return plan

    def _prepare(self, *, delete: bool) -> tuple[RowPlan, list[Operation]]:
        replica = self._connection.replica
        upserts: list[Row] = []
        deletes: list[Row] = []
        conflicts: list[str] = []
        todo: list[Operation] = []
        for row in sorted(self._desired.values(), key=lambda row: _RANK[row_key(row)[0]]):
            self._step(row, upserts, conflicts, todo)
        for row in _obsolete(replica, self._desired) if delete else ():
            try:
                todo += operations.delete(replica, row)
                deletes.append(row)
            except Blocked as blocked:
                conflicts.append(str(blocked))
        return RowPlan(tuple(upserts), tuple(deletes), tuple(conflicts)), todo

    def _step(self, row: Row, upserts: list[Row], conflicts: list[str], todo: list[Operation]) -> None:
        replica = self._connection.replica
        try:
            if isinstance(row, PortRow) and not self._bridge_will_be_there(row.bridge):
                raise Blocked(f"port {row.name}: there is no bridge {row.bridge}")
            steps = operations.upsert(replica, row)
        except Blocked as blocked:
            conflicts.append(str(blocked))
            return
        if steps:
            upserts.append(row)
            todo += steps

    def _bridge_will_be_there(self, name: str) -> bool:
        return ("bridge", name) in self._desired or self._connection.replica.bridge(name) is not None


def _obsolete(replica: Replica, desired: dict[RowKey, Row]) -> Iterator[Row]:
    """What is ours and not wanted: tags, then ports, then bridges.  The ports of a bridge that goes go with it."""
    for port in replica.ports.values():
        if is_tagged_by_us(port) and ("vif", port.name) not in desired:
            yield vif_tag(replica, port)
    going = {
        bridge.name
        for bridge in replica.bridges.values()
        if MARK in bridge.external_ids and ("bridge", bridge.name) not in desired
    }
    for port in replica.ports.values():
        bridge_name = operations.bridge_of(replica, port.name)
        if MARK in port.external_ids and ("port", port.name) not in desired and bridge_name not in going:
            interface = next(replica.interfaces_of(port), None)
            yield port_row(bridge_name, port, interface or InterfaceRecord())
    for bridge in replica.bridges.values():
        if bridge.name in going:
            yield bridge_row(bridge)
