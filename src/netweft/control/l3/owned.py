"""Ports that are a router's, a floating IP's or a balancer's: they come, change and go by way of those."""

from netweft.control.errors import InvalidInput
from netweft.control.ipam import allocation as ipam
from netweft.control.l2.hosts import HOST
from netweft.control.l2.trunks import PortInUse
from netweft.control.l3 import attached
from netweft.control.l3.errors import (
    DeviceGetsNoPorts,
    IPAddressChangeNotAllowed,
    PortOnEveryHost,
    ServicePortInUse,
)
from netweft.control.l3.owners import FLOATING, GATEWAY, INTERFACES, OWNERS
from netweft.control.lb import vips
from netweft.control.lb.vocabulary import BALANCERS
from netweft.control.standard import UseCases
from netweft.model.load_balancer import ASKING_OWNER
from netweft.model.proxy import PROXY_OWNER
from netweft.model.router import ADDRESS_MAC
from netweft.store import Object, ReadTransaction, WriteTransaction

_RESERVED = OWNERS.keys() | INTERFACES | {ASKING_OWNER, PROXY_OWNER}


def is_owned(tx: ReadTransaction, port: Object) -> bool:
    """Whether what it belongs to is there.  As a port itself says it: nobody else can write these two attributes so."""
    kind = BALANCERS if port["device_owner"] == PROXY_OWNER else OWNERS.get(port["device_owner"])
    return kind is not None and tx.get(kind, port["device_id"]) is not None


class OwnedPorts:
    """Around the use cases of ports, for those who ask for ports."""

    def __init__(self, ports: UseCases) -> None:
        self._ports = ports

    def create(self, tx: WriteTransaction, wanted: list[Object]) -> list[Object]:
        for one in wanted:
            _refuse_device(one)
        return self._ports.create(tx, wanted)

    def update(self, tx: WriteTransaction, current: Object, changes: Object) -> Object:
        if vips.is_vip(tx.glance, current):
            vips.refuse_changes(current, changes)
            return self._ports.update(tx, current, changes)
        after = current | changes
        moved = any(after[name] != current[name] for name in ("device_id", "device_owner"))
        if is_owned(tx.glance, current):
            if moved:
                raise PortInUse(port_id=current["id"], net_id=current["network_id"], device_id=current["device_id"])
            changes = _allowed(current, changes)
        elif moved:
            _refuse_device(after)
        updated = self._ports.update(tx, current, changes)
        if updated["fixed_ips"] != current["fixed_ips"]:
            attached.follow(tx, updated)
        if updated["mac_address"] != current["mac_address"] and updated["device_owner"] == FLOATING:
            tx.update(OWNERS[FLOATING], updated["device_id"], {ADDRESS_MAC: updated["mac_address"]})
        return updated

    def delete(self, tx: WriteTransaction, current: Object) -> None:
        if is_owned(tx.glance, current) or vips.is_vip(tx.glance, current):
            raise ServicePortInUse(port_id=current["id"], reason=f"has device owner {current['device_owner']}")
        self._ports.delete(tx, current)


def refuse_bound(tx: ReadTransaction, port: Object) -> None:
    """Before a port is bound to a host."""
    if is_owned(tx, port) or vips.is_vip(tx, port):
        raise PortOnEveryHost(port_id=port["id"], device_owner=port["device_owner"])


def _allowed(port: Object, changes: Object) -> Object:
    if changes.get(HOST):
        raise PortOnEveryHost(port_id=port["id"], device_owner=port["device_owner"])
    if changes.get("port_security_enabled"):
        raise InvalidInput(f"A port with the device_owner {port['device_owner']} has no port security")
    if "fixed_ips" in changes and ipam.are_held(changes["fixed_ips"], port["fixed_ips"]):
        return {name: value for name, value in changes.items() if name != "fixed_ips"}
    if "fixed_ips" in changes and port["device_owner"] != GATEWAY:
        raise IPAddressChangeNotAllowed(port_id=port["id"])
    return changes


def _refuse_device(port: Object) -> None:
    """Whether there is such a device or not: that is not for everybody to know."""
    if port["device_owner"] in _RESERVED and port["device_id"]:
        raise DeviceGetsNoPorts(device_owner=port["device_owner"], device_id=port["device_id"])
