"""Several gateways of a router (external-gateway-multihoming): added, updated, removed; the first stays what
`external_gateway_info` says.

A gateway has no name of its own: it is found by its network, and where it has several there, by its addresses.
"""

from collections.abc import Callable
from typing import Final

from netweft.control.l3 import attached
from netweft.control.l3.errors import UnableToAddExtraGateways, UnableToMatchGateways, UnableToRemoveGateways
from netweft.control.l3.gateways import IPS, Gateways, check_routes, hold_pools
from netweft.model.router import EXTRA, GATEWAY_PORT
from netweft.store import Object, WriteTransaction

GATEWAYS: Final = attached.GATEWAYS
MOST: Final = 16  # of a router


def listed(ports: list[Object]) -> list[Object]:
    """As they are shown."""
    return [{"network_id": port["network_id"], IPS: port["fixed_ips"]} for port in ports]


class SeveralGateways:
    """The router is held alone, with its gateways' ports and the networks that are named."""

    def __init__(self, gateways: Gateways) -> None:
        self._gateways = gateways

    def change(self, tx: WriteTransaction, router: Object, verb: str, wanted: list[Object]) -> Object:
        """What changes on the router."""
        verbs: dict[str, Callable[[WriteTransaction, Object, list[Object]], Object]] = {
            "add": self._add,
            "update": self._update,
            "remove": self._remove,
        }
        networks = tx.glance.get_many("networks", {one["network_id"] for one in wanted})
        hold_pools(tx, _ports(tx, router), networks.values())
        after = verbs[verb](tx, router, wanted)
        return {name: value for name, value in after.items() if router.get(name) != value}

    def _add(self, tx: WriteTransaction, router: Object, wanted: list[Object]) -> Object:
        if len(attached.gateway_ports(router)) + len(wanted) > MOST:
            raise UnableToAddExtraGateways(router_id=router["id"], reason=f"it can have {MOST} gateways at most")
        for one in wanted:
            if not router[GATEWAY_PORT]:
                router = router | self._gateways.set(tx, router, one)
            else:
                router = router | {EXTRA: [*(router.get(EXTRA) or ()), self._gateways.add(tx, router, one)["id"]]}
        return router

    def _remove(self, tx: WriteTransaction, router: Object, wanted: list[Object]) -> Object:
        there = _ports(tx, router)
        if wanted and not there:
            reason = "the router does not have any external gateways"
            raise UnableToRemoveGateways(router_id=router["id"], reason=reason)
        return self._gone(tx, router, {_existing(router, there, one)["id"] for one in wanted})

    def _gone(self, tx: WriteTransaction, router: Object, gone: set[str]) -> Object:
        router = self._without(tx, router, gone - {router[GATEWAY_PORT]})
        return router | self._gateways.set(tx, router, None) if router[GATEWAY_PORT] in gone else router

    def _update(self, tx: WriteTransaction, router: Object, wanted: list[Object]) -> Object:
        if not wanted:
            return self._gone(tx, router, set(attached.gateway_ports(router)))
        first, *more = wanted
        router = self._with_first(tx, router, first)
        left = [port for port in _ports(tx, router) if port["id"] != router[GATEWAY_PORT]]
        matched: list[Object | None] = []
        for one in more:
            found = _match(router, left, one)
            left = [port for port in left if found is None or port["id"] != found["id"]]
            matched.append(found)
        router = self._without(tx, router, {port["id"] for port in left})
        kept: list[str] = []
        for one, port in zip(more, matched, strict=True):
            if port is None:
                (*_, new) = self._add(tx, router, [one])[EXTRA]
                router = router | {EXTRA: [*(router.get(EXTRA) or ()), new]}
                kept.append(new)
            else:
                if one.get(IPS):
                    self._gateways.readdress(tx, port, one[IPS])
                kept.append(port["id"])
        return router | {EXTRA: kept}

    def _with_first(self, tx: WriteTransaction, router: Object, wanted: Object) -> Object:
        """One that is there already only changes its place."""
        found = _match(router, _ports(tx, router), wanted)
        if found is not None and found["id"] != router[GATEWAY_PORT]:
            rest = [id for id in attached.gateway_ports(router) if id != found["id"]]
            router = router | {GATEWAY_PORT: found["id"], EXTRA: rest}
        return router | self._gateways.set(tx, router, wanted)

    def _without(self, tx: WriteTransaction, router: Object, gone: set[str]) -> Object:
        """Not the first."""
        for id in sorted(gone):
            port = tx.lock("ports", id)
            rest = [one for one in attached.ports(tx, router["id"]) if one["id"] != id]
            check_routes(tx, router, rest, [])
            if port is not None:
                self._gateways.remove(tx, router, port, rest)
        return router | {EXTRA: [id for id in router.get(EXTRA) or () if id not in gone]}


def _ports(tx: WriteTransaction, router: Object) -> list[Object]:
    ids = attached.gateway_ports(router)
    found = tx.lock_many("ports", ids)
    return [found[id] for id in ids if id in found]


def _existing(router: Object, ports: list[Object], wanted: Object) -> Object:
    found = _match(router, ports, wanted)
    if found is None:
        network, ips = wanted["network_id"], wanted.get(IPS)
        by = f" based on the specified fixed IPs {ips}" if ips else ""
        reason = f"could not match a gateway port attached to network {network}{by}"
        raise UnableToMatchGateways(router_id=router["id"], reason=reason)
    return found


def _match(router: Object, ports: list[Object], wanted: Object) -> Object | None:
    on_it = [port for port in ports if port["network_id"] == wanted["network_id"]]
    addresses = {ip["ip_address"] for ip in wanted.get(IPS) or () if ip.get("ip_address")}
    if addresses:
        return next((port for port in on_it if addresses & {one["ip_address"] for one in port["fixed_ips"]}), None)
    if len(on_it) > 1:
        reason = (
            f"multiple gateway ports are attached to the same network {wanted['network_id']} but external_fixed_ips "
            "parameter is not specified in the request"
        )
        raise UnableToMatchGateways(router_id=router["id"], reason=reason)
    return next(iter(on_it), None)
