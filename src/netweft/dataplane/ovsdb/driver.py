"""Desired rows against the database: bridges and ports of ours, and the tags we set on the ports of others.

A row of ours carries external_ids:MARK; only such rows are deleted.  Of rows that others made we write what our
values name and nothing else.  It never retries: the caller's loop comes back.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from msgspec import Struct

from netweft.dataplane.ovsdb import operations
from netweft.dataplane.ovsdb.client import OvsdbConnection
from netweft.dataplane.ovsdb.operations import Blocked, Operation
from netweft.dataplane.ovsdb.replica import Changes, InterfaceRecord, PortRecord, Record, RootRecord
from netweft.dataplane.ovsdb.rows import (
    MARK,
    ROW_KINDS,
    KeptNumber,
    PortRow,
    Row,
    RowKey,
    RowKind,
    number_key,
    number_of,
    row_key,
)
from netweft.dataplane.ovsdb.view import bridge_row, is_tagged_by_us, port_row, vif_tag

_NEXT_CFG: tuple[Operation, ...] = (
    {"op": "mutate", "table": "Open_vSwitch", "where": [], "mutations": [["next_cfg", "+=", 1]]},
    {"op": "select", "table": "Open_vSwitch", "where": [], "columns": ["next_cfg"]},
)


class RowPlan(Struct, frozen=True):
    """What `apply` would do now, in order.  deletes: rows as they are there.
    conflicts: what cannot be done, in words, because somebody else's row is in the way."""

    upserts: tuple[Row, ...] = ()
    deletes: tuple[Row, ...] = ()
    conflicts: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.upserts or self.deletes)


