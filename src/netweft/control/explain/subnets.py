"""Checks of subnets: whether they give out addresses, and whether anything is at their gateway."""

from collections.abc import Iterator
from ipaddress import ip_address, ip_network

from netweft.control.explain import codes
from netweft.control.explain.snapshot import Row, Snapshot, Told
from netweft.control.l2.segments import PHYSICAL
from netweft.control.l3.owners import INTERFACES
from netweft.control.rbac import IS_EXTERNAL


def no_dhcp(seen: Snapshot, subnet: Row) -> Iterator[Told]:
    network = seen.get("networks", subnet["network_id"])
    if not subnet["enable_dhcp"] and network is not None and not network.get(IS_EXTERNAL):
        yield Told(codes.SUBNET_NO_DHCP)


def no_addresses(seen: Snapshot, subnet: Row) -> Iterator[Told]:
    if subnet["id"] in seen.used_up:
        yield Told(codes.SUBNET_NO_ADDRESSES)


def no_gateway(seen: Snapshot, subnet: Row) -> Iterator[Told]:
    """On a wire of the provider's the gateway may be a machine that no port stands for."""
    network = seen.get("networks", subnet["network_id"])
    if not subnet["gateway_ip"] or network is None or network.get(IS_EXTERNAL) or _is_on_a_wire(network):
        return
    ports = seen.all("ports", network_id=network["id"])
    taken = {fixed["ip_address"] for port in ports for fixed in port["fixed_ips"]}
    if subnet["gateway_ip"] not in taken:
        yield Told(codes.SUBNET_NO_GATEWAY)


def dns_nobodys(seen: Snapshot, subnet: Row) -> Iterator[Told]:
    """Of those that would be on the network itself.  On a wire of the provider's one may be a machine that no port
    stands for."""
    network = seen.get("networks", subnet["network_id"])
    if network is None or network.get(IS_EXTERNAL) or _is_on_a_wire(network):
        return
    near = [ip_network(one["cidr"]) for one in seen.many("subnets", network["subnets"])]
    taken = {fixed["ip_address"] for port in seen.all("ports", network_id=network["id"]) for fixed in port["fixed_ips"]}
    for server in subnet.get("dns_nameservers") or ():
        if server not in taken and any(ip_address(server) in one for one in near):
            yield Told(codes.SUBNET_DNS_NOBODY, server, {"server": server})


def not_advertised(seen: Snapshot, subnet: Row) -> Iterator[Told]:
    """IPv6 whose routers are to advertise it, and none is on it."""
    ports = seen.all("ports", network_id=subnet["network_id"])
    on_it = (port for port in ports if any(fixed["subnet_id"] == subnet["id"] for fixed in port["fixed_ips"]))
    if subnet.get("ipv6_ra_mode") and not any(port["device_owner"] in INTERFACES for port in on_it):
        yield Told(codes.SUBNET_NOT_ADVERTISED)


def _is_on_a_wire(network: Row) -> bool:
    return any(segment.get(PHYSICAL) for segment in network.get("segments") or [network])
