"""Rows as RFC 7047 operations: what has to be done so that a row is as wanted, given the replica.  Pure.

No operation overwrites a column that others write too: sets and maps are mutated, member by member.  No `wait` is
needed: names are unique indexes in the schema, so of two writers who insert the same row one is refused.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

from netweft.dataplane.ovsdb.replica import BridgeRecord, InterfaceRecord, PortRecord, Replica
from netweft.dataplane.ovsdb.rows import MARK, NUMBER, PREFIX, BridgeRow, KeptNumber, PortRow, Row, VifRow, VifTag

Operation: TypeAlias = dict[str, Any]
Pairs: TypeAlias = tuple[tuple[str, str], ...]


class Blocked(Exception):
    """Somebody else's row is in the way; the message says which."""


def upsert(replica: Replica, row: Row) -> list[Operation]:
    """Empty when all is as wanted.  Raises Blocked."""
    match row:
        case BridgeRow():
            record = replica.bridge(row.name)
            return _insert_bridge(row) if record is None else _update_bridge(record, row)
        case PortRow():
            port = replica.port(row.name)
            return _insert_port(row) if port is None else _update_port(replica, port, row)
        case VifTag():
            port = replica.port(row.port_name)
            return [] if port is None else _update_vif(replica, port, row.tag, row.mtu, row.external_ids)
        case KeptNumber():
            return _keep_number(replica.port(row.port_name), row)


def delete(replica: Replica, row: Row) -> list[Operation]:
    """Raises Blocked."""
    match row:
        case BridgeRow():
            return _delete_bridge(replica, row)
        case PortRow():
            uuid = replica.uuid("Port", row.name)
            return [_mutate("Bridge", row.bridge, _set_mutation("ports", "delete", uuid))] if uuid else []
        case VifTag():
            port = replica.port(row.port_name)
            return [] if port is None else _update_vif(replica, port, None, None, ())
        case KeptNumber():
            return _change("Port", row.port_name, {}, [["external_ids", "delete", ["set", [row.column_key]]]])


def bridge_of(replica: Replica, port_name: str) -> str:
    record = replica.bridge_of(port_name)
    return record.name if record else ""


def _insert_bridge(row: BridgeRow) -> list[Operation]:
    """With its internal port of the same name, as vswitchd wants it."""
    interface, port, bridge = (_symbol(kind, row.name) for kind in ("interface", "port", "bridge"))
    columns = {
        "name": row.name,
        "ports": ["named-uuid", port],
        "datapath_type": row.datapath_type,
        "fail_mode": _optional(row.fail_mode or None),
        "protocols": ["set", list(row.protocols)],
        "other_config": _ovs_map(row.other_config),
        "external_ids": _ovs_map(row.external_ids),
    }
    return [
        _insert("Interface", interface, {"name": row.name, "type": "internal"}),
        _insert("Port", port, {"name": row.name, "interfaces": ["named-uuid", interface]}),
        _insert("Bridge", bridge, columns),
        _mutate_root(["bridges", "insert", ["set", [["named-uuid", bridge]]]]),
    ]


def _update_bridge(record: BridgeRecord, row: BridgeRow) -> list[Operation]:
    columns: dict[str, Any] = {}
    if record.datapath_type != row.datapath_type:
        columns["datapath_type"] = row.datapath_type
    if (record.fail_mode or "") != row.fail_mode:
        columns["fail_mode"] = _optional(row.fail_mode or None)
    if record.protocols != set(row.protocols):
        columns["protocols"] = ["set", list(row.protocols)]
    mutations = _map_mutations("other_config", record.other_config, row.other_config)
    if MARK in record.external_ids:  # a bridge that was there before us is used, but never ours to delete
        mutations += _owned_mutations(record.external_ids, row.external_ids)
    return _change("Bridge", row.name, columns, mutations)


def _insert_port(row: PortRow) -> list[Operation]:
    interface, port = _symbol("interface", row.name), _symbol("port", row.name)
    columns = {
        "name": row.name,
        "interfaces": ["named-uuid", interface],
        "tag": _optional(row.tag),
        "external_ids": _ovs_map(row.external_ids),
    }
    maps = {"options": row.options, "bfd": row.bfd, "external_ids": _interface_ids(row)}
    own = {"name": row.name, "type": row.type} | {name: _ovs_map(pairs) for name, pairs in maps.items()}
    return [
        _insert("Interface", interface, own),
        _insert("Port", port, columns),
        _mutate("Bridge", row.bridge, ["ports", "insert", ["set", [["named-uuid", port]]]]),
    ]


