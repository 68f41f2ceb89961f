"""Routers: their ports, the way out on gateway chassis, SNAT, floating IPs, routes, router advertisements."""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address, ip_network
from typing import Any, Final

from netweft.model.router import GATEWAY_HOSTS
from netweft.plugins.mechanisms import Row, Wanted
from netweft.plugins.mechanisms.ovn import forwarding, scopes
from netweft.plugins.mechanisms.ovn.rows import (
    FLOATING,
    GATEWAY,
    Rows,
    addresses,
    neutron_name,
    router_key,
    router_port_key,
    router_port_name,
)
from netweft.plugins.mechanisms.ovn.schema import key, row

# seconds after which a neighbour is asked for again: OVN keeps what one said once for ever otherwise
NEIGHBOUR_AGE: Final = 300
RA_SECONDS: Final = 60  # between advertisements, at most; the least is a third of it
MOST_CHASSIS: Final = 5  # of one gateway, as in Neutron's driver
_RA_MODES: Final = {"slaac": "slaac", "dhcpv6-stateless": "dhcpv6_stateless", "dhcpv6-stateful": "dhcpv6_stateful"}


def desired(rows: Rows, chassis: Mapping[str, str], balancers: Mapping[str, list[str]]) -> Iterator[tuple[str, Wanted]]:
    """chassis: host -> what OVN calls it.  balancers: of routers, by key."""
    forwarded = forwarding.balancers(rows)
    yield from forwarding.desired(forwarded)
    for router in rows.routers.values():
        columns: dict[str, Any] = {"name": neutron_name(router["id"]), "enabled": bool(router["admin_state_up"])}
        columns["options"] = {"mac_binding_age_threshold": str(NEIGHBOUR_AGE)}
        its = [key for key, one in forwarded[router["id"]].items() if not one.refused]
        columns["load_balancer"] = [*its, *balancers.get(router_key(router["id"]), [])]
        yield router_key(router["id"]), Wanted(row(columns))
        ports = [port for port in rows.router_ports[router["id"]] if port["network_id"] in rows.networks]
        for port in ports:
            yield from _port(rows, router, port)
            if port["device_owner"] == GATEWAY:
                yield from _gateway_chassis(port, chassis)
        yield from scopes.policies(rows, router, ports)
        yield from _way_out(rows, router, ports)
        for route in router.get("routes") or ():
            named = f"{router['id']}-{route['destination']}-{route['nexthop']}"
            columns = {"ip_prefix": route["destination"], "nexthop": route["nexthop"]}
            yield key("Logical_Router_Static_Route", named), Wanted(row(columns, router_key(router["id"])))
    yield from _floating_ips(rows)


def _port(rows: Rows, router: Row, port: Row) -> Iterator[tuple[str, Wanted]]:
    networks = [
        f"{fixed['ip_address']}/{ip_network(rows.subnets[fixed['subnet_id']]['cidr']).prefixlen}"
        for fixed in port.get("fixed_ips") or ()
        if fixed["subnet_id"] in rows.subnets
    ]
    network = rows.networks[port["network_id"]]
    columns: dict[str, Any] = {
        "name": router_port_name(port["id"]),
        "mac": port["mac_address"],
        "networks": networks,
        "options": {"gateway_mtu": str(network["mtu"])} if port["device_owner"] == GATEWAY else {},
    }
    if port["device_owner"] != GATEWAY:
        columns["ipv6_ra_configs"] = _advertised(rows, port, network)
    yield router_port_key(port["id"]), Wanted(row(columns, router_key(router["id"])))


