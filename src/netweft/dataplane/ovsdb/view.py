"""Reading the replica: bridges, ports and VIFs as values.  Nothing is kept."""

from collections.abc import Iterator

from netweft.dataplane.host.datapath import kernel_has_openvswitch
from netweft.dataplane.ovsdb.replica import BridgeRecord, InterfaceRecord, PortRecord, Replica
from netweft.dataplane.ovsdb.rows import MARK, PREFIX, BridgeRow, PortRow, Vif, VifTag
from netweft.dataplane.ovsdb.vifs import Vifs


class OvsView:
    """A window on the replica of a connection: always current."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    def version(self) -> str:
        return self._replica.root.ovs_version or ""

    def datapath_type(self) -> str:
        """`system` if this host has the kernel datapath, else `netdev`.

        What vswitchd lists in datapath_types is what it was built with, so the kernel is checked too."""
        built_in = "system" in self._replica.root.datapath_types
        return "system" if built_in and kernel_has_openvswitch() else "netdev"

    def vlan_limit(self) -> int:
        """How many VLAN tags of a frame vswitchd looks at; 0: as many as it can."""
        given = self._replica.root.other_config.get("vlan-limit", "")
        return int(given) if given.isdigit() else 1

    def bridges(self) -> dict[str, BridgeRow]:
        """All bridges, also those of others.  external_ids: all."""
        return {record.name: bridge_row(record) for record in self._replica.bridges.values()}

    def datapath_of(self, bridge: str) -> str | None:
        """As it stands in its row, where "" means `system`; None when there is no such bridge."""
        record = self._replica.bridge(bridge)
        return record.datapath_type if record else None

    def ports(self, bridge: str) -> dict[str, PortRow]:
        """All ports of a bridge, also those of others (of a bond, one of its interfaces)."""
        return {port.name: port_row(bridge, port, interface) for port, interface in self._interfaces(bridge)}

    def vifs(self, bridge: str) -> dict[str, Vif]:
        """iface-id -> what is plugged in.  For frequent use there is `Vifs`."""
        return Vifs(self._replica, bridge).plugged

    def tags(self) -> dict[str, VifTag]:
        """Port name -> what we have set on the ports of others: those that carry our external_ids but not our MARK."""
        return {
            port.name: vif_tag(self._replica, port) for port in self._replica.ports.values() if is_tagged_by_us(port)
        }

    def ofport(self, interface: str) -> int | None:
        """None while vswitchd has not assigned one; -1 when it could not."""
        record = self._replica.interface(interface)
        return record.ofport if record else None

    def error(self, interface: str) -> str:
        """Why vswitchd could not open this interface; empty when it could."""
        record = self._replica.interface(interface)
        return (record.error or "") if record else ""

    def bfd_status(self, interface: str) -> dict[str, str] | None:
        """Of its session; empty before there is one, None while there is no such interface."""
        record = self._replica.interface(interface)
        return record.bfd_status if record else None

    def has_carrier(self, bridge: str) -> bool:
        """Whether one of the NICs in it has; where there is none, nothing is known that speaks against it."""
        nics = self.nics(bridge)
        return not nics or any(nic.link_state != "down" for nic in nics)

    def nics(self, bridge: str) -> list[InterfaceRecord]:
        """What is plugged into this bridge and is nothing that we or Open vSwitch made."""
        return [
            interface
            for port, interface in self._interfaces(bridge)
            if MARK not in port.external_ids and interface.type not in ("internal", "patch")
        ]

    def tag(self, port: str) -> int | None:
        """Its local VLAN, as it stands there."""
        record = self._replica.port(port)
        return record.tag if record else None

    def interface(self, name: str) -> InterfaceRecord | None:
        return self._replica.interface(name)

    def _interfaces(self, bridge: str) -> Iterator[tuple[PortRecord, InterfaceRecord]]:
        record = self._replica.bridge(bridge)
        for uuid in record.ports if record else ():
            port = self._replica.ports.get(uuid)
            for interface_uuid in port.interfaces if port else ():
                interface = self._replica.interfaces.get(interface_uuid)
                if port and interface:
                    yield port, interface


def is_tagged_by_us(port: PortRecord) -> bool:
    return MARK not in port.external_ids and any(key.startswith(PREFIX) for key in port.external_ids)


def bridge_row(record: BridgeRecord) -> BridgeRow:
    return BridgeRow(
        name=record.name,
        datapath_type=record.datapath_type,
        fail_mode=record.fail_mode or "",
        protocols=tuple(sorted(record.protocols)),
        other_config=_pairs(record.other_config),
        external_ids=_pairs(record.external_ids),
    )


def port_row(bridge: str, port: PortRecord, interface: InterfaceRecord) -> PortRow:
    return PortRow(
        name=port.name,
        bridge=bridge,
        type=interface.type,
        options=_pairs(interface.options),
        tag=port.tag,
        bfd=_pairs(interface.bfd),
        external_ids=_pairs(port.external_ids),
    )


def vif_tag(replica: Replica, port: PortRecord) -> VifTag:
    """Only what is ours."""
    ours = {key: value for key, value in port.external_ids.items() if key.startswith(PREFIX)}
    mtu = next((interface.mtu_request for interface in replica.interfaces_of(port)), None)
    return VifTag(port_name=port.name, tag=port.tag or 0, mtu=mtu, external_ids=_pairs(ours))


def _pairs(mapping: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(mapping.items()))
