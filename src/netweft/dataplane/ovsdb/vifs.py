"""What is plugged into one bridge, by iface-id: kept up to date from the replica's changes, at the cost of these.

Of two interfaces with one iface-id, one with a valid ofport wins, else the first by name.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from netweft.dataplane.ovsdb.replica import Changes, InterfaceRecord, PortRecord, Replica
from netweft.dataplane.ovsdb.rows import Vif


class Vifs:
    def __init__(self, replica: Replica, bridge: str) -> None:
        self.plugged: dict[str, Vif] = {}
        self._replica = replica
        self._bridge = bridge
        self._candidates: defaultdict[str, set[str]] = defaultdict(set)  # iface-id -> interfaces that carry it
        self.update(replica.everything())

    def update(self, changes: Changes) -> Mapping[str, Vif | None]:
        """Returns what is plugged in otherwise than before; None: nothing any more."""
        touched: set[str] = set()
        for uuid, was in changes.get("Interface", {}).items():
            before, now = _iface_id(was), _iface_id(self._replica.interfaces.get(uuid))
            if before:
                self._candidates[before].discard(uuid)
            if now:
                self._candidates[now].add(uuid)
            touched |= {id for id in (before, now) if id}
        found = {iface_id: self._best(iface_id) for iface_id in touched}
        differs = {iface_id: vif for iface_id, vif in found.items() if self.plugged.get(iface_id) != vif}
        for iface_id, vif in differs.items():
            if vif is None:
                del self.plugged[iface_id]
            else:
                self.plugged[iface_id] = vif
        return differs

    def _best(self, iface_id: str) -> Vif | None:
        uuids = self._candidates[iface_id]
        if not uuids:
            del self._candidates[iface_id]
        vifs = (vif for uuid in uuids if (vif := self._vif(iface_id, uuid)))
        return min(vifs, key=lambda vif: ((vif.ofport or 0) <= 0, vif.name), default=None)

    def _vif(self, iface_id: str, uuid: str) -> Vif | None:
        interface, port = self._replica.interfaces.get(uuid), self._replica.port_of(uuid)
        bridge = self._replica.bridge_of(port.name) if port else None
        if interface is None or port is None or bridge is None or bridge.name != self._bridge:
            return None
        return _vif(iface_id, port, interface)


def _iface_id(record: Any) -> str:
    return record.external_ids.get("iface-id", "") if record else ""


def _vif(iface_id: str, port: PortRecord, interface: InterfaceRecord) -> Vif:
    device = interface.type in ("", "system")  # others Open vSwitch makes itself, and may be in another namespace
    return Vif(
        iface_id=iface_id,
        port_name=port.name,
        name=interface.name,
        ofport=interface.ofport,
        mac=interface.external_ids.get("attached-mac") or interface.mac_in_use or "",
        error=interface.error or "",
        ifindex=interface.ifindex if device else None,
        down=device and interface.admin_state == "down",
        tag=port.tag,
        external_ids=tuple(sorted(port.external_ids.items())),
    )