def _update_port(replica: Replica, port: PortRecord, row: PortRow) -> list[Operation]:
    interface = next(replica.interfaces_of(port), InterfaceRecord())
    bridge = bridge_of(replica, row.name)
    there = (bridge, interface.type, interface.options, port.tag, interface.bfd)
    same = there == (row.bridge, row.type, dict(row.options), row.tag, dict(row.bfd))
    if MARK not in port.external_ids:
        if same:
            return []  # somebody else made just what is wanted: it will do, and stays theirs
        raise Blocked(f"port {row.name} on {bridge or 'no bridge'} was made by somebody else")
    ids = _map_mutations("external_ids", interface.external_ids, _interface_ids(row))
    operations = _change("Interface", row.name, _interface_columns(interface, row), ids)
    tag = {} if port.tag == row.tag else {"tag": _optional(row.tag)}
    own = {key: value for key, value in port.external_ids.items() if not key.startswith(NUMBER)}
    operations += _change("Port", row.name, tag, _owned_mutations(own, row.external_ids))
    if bridge != row.bridge:
        uuid = replica.uuid("Port", row.name)
        operations.append(_mutate("Bridge", row.bridge, _set_mutation("ports", "insert", uuid)))
        if bridge:
            operations.append(_mutate("Bridge", bridge, _set_mutation("ports", "delete", uuid)))
    return operations


def _interface_ids(row: PortRow) -> Pairs:
    return row.interface_ids if isinstance(row, VifRow) else ()


def _keep_number(port: PortRecord | None, row: KeptNumber) -> list[Operation]:
    """Of a port that is not there yet nothing is known; it may be made in the same transaction."""
    there = {} if port is None else port.external_ids
    return _change("Port", row.port_name, {}, _map_mutations("external_ids", there, ((row.column_key, row.name),)))


def _interface_columns(record: InterfaceRecord, row: PortRow) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    if record.type != row.type:
        columns["type"] = row.type
    if record.options != dict(row.options):
        columns["options"] = _ovs_map(row.options)
    if record.bfd != dict(row.bfd):
        columns["bfd"] = _ovs_map(row.bfd)
    return columns


def _update_vif(
    replica: Replica, port: PortRecord, tag: int | None, mtu: int | None, external_ids: Pairs
) -> list[Operation]:
    columns = {} if port.tag == tag else {"tag": _optional(tag)}
    operations = _change("Port", port.name, columns, _owned_mutations(port.external_ids, external_ids))
    for interface in replica.interfaces_of(port):
        # an internal one is its owner's to set: it is mostly in a namespace, beyond vswitchd's reach
        if interface.mtu_request != mtu and interface.type != "internal":
            operations += _change("Interface", interface.name, {"mtu_request": _optional(mtu)}, [])
    return operations


def _delete_bridge(replica: Replica, row: BridgeRow) -> list[Operation]:
    record = replica.bridge(row.name)
    if record is None:
        return []
    ports = [replica.ports[uuid] for uuid in record.ports if uuid in replica.ports]
    foreign = sorted(port.name for port in ports if port.name != row.name and MARK not in port.external_ids)
    if foreign:
        raise Blocked(f"bridge {row.name} still has ports that somebody else made: {', '.join(foreign)}")
    return [_mutate_root(_set_mutation("bridges", "delete", replica.uuid("Bridge", row.name)))]


def _owned_mutations(there: Mapping[str, str], wanted: Pairs) -> list[list[Any]]:
    """external_ids: the keys of ours that are not wanted any more go, too."""
    keys = {key for key, _ in wanted}
    obsolete = [key for key in there if key.startswith(PREFIX) and key not in keys]
    return _map_mutations("external_ids", there, wanted, obsolete)


def _map_mutations(
    column: str, there: Mapping[str, str], wanted: Pairs, obsolete: list[str] | None = None
) -> list[list[Any]]:
    """Inserting into a map does not replace a value, so a key that is there with another one is deleted first."""
    changed = {key: value for key, value in wanted if there.get(key) != value}
    gone = [*(obsolete or []), *(key for key in changed if key in there)]
    mutations: list[list[Any]] = [[column, "delete", ["set", gone]]] if gone else []
    if changed:
        mutations.append([column, "insert", _ovs_map(tuple(changed.items()))])
    return mutations


def _change(table: str, name: str, columns: dict[str, Any], mutations: list[list[Any]]) -> list[Operation]:
    where = [["name", "==", name]]
    operations: list[Operation] = []
    if columns:
        operations.append({"op": "update", "table": table, "where": where, "row": columns})
    if mutations:
        operations.append({"op": "mutate", "table": table, "where": where, "mutations": mutations})
    return operations


def _mutate(table: str, name: str, mutation: list[Any]) -> Operation:
    return {"op": "mutate", "table": table, "where": [["name", "==", name]], "mutations": [mutation]}


def _mutate_root(mutation: list[Any]) -> Operation:
    return {"op": "mutate", "table": "Open_vSwitch", "where": [], "mutations": [mutation]}


def _set_mutation(column: str, mutator: str, uuid: str | None) -> list[Any]:
    return [column, mutator, ["set", [["uuid", uuid]]]]


def _insert(table: str, name: str, row: dict[str, Any]) -> Operation:
    return {"op": "insert", "table": table, "uuid-name": name, "row": row}


def _symbol(kind: str, name: str) -> str:
    """A named-uuid that is unique in its transaction."""
    return f"{kind}_{name.encode().hex()}"


def _optional(value: Any) -> Any:
    return ["set", []] if value is None else value


def _ovs_map(pairs: Pairs) -> list[Any]:
    return ["map", [list(pair) for pair in pairs]]
