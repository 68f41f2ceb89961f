"""A router's gateway: its port on an external network, by which its traffic leaves; and what that is used for.

`external_gateway_info` on the router repeats what the port says, and is written in the same transaction.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import MappingProxyType

from netweft.control import qos
from netweft.control.errors import IpAddressGenerationFailure, NetworkNotFound
from netweft.control.ipam import addresses
from netweft.control.ipam import allocation as ipam
from netweft.control.ipam.service_types import serves
from netweft.control.ipam.subnets import scope
from netweft.control.l3 import attached, gateway_hosts, routes
from netweft.control.l3.attached import INFO, KIND
from netweft.control.l3.errors import BadRouterRequest, RouterExternalGatewayInUseByFloatingIp
from netweft.control.l3.owners import GATEWAY, ITS_PORT, new_port
from netweft.control.rbac import IS_EXTERNAL
from netweft.control.standard import UseCases
from netweft.model.router import EXTRA, GATEWAY_PORT
from netweft.store import Object, Query, WriteTransaction

IPS, SNAT = "external_fixed_ips", "enable_snat"


class Gateways:
    """Each use case takes the router, which is held alone with its gateways' ports, their networks and new ones."""

    def __init__(self, ports: UseCases) -> None:
        self._ports = ports

    def set(self, tx: WriteTransaction, router: Object, wanted: Object | None) -> Object:
        """The first; what changes on the router.  wanted: nothing for none, so that the next one is the first then;
        without addresses those stay as they are."""
        network = _network(tx, wanted["network_id"]) if wanted else None
        ips = (wanted or {}).get(IPS) or None
        rest = self._checked(tx, router, network, ips, router[GATEWAY_PORT])
        port = tx.lock("ports", router[GATEWAY_PORT]) if router[GATEWAY_PORT] else None
        if port is not None and (network is None or port["network_id"] != network["id"]):
            hold_pools(tx, [port], [network] if network else [])
            self.remove(tx, router, port, rest)
            port = None
        if network is None or wanted is None:
            return self._without_first(tx, router)
        if port is None:
            port = self.make(tx, router, network, ips, rest, wanted.get(ITS_PORT) or {})
        elif ips is not None and not ipam.are_held(ips, port["fixed_ips"]):
            port = self._ports.update(tx, port, {"fixed_ips": ips})
        return _first(tx, router, port, wanted)

    def add(self, tx: WriteTransaction, router: Object, wanted: Object) -> Object:
        """A further one; its port."""
        network, ips = _network(tx, wanted["network_id"]), wanted.get(IPS) or None
        return self.make(tx, router, network, ips, self._checked(tx, router, network, ips, None))

    def make(
        self,
        tx: WriteTransaction,
        router: Object,
        network: Object,
        ips: list[Object] | None,
        rest: list[Object],
        port_values: Mapping[str, object] = MappingProxyType({}),
    ) -> Object:
        others = [port for port in rest if not _is_gateway_on(port, network)]  # several on one network are no overlap
        attached.refuse_overlap(tx, others, _subnets(tx, network))
        made = new_port(GATEWAY, router["id"], network["id"], project_id="", fixed_ips=ips) | dict(port_values)
        (port,) = self._ports.create(tx, [made])
        return gateway_hosts.placed(tx, port)

    def readdress(self, tx: WriteTransaction, port: Object, ips: list[Object]) -> None:
        if not ipam.are_held(ips, port["fixed_ips"]):
            self._ports.update(tx, port, {"fixed_ips": ips})

    def remove(self, tx: WriteTransaction, router: Object, port: Object, others: Iterable[Object]) -> None:
        """others: the router's other ports."""
        beside = any(_is_gateway_on(one, {"id": port["network_id"]}) for one in others)
        if not beside and port["network_id"] in _used(tx, router):
            raise RouterExternalGatewayInUseByFloatingIp(router_id=router["id"], net_id=port["network_id"])
        self._ports.delete(tx, port)

    def remove_all(self, tx: WriteTransaction, router: Object) -> None:
        for port in tx.lock_many("ports", attached.gateway_ports(router)).values():
            self.remove(tx, router, port, [])

    def _checked(
        self, tx: WriteTransaction, router: Object, network: Object | None, ips: list[Object] | None, gone: str | None
    ) -> list[Object]:
        """The router's ports besides the one that goes; with these on the network its routes still lead somewhere."""
        rest = [port for port in attached.ports(tx, router["id"]) if port["id"] != gone]
        new = _subnets(tx, network) if network else []
        _refuse_gateways_address(new, ips)
        check_routes(tx, router, rest, new)
        return rest

    def _without_first(self, tx: WriteTransaction, router: Object) -> Object:
        ids = router.get(EXTRA) or []
        port = tx.lock("ports", ids[0]) if ids else None
        if port is None:
            return {INFO: None, GATEWAY_PORT: None, EXTRA: [], qos.POLICY: None}
        return _first(tx, router, port, {}) | {EXTRA: ids[1:]}


