"""A router's gateway: its port on an external network, by which its traffic leaves; and what that is used for.

`external_gateway_info` on the router repeats what the port says, and is written in the same transaction.
"""

from contextlib import suppress

from netweft.control import qos
from netweft.control.errors import IpAddressGenerationFailure, NetworkNotFound
from netweft.control.ipam import addresses
from netweft.control.ipam import allocation as ipam
from netweft.control.ipam.subnets import scope
from netweft.control.l3 import attached, gateway_hosts, routes
from netweft.control.l3.attached import GATEWAY_PORT, INFO, KIND
from netweft.control.l3.errors import BadRouterRequest, RouterExternalGatewayInUseByFloatingIp
from netweft.control.l3.owners import GATEWAY, new_port
from netweft.control.rbac import IS_EXTERNAL
from netweft.control.standard import UseCases
from netweft.store import Object, Query, WriteTransaction

IPS, SNAT = "external_fixed_ips", "enable_snat"


class Gateways:
    """Each use case takes the router, which is held alone with its gateway's port, its network and the new one."""

    def __init__(self, ports: UseCases) -> None:
        self._ports = ports

    def set(self, tx: WriteTransaction, router: Object, wanted: Object | None) -> Object:
        """What changes on the router.  wanted: nothing for no gateway; without addresses those stay as they are."""
        there = attached.ports(tx, router["id"])
        rest = [port for port in there if port["id"] != router[GATEWAY_PORT]]
        network = _network(tx, wanted["network_id"]) if wanted else None
        new = list(tx.glance.get_many("subnets", network["subnets"]).values()) if network else []
        ips = (wanted or {}).get(IPS) or None
        _refuse_gateways_address(new, ips)
        kept = [subnet for port in rest for subnet in attached.subnets_of(tx, port)]
        routes.check_reachable(router["routes"], [*kept, *new], rest)
        port = tx.lock("ports", router[GATEWAY_PORT]) if router[GATEWAY_PORT] else None
        if port is not None and (network is None or port["network_id"] != network["id"]):
            left = [one["subnet_id"] for one in port["fixed_ips"]]
            tx.pools.hold(map(scope, {*left, *(one["id"] for one in new)}))
            self.remove(tx, router, port)
            port = None
        if network is None or wanted is None:
            return {INFO: None, GATEWAY_PORT: None, qos.POLICY: None}
        if port is None:
            attached.refuse_overlap(tx, rest, new)
            made = new_port(GATEWAY, router["id"], network["id"], project_id="", fixed_ips=ips)
            (port,) = self._ports.create(tx, [made])
            port = gateway_hosts.placed(tx, port)
        elif ips is not None and not ipam.are_held(ips, port["fixed_ips"]):
            port = self._ports.update(tx, port, {"fixed_ips": ips})
        limits = wanted.get(qos.POLICY, router.get(qos.POLICY))  # null takes them away, nothing leaves them
        info = {"network_id": network["id"], IPS: port["fixed_ips"], SNAT: wanted.get(SNAT, True)}
        info |= {qos.POLICY: limits} if limits else {}
        qos.refuse_missing(tx, [info])
        return {INFO: info, GATEWAY_PORT: port["id"], qos.POLICY: limits}

    def remove(self, tx: WriteTransaction, router: Object, port: Object) -> None:
        if tx.referrers(KIND, router["id"], source_kind="floatingips"):
            raise RouterExternalGatewayInUseByFloatingIp(router_id=router["id"], net_id=port["network_id"])
        self._ports.delete(tx, port)


class ExternalSubnets:
    """Around the use cases of subnets: gateways get an address of a new one, if they have none of its IP version."""

    def __init__(self, subnets: UseCases, ports: UseCases) -> None:
        self._subnets = subnets
        self._ports = ports

    def create(self, tx: WriteTransaction, wanted: list[Object]) -> list[Object]:
        created = self._subnets.create(tx, wanted)
        for subnet in created:
            if not addresses.is_automatic(subnet):
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
