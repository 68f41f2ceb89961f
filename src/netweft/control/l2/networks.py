"""Networks: which segments carry them, their MTU, and when they can go."""

from netweft.control import qos, rbac, zones
from netweft.control.errors import Conflict, ExternalNetworkInUse, InvalidInput, NetworkInUse
from netweft.control.ipam.address_scopes import OF_NETWORK
from netweft.control.ipam.subnets import Subnets, refuse_small_mtu
from netweft.control.l2 import segments
from netweft.control.l2.segments import ID, PHYSICAL, TYPE, Segment, Segments
from netweft.control.l3 import associations
from netweft.control.l3.owners import GATEWAY
from netweft.control.rbac import IS_DEFAULT, IS_EXTERNAL
from netweft.control.standard import born, bumped
from netweft.model.network import NAT66
from netweft.store import Claim, New, Object, Query, ReadTransaction, Taken, WriteTransaction

_NO_SCOPES = dict.fromkeys(OF_NETWORK.values())
_THE_DEFAULT = Claim("default_external_network", "the")


class DefaultExternalNetworkExists(Conflict):
    message = "A default external network already exists: %(net_id)s."


def default_external(tx: ReadTransaction) -> str | None:
    """The id of the external network that topologies made by themselves lead to."""
    holder = tx.holders(_THE_DEFAULT.scope, [_THE_DEFAULT.value]).get(_THE_DEFAULT.value)
    return holder[1] if holder else None


def _is_default(network: Object) -> bool:
    """What is not external is no default, whatever is requested: as in Neutron."""
    return bool(network.get(IS_EXTERNAL) and network.get(IS_DEFAULT))


def _refuse_nat66_inside(network: Object) -> None:
    if network.get(NAT66) and not network.get(IS_EXTERNAL):
        raise InvalidInput(f"{NAT66} is for external networks only")


class Networks:
    def __init__(self, segments: Segments, subnets: Subnets) -> None:
        self._segments = segments
        self._subnets = subnets

    def create(self, tx: WriteTransaction, wanted: list[Object]) -> list[Object]:
        qos.refuse_missing(tx, wanted)
        zones.check(tx, wanted)
        for asked in wanted:
            _refuse_nat66_inside(asked)
        new = [self._new(tx, one) for one in wanted]
        try:
            tx.insert_many("networks", new)
        except Taken as taken:
            raise segments.refusal(taken) from taken
        for one in new:
            if one.object.get(IS_EXTERNAL):
                rbac.open_to_everybody(tx, one.object, external=True)
            self._be_default(tx, one.object, was=False)
        return [one.object for one in new]

    def update(self, tx: WriteTransaction, current: Object, changes: Object) -> Object:
        if any(changes.get(name, current.get(name)) != current.get(name) for name in (TYPE, PHYSICAL, "segments")):
            raise InvalidInput("Plugin does not support updating provider attributes")
        _refuse_nat66_inside(current | changes)
        if changes.get(ID, current.get(ID)) != current.get(ID):
            self._move(tx, current, changes[ID])
        if "mtu" in changes:
            refuse_small_mtu(current | changes, tx.get_many("subnets", current["subnets"]).values())
            changes["mtu"] = self._mtu(self._segments.of(current), changes["mtu"])
        was_external = current.get(IS_EXTERNAL, False)
        if changes.get(IS_EXTERNAL, was_external) != was_external:
            self._refuse_gateways(tx, current)
            associations.remove_unused(tx, current["id"])
            rbac.open_to_everybody(tx, current, external=not was_external)
        if IS_EXTERNAL in changes or IS_DEFAULT in changes:
            changes[IS_DEFAULT] = _is_default(current | changes)
            self._be_default(tx, current | changes, was=current.get(IS_DEFAULT, False))
        qos.refuse_missing(tx, [changes])
        links = {qos.POLICY: qos.links(changes)} if qos.POLICY in changes else {}
        return tx.update("networks", current["id"], bumped(current, changes), links)

    def delete(self, tx: WriteTransaction, current: Object) -> None:
        associations.remove_unused(tx, current["id"])
        ports = tx.referrers("networks", current["id"], source_kind="ports")
        if ports:
            some = ", ".join(sorted(port.id for port in ports)[:10])
            reason = f"There are one or more ports still in use on the network, id for these ports is: {some}"
            raise NetworkInUse(net_id=current["id"], reason=reason)
        for subnet in tx.lock_many("subnets", current["subnets"]).values():
            self._subnets.remove(tx, subnet)
        tx.delete("networks", current["id"])

    def _new(self, tx: WriteTransaction, wanted: Object) -> New:
        chosen = self._segments.choose(tx, wanted)
        wanted.setdefault("vlan_transparent", None)
        wanted[IS_DEFAULT] = _is_default(wanted)
        wanted[qos.POLICY] = wanted.get(qos.POLICY) or qos.default_of(tx, wanted["project_id"])
        mtu = self._mtu(chosen, wanted.get("mtu", 0))
        network = born(wanted, mtu=mtu, status="ACTIVE", subnets=[], **_NO_SCOPES) | segments.shown(chosen)
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

    def _be_default(self, tx: WriteTransaction, network: Object, *, was: bool) -> None:
        """There is one at most.  Raises DefaultExternalNetworkExists."""
        if was and not network[IS_DEFAULT]:
            tx.release("networks", network["id"], [_THE_DEFAULT])
        elif network[IS_DEFAULT] and not was:
            if not rbac.is_open_to_everybody(tx, network):
                raise InvalidInput("Default external networks must be shared to everyone.")
            try:
                tx.claim("networks", network["id"], [_THE_DEFAULT])
            except Taken as taken:
                raise DefaultExternalNetworkExists(net_id=default_external(tx)) from taken

    def _mtu(self, chosen: list[Segment], wanted: int) -> int:
        most = self._segments.most_mtu(chosen)
        if wanted > most:
            raise InvalidInput(f"Requested MTU is too big, maximum is {most}")
        return wanted or self._segments.mtu(chosen)

    def _refuse_gateways(self, tx: WriteTransaction, network: Object) -> None:
        """While it is external."""
        gateways = Query({"network_id": [network["id"]], "device_owner": [GATEWAY]}, limit=1)
        if network.get(IS_EXTERNAL) and tx.query("ports", gateways):
            raise ExternalNetworkInUse(net_id=network["id"])
