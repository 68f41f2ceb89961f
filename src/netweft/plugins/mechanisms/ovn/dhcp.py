"""Subnets: DHCP options, which ovn-controller answers with."""

import hashlib
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Final

from netweft.plugins.mechanisms import Row, Wanted
from netweft.plugins.mechanisms.ovn.rows import Rows, quoted
from netweft.plugins.mechanisms.ovn.schema import key, row

LEASE_SECONDS: Final = 43200


def desired(rows: Rows) -> Iterator[tuple[str, Wanted]]:
    for subnet in rows.subnets.values():
        network = rows.networks.get(subnet["network_id"])
        if network is None or not _is_answered(subnet):
            continue
        options = _v4(subnet, network) if subnet["ip_version"] == 4 else _v6(subnet)
        yield options_key(subnet), Wanted(row({"cidr": subnet["cidr"], "options": options}))


def options_key(subnet: Row) -> str:
    return key("DHCP_Options", str(subnet["id"]))


def options_of(rows: Rows, port: Row, version: int) -> list[str]:
    """Of the port's first address of this version.  A port can have one of each."""
    for fixed in port.get("fixed_ips") or ():
        subnet = rows.subnets.get(fixed["subnet_id"])
        if subnet is not None and subnet["ip_version"] == version and _is_answered(subnet):
            return [options_key(subnet)]
    return []


def _is_answered(subnet: Row) -> bool:
    """Of IPv6 by stateful and stateless DHCP; SLAAC needs no answer but the router's."""
    return bool(subnet["enable_dhcp"]) and (subnet["ip_version"] == 4 or subnet.get("ipv6_address_mode") != "slaac")


def _server_mac(subnet: Row) -> str:
    """A locally administered one, the same each time."""
    digest = hashlib.blake2b(str(subnet["id"]).encode(), digest_size=5).digest()
    return ":".join(["0a", *(f"{byte:02x}" for byte in digest)])


def _v4(subnet: Row, network: Row) -> dict[str, str]:
    gateway = subnet.get("gateway_ip")
    server = gateway or str(next(ip_network(subnet["cidr"]).hosts()))
    options = {
        "server_id": server,
        "server_mac": _server_mac(subnet),
        "lease_time": str(LEASE_SECONDS),
        "mtu": str(network["mtu"]),
    }
    routes = [f"{route['destination']},{route['nexthop']}" for route in subnet.get("host_routes") or ()]
    if gateway:
        options["router"] = gateway
        if routes:  # who takes these heeds no router option (RFC 3442)
            routes.append(f"0.0.0.0/0,{gateway}")
    if servers := _servers(subnet, 4):
        options["dns_server"] = quoted(servers)
    if routes:
        options["classless_static_route"] = quoted(routes)
    return options


def _v6(subnet: Row) -> dict[str, str]:
    options = {"server_id": _server_mac(subnet)}
    if servers := _servers(subnet, 6):
        options["dns_server"] = quoted(servers)
    if subnet.get("ipv6_address_mode") == "dhcpv6-stateless":
        options["dhcpv6_stateless"] = "true"
    return options


def _servers(subnet: Row, version: int) -> list[str]:
    return [one for one in subnet.get("dns_nameservers") or () if ip_address(one).version == version]