def _advertised(rows: Rows, port: Row, network: Row) -> dict[str, str]:
    found = [rows.subnets.get(fixed["subnet_id"]) for fixed in port.get("fixed_ips") or ()]
    subnets = [subnet for subnet in found if subnet and subnet["ip_version"] == 6]
    mode = next((_RA_MODES[subnet["ipv6_ra_mode"]] for subnet in subnets if subnet.get("ipv6_ra_mode")), None)
    if mode is None:
        return {}
    said = {"address_mode": mode, "send_periodic": "true", "max_interval": str(RA_SECONDS), "mtu": str(network["mtu"])}
    servers = [one for subnet in subnets for one in subnet.get("dns_nameservers") or () if ip_address(one).version == 6]
    return said | ({"rdnss": servers[0]} if servers else {})  # it takes one only


def _gateway_chassis(port: Row, chassis: Mapping[str, str]) -> Iterator[tuple[str, Wanted]]:
    """Who has the gateway, and who takes over, as the port says; none where it is on a host that is no chassis."""
    its = [chassis[host] for host in port.get(GATEWAY_HOSTS) or () if host in chassis]
    for place, one in enumerate(its[:MOST_CHASSIS]):
        name = f"{router_port_name(port['id'])}_{one}"
        columns = {"name": name, "chassis_name": one, "priority": MOST_CHASSIS - place}
        yield key("Gateway_Chassis", name), Wanted(row(columns, router_port_key(port["id"])))


def _way_out(rows: Rows, router: Row, ports: Iterable[Row]) -> Iterator[tuple[str, Wanted]]:
    ports, parent = list(ports), router_key(router["id"])
    inside = [port for port in ports if port["device_owner"] != GATEWAY]
    info = router.get("external_gateway_info") or {}
    for gateway in ports:
        if gateway["device_owner"] != GATEWAY:
            continue
        for fixed in gateway.get("fixed_ips") or ():
            subnet = rows.subnets.get(fixed["subnet_id"])
            if subnet is None or not subnet.get("gateway_ip"):
                continue
            everywhere = "0.0.0.0/0" if subnet["ip_version"] == 4 else "::/0"
            columns = {
                "ip_prefix": everywhere,
                "nexthop": subnet["gateway_ip"],
                "output_port": router_port_name(gateway["id"]),
            }
            named = f"{router['id']}-{everywhere}-{subnet['gateway_ip']}"
            yield key("Logical_Router_Static_Route", named), Wanted(row(columns, parent))
        outside = addresses(gateway, 4)
        if not outside or not info.get("enable_snat", True) or gateway["network_id"] != info.get("network_id"):
            continue
        for cidr in sorted(_cidrs(rows, (port for port in inside if scopes.is_translated(rows, port, gateway)))):
            columns = {"type": "snat", "external_ip": outside[0], "logical_ip": cidr}
            yield key("NAT", f"{router['id']}-snat-{cidr}"), Wanted(row(columns, parent))


def _cidrs(rows: Rows, ports: Iterable[Row]) -> set[str]:
    """IPv4's of these ports' subnets."""
    ids = {fixed["subnet_id"] for port in ports for fixed in port.get("fixed_ips") or ()}
    return {rows.subnets[id]["cidr"] for id in ids if id in rows.subnets and rows.subnets[id]["ip_version"] == 4}


def _floating_ips(rows: Rows) -> Iterator[tuple[str, Wanted]]:
    by_device = {port["device_id"]: port for port in rows.all_ports.values() if port["device_owner"] == FLOATING}
    for one in rows.floating_ips.values():
        router = rows.routers.get(one.get("router_id") or "")
        if router is None or not one.get("fixed_ip_address") or one.get("port_id") in rows.vips:
            continue  # a VIP's is a balancer's
        columns = {
            "type": "dnat_and_snat",
            "external_ip": str(ip_address(one["floating_ip_address"])),
            "logical_ip": one["fixed_ip_address"],
        }
        its_port = by_device.get(one["id"])
        if its_port is not None and rows.translates(one):
            columns |= {"external_mac": its_port["mac_address"], "logical_port": one["port_id"]}
        ports = frozenset({str(one["port_id"])})
        yield key("NAT", f"floatingip-{one['id']}"), Wanted(row(columns, router_key(router["id"])), ports)
