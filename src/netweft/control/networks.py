"""Networks: which segment carries them, their MTU, and when they can go."""

from collections.abc import Mapping

from netweft.control.errors import (
    InvalidInput,
    InvalidSharedSetting,
    NetworkInUse,
    NoNetworkAvailable,
    TunnelIdInUse,
)
from netweft.control.standard import born, bumped
from netweft.control.subnets import Subnets
from netweft.plugins.segments import SegmentType
from netweft.settings import ServerSettings
from netweft.store import Claim, New, Object, Query, Taken, WriteTransaction

TYPE, PHYSICAL, ID = "provider:network_type", "provider:physical_network", "provider:segmentation_id"


class Networks:
    def __init__(self, settings: ServerSettings, types: Mapping[str, SegmentType], subnets: Subnets) -> None:
        self._settings = settings
        self._types = types
        self._subnets = subnets

    def prepare(self, tx: WriteTransaction) -> None:
        """Once at start: the ids that tenants' networks get, as the settings now say."""
        for type in self._types.values():
            if type.ids is not None and not type.on_physical_network:
                tx.pools.define(type.scope(), type.tenant_ids(self._settings))

    def create(self, tx: WriteTransaction, wanted: list[Object]) -> list[Object]:
        new = [self._new(tx, one) for one in wanted]
        try:
            tx.insert_many("networks", new)
        except Taken as taken:
            raise TunnelIdInUse(tunnel_id=taken.value) from taken
        return [one.object for one in new]

    def update(self, tx: WriteTransaction, current: Object, changes: Object) -> Object:
        if any(changes.get(name, current[name]) != current[name] for name in (TYPE, PHYSICAL, ID)):
            raise InvalidInput("Plugin does not support updating provider attributes")
        if "mtu" in changes:
            changes["mtu"] = self._mtu(self._types[current[TYPE]], changes["mtu"])
        if current["shared"] and changes.get("shared") is False:
            self._refuse_foreign_ports(tx, current)
        return tx.update("networks", current["id"], bumped(current, changes))

    def delete(self, tx: WriteTransaction, current: Object) -> None:
        ports = tx.referrers("networks", current["id"], source_kind="ports")
        if ports:
            some = ", ".join(sorted(port.id for port in ports)[:10])
            reason = f"There are one or more ports still in use on the network, id for these ports is: {some}"
            raise NetworkInUse(net_id=current["id"], reason=reason)
        for subnet in tx.get_many("subnets", current["subnets"]).values():
            self._subnets.remove(tx, subnet)
        tx.delete("networks", current["id"])

    def _new(self, tx: WriteTransaction, wanted: Object) -> New:
        type, physical, number = self._segment(tx, wanted)
        segment = {TYPE: type.name, PHYSICAL: physical, ID: number}
        mtu = self._mtu(type, wanted.get("mtu", 0))
        network = born(wanted, **segment, mtu=mtu, status="ACTIVE", subnets=[])
        claims = [] if number is None else [Claim(type.scope(physical), str(number))]
        return New(network, claims=claims)

    def _segment(self, tx: WriteTransaction, wanted: Object) -> tuple[SegmentType, str | None, int | None]:
        """Which one carries a new network: what the admin asked for, else the first tenant type that has an id left."""
        name, physical, number = wanted.get(TYPE), wanted.get(PHYSICAL), wanted.get(ID)
        if name is None:
            if physical is not None or number is not None:
                raise InvalidInput("network_type required")
            return self._tenant_segment(tx)
        type = self._types.get(name)
        if type is None:
            raise InvalidInput(f"network_type value '{name}' not supported")
        _check_segment(type, physical, number)
        if type.ids is None:
            return type, physical, None
        if number is None:
            number = next(iter(tx.pools.take(type.scope(physical), 1)), None)
            if number is None:
                raise NoNetworkAvailable()
        else:
            tx.pools.take_exactly(type.scope(physical), number)
        return type, physical, number

    def _tenant_segment(self, tx: WriteTransaction) -> tuple[SegmentType, None, int | None]:
        for name in self._settings.tenant_network_types:
            type = self._types[name]
            if type.ids is None:
                return type, None, None
            for number in tx.pools.take(type.scope(), 1):
                return type, None, number
        raise NoNetworkAvailable()

    def _mtu(self, type: SegmentType, wanted: int) -> int:
        most = self._settings.physical_mtu - type.overhead
        if wanted > most:
            raise InvalidInput(f"Requested MTU is too big, maximum is {most}")
        return wanted or most

    def _refuse_foreign_ports(self, tx: WriteTransaction, network: Object) -> None:
        ports = tx.query("ports", Query({"network_id": [network["id"]]}))
        if any(port["project_id"] != network["project_id"] for port in ports):
            raise InvalidSharedSetting(network=network.get("name") or network["id"])


def _check_segment(type: SegmentType, physical: str | None, number: int | None) -> None:
    if type.on_physical_network and physical is None:
        raise InvalidInput(f"physical_network required for {type.name} provider network")
    if not type.on_physical_network and physical is not None:
        raise InvalidInput(f"provider:physical_network specified for {type.name} network")
    if number is None:
        return
    if type.ids is None:
        raise InvalidInput(f"segmentation_id specified for {type.name} network")
    if not type.ids[0] <= number <= type.ids[1]:
        raise InvalidInput(f"segmentation_id out of range ({type.ids[0]} through {type.ids[1]})")
