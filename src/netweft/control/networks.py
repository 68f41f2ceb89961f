"""Networks: which segments carry them, their MTU, and when they can go."""

from netweft.control import qos, rbac, segments
from netweft.control.errors import ExternalNetworkInUse, InvalidInput, InvalidSharedSetting, NetworkInUse
from netweft.control.segments import ID, PHYSICAL, TYPE, Segment, Segments
from netweft.control.standard import born, bumped
from netweft.control.subnets import Subnets, refuse_small_mtu
from netweft.store import New, Object, Query, Taken, WriteTransaction

EXTERNAL = "router:external"
_GATEWAY = "network:router_gateway"


class Networks:
    def __init__(self, segments: Segments, subnets: Subnets) -> None:
        self._segments = segments
        self._subnets = subnets

    def create(self, tx: WriteTransaction, wanted: list[Object]) -> list[Object]:
        qos.refuse_missing(tx, wanted)
        new = [self._new(tx, one) for one in wanted]
        try:
            tx.insert_many("networks", new)
        except Taken as taken:
            raise segments.refusal(taken) from taken
        return [one.object for one in new]

    def update(self, tx: WriteTransaction, current: Object, changes: Object) -> Object:
        if any(changes.get(name, current.get(name)) != current.get(name) for name in (TYPE, PHYSICAL, "segments")):
            raise InvalidInput("Plugin does not support updating provider attributes")
        if changes.get(ID, current.get(ID)) != current.get(ID):
            self._move(tx, current, changes[ID])
        if "mtu" in changes:
            refuse_small_mtu(current | changes, tx.get_many("subnets", current["subnets"]).values())
            changes["mtu"] = self._mtu(self._segments.of(current), changes["mtu"])
        if current["shared"] and changes.get("shared") is False:
            self._refuse_foreign_ports(tx, current)
        if current.get(EXTERNAL) and changes.get(EXTERNAL) is False:
            self._refuse_gateways(tx, current)
        qos.refuse_missing(tx, [changes])
        links = {qos.POLICY: qos.links(changes)} if qos.POLICY in changes else {}
        return tx.update("networks", current["id"], bumped(current, changes), links)

    def delete(self, tx: WriteTransaction, current: Object) -> None:
        ports = tx.referrers("networks", current["id"], source_kind="ports")
        if ports:
            some = ", ".join(sorted(port.id for port in ports)[:10])
            reason = f"There are one or more ports still in use on the network, id for these ports is: {some}"
            raise NetworkInUse(net_id=current["id"], reason=reason)
        for subnet in tx.lock_many("subnets", current["subnets"]).values():
            self._subnets.remove(tx, subnet)
        rbac.forget(tx, "networks", current["id"])
        tx.delete("networks", current["id"])

    def _new(self, tx: WriteTransaction, wanted: Object) -> New:
        chosen = self._segments.choose(tx, wanted)
        wanted.setdefault("vlan_transparent", None)
        wanted[qos.POLICY] = wanted.get(qos.POLICY) or qos.default_of(tx, wanted["project_id"])
        mtu = self._mtu(chosen, wanted.get("mtu", 0))
        network = born(wanted, mtu=mtu, status="ACTIVE", subnets=[]) | segments.shown(chosen)
        return New(network, qos.links(network), claims=[claim for segment in chosen for claim in segment.claims()])

    def _move(self, tx: WriteTransaction, current: Object, id: int | None) -> None:
        """To another id of the same type and physical network."""
        if id is None or current.get(ID) is None:
            raise InvalidInput("Plugin does not support updating provider attributes")
        there = self._segments.moved(tx, current, id)
        (here,) = self._segments.of(current)
        tx.release("networks", current["id"], here.claims())
        try:
            tx.claim("networks", current["id"], there.claims())
        except Taken as taken:
            raise segments.refusal(taken) from taken

    def _mtu(self, chosen: list[Segment], wanted: int) -> int:
        most = self._segments.mtu(chosen)
        if wanted > most:
            raise InvalidInput(f"Requested MTU is too big, maximum is {most}")
        return wanted or most

    def _refuse_foreign_ports(self, tx: WriteTransaction, network: Object) -> None:
        ports = tx.query("ports", Query({"network_id": [network["id"]]}))
        if any(port["project_id"] != network["project_id"] for port in ports):
            raise InvalidSharedSetting(network=network.get("name") or network["id"])

    def _refuse_gateways(self, tx: WriteTransaction, network: Object) -> None:
        if tx.query("ports", Query({"network_id": [network["id"]], "device_owner": [_GATEWAY]}, limit=1)):
            raise ExternalNetworkInUse(net_id=network["id"])
