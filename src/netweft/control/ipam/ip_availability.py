"""How many addresses networks have to give to ports, and how many of them are in use."""

import ipaddress
from collections.abc import Sequence
from dataclasses import replace

from netweft.control.ipam.subnets import scope
from netweft.store import Object, Query, ReadTransaction


def of_networks(tx: ReadTransaction, asked: Query, versions: Sequence[int] = ()) -> list[Object]:
    """asked: which networks.  versions: only subnets of these, and only networks that have such; empty for all."""
    by_version = {"ip_version": versions} if versions else {}
    if versions:
        having = {subnet["network_id"] for subnet in tx.query("subnets", Query(by_version))}
        named = having.intersection(asked.filters.get("id", having))
        asked = replace(asked, filters={**asked.filters, "id": sorted(named)})
    networks = tx.query("networks", asked)
    subnets: dict[str, list[Object]] = {}
    for subnet in tx.query("subnets", Query({"network_id": [network["id"] for network in networks], **by_version})):
        subnets.setdefault(subnet["network_id"], []).append(_of_subnet(tx, subnet))
    return [_of_network(one, subnets.get(one["id"], [])) for one in networks]


def _of_network(network: Object, subnets: list[Object]) -> Object:
    return {
        "network_id": network["id"],
        "network_name": network["name"],
        "project_id": network["project_id"],
        "tenant_id": network["project_id"],
        "total_ips": sum(subnet["total_ips"] for subnet in subnets),
        "used_ips": sum(subnet["used_ips"] for subnet in subnets),
        "subnet_ip_availability": subnets,
    }


def _of_subnet(tx: ReadTransaction, subnet: Object) -> Object:
    """A port that asks for an address beyond the pools uses one too, as in Neutron."""
    return {
        "subnet_id": subnet["id"],
        "subnet_name": subnet["name"],
        "cidr": subnet["cidr"],
        "ip_version": subnet["ip_version"],
        "total_ips": sum(map(_size, subnet["allocation_pools"])) or _hosts(subnet["cidr"]),
        "used_ips": len(tx.held(scope(subnet["id"]))),
    }


def _size(pool: Object) -> int:
    return int(ipaddress.ip_address(pool["end"])) - int(ipaddress.ip_address(pool["start"])) + 1


def _hosts(cidr: str) -> int:
    """Of a subnet that has no pools: all but the network's own address and the broadcast one."""
    net = ipaddress.ip_network(cidr)
    return max(1, net.num_addresses - (2 if net.version == 4 else 1))
