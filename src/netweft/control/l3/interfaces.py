"""A router's interfaces: ports on networks, each with an address of some subnets, by which the router is part of those.

Each use case takes the router, which is held alone; what the request names is held too (control/locks.py).
"""

from collections.abc import Iterable, Sequence
from ipaddress import ip_address

from netweft.control import rbac
from netweft.control.errors import PortNotFound, SubnetNotFound
from netweft.control.ipam import addresses
from netweft.control.l2 import hosts, placing, trunks
from netweft.control.l3 import associations, attached, forwardings, routes, wire_hosts
from netweft.control.l3.attached import KIND, Requester
from netweft.control.l3.errors import (
    BadRouterRequest,
    DeviceIDNotOwnedByTenant,
    RouterInterfaceNotFound,
    RouterInterfaceNotFoundForSubnet,
    SubnetMismatchForPort,
)
from netweft.control.l3.owners import INTERFACE, new_port
from netweft.control.standard import UseCases, bumped
from netweft.model.router import NETWORKS
from netweft.store import Object, WriteTransaction

_NOT_A_HOSTS = {"status": "ACTIVE", "status_detail": ""}
_UNFILTERED = {"port_security_enabled": False, "security_groups": [], "allowed_address_pairs": []}


class Interfaces:
    def __init__(self, ports: UseCases) -> None:
        self._ports = ports

    def add(self, tx: WriteTransaction, router: Object, requester: Requester, wanted: Object) -> Object:
        """wanted: one of `port_id` and `subnet_id`."""
        there = attached.ports(tx, router["id"])
        if "port_id" in wanted:
            port, subnets = self._add_port(tx, router, requester, wanted["port_id"], there)
        else:
            port, subnets = self._add_subnet(tx, router, requester, wanted["subnet_id"], there)
        port = wire_hosts.added(tx, port)
        _keep_networks(tx, router)
        return _told(router, port, subnets[-1:], subnets)

    def remove(self, tx: WriteTransaction, router: Object, wanted: Object) -> Object:
        """wanted: `port_id`, `subnet_id` or both."""
        there = attached.interfaces(tx, router["id"])
        if "port_id" in wanted:
            port, subnets = _found(tx, router, there, wanted)
            rest: Sequence[Object] = []
        else:
            port, subnets = _on_subnet(tx, router, there, wanted["subnet_id"])
            rest = [fixed for fixed in port["fixed_ips"] if fixed["subnet_id"] != wanted["subnet_id"]]
        for subnet in subnets:
            routes.refuse_needed(router, subnet)
            associations.refuse_needed(tx, router, subnet)
            forwardings.refuse_needed(tx, router, subnet)
        locked = tx.lock("ports", port["id"]) or port
        if rest:
            self._ports.update(tx, locked, {"fixed_ips": rest})
        else:
            self._ports.delete(tx, locked)
        _keep_networks(tx, router)
        return _told(router, port, subnets, subnets)

    def _add_port(
        self, tx: WriteTransaction, router: Object, requester: Requester, port_id: str, there: list[Object]
    ) -> tuple[Object, list[Object]]:
        port = tx.lock("ports", port_id)
        if port is None:
            raise PortNotFound(id=port_id)
        _check_free(port)
        subnets = attached.subnets_of(tx, port)
        for subnet in subnets:
            _check_address_mode(subnet)
        if not requester.is_admin and port["project_id"] != router["project_id"]:
            raise DeviceIDNotOwnedByTenant(device_id=router["id"])
        _refuse_second_of_ipv6(port, there)
        attached.refuse_overlap(tx, there, subnets)
        if sum(subnet["ip_version"] == 4 for subnet in subnets) > 1:
            raise BadRouterRequest(reason="Cannot have multiple IPv4 subnets on router port")
        _check_range(requester, port, subnets)
        taken = placing.placed(tx, port, hosts.UNBOUND, []) | _UNFILTERED | _NOT_A_HOSTS
        taken |= {"device_id": router["id"], "device_owner": INTERFACE}
        return tx.update("ports", port_id, bumped(port, taken), {"security_groups": []}), subnets

    def _add_subnet(
        self, tx: WriteTransaction, router: Object, requester: Requester, subnet_id: str, there: list[Object]
    ) -> tuple[Object, list[Object]]:
        subnet = tx.get("subnets", subnet_id)
        if subnet is None:
            raise SubnetNotFound(id=subnet_id)
        if not subnet["gateway_ip"]:
            raise BadRouterRequest(reason="Subnet for router interface must have a gateway IP")
        _check_owner(tx, requester, subnet)
        _check_address_mode(subnet)
        attached.refuse_overlap(tx, there, [subnet])
        address = {"subnet_id": subnet_id, "ip_address": subnet["gateway_ip"]}
        beside = _ipv6_port(subnet, there)
        if beside is not None:
            locked = tx.lock("ports", beside["id"]) or beside
            return self._ports.update(tx, locked, {"fixed_ips": [*locked["fixed_ips"], address]}), [subnet]
        whose = {"project_id": router["project_id"], "fixed_ips": [address]}
        new = new_port(INTERFACE, router["id"], subnet["network_id"], **whose)
        return self._ports.create(tx, [new])[0], [subnet]


