"""A switch that is an Open vSwitch, driven by OVSDB: ports' `tag`, `trunks` and `vlan_mode`.

Open vSwitch has no list of VLANs, and a port whose `trunks` are empty carries all: that is left as it is, and no port
becomes so by our taking VLANs away (CLOSED stays, which is no VLAN that frames can have).
"""

import asyncio
import ssl
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from netweft.dataplane.ovsdb.errors import OvsdbError, OvsdbLost, TransactionFailed
from netweft.dataplane.ovsdb.session import Session
from netweft.plugins.mechanisms import Unreachable
from netweft.plugins.mechanisms.database import tls_context
from netweft.plugins.mechanisms.switches.desired import parts
from netweft.plugins.mechanisms.switches.inventory import Switch
from netweft.plugins.mechanisms.switches.switch import refuse
from netweft.reconcile.plan import Step

CLOSED: Final = 4095
DATABASE: Final = "Open_vSwitch"
_WATCHED: Final = {"Bridge": ("name", "ports"), "Port": ("name", "tag", "trunks", "vlan_mode")}
# as ovs-vsctl does: vswitchd 3.1 does not look at its ports when only members of a set of integers have changed
_NEXT_CFG: Final = {"op": "mutate", "table": DATABASE, "where": [], "mutations": [["next_cfg", "+=", 1]]}
_UNTAGGED: Final = ("untagged", "native")
_ACCESS, _TRUNK, _BOTH = "access", "trunk", "native-untagged"


class _Watching(Session):
    """changed: called when anything that is read has changed, by whomever."""

    def __init__(self, changed: Callable[[], None]) -> None:
        super().__init__(DATABASE)
        self._changed = changed

    def updated(self, tables: dict[str, Any]) -> None:
        self._changed()


class OvsdbSwitch:
    ways = frozenset({"tagged", "untagged", "native"})

    def __init__(self, switch: Switch, changed: Callable[[], None]) -> None:
        """Raises SettingsError."""
        self._switch, self._changed = switch, changed
        self._remote, self._bridge = remote_of(switch), switch.option("netweft_bridge", "br0")
        self._tls = tls_of(switch) if self._remote.startswith("ssl:") else None
        self._seconds = float(switch.option("ngs_ssh_connect_timeout", "5"))
        self._session: Session | None = None
        self._turn = asyncio.Lock()
        self._watch: asyncio.Task[Any] | None = None

    async def read(self, keys: Collection[str], *, anew: bool) -> Mapping[str, Any]:
        async with self._turn:
            ports = await self._ports()
        found = {}
        for key in keys:
            way, name, vid = parts(key)
            value = _value(ports.get(name), way, vid)
            if value is not None:
                found[key] = value
        return found

    def commands(self, steps: Sequence[Step]) -> list[str]:
        """As ovs-vsctl would be told."""
        return [_command(step, self._switch.default_vlan) for step in steps]

    async def apply(self, steps: Sequence[Step]) -> Mapping[str, str]:
        """One transaction.  What is refused is sent again port by port, so that the faulty one is known."""
        by_port: dict[str, list[Step]] = {}
        for step in steps:
            by_port.setdefault(parts(str(step.key))[1], []).append(step)
        async with self._turn:
            ports = await self._ports()
            session = await self._connected()
            todo = {name: wanted for name, wanted in by_port.items() if name in ports}
            default = self._switch.default_vlan
            operations = {name: _operation(ports[name], wanted, default) for name, wanted in todo.items()}
            failed = await _transact(session, operations) if operations else {}
        failed |= {name: f"there is no port {name} on bridge {self._bridge}" for name in by_port.keys() - ports.keys()}
        return {
            str(step.key): failed[name]
            for name, wanted in by_port.items()
            for step in wanted
            if name in failed and (name in ports or step.now is not None)
        }

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _ports(self) -> dict[str, dict[str, Any]]:
        """All ports of the bridge, by name.  Raises Unreachable."""
        session = await self._connected()
        bridge = {"op": "select", "table": "Bridge", "where": [["name", "==", self._bridge]], "columns": ["ports"]}
        ports = {
            "op": "select",
            "table": "Port",
            "where": [],
            "columns": ["_uuid", "name", "tag", "trunks", "vlan_mode"],
        }
        try:
            bridges, rows = await session.transact([bridge, ports])
        except OvsdbError as error:
            raise Unreachable(str(error)) from None
        if not bridges["rows"]:
            raise Unreachable(f"there is no bridge {self._bridge}")
        here = {uuid for _, uuid in map(tuple, _members(bridges["rows"][0]["ports"]))}
        return {row["name"]: row for row in rows["rows"] if row["_uuid"][1] in here}

    async def _connected(self) -> Session:
        """Raises Unreachable."""
        if self._session is None or self._session.is_lost:
            try:
                self._session = await _Watching(self._changed).open(
                    self._remote, _WATCHED, timeout=self._seconds, tls=self._tls
                )
            except OvsdbError as error:
                raise Unreachable(str(error)) from None
            task = asyncio.create_task(self._session.wait_closed())
            task.add_done_callback(lambda _: self._changed())
            self._watch = task
        return self._session