class RowDriver:
    """Keeps which rows are in doubt: those that are wanted otherwise than before, and those that somebody has touched.
    Only these are compared, until they are as wanted."""

    def __init__(self, connection: OvsdbConnection) -> None:
        self._connection = connection
        self._desired: dict[RowKey, Row] = {}
        self._doubtful: set[RowKey] = set()
        connection.watch(self._touched)
        self._touched(connection.replica.everything())

    def want(self, rows: Iterable[Row]) -> None:
        """All that should be there.  A VifTag for a port that does not exist (yet) comes to nothing."""
        wanted = {row_key(row): row for row in rows}
        self._doubtful |= self._desired.keys() | wanted.keys()
        self._desired = wanted

    def change(self, upserts: Iterable[Row] = (), deletes: Iterable[RowKey] = ()) -> None:
        """A part of what should be there."""
        for key in deletes:
            self._desired.pop(key, None)
            self._doubtful.add(key)
        for row in upserts:
            self._desired[row_key(row)] = row
            self._doubtful.add(row_key(row))

    def plan(self, *, delete: bool) -> RowPlan:
        """delete=False leaves obsolete rows and tags in place."""
        return self._prepare(ROW_KINDS, delete=delete)[0]

    async def apply(self, *, delete: bool, kinds: Sequence[RowKind] = ROW_KINDS, wait: bool = False) -> RowPlan:
        """Do the plan for rows of these kinds in one transaction, all or nothing.  wait: until vswitchd has done its
        part as well.

        Raises Conflict when another writer came in between, TransactionFailed, OvsdbLost."""
        plan, todo = self._prepare(kinds, delete=delete)
        if todo and wait:
            *_, selected = await self._connection.transact([*todo, *_NEXT_CFG])
            goal = max((row["next_cfg"] for row in selected["rows"]), default=0)
            await self._connection.wait_for(lambda replica: replica.root.cur_cfg >= goal)
        elif todo:
            await self._connection.transact(todo)
        return plan

    async def take_out(self, port: PortRow) -> None:
        """Of ours; no more wanted, for the time being.  Raises TransactionFailed, OvsdbLost."""
        self._desired.pop(row_key(port), None)
        there = self._connection.replica.port(port.name)
        if there is not None and MARK in there.external_ids:
            await self._connection.transact(operations.delete(self._connection.replica, port))

    def _touched(self, changes: Changes) -> None:
        replica = self._connection.replica
        for uuid, was in changes.get("Bridge", {}).items():
            self._doubtful.update(("bridge", name) for name in _names(was, replica.bridges.get(uuid)))
        for uuid, was in changes.get("Port", {}).items():
            for name in _names(was, replica.ports.get(uuid)):
                self._doubtful.update((("port", name), ("vif", name)))
            self._doubtful.update(_numbers(was, replica.ports.get(uuid)))
        for uuid in changes.get("Interface", ()):
            for name in _names(replica.port_of(uuid)):
                self._doubtful.update((("port", name), ("vif", name)))

    def _prepare(self, kinds: Sequence[RowKind], *, delete: bool) -> tuple[RowPlan, list[Operation]]:
        """What is obsolete goes in the reverse order.  The ports of a bridge that goes go with it."""
        draft = _Draft()
        keys = sorted((key for key in self._doubtful if key[0] in kinds), key=lambda key: (kinds.index(key[0]), key[1]))
        for key in keys:
            if key in self._desired:
                draft.upserts += draft.take(key, self._desired[key], self._upsert)
        obsolete = {key: row for key in reversed(keys) if (row := self._obsolete(key))}
        going = {name for kind, name in obsolete if kind == "bridge"}
        for key, row in obsolete.items():
            if delete and not (isinstance(row, PortRow) and row.bridge in going):
                draft.deletes += draft.take(key, row, partial(operations.delete, self._connection.replica))
        self._doubtful = self._doubtful - set(keys) | draft.doubtful | obsolete.keys()
        return RowPlan(tuple(draft.upserts), tuple(draft.deletes), tuple(dict.fromkeys(draft.conflicts))), draft.todo

    def _upsert(self, row: Row) -> list[Operation]:
        replica = self._connection.replica
        if isinstance(row, PortRow) and ("bridge", row.bridge) not in self._desired and not replica.bridge(row.bridge):
            raise Blocked(f"port {row.name}: there is no bridge {row.bridge}")
        if isinstance(row, KeptNumber) and not self._has_port(row.port_name):
            raise Blocked(f"numbers are not kept on port {row.port_name}: it is not ours, or not there")
        return operations.upsert(replica, row)

    def _has_port(self, name: str) -> bool:
        """Ours: there is one, or one comes with the same transaction."""
        port = self._connection.replica.port(name)
        return ("port", name) in self._desired if port is None else MARK in port.external_ids

    def _obsolete(self, key: RowKey) -> Row | None:
        """The row as it is there, if it is ours and not wanted."""
        replica, (kind, name) = self._connection.replica, key
        if key in self._desired:
            return None
        if kind == "bridge":
            bridge = replica.bridge(name)
            return bridge_row(bridge) if bridge and MARK in bridge.external_ids else None
        if kind == "number":
            return self._obsolete_number(*name.split(" "))
        port = replica.port(name)
        if port is None:
            return None
        if kind == "vif":
            return vif_tag(replica, port) if is_tagged_by_us(port) else None
        if MARK not in port.external_ids:
            return None
        return port_row(operations.bridge_of(replica, name), port, next(replica.interfaces_of(port), InterfaceRecord()))

    def _obsolete_number(self, port_name: str, column_key: str) -> Row | None:
        name = _kept(self._connection.replica.port(port_name)).get(column_key)
        number = number_of(column_key)
        return None if name is None or number is None else KeptNumber(port_name=port_name, number=number, name=name)


class _Draft:
    """A plan in the making.  doubtful: what is not yet as it should be."""

    def __init__(self) -> None:
        self.upserts: list[Row] = []
        self.deletes: list[Row] = []
        self.conflicts: list[str] = []
        self.todo: list[Operation] = []
        self.doubtful: set[RowKey] = set()

    def take(self, key: RowKey, row: Row, how: Callable[[Row], list[Operation]]) -> list[Row]:
        """Returns the row if there is anything to do."""
        try:
            steps = how(row)
        except Blocked as blocked:
            self.conflicts.append(str(blocked))
            self.doubtful.add(key)
            return []
        self.todo += steps
        if not steps:
            return []
        self.doubtful.add(key)
        return [row]


def _names(*records: Record | None) -> set[str]:
    return {record.name for record in records if record is not None and not isinstance(record, RootRecord)}


def _numbers(was: Record | None, now: Record | None) -> set[RowKey]:
    """Which numbers stand otherwise on a port of ours than before."""
    before, after = _kept(was), _kept(now)
    name = next(iter(_names(now or was)), "")
    changed = {key for key, _ in before.items() ^ after.items()}
    return {number_key(name, key) for key in changed if number_of(key) is not None}


def _kept(record: Record | None) -> dict[str, str]:
    return record.external_ids if isinstance(record, PortRecord) and MARK in record.external_ids else {}
