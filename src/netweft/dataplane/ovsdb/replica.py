"""Our copy of the rows and columns of the Open_vSwitch database that we read, kept current by the monitor's updates.

Records are replaced, never changed, so a caller may hold one.  Nothing here talks to the server.
"""

from collections.abc import Callable, Iterator, Mapping, Set
from typing import Any, TypeAlias, get_type_hints

import msgspec
from msgspec import Struct

from netweft.dataplane.ovsdb.errors import OvsdbProtocolError

# table -> uuids of the rows that were inserted, changed or deleted
Changes: TypeAlias = Mapping[str, Set[str]]


class RootRecord(Struct, frozen=True):
    """The one row of table Open_vSwitch.  cur_cfg is vswitchd's answer to next_cfg."""

    cur_cfg: int = 0
    next_cfg: int = 0
    ovs_version: str | None = None
    datapath_types: frozenset[str] = frozenset()
    other_config: dict[str, str] = {}
    external_ids: dict[str, str] = {}
    bridges: frozenset[str] = frozenset()


class BridgeRecord(Struct, frozen=True):
    name: str = ""
    ports: frozenset[str] = frozenset()
    datapath_type: str = ""
    fail_mode: str | None = None
    protocols: frozenset[str] = frozenset()
    other_config: dict[str, str] = {}
    external_ids: dict[str, str] = {}


class PortRecord(Struct, frozen=True):
    name: str = ""
    interfaces: frozenset[str] = frozenset()
    tag: int | None = None
    external_ids: dict[str, str] = {}


class InterfaceRecord(Struct, frozen=True):
    name: str = ""
    type: str = ""
    ofport: int | None = None
    options: dict[str, str] = {}
    external_ids: dict[str, str] = {}
    error: str | None = None
    mtu_request: int | None = None
    link_state: str | None = None
    mac_in_use: str | None = None


Record: TypeAlias = RootRecord | BridgeRecord | PortRecord | InterfaceRecord

TABLES: dict[str, type[Record]] = {
    "Open_vSwitch": RootRecord,
    "Bridge": BridgeRecord,
    "Port": PortRecord,
    "Interface": InterfaceRecord,
}


class Replica:
    """Rows by table and uuid."""

    def __init__(self) -> None:
        self.root = RootRecord()
        self.bridges: dict[str, BridgeRecord] = {}
        self.ports: dict[str, PortRecord] = {}
        self.interfaces: dict[str, InterfaceRecord] = {}
        self._names: dict[str, dict[str, str]] = {table: {} for table in TABLES}

    def uuid(self, table: str, name: str) -> str | None:
        return self._names[table].get(name)

    def bridge(self, name: str) -> BridgeRecord | None:
        uuid = self.uuid("Bridge", name)
        return self.bridges.get(uuid) if uuid else None

    def port(self, name: str) -> PortRecord | None:
        uuid = self.uuid("Port", name)
        return self.ports.get(uuid) if uuid else None

    def interface(self, name: str) -> InterfaceRecord | None:
        uuid = self.uuid("Interface", name)
        return self.interfaces.get(uuid) if uuid else None

    def interfaces_of(self, port: PortRecord) -> Iterator[InterfaceRecord]:
        """One, but for a bond."""
        return (self.interfaces[uuid] for uuid in port.interfaces if uuid in self.interfaces)

    def update(self, tables: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Changes:
        """Take in <table-updates2> of ovsdb-server(7).  Raises OvsdbProtocolError."""
        try:
            for table, rows in tables.items():
                for uuid, row in rows.items():
                    self._update_row(table, uuid, row)
            return {table: frozenset(rows) for table, rows in tables.items()}
        except (msgspec.ValidationError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise OvsdbProtocolError(f"an update that makes no sense: {error!r}") from None

    def _update_row(self, table: str, uuid: str, row: Mapping[str, Any]) -> None:
        """A row is {what happened: columns}; `modify` has differences, the others all that is not a default."""
        ((what, columns),) = row.items()
        old = self._record(table, uuid)
        if what == "delete":
            self._store(table, uuid, old, None)
        elif what == "modify":
            changed = {name: _COLUMNS[table][name](value, getattr(old, name)) for name, value in columns.items()}
            self._store(table, uuid, old, _converted(table, msgspec.structs.asdict(old) | changed))
        else:
            values = {name: _COLUMNS[table][name](value, None) for name, value in columns.items()}
            self._store(table, uuid, old, _converted(table, values))

    def _record(self, table: str, uuid: str) -> Any:
        return self.root if table == "Open_vSwitch" else self._rows(table).get(uuid)

    def _rows(self, table: str) -> dict[str, Any]:
        tables: dict[str, dict[str, Any]] = {
            "Bridge": self.bridges,
            "Port": self.ports,
            "Interface": self.interfaces,
        }
        return tables[table]

    def _store(self, table: str, uuid: str, old: Any, new: Any) -> None:
        if table == "Open_vSwitch":
            self.root = RootRecord() if new is None else new
            return
        names = self._names[table]
        # a name may have gone to a new row before its old row is reported gone
        if old is not None and names.get(old.name) == uuid:
            del names[old.name]
        if new is None:
            self._rows(table).pop(uuid, None)
        else:
            self._rows(table)[uuid] = new
            names[new.name] = uuid


def _converted(table: str, values: dict[str, Any]) -> Record:
    return msgspec.convert(values, TABLES[table])


def _scalar(value: Any, _: Any) -> Any:
    return value


def _optional(value: Any, _: Any) -> Any:
    """The empty set stands for nothing."""
    match value:
        case ["set", []]:
            return None
        case ["set", [one]]:
            return one
        case _:
            return value


def _set(value: Any, old: frozenset[str] | None) -> frozenset[str]:
    """What a modify names has come or gone."""
    match value:
        case ["set", members]:
            named = frozenset(_atom(member) for member in members)
        case _:
            named = frozenset((_atom(value),))
    return named if old is None else old ^ named


def _map(value: Any, old: dict[str, str] | None) -> dict[str, str]:
    """What a modify names with its old value has gone; else it has the new value."""
    _, pairs = value
    if old is None:
        return dict(pairs)
    new = dict(old)
    for key, item in pairs:
        if new.get(key) == item:
            del new[key]
        else:
            new[key] = item
    return new


def _atom(value: Any) -> Any:
    return value[1] if isinstance(value, list) else value


_BY_TYPE: dict[Any, Callable[[Any, Any], Any]] = {
    int: _scalar,
    str: _scalar,
    int | None: _optional,
    str | None: _optional,
    frozenset[str]: _set,
    dict[str, str]: _map,
}

_COLUMNS: dict[str, dict[str, Callable[[Any, Any], Any]]] = {
    table: {name: _BY_TYPE[kind] for name, kind in get_type_hints(record).items() if not name.startswith("_")}
    for table, record in TABLES.items()
}