async def _transact(session: Session, operations: Mapping[str, dict[str, Any]]) -> dict[str, str]:
    """port -> why not.  Raises Unreachable."""
    try:
        try:
            await session.transact([*operations.values(), _NEXT_CFG])
        except TransactionFailed as error:
            if len(operations) == 1:
                return {name: str(error) for name in operations}
            failed: dict[str, str] = {}
            for name, operation in operations.items():
                failed |= await _transact(session, {name: operation})
            return failed
    except OvsdbLost as error:
        raise Unreachable(str(error)) from None
    return {}


def _members(value: Any) -> list[Any]:
    """Of a column that is a set: one member is written as itself."""
    return list(value[1]) if isinstance(value, list) and value[0] == "set" else [value]


def _mode(row: Mapping[str, Any]) -> str:
    """As vswitchd takes an empty `vlan_mode`."""
    (mode,) = _members(row["vlan_mode"]) or [""]
    return str(mode) or (_ACCESS if _members(row["tag"]) else _TRUNK)


def _value(row: Mapping[str, Any] | None, way: str, vid: int) -> Any:
    """None: it is not there."""
    if row is None:
        return None
    mode, trunks, tag = _mode(row), _members(row["trunks"]), _members(row["tag"])
    if way in _UNTAGGED:
        return tag[0] if tag and mode == (_ACCESS if way == "untagged" else _BOTH) else None
    return True if mode != _ACCESS and (vid in trunks or not trunks) else None


def _operation(row: Mapping[str, Any], steps: Sequence[Step], default_vlan: int | None) -> dict[str, Any]:
    """The port's row as it is with these steps done.  The port was just read; who writes it meanwhile is seen by the
    monitor, and it is looked at again."""
    mode, trunks, tag = _mode(row), set(_members(row["trunks"])), _members(row["tag"])
    carries_all = mode != _ACCESS and not trunks
    if mode == _ACCESS:
        trunks = set()
    native = tag[0] if tag and mode != _TRUNK else None
    for step in steps:
        way, _, vid = parts(str(step.key))
        if way in _UNTAGGED:
            native = default_vlan if step.now is None else step.now
        elif step.now is None:
            trunks.discard(vid)
        else:
            trunks.add(vid)
    tagging = bool(trunks - {CLOSED})
    if carries_all and not any(parts(str(step.key))[0] in _UNTAGGED for step in steps):
        trunks, tagging = set(), True
    elif not trunks:
        trunks = {CLOSED}
    now = (_BOTH if tagging else _ACCESS) if native is not None else _TRUNK
    return {
        "op": "update",
        "table": "Port",
        "where": [["_uuid", "==", row["_uuid"]]],
        "row": {
            "tag": ["set", [] if native is None else [native]],
            "trunks": ["set", sorted(trunks)],
            "vlan_mode": now,
        },
    }


def _command(step: Step, default_vlan: int | None) -> str:
    way, port, vid = parts(str(step.key))
    if way == "tagged":
        return f"ovs-vsctl {'remove' if step.now is None else 'add'} Port {port} trunks {vid}"
    native = default_vlan if step.now is None else step.now
    if native is None:
        return f"ovs-vsctl clear Port {port} tag -- set Port {port} vlan_mode={_TRUNK} trunks={CLOSED}"
    mode = _BOTH if way == "native" else _ACCESS
    return f"ovs-vsctl set Port {port} vlan_mode={mode} tag={native}"


def remote_of(switch: Switch) -> str:
    """Raises SettingsError."""
    text = switch.option("netweft_remote") or (f"tcp:{ip}:6640" if (ip := switch.option("ip")) else "")
    method, _, where = text.partition(":")
    if method == "unix" and where.startswith("/"):
        return text
    host, _, port = where.rpartition(":")
    if method not in ("tcp", "ssl") or not host or not port.isdigit():
        raise refuse(switch, "netweft_remote", f"{text!r} is not unix:/PATH, tcp:HOST:PORT or ssl:HOST:PORT")
    return text


def tls_of(switch: Switch) -> ssl.SSLContext:
    """Raises SettingsError."""
    names = ("netweft_ca_file", "netweft_cert_file", "netweft_key_file")
    files = [switch.option(name) for name in names]
    for name, file in zip(names, files, strict=True):
        if not file:
            raise refuse(switch, name, "is needed for ssl:")
    try:
        return tls_context(*files)
    except OSError as error:
        raise refuse(switch, names[0], f"or {names[1]}, {names[2]}: {error}") from None
