"""Plugging an interface into a bridge as Nova and libvirt do it: it says itself which port it is.  Pure."""

from netweft.dataplane.ovsdb.operations import Operation
from netweft.dataplane.ovsdb.replica import Replica


def is_plugged(replica: Replica, bridge: str, name: str, iface_id: str) -> bool:
    found, there = replica.interface(name), replica.bridge_of(name)
    return bool(found and there and there.name == bridge and found.external_ids.get("iface-id") == iface_id)


def plug(bridge: str, name: str, iface_id: str, mac: str) -> list[Operation]:
    ids = [["iface-id", iface_id], ["attached-mac", mac], ["iface-status", "active"]]
    return [
        _insert("Interface", "interface", {"name": name, "external_ids": ["map", ids]}),
        _insert("Port", "port", {"name": name, "interfaces": ["named-uuid", "interface"]}),
        _ports(bridge, "insert", ["named-uuid", "port"]),
    ]


def unplug(replica: Replica, name: str) -> list[Operation]:
    """Nothing for one that is not there."""
    uuid, bridge = replica.uuid("Port", name), replica.bridge_of(name)
    return [_ports(bridge.name, "delete", ["uuid", uuid])] if uuid and bridge else []


def _insert(table: str, name: str, row: dict[str, object]) -> Operation:
    return {"op": "insert", "table": table, "uuid-name": name, "row": row}


def _ports(bridge: str, mutator: str, port: list[str]) -> Operation:
    mutation = ["ports", mutator, ["set", [port]]]
    return {"op": "mutate", "table": "Bridge", "where": [["name", "==", bridge]], "mutations": [mutation]}
