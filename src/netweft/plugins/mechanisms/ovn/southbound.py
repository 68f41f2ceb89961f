"""OVN_Southbound: which chassis there are, and which ports are in place there."""

import ssl
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import Struct

from netweft.model import NodeFacts, PortStatus
from netweft.model.health import Health
from netweft.model.node import ON_THIS_CHASSIS
from netweft.model.status import PortState
from netweft.plugins.mechanisms import Seen
from netweft.plugins.mechanisms.database import Remote, from_map, from_set
from netweft.plugins.mechanisms.ovn.rows import AGENT

_MAPPINGS, _OPTIONS = "ovn-bridge-mappings", "ovn-cms-options"
NO_METADATA: Final = 'no netweft agent runs there (driver = "ovn")'
_WATCHED: Final = {
    "Chassis": ("name", "hostname", "encaps", "other_config", "external_ids"),
    "Encap": ("type", "ip"),
    "Service_Monitor": ("logical_port", "ip", "port", "protocol", "status"),
    "Port_Binding": ("logical_port", "chassis", "additional_chassis", "up", "type"),
}


class Asked(Struct, frozen=True):
    """What a row of Service_Monitor is about."""

    port_id: str
    address: str
    port: int
    protocol: str


class Chassis(Struct, frozen=True):
    """name: OVN's own; hosts are told by `hostname`.  asked: of members there, whether they are well."""

    name: str
    seen: Seen
    asked: Mapping[Asked, Health] = {}


class Southbound:
    def __init__(self, remote: str, changed: Callable[[], None], tls: ssl.SSLContext | None = None) -> None:
        self._changed = changed
        self._remote = Remote(remote, "OVN_Southbound", _WATCHED, self._is_news, tls=tls)
        self._known: dict[str, Chassis] | None = None
        self._is_known = False

    def _is_news(self) -> None:
        self._known, self._is_known = None, False
        self._changed()

    async def read(self) -> Mapping[str, Chassis]:
        """host -> its chassis; as it was when nothing has changed since.  Raises Unreachable."""
        if self._known is None:
            self._is_known = True  # until there is news, which may come while it is read
            found = await self._read()
            self._known = found if self._is_known else None
            return found
        return self._known

    async def _read(self) -> dict[str, Chassis]:
        tables = await self._remote.select({table: ("_uuid", *columns) for table, columns in _WATCHED.items()})
        encaps = {one["_uuid"][1]: one for one in tables["Encap"]}
        ports: dict[str, list[PortStatus]] = defaultdict(list)
        where_is: dict[str, str] = {}
        for one in tables["Port_Binding"]:
            where = from_set(one["chassis"])
            if one["type"] in ("", "virtual") and where:
                state = PortState.UP if True in from_set(one["up"]) else PortState.DOWN
                ports[where[0][1]].append(PortStatus(one["logical_port"], state))
                where_is[one["logical_port"]] = where[0][1]
                for other in from_set(one["additional_chassis"]):  # it is on its way there
                    ports[other[1]].append(PortStatus(one["logical_port"], PortState.UP))
        asked: dict[str, dict[Asked, Health]] = defaultdict(dict)
        for one in tables["Service_Monitor"]:
            if said := from_set(one["status"]):
                (protocol,) = from_set(one["protocol"]) or ("tcp",)
                what = Asked(one["logical_port"], one["ip"], one["port"], protocol)
                asked[where_is.get(what.port_id, "")][what] = "ONLINE" if said[0] == "online" else "ERROR"
        return {
            one["hostname"]: _chassis(one, encaps, ports[one["_uuid"][1]], asked[one["_uuid"][1]])
            for one in tables["Chassis"]
            if one["hostname"]
        }

    async def close(self) -> None:
        await self._remote.close()


def _chassis(
    one: Mapping[str, Any],
    encaps: Mapping[str, Mapping[str, Any]],
    ports: list[PortStatus],
    asked: Mapping[Asked, Health],
) -> Chassis:
    said = from_map(one["external_ids"]) | from_map(one["other_config"])
    mappings = dict(pair.strip().split(":", 1) for pair in str(said.get(_MAPPINGS, "")).split(",") if ":" in pair)
    ends = [encaps[ref[1]] for ref in from_set(one["encaps"]) if ref[1] in encaps]
    facts = NodeFacts(
        tunnel_ip=next((end["ip"] for end in ends), None),
        tunnel_types=("geneve",),  # how OVN carries it is its own affair
        bridge_mappings=mappings,
        datapath_type=str(said.get("datapath-type", "")),
        agent_type=AGENT,
        binary="ovn-controller",
        metadata="" if ON_THIS_CHASSIS in str(said.get(_OPTIONS, "")).split(",") else NO_METADATA,
    )
    return Chassis(one["name"], Seen(facts, tuple(sorted(ports, key=lambda port: port.port_id))), asked)
