"""`hardware_vtep`, read and written by OVSDB: keys and values as `desired` has them.

Logical switches of ours are called after their networks, with PREFIX; what others made stays, and a port's VLAN that
is bound to one of theirs is refused.  Physical locators belong to whoever refers to them, and go with the last one.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from netweft.plugins.mechanisms import Unreachable
from netweft.plugins.mechanisms.database import Remote, from_map, from_set
from netweft.plugins.mechanisms.switches.inventory import Switch
from netweft.plugins.mechanisms.switches.ovsdb import remote_of, tls_of
from netweft.plugins.mechanisms.vtep.desired import (
    ORDER,
    SOURCE_NODE,
    binding_key,
    flood_key,
    mac_key,
    parts,
    switch_key,
)
from netweft.reconcile.plan import Step

DATABASE: Final = "hardware_vtep"
PREFIX: Final = "netweft-"
UNKNOWN: Final = "unknown-dst"
ENCAPSULATION: Final = "vxlan_over_ipv4"
_TABLES: Final = {
    "Physical_Switch": ("_uuid", "name", "ports", "tunnel_ips"),
    "Physical_Port": ("_uuid", "name", "vlan_bindings"),
    "Logical_Switch": ("_uuid", "name", "tunnel_key", "replication_mode"),
    "Ucast_Macs_Remote": ("_uuid", "MAC", "logical_switch", "locator"),
    "Mcast_Macs_Remote": ("_uuid", "MAC", "logical_switch", "locator_set"),
    "Physical_Locator": ("_uuid", "encapsulation_type", "dst_ip", "tunnel_key"),
    "Physical_Locator_Set": ("_uuid", "locators"),
}
# all but what the switch learns, and who refers to locators: a machine that makes up addresses must not keep us reading
_WATCHED: Final = {table: columns[1:] for table, columns in _TABLES.items() if table != "Physical_Locator"}
_OF_A_SWITCH: Final = ("Ucast_Macs_Remote", "Mcast_Macs_Remote", "Ucast_Macs_Local", "Mcast_Macs_Local")
Operation = dict[str, Any]
Rows = Mapping[str, Sequence[Mapping[str, Any]]]


class There(Struct, frozen=True):
    """What is on the switch.  values: by key.  ports, switches, locators: by name or address, with their rows.
    keys: tunnel key -> the logical switch that has it.  bound: who has a port's VLAN, by name, whosever it is."""

    tunnel_ips: tuple[str, ...]
    values: Mapping[str, Any]
    ports: Mapping[str, str]
    switches: Mapping[str, str]
    locators: Mapping[str, str]
    keys: Mapping[int, str]
    bound: Mapping[str, str]


class VtepDatabase:
    def __init__(self, switch: Switch, changed: Callable[[], None]) -> None:
        """Raises SettingsError."""
        where = remote_of(switch)
        self.name = switch.option("netweft_physical_switch", switch.name)
        tls = tls_of(switch) if where.startswith("ssl:") else None
        self._remote = Remote(where, DATABASE, _WATCHED, changed, tls=tls)

    async def read(self) -> There:
        """Raises Unreachable."""
        tables = await self._remote.select(_TABLES)
        found = [row for row in tables["Physical_Switch"] if row["name"] == self.name]
        if not found:
            raise Unreachable(f"there is no physical switch {self.name}")
        return _there(found[0], tables)

    async def local_macs(self) -> list[tuple[str, str]]:
        """Network and MAC of what the switch has learned behind its ports, of ours.  Raises Unreachable."""
        tables = await self._remote.select(
            {"Logical_Switch": ("_uuid", "name"), "Ucast_Macs_Local": ("MAC", "logical_switch")}
        )
        names = {row["_uuid"][1]: row["name"] for row in tables["Logical_Switch"]}
        rows = ((names.get(row["logical_switch"][1], ""), row["MAC"].lower()) for row in tables["Ucast_Macs_Local"])
        return [(name.removeprefix(PREFIX), mac) for name, mac in rows if name.startswith(PREFIX)]

    async def apply(self, steps: Sequence[Step]) -> dict[str, str]:
        """All in one transaction; when that is refused, each by itself, so that it is known which is the trouble.
        Raises Unreachable."""
        there = await self.read()
        refused = {str(step.key): why for step in steps if (why := _against(there, step))}
        todo = in_order([step for step in steps if str(step.key) not in refused])
        _, whole = await self._remote.transact(Writing(there).operations(todo))
        for step in todo if whole else ():
            _, why = await self._remote.transact(Writing(await self.read()).operations([step]))
            refused |= {str(step.key): why} if why else {}
        return refused

    async def close(self) -> None:
        await self._remote.close()


