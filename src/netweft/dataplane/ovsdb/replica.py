"""Our copy of the rows and columns of the Open_vSwitch database that we read, kept current by the monitor's updates.

Records are replaced, never changed, so a caller may hold one.  Nothing here talks to the server.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias, get_type_hints

import msgspec
from msgspec import Struct

from netweft.dataplane.ovsdb.errors import OvsdbProtocolError


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
    bfd: dict[str, str] = {}
    bfd_status: dict[str, str] = {}
    external_ids: dict[str, str] = {}
    error: str | None = None
    mtu_request: int | None = None
    link_state: str | None = None
    admin_state: str | None = None
    ifindex: int | None = None
    mac_in_use: str | None = None


Record: TypeAlias = RootRecord | BridgeRecord | PortRecord | InterfaceRecord

# table -> uuid -> what the row was before, None for a new one.  Also rows that hang on a changed one differently: ports
# that joined or left a bridge, interfaces of a port.
Changes: TypeAlias = Mapping[str, Mapping[str, Record | None]]

TABLES: dict[str, type[Record]] = {
    "Open_vSwitch": RootRecord,
    "Bridge": BridgeRecord,
    "Port": PortRecord,
    "Interface": InterfaceRecord,
}


_NOTHING: frozenset[str] = frozenset()


class Replica:
    """Rows by table and uuid.  An update costs what it changes, however many rows there are."""

    def __init__(self) -> None:
        self.root = RootRecord()
        self.bridges: dict[str, BridgeRecord] = {}
        self.ports: dict[str, PortRecord] = {}
        self.interfaces: dict[str, InterfaceRecord] = {}
        self._names: dict[str, dict[str, str]] = {table: {} for table in TABLES}
        self._bridge_of: dict[str, str] = {}  # port's uuid -> bridge's
        self._port_of: dict[str, str] = {}  # interface's -> port's

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

    def port_of(self, interface_uuid: str) -> PortRecord | None:
        return self.ports.get(self._port_of.get(interface_uuid, ""))

    def bridge_of(self, port_name: str) -> BridgeRecord | None:
        uuid = self.uuid("Port", port_name)
        return self.bridges.get(self._bridge_of.get(uuid or "", ""))

    def everything(self) -> Changes:
        """As if all of it were new."""
        return {"Bridge": dict.fromkeys(self.bridges), "Port": dict.fromkeys(self.ports),
                "Interface": dict.fromkeys(self.interfaces)}  # fmt: skip

    def update(self, tables: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Changes:
        """Take in <table-updates2> of ovsdb-server(7).  Raises OvsdbProtocolError."""
        changes: dict[str, dict[str, Record | None]] = {table: {} for table in TABLES}
        try:
            for table, rows in tables.items():
                for uuid, row in rows.items():
                    changes[table][uuid] = self._record(table, uuid)
                    self._update_row(table, uuid, row)
        except (msgspec.ValidationError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise OvsdbProtocolError(f"an update that makes no sense: {error!r}") from None
        self._rehang(changes["Bridge"], self.bridges, "ports", self._bridge_of, changes["Port"], self.ports)
        self._rehang(changes["Port"], self.ports, "interfaces", self._port_of, changes["Interface"], self.interfaces)
        return changes

    def _rehang(
        self,
        changed: Mapping[str, Any],
        holders: Mapping[str, Any],
        column: str,
        holder_of: dict[str, str],
        members_changed: dict[str, Any],
        members: Mapping[str, Any],
    ) -> None:
        """Whatever hangs, or hung, on a changed row is changed too; but of a bridge only what came or went."""
        for uuid, was in changed.items():
            before: frozenset[str] = getattr(was, column, _NOTHING)
            now: frozenset[str] = getattr(holders.get(uuid), column, _NOTHING)
            for member in before - now:
                if holder_of.get(member) == uuid:
                    del holder_of[member]
            holder_of.update(dict.fromkeys(now - before, uuid))
            for member in before ^ now if column == "ports" else before | now:
                members_changed.setdefault(member, members.get(member))

    def _update_row(self, table: str, uuid: str, row: Mapping[str, Any]) -> None:
        """A row is {what happened: columns}; `modify` has differences, the others all that is not a default."""
        ((what, columns),) = row.items()
        old = self._record(table, uuid)
        if what == "delete":
            self._store(table, uuid, old, None)
            return
        kinds = _COLUMNS[table]
        if what == "modify":
            read = {name: kinds[name].read(value) for name, value in columns.items()}
            merged = {name: kinds[name].merge(getattr(old, name), value) for name, value in read.items()}
            self._store(table, uuid, old, msgspec.structs.replace(old, **merged))
        else:  # at a start these are all there are: their types are checked a row at a time
            values = {name: kinds[name].parse(value) for name, value in columns.items()}
            self._store(table, uuid, old, msgspec.convert(values, TABLES[table]))

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


def _one(value: Any) -> Any:
    """The empty set stands for nothing."""
    if type(value) is not list:
        return value
    match value:
        case ["set", []]:
            return None
        case ["set", [one]]:
            return one
        case _:
            return value


def _set(value: Any) -> frozenset[Any]:
    if type(value) is list and value and value[0] == "set":
        return frozenset([member[1] if type(member) is list else member for member in value[1]])
    return frozenset((_atom(value),))


def _map(value: Any) -> dict[Any, Any]:
    _, pairs = value
    return dict(pairs)


def _atom(value: Any) -> Any:
    return value[1] if isinstance(value, list) else value


def _replaced(_: Any, new: Any) -> Any:
    return new


def _toggled(old: frozenset[str], named: frozenset[str]) -> frozenset[str]:
    """What a modify names has come or gone."""
    return old ^ named


def _patched(old: dict[str, str], named: dict[str, str]) -> dict[str, str]:
    """What a modify names with its old value has gone; else it has the new value."""
    new = old | named
    for key, value in named.items():
        if old.get(key) == value:
            del new[key]
    return new


class _Column(NamedTuple):
    """parse: from the wire's form.  merge: the old value and what a modify says of it -> the new value."""

    kind: Any
    parse: Callable[[Any], Any]
    merge: Callable[[Any, Any], Any]

    def read(self, value: Any) -> Any:
        return msgspec.convert(self.parse(value), self.kind)


_BY_TYPE: dict[Any, tuple[Callable[[Any], Any], Callable[[Any, Any], Any]]] = {
    int: (_one, _replaced),
    str: (_one, _replaced),
    int | None: (_one, _replaced),
    str | None: (_one, _replaced),
    frozenset[str]: (_set, _toggled),
    dict[str, str]: (_map, _patched),
}

_COLUMNS: dict[str, dict[str, _Column]] = {
    table: {
        name: _Column(kind, *_BY_TYPE[kind])
        for name, kind in get_type_hints(record).items()
        if not name.startswith("_")
    }
    for table, record in TABLES.items()
}
