"""DHCP options, which ovn-controller answers with: of subnets, and of ports that have some of their own."""

import hashlib
from collections.abc import Iterator, Mapping
from ipaddress import ip_address, ip_network
from typing import Final

from netweft.plugins.mechanisms import Row, Wanted
from netweft.plugins.mechanisms.ovn import dhcp_extras, metadata
from netweft.plugins.mechanisms.ovn.rows import Rows, quoted
from netweft.plugins.mechanisms.ovn.schema import key, row

LEASE_SECONDS: Final = 43200
NO_SERVER: Final = "0.0.0.0"  # among a subnet's name servers: VMs get none
NEEDED: Final = frozenset({"server_id", "server_mac", "lease_time"})  # OVN answers nothing without them
_TABLE: Final = "DHCP_Options"


def desired(rows: Rows, domain: str) -> Iterator[tuple[str, Wanted]]:
    """domain: the setting's, of networks without one."""
    options: dict[str, dict[str, str]] = {}
    for subnet in rows.subnets.values():
        network = rows.networks.get(subnet["network_id"])
        if network is not None and _is_answered(subnet):
            said = _v4(rows, subnet, network) if subnet["ip_version"] == 4 else _v6(subnet)
            if name := (network.get("dns_domain") or domain).rstrip("."):
                said["domain_name" if subnet["ip_version"] == 4 else "domain_search"] = dhcp_extras.quoted(name)
            options[subnet["id"]] = said
            yield key(_TABLE, str(subnet["id"])), Wanted(row({"cidr": subnet["cidr"], "options": said}))
    for port in rows.ports.values():
        if port.get("extra_dhcp_opts"):
            yield from _of_port(rows, port, options)


def options_of(rows: Rows, port: Row, version: int) -> list[str]:
    """Of the port's first address of this version.  A port can have one of each."""
    subnet = _subnet_of(rows, port, version)
    if subnet is None:
        return []
    return [key(_TABLE, _own(port, subnet) if dhcp_extras.options(port, version) else str(subnet["id"]))]


def _of_port(rows: Rows, port: Row, options: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, Wanted]]:
    """The subnet's, and its own instead."""
    told = frozenset({str(port["id"])})
    for version in (4, 6):
        subnet, own = _subnet_of(rows, port, version), dhcp_extras.options(port, version)
        if subnet is not None and own:
            said = {name: value for name, value in {**options[subnet["id"]], **own}.items() if value}
            said |= {name: options[subnet["id"]][name] for name in NEEDED & options[subnet["id"]].keys() - said.keys()}
            yield key(_TABLE, _own(port, subnet)), Wanted(row({"cidr": subnet["cidr"], "options": said}), told)


def unsaid(rows: Rows) -> dict[str, str]:
    """Port -> which options of its own it does not get, and why."""
    ports = (port for port in rows.ports.values() if port.get("extra_dhcp_opts"))
    return {port["id"]: why for port in ports if (why := dhcp_extras.unsaid(port))}


def _own(port: Row, subnet: Row) -> str:
    return f"{port['id']}-{subnet['id']}"


def _subnet_of(rows: Rows, port: Row, version: int) -> Row | None:
    for fixed in port.get("fixed_ips") or ():
        subnet = rows.subnets.get(fixed["subnet_id"])
        if subnet is not None and subnet["ip_version"] == version and _is_answered(subnet):
            return subnet
    return None


def _is_answered(subnet: Row) -> bool:
    """Of IPv6 by stateful and stateless DHCP.  SLAAC needs no answer but the router's; where routers advertise, and
    addresses are nobody's of ours, another server answers."""
    mode = subnet.get("ipv6_address_mode")
    is_ours = mode != "slaac" and (mode is not None or subnet.get("ipv6_ra_mode") is None)
    return bool(subnet["enable_dhcp"]) and (subnet["ip_version"] == 4 or is_ours)


def _server_mac(subnet: Row) -> str:
    """A locally administered one, the same each time."""
    digest = hashlib.blake2b(str(subnet["id"]).encode(), digest_size=5).digest()
    return ":".join(["0a", *(f"{byte:02x}" for byte in digest)])


def _v4(rows: Rows, subnet: Row, network: Row) -> dict[str, str]:
    gateway = subnet.get("gateway_ip")
    server = gateway or str(next(ip_network(subnet["cidr"]).hosts()))
    options = {
        "server_id": server,
        "server_mac": _server_mac(subnet),
        "lease_time": str(LEASE_SECONDS),
        "mtu": str(network["mtu"]),
    }
    routes = [f"{route['destination']},{route['nexthop']}" for route in subnet.get("host_routes") or ()]
    if subnet["network_id"] in rows.told:
        routes.append(f"{metadata.SERVER}/32,{metadata.ON_LINK}")
    if gateway:
        options["router"] = gateway
        if routes:  # who takes these heeds no router option (RFC 3442)
            routes.append(f"0.0.0.0/0,{gateway}")
    if servers := _servers(subnet, 4) or _answers(rows, subnet):
        options["dns_server"] = quoted(servers)
    if routes:
        options |= dict.fromkeys(("classless_static_route", "ms_classless_static_route"), quoted(routes))
    return options


def _v6(subnet: Row) -> dict[str, str]:
    options = {"server_id": _server_mac(subnet)}
    if servers := _servers(subnet, 6):
        options["dns_server"] = quoted(servers)
    if subnet.get("ipv6_address_mode") == "dhcpv6-stateless":
        options["dhcpv6_stateless"] = "true"
    return options


def _servers(subnet: Row, version: int) -> list[str]:
    found = subnet.get("dns_nameservers") or ()
    return [one for one in found if ip_address(one).version == version and one != NO_SERVER]


def _answers(rows: Rows, subnet: Row) -> list[str]:
    """Where nobody is named: the router's address.  Names of the network are answered on the way there, others are
    refused by it."""
    gateway = str(subnet.get("gateway_ip"))
    return [gateway] if not subnet.get("dns_nameservers") and (subnet["id"], gateway) in rows.routed else []