def in_order(steps: Sequence[Step]) -> list[Step]:
    """A logical switch is there before what refers to it, and goes after that."""
    gone = sorted((step for step in steps if step.now is None), key=_rank, reverse=True)
    return [*gone, *sorted((step for step in steps if step.now is not None), key=_rank)]


def _rank(step: Step) -> tuple[int, str]:
    return ORDER.index(parts(str(step.key))[0]), str(step.key)


def _there(switch: Mapping[str, Any], tables: Rows) -> There:
    names = {row["_uuid"][1]: str(row["name"]) for row in tables["Logical_Switch"]}
    networks = {uuid: name.removeprefix(PREFIX) for uuid, name in names.items() if name.startswith(PREFIX)}
    own = {uuid for _, uuid in map(tuple, from_set(switch["ports"]))}
    ports = [row for row in tables["Physical_Port"] if row["_uuid"][1] in own]
    bound = {
        binding_key(port["name"], vlan): names.get(to[1], "")
        for port in ports
        for vlan, to in from_map(port["vlan_bindings"]).items()
    }
    locators = {row["_uuid"][1]: row["dst_ip"] for row in tables["Physical_Locator"]}
    shared = [row for row in tables["Physical_Locator"] if not from_set(row["tunnel_key"])]
    return There(
        tunnel_ips=tuple(from_set(switch["tunnel_ips"])),
        values={
            **dict(_switches(tables, networks)),
            **{key: name.removeprefix(PREFIX) for key, name in bound.items() if name.startswith(PREFIX)},
            **dict(_macs(tables, networks, locators)),
        },
        ports={port["name"]: port["_uuid"][1] for port in ports},
        switches={name: uuid for uuid, name in names.items()},
        locators={row["dst_ip"]: row["_uuid"][1] for row in shared},
        keys={key: row["name"] for row in tables["Logical_Switch"] for key in from_set(row["tunnel_key"])},
        bound=bound,
    )


