"""Routers: how they come, change and go.  All of them are distributed (decision 0400)."""

from netweft.control import flavors, qos, zones
from netweft.control.flavors import FLAVOR
from netweft.control.l3 import attached, gateway_hosts, routes
from netweft.control.l3.attached import INFO, KIND
from netweft.control.l3.errors import BadRouterRequest, RouterInUse
from netweft.control.l3.gateways import Gateways
from netweft.control.l3.interfaces import Interfaces
from netweft.control.l3.more_gateways import SeveralGateways
from netweft.control.standard import UseCases, born, bumped
from netweft.model.router import EXTRA, GATEWAY_PORT, HELPERS, NETWORKS
from netweft.store import Object, WriteTransaction

DISTRIBUTED, HA = "distributed", "ha"
ECMP, BFD = "enable_default_route_ecmp", "enable_default_route_bfd"
_DEFAULTS = {DISTRIBUTED: True, HA: True, ECMP: False, BFD: False}
_ACTIVE = "Please set router admin_state_up to False prior to upgrade"


class Routers:
    def __init__(self, ports: UseCases) -> None:
        self.interfaces = Interfaces(ports)
        self.gateways = Gateways(ports)

    def create(self, tx: WriteTransaction, wanted: list[Object]) -> list[Object]:
        return [self._create(tx, one) for one in wanted]

    def update(self, tx: WriteTransaction, current: Object, changes: Object) -> Object:
        changes = _settled(changes)
        _refuse_while_active(current, changes)
        if "routes" in changes:
            routes.check(tx, current, changes["routes"])
        if INFO in changes:
            changes = changes | self.gateways.set(tx, current | changes, changes[INFO])
        return self._written(tx, current, bumped(current, changes))

    def change_gateways(self, tx: WriteTransaction, current: Object, verb: str, wanted: list[Object]) -> Object:
        """verb: add, update or remove."""
        changes = SeveralGateways(self.gateways).change(tx, current, verb, wanted)
        return self._written(tx, current, bumped(current, changes))

    def delete(self, tx: WriteTransaction, current: Object) -> None:
        ports = attached.interfaces(tx, current["id"])
        if ports:
            reason = f"has ports still attached: {', '.join(port['id'] for port in ports)}"
            raise RouterInUse(router_id=current["id"], reason=reason)
        self.gateways.remove_all(tx, current)
        tx.delete(KIND, current["id"])

    def _create(self, tx: WriteTransaction, wanted: Object) -> Object:
        told = _DEFAULTS | _settled(wanted)
        zones.check(tx, [wanted])
        router = born({FLAVOR: None} | told | {INFO: None}, status="ACTIVE", routes=[])
        router |= {NETWORKS: [], GATEWAY_PORT: None, EXTRA: [], qos.POLICY: None, HELPERS: []}
        links = [flavors.check(tx, router[FLAVOR])] if router.get(FLAVOR) else []
        tx.insert(KIND, router, links)
        if wanted.get(INFO):
            return self._written(tx, router, self.gateways.set(tx, router, wanted[INFO]))
        return router

    def _written(self, tx: WriteTransaction, router: Object, changes: Object) -> Object:
        links = {qos.POLICY: qos.links(changes)} if qos.POLICY in changes else {}
        written = tx.update(KIND, router["id"], changes, links)
        if GATEWAY_PORT in changes or EXTRA in changes:
            gateway_hosts.together(tx, written)
        return written


def _settled(given: Object) -> Object:
    """null says nothing about these."""
    return {name: value for name, value in given.items() if value is not None or name not in _DEFAULTS}


def _refuse_while_active(current: Object, changes: Object) -> None:
    after = current | changes
    up = after["admin_state_up"]
    if after[DISTRIBUTED] != current[DISTRIBUTED] and (up or current["admin_state_up"]):
        raise BadRouterRequest(reason=f"Cannot change the 'distributed' attribute of active routers. {_ACTIVE}")
    if after[HA] != current[HA] and up:
        raise BadRouterRequest(reason=f"Cannot change HA attribute of active routers. {_ACTIVE}")