def _keep_networks(tx: WriteTransaction, router: Object) -> None:
    """On the router: the feed follows them from there."""
    now = attached.networks(attached.interfaces(tx, router["id"]))
    tx.update(KIND, router["id"], bumped(router, {NETWORKS: now}))


def _told(router: Object, port: Object, first: Sequence[Object], subnets: Iterable[Object]) -> Object:
    ids = [subnet["id"] for subnet in subnets]
    return {
        "id": router["id"],
        "tenant_id": port["project_id"],
        "project_id": port["project_id"],
        "port_id": port["id"],
        "network_id": port["network_id"],
        "subnet_id": first[0]["id"] if first else None,
        "subnet_ids": ids,
    }


def _check_free(port: Object) -> None:
    trunks.refuse_parts(port)
    if port["device_id"]:
        raise trunks.PortInUse(port_id=port["id"], net_id=port["network_id"], device_id=port["device_id"])
    if not port["fixed_ips"]:
        raise BadRouterRequest(reason="Router port must have at least one fixed IP")


def _check_address_mode(subnet: Object) -> None:
    if subnet["ip_version"] == 6 and subnet["ipv6_ra_mode"] is None and subnet["ipv6_address_mode"] is not None:
        reason = (
            f"IPv6 subnet {subnet['id']} configured to receive RAs from an external router "
            "cannot be added to Neutron Router."
        )
        raise BadRouterRequest(reason=reason)


def _check_owner(tx: WriteTransaction, requester: Requester, subnet: Object) -> None:
    """A network that is shared with everybody is not for everybody to put a router on; one shared by name is."""
    if requester.is_admin or subnet["project_id"] == requester.project_id:
        return
    if not rbac.is_shared_with(tx, "networks", subnet["network_id"], requester.project_id):
        reason = (
            f"Cannot add interface to router because subnet {subnet['id']} is not owned by project making the request"
        )
        raise BadRouterRequest(reason=reason)


def _check_range(requester: Requester, port: Object, subnets: Iterable[Object]) -> None:
    """On others' subnets only addresses out of their pools."""
    if requester.is_admin:
        return
    by_id = {subnet["id"]: subnet for subnet in subnets}
    for fixed in port["fixed_ips"]:
        subnet, number = by_id[fixed["subnet_id"]], addresses.number(fixed["ip_address"])
        pooled = any(first <= number <= last for first, last in addresses.ranges_of(subnet["allocation_pools"]))
        if not pooled and subnet["project_id"] != requester.project_id:
            reason = (
                f"Cannot add interface to router because specified port {port['id']} has an IP address out of the "
                f"allocation pool of subnet {subnet['id']}, which is not owned by the project making the request"
            )
            raise BadRouterRequest(reason=reason)


def _has_ipv6(port: Object) -> bool:
    return any(ip_address(fixed["ip_address"]).version == 6 for fixed in port["fixed_ips"])


def _ipv6_port(subnet: Object, there: Iterable[Object]) -> Object | None:
    """The interface to which another IPv6 subnet of the same network comes."""
    if subnet["ip_version"] == 4:
        return None
    return next((port for port in there if _is_beside(port, subnet["network_id"]) and _has_ipv6(port)), None)


def _is_beside(port: Object, network_id: str) -> bool:
    return bool(port["device_owner"] == INTERFACE and port["network_id"] == network_id)


def _refuse_second_of_ipv6(port: Object, there: Iterable[Object]) -> None:
    """The subnets of a network are announced from one address: they share a port."""
    for other in there if _has_ipv6(port) else ():
        if other["network_id"] == port["network_id"] and _has_ipv6(other):
            reason = (
                f"Router already contains IPv6 port {other['id']} belonging to network id {other['network_id']}. "
                "Only one IPv6 port from the same network subnet can be connected to a router."
            )
            raise BadRouterRequest(reason=reason)


def _found(
    tx: WriteTransaction, router: Object, there: Iterable[Object], wanted: Object
) -> tuple[Object, list[Object]]:
    port = next((one for one in there if one["id"] == wanted["port_id"]), None)
    if port is None:
        raise RouterInterfaceNotFound(router_id=router["id"], port_id=wanted["port_id"])
    subnets = attached.subnets_of(tx, port)
    if "subnet_id" in wanted and wanted["subnet_id"] not in {subnet["id"] for subnet in subnets}:
        raise SubnetMismatchForPort(port_id=port["id"], subnet_id=wanted["subnet_id"])
    return port, subnets


def _on_subnet(
    tx: WriteTransaction, router: Object, there: Iterable[Object], subnet_id: str
) -> tuple[Object, list[Object]]:
    subnet = tx.get("subnets", subnet_id)
    if subnet is None:
        raise SubnetNotFound(id=subnet_id)
    port = next((one for one in there if any(f["subnet_id"] == subnet_id for f in one["fixed_ips"])), None)
    if port is None:
        raise RouterInterfaceNotFoundForSubnet(router_id=router["id"], subnet_id=subnet_id)
    return port, [subnet]
