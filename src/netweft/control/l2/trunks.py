"""Trunks: ports that carry further ones, each behind a VLAN tag of the VM's own.

The trunk's port and its sub-ports know their trunk, so that whoever holds such a port's row knows what it is part of.
"""

from collections.abc import Mapping, Sequence

from netweft.control.errors import Conflict, InvalidInput, NotFound, PortNotFound
from netweft.control.l2 import hosts, placing
from netweft.control.l2.placing import TRUNK
from netweft.control.l2.segments import ID, TYPE
from netweft.control.standard import born, bumped
from netweft.store import Object, ReadTransaction, WriteTransaction

KIND = "trunks"
OWNER = "trunk:subport"
PART_OF = "netweft:sub_port_of"  # kept on a sub-port: the trunk
INHERIT = "inherit"  # a segmentation type: as the sub-port's network
_VLANS = range(1, 4095)


class TrunkNotFound(NotFound):
    message = "Trunk %(id)s could not be found."


class SubPortNotFound(NotFound):
    message = "SubPort %(port_id)s on trunk %(trunk_id)s could not be found."


class TrunkPortInUse(Conflict):
    message = "Port %(port_id)s is in use by another trunk."


class ParentPortInUse(Conflict):
    message = "Port %(port_id)s is currently in use and is not eligible for use as a parent port."


class PortInUse(Conflict):
    message = (
        "Unable to complete operation on port %(port_id)s for network %(net_id)s. "
        "Port already has an attached device %(device_id)s."
    )


class DuplicateSubPort(Conflict):
    message = (
        "segmentation_type %(segmentation_type)s and segmentation_id %(segmentation_id)s "
        "already in use on trunk %(trunk_id)s."
    )


class SubPortMtuGreaterThanTrunkPortMtu(Conflict):
    message = "MTU %(port_mtu)s of subport %(port_id)s cannot be greater than MTU %(trunk_mtu)s of trunk %(trunk_id)s."


class PortInUseAsTrunkParent(Conflict):
    message = "Port %(port_id)s is currently a parent port for trunk %(trunk_id)s."


class PortInUseAsSubPort(Conflict):
    message = "Port %(port_id)s is currently a subport for trunk %(trunk_id)s."


class TrunkDisabled(Conflict):
    message = "Trunk %(trunk_id)s is currently disabled."


class Trunks:
    def create(self, tx: WriteTransaction, wanted: list[Object]) -> list[Object]:
        return [self._create(tx, one) for one in wanted]

    def update(self, tx: WriteTransaction, current: Object, changes: Object) -> Object:
        return tx.update(KIND, current["id"], bumped(current, changes))

    def delete(self, tx: WriteTransaction, current: Object) -> None:
        _refuse_disabled(current)
        self._take_out(tx, [sub["port_id"] for sub in current["sub_ports"]])
        tx.update("ports", current["port_id"], {TRUNK: None})
        tx.delete(KIND, current["id"])

    def add(self, tx: WriteTransaction, current: Object, wanted: Sequence[Object]) -> Object:
        """Further sub-ports."""
        _refuse_disabled(current)
        parent = _port(tx, current["port_id"])
        return self._add(tx, current, parent, wanted)

    def remove(self, tx: WriteTransaction, current: Object, wanted: Sequence[Object]) -> Object:
        """These sub-ports, by their port_id."""
        _refuse_disabled(current)
        gone = {sub["port_id"] for sub in wanted}
        for id in gone - {sub["port_id"] for sub in current["sub_ports"]}:
            raise SubPortNotFound(trunk_id=current["id"], port_id=id)
        self._take_out(tx, gone)
        kept = [sub for sub in current["sub_ports"] if sub["port_id"] not in gone]
        return tx.update(KIND, current["id"], bumped(current, {"sub_ports": kept}))

    def _create(self, tx: WriteTransaction, wanted: Object) -> Object:
        parent = _port(tx, wanted["port_id"])
        _refuse_used(parent)
        trunk = born(wanted, sub_ports=[])
        tx.insert(KIND, trunk)
        parent = tx.update("ports", parent["id"], {TRUNK: trunk["id"]})
        return self._add(tx, trunk, parent, wanted["sub_ports"])

    def _add(self, tx: WriteTransaction, trunk: Object, parent: Object, wanted: Sequence[Object]) -> Object:
        ports = tx.lock_many("ports", {sub["port_id"] for sub in wanted})
        networks = tx.glance.get_many("networks", {port["network_id"] for port in [parent, *ports.values()]})
        for sub in wanted:
            if sub["port_id"] not in ports:
                raise PortNotFound(id=sub["port_id"])
        wanted = [_with_vlan(sub, networks[ports[sub["port_id"]]["network_id"]]) for sub in wanted]
        added: list[Object] = []
        numbers = {sub["segmentation_id"] for sub in trunk["sub_ports"]}
        there = {sub["port_id"] for sub in trunk["sub_ports"]}
        for sub in wanted:
            _check_port(ports[sub["port_id"]], parent, networks)
            if (number := sub["segmentation_id"]) in numbers:
                raise DuplicateSubPort(segmentation_type="vlan", segmentation_id=number, trunk_id=trunk["id"])
            if sub["port_id"] in there:
                raise TrunkPortInUse(port_id=sub["port_id"])
            numbers.add(number)
            there.add(sub["port_id"])
            added.append(sub)
        marks = {PART_OF: trunk["id"], "device_owner": OWNER}
        tx.update_many("ports", [port | bumped(port, marks) for port in ports.values()])
        tx.update(KIND, trunk["id"], bumped(trunk, {"sub_ports": trunk["sub_ports"] + added}))
        placing.follow(tx, [parent])
        return tx.get(KIND, trunk["id"]) or trunk

    def _take_out(self, tx: WriteTransaction, ids: Sequence[str] | set[str]) -> None:
        """They are ports like any other again, bound nowhere."""
        free = hosts.UNBOUND | {"status": "DOWN"}
        marks = {PART_OF: None, "device_owner": ""}
        ports = tx.lock_many("ports", ids).values()
        tx.update_many("ports", [port | bumped(port, placing.placed(tx, port, free, []) | marks) for port in ports])