def _switches(tables: Rows, networks: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    for row in tables["Logical_Switch"]:
        if network := networks.get(row["_uuid"][1]):
            yield switch_key(network), [*(from_set(row["tunnel_key"]) or [None]), *from_set(row["replication_mode"])]


def _macs(tables: Rows, networks: Mapping[str, str], locators: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """Of a MAC that several rows name, all that they say: that is no value that is wanted."""
    found: dict[str, list[Any]] = {}
    for row in tables["Ucast_Macs_Remote"]:
        if network := networks.get(row["logical_switch"][1]):
            found.setdefault(mac_key(network, row["MAC"]), []).append(locators.get(row["locator"][1]))
    sets = {row["_uuid"][1]: from_set(row["locators"]) for row in tables["Physical_Locator_Set"]}
    for row in tables["Mcast_Macs_Remote"]:
        network = networks.get(row["logical_switch"][1])
        if network and row["MAC"] == UNKNOWN:
            ends = sorted(str(locators.get(uuid)) for _, uuid in sets.get(row["locator_set"][1], ()))
            found.setdefault(flood_key(network), []).append(ends)
    for key, values in found.items():
        yield key, values[0] if len(values) == 1 else {"several": values}


def _against(there: There, step: Step) -> str:
    """Why it is not even tried: others have it, or it is not there."""
    way, whose, which = parts(str(step.key))
    if step.now is None:
        return ""
    if way == "binding":
        if whose not in there.ports:
            return f"there is no port {whose}"
        taken = there.bound.get(str(step.key), PREFIX)
        return (
            "" if taken.startswith(PREFIX) else f"VLAN {which} of port {whose} is bound to {taken}, which is not ours"
        )
    if way == "switch":
        other = there.keys.get(step.now[0], PREFIX + whose)
        return "" if other.startswith(PREFIX) else f"tunnel key {step.now[0]} is of {other}, which is not ours"
    return ""


class Writing:
    """One transaction: new rows are referred to by names of its own."""

    def __init__(self, there: There) -> None:
        self._there = there
        self._new: list[Operation] = []
        self.named: dict[str, list[str]] = {}

    def operations(self, steps: Sequence[Step]) -> list[Operation]:
        found = [operation for step in steps for operation in self._of(step)]
        return [*self._new, *found]

    def _of(self, step: Step) -> Iterator[Operation]:
        way, whose, which = parts(str(step.key))
        if way == "switch":
            yield from self._switch(PREFIX + whose, step.now)
        elif way == "binding":
            yield from self._binding(whose, int(which), step)
        elif way == "mac":
            yield from self._mac("Ucast_Macs_Remote", which, whose, step.now and {"locator": self._locator(step.now)})
        else:
            yield from self._mac("Mcast_Macs_Remote", UNKNOWN, whose, step.now and self._set(step.now))

    def _switch(self, name: str, now: Any) -> Iterator[Operation]:
        """With all that refers to it, what the switch itself has learned among that."""
        uuid = self._there.switches.get(name)
        if now is None:
            for table in _OF_A_SWITCH if uuid else ():
                yield {"op": "delete", "table": table, "where": [["logical_switch", "==", ["uuid", uuid]]]}
            yield {"op": "delete", "table": "Logical_Switch", "where": [["name", "==", name]]}
            return
        row = {"tunnel_key": now[0], "replication_mode": SOURCE_NODE}
        if uuid is None:
            self._add(name, "Logical_Switch", {"name": name, "description": "made by netweft", **row})
        else:
            yield {"op": "update", "table": "Logical_Switch", "where": [["name", "==", name]], "row": row}

    def _binding(self, port: str, vlan: int, step: Step) -> Iterator[Operation]:
        """One that somebody else has bound to something else meanwhile stays."""
        uuid = self._there.ports.get(port)
        if uuid is None:
            return
        before = self._there.switches.get(self._there.bound.get(binding_key(port, vlan), ""))
        mutations = [["vlan_bindings", "delete", ["map", [[vlan, ["uuid", before]]]]]] if before else []
        if step.now is not None:
            to = self._logical(step.now)
            mutations.append(["vlan_bindings", "insert", ["map", [[vlan, to]]]])
        elif not self._there.bound.get(binding_key(port, vlan), "").startswith(PREFIX):
            return
        where = [["_uuid", "==", ["uuid", uuid]]]
        yield {"op": "mutate", "table": "Physical_Port", "where": where, "mutations": mutations}

    def _mac(self, table: str, mac: str, network: str, now: Mapping[str, Any] | None) -> Iterator[Operation]:
        if uuid := self._there.switches.get(PREFIX + network):
            where = [["MAC", "==", mac], ["logical_switch", "==", ["uuid", uuid]]]
            yield {"op": "delete", "table": table, "where": where}
        if now:
            row = {"MAC": mac, "logical_switch": self._logical(network), "ipaddr": "", **now}
            yield {"op": "insert", "table": table, "row": row}

    def _logical(self, network: str) -> list[str]:
        name = PREFIX + network
        uuid = self._there.switches.get(name)
        return ["uuid", uuid] if uuid else self.named.get(name, ["named-uuid", "unknown"])

    def _locator(self, address: str) -> list[str]:
        if uuid := self._there.locators.get(address):
            return ["uuid", uuid]
        row = {"encapsulation_type": ENCAPSULATION, "dst_ip": address}
        return self.named.get(address) or self._add(address, "Physical_Locator", row)

    def _set(self, addresses: Collection[str]) -> Mapping[str, Any]:
        locators = ["set", [self._locator(address) for address in addresses]]
        name = self._add(f"set {len(self.named)}", "Physical_Locator_Set", {"locators": locators})
        return {"locator_set": name}

    def _add(self, name: str, table: str, row: Operation) -> list[str]:
        found = self.named[name] = ["named-uuid", f"new{len(self.named)}"]
        self._new.append({"op": "insert", "table": table, "row": row, "uuid-name": found[1]})
        return found
