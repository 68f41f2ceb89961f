"""Subnets, of which a northbound has no rows: those that VMs are told of by DHCP, those that routers are in, and what
is left of ports' addresses."""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_interface, ip_network
from typing import NamedTuple, TypeAlias

from netweft.importing.ovn_rows import Row, Rows, made_id, network_of, said
from netweft.plugins.mechanisms.database import from_map, from_set
from netweft.store import Object

_METADATA, _DEFAULTS = "169.254.169.254/32", frozenset({"0.0.0.0/0", "::/0"})
Where: TypeAlias = tuple[str, str]  # network, CIDR


class _Interface(NamedTuple):
    """A router's port in a subnet."""

    port: Row
    address: str
    id: str  # of the subnet; empty when the northbound does not say which of several


def subnets(rows: Rows, addresses: Iterable[Where]) -> list[Object]:
    """addresses: (network, address with its prefix's length) of every port."""
    leased = {
        (from_map(row["external_ids"]).get("neutron:network_id", ""), row["cidr"]): row
        for row in rows["DHCP_Options"]
        if _subnet_id(row) and "port_id" not in from_map(row["external_ids"])
    }
    inside = dict(_interfaces(rows, leased))
    others = ((network, str(ip_interface(address).network)) for network, address in addresses)
    onward = dict(_gateways(rows))
    return [
        _subnet(where, leased.get(where), inside.get(where), onward)
        for where in dict.fromkeys((*leased, *inside, *others))
    ]


def _subnet_id(row: Row) -> str:
    return str(from_map(row["external_ids"]).get("subnet_id", ""))


def _interfaces(rows: Rows, leased: Mapping[Where, Row]) -> Iterator[tuple[Where, _Interface]]:
    for port in rows["Logical_Router_Port"]:
        network = network_of(port)
        found = {(network, str(ip_interface(one).network)): ip_interface(one) for one in from_set(port["networks"])}
        ids = set(said(port, "subnet_ids").split()) - {_subnet_id(leased[where]) for where in found if where in leased}
        unsure = [where for where in found if where not in leased]
        id = ids.pop() if len(ids) == len(unsure) == 1 else ""
        for where, address in found.items():
            yield where, _Interface(port, str(address.ip), id)


def _gateways(rows: Rows) -> Iterator[tuple[str, str]]:
    """(subnet, its gateway), of external networks: the default routes of routers."""
    for route in rows["Logical_Router_Static_Route"]:
        if said(route, "is_ext_gw") == "true":
            yield said(route, "subnet_id"), route["nexthop"]


def _subnet(where: Where, leased: Row | None, inside: _Interface | None, onward: Mapping[str, str]) -> Object:
    network, cidr = where
    id = _subnet_id(leased) if leased else inside.id if inside else ""
    version = ip_network(cidr).version
    subnet: Object = {
        "id": id or made_id("subnet", network, cidr),
        "network_id": network,
        "ip_version": version,
        "cidr": cidr,
        "enable_dhcp": leased is not None,
    }
    if leased:
        subnet |= _told(from_map(leased["options"]), version)
    if inside:
        leads_out = said(inside.port, "is_ext_gw") == "True"
        if (gateway := onward.get(subnet["id"]) if leads_out else inside.address) is not None:
            subnet["gateway_ip"] = gateway
        if version == 6 and (mode := from_map(inside.port["ipv6_ra_configs"]).get("address_mode")):
            mode = mode.replace("_", "-")
            subnet |= {"enable_dhcp": True, "ipv6_ra_mode": mode, "ipv6_address_mode": mode}
    return subnet


def _told(options: Mapping[str, str], version: int) -> Object:
    """By DHCP.  Name servers are those that VMs are told, of Neutron's settings too."""
    told: Object = {"dns_nameservers": _listed(options.get("dns_server", ""))}
    if version == 6:
        mode = "dhcpv6-stateless" if options.get("dhcpv6_stateless") == "true" else "dhcpv6-stateful"
        return told | {"ipv6_ra_mode": mode, "ipv6_address_mode": mode}
    words = _listed(options.get("classless_static_route", ""))
    routes = zip(words[::2], words[1::2], strict=False)
    told["host_routes"] = [
        {"destination": destination, "nexthop": nexthop}
        for destination, nexthop in routes
        if destination != _METADATA and destination not in _DEFAULTS
    ]
    return told | {"gateway_ip": options.get("router")}


def _listed(value: str) -> list[str]:
    """OVN's {a, b, c}."""
    return value.strip("{}").replace(",", " ").split()