def refuse_sub_port(port: Object) -> None:
    """Before a port is put somewhere: a sub-port is where its trunk is."""
    if port.get(PART_OF):
        raise PortInUseAsSubPort(port_id=port["id"], trunk_id=port[PART_OF])


def refuse_parts(port: Object) -> None:
    """Before a port is deleted."""
    refuse_sub_port(port)
    if port.get(TRUNK):
        raise PortInUseAsTrunkParent(port_id=port["id"], trunk_id=port[TRUNK])


def with_status(tx: ReadTransaction, trunks: Sequence[Object]) -> list[Object]:
    """ACTIVE when all of it is wired, BUILD while only its port is, DOWN when not even that."""
    ids = {id for trunk in trunks for id in [trunk["port_id"], *(sub["port_id"] for sub in trunk["sub_ports"])]}
    ports = tx.get_many("ports", ids)
    return [trunk | {"status": _status(trunk, ports)} for trunk in trunks]


def with_details(tx: ReadTransaction, ports: Sequence[Object]) -> Sequence[Object]:
    """Trunks' ports with what they carry; others as they are."""
    trunks = tx.get_many(KIND, {port[TRUNK] for port in ports if port.get(TRUNK)})
    if not trunks:
        return ports
    subs = tx.get_many("ports", {sub["port_id"] for trunk in trunks.values() for sub in trunk["sub_ports"]})
    return [
        port | {"trunk_details": _details(trunks[port[TRUNK]], subs)} if port.get(TRUNK) in trunks else port
        for port in ports
    ]


def _details(trunk: Object, ports: Mapping[str, Object]) -> Object:
    subs = [sub | {"mac_address": ports[sub["port_id"]]["mac_address"]} for sub in trunk["sub_ports"]]
    return {"trunk_id": trunk["id"], "sub_ports": subs}


def _status(trunk: Object, ports: Mapping[str, Object]) -> str:
    if not trunk["admin_state_up"] or ports[trunk["port_id"]]["status"] != "ACTIVE":
        return "DOWN"
    wired = all(ports[sub["port_id"]]["status"] == "ACTIVE" for sub in trunk["sub_ports"])
    return "ACTIVE" if wired else "BUILD"


def _port(tx: WriteTransaction, id: str) -> Object:
    port = tx.lock("ports", id)
    if port is None:
        raise PortNotFound(id=id)
    return port


def _refuse_used(port: Object) -> None:
    if port.get(PART_OF):
        raise TrunkPortInUse(port_id=port["id"])
    if port.get(TRUNK):
        raise ParentPortInUse(port_id=port["id"])


def _refuse_disabled(trunk: Object) -> None:
    if not trunk["admin_state_up"]:
        raise TrunkDisabled(trunk_id=trunk["id"])


def _check_port(port: Object, parent: Object, networks: Mapping[str, Object]) -> None:
    if port["id"] == parent["id"]:
        raise ParentPortInUse(port_id=port["id"])
    mtu, most = networks[port["network_id"]]["mtu"], networks[parent["network_id"]]["mtu"]
    if mtu > most:
        raise SubPortMtuGreaterThanTrunkPortMtu(port_id=port["id"], port_mtu=mtu, trunk_id=parent["id"], trunk_mtu=most)
    _refuse_used(port)
    if port["device_id"]:
        raise PortInUse(port_id=port["id"], net_id=port["network_id"], device_id=port["device_id"])


def check_segmentation(sub: Object) -> None:
    """Whether it says behind which tag a sub-port is, or leaves that to its network."""
    type, number = sub.get("segmentation_type"), sub.get("segmentation_id")
    if type == INHERIT:
        return
    if type is None or number is None:
        raise InvalidInput(
            f"Invalid subport details '{sub}': missing segmentation information. "
            "Must specify both segmentation_id and segmentation_type"
        )
    if type != "vlan":
        raise InvalidInput(f"Unknown segmentation_type '{type}'")
    if number not in _VLANS:
        raise InvalidInput(f"Segmentation ID '{number}' is not in range")


def _with_vlan(sub: Object, network: Object) -> Object:
    """What is left to the sub-port's own network, filled in."""
    found = {name: sub.get(name) for name in ("port_id", "segmentation_type", "segmentation_id")}
    if found["segmentation_type"] == INHERIT:
        found |= {"segmentation_type": network.get(TYPE), "segmentation_id": network.get(ID)}
    check_segmentation(found)
    return found