def hold_pools(tx: WriteTransaction, ports: Iterable[Object], networks: Iterable[Object]) -> None:
    """Before addresses of several are taken and given back."""
    left = {fixed["subnet_id"] for port in ports for fixed in port["fixed_ips"]}
    tx.pools.hold(map(scope, left | {id for network in networks for id in network["subnets"]}))


def _is_gateway_on(port: Object, network: Object) -> bool:
    return bool(port["device_owner"] == GATEWAY and port["network_id"] == network["id"])


def _first(tx: WriteTransaction, router: Object, port: Object, wanted: Object) -> Object:
    limits = wanted.get(qos.POLICY, router.get(qos.POLICY))  # null takes them away, nothing leaves them
    info = {"network_id": port["network_id"], IPS: port["fixed_ips"], SNAT: wanted.get(SNAT, True)}
    info |= {qos.POLICY: limits} if limits else {}
    qos.refuse_missing(tx, [info])
    return {INFO: info, GATEWAY_PORT: port["id"], qos.POLICY: limits}


def check_routes(tx: WriteTransaction, router: Object, rest: list[Object], new: list[Object]) -> None:
    kept = [subnet for port in rest for subnet in attached.subnets_of(tx, port)]
    routes.check_reachable(router["routes"], [*kept, *new], rest)


def _subnets(tx: WriteTransaction, network: Object) -> list[Object]:
    return list(tx.glance.get_many("subnets", network["subnets"]).values())


def _used(tx: WriteTransaction, router: Object) -> set[str]:
    """The external networks of floating IPs that lead somewhere by this router."""
    ids = {one.id for one in tx.referrers(KIND, router["id"], source_kind="floatingips")}
    return {one["floating_network_id"] for one in tx.glance.get_many("floatingips", ids).values()}


class ExternalSubnets:
    """Around the use cases of subnets: gateways get an address of a new one, if they have none of its IP version."""

    def __init__(self, subnets: UseCases, ports: UseCases) -> None:
        self._subnets = subnets
        self._ports = ports

    def create(self, tx: WriteTransaction, wanted: list[Object]) -> list[Object]:
        created = self._subnets.create(tx, wanted)
        for subnet in created:
            if serves(subnet, GATEWAY) and not addresses.is_automatic(subnet):
                self._give_address(tx, subnet)
        return created

    def update(self, tx: WriteTransaction, current: Object, changes: Object) -> Object:
        return self._subnets.update(tx, current, changes)

    def delete(self, tx: WriteTransaction, current: Object) -> None:
        self._subnets.delete(tx, current)

    def _give_address(self, tx: WriteTransaction, subnet: Object) -> None:
        """The network is held alone: no gateway comes or goes on it."""
        gateways = tx.query("ports", Query({"network_id": [subnet["network_id"]], "device_owner": [GATEWAY]}))
        for port in tx.lock_many("ports", [port["id"] for port in gateways]).values():
            versions = {one["ip_version"] for one in attached.subnets_of(tx, port) if not addresses.is_automatic(one)}
            if subnet["ip_version"] not in versions:
                with suppress(IpAddressGenerationFailure):
                    fixed_ips = [*port["fixed_ips"], {"subnet_id": subnet["id"]}]
                    attached.follow(tx, self._ports.update(tx, port, {"fixed_ips": fixed_ips}))


def _network(tx: WriteTransaction, id: str) -> Object:
    network = tx.get("networks", id)
    if network is None:
        raise NetworkNotFound(id=id)
    if not network.get(IS_EXTERNAL):
        raise BadRouterRequest(reason=f"Network {id} is not an external network")
    return network


def _refuse_gateways_address(subnets: list[Object], ips: list[Object] | None) -> None:
    """The next hop's own."""
    taken = {subnet["gateway_ip"] for subnet in subnets}
    for one in ips or ():
        if one.get("ip_address") and one["ip_address"] in taken:
            raise BadRouterRequest(reason=f"External IP {one['ip_address']} is the same as the gateway IP")
