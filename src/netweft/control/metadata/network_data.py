"""network_data.json: how an instance's interfaces are to be set up, as Nova tells it and cloud-init reads it."""

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any, Final

from netweft.control.metadata.subject import Subject
from netweft.store import Object

_EVERYWHERE: Final = {4: "0.0.0.0/0", 6: "::/0"}
_BY_MODE: Final = {
    "slaac": "ipv6_slaac",
    "dhcpv6-stateful": "ipv6_dhcpv6-stateful",
    "dhcpv6-stateless": "ipv6_dhcpv6-stateless",
}


def network_data(subject: Subject) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {"links": [], "networks": [], "services": []}
    for port in subject.ports:
        found["links"].append(_link(port, subject.networks.get(port["network_id"])))
        for fixed in port["fixed_ips"]:
            subnet = subject.subnets.get(fixed["subnet_id"])
            if subnet is not None:
                found["networks"].append(_network(port, fixed, subnet, len(found["networks"])))
                found["services"] += (one for one in _services(subnet) if one not in found["services"])
    return found


def _link(port: Object, network: Object | None) -> dict[str, Any]:
    return {
        "id": _link_id(port),
        "vif_id": port["id"],
        "type": port.get("binding:vif_type") or "ovs",
        "mtu": network["mtu"] if network else None,
        "ethernet_mac_address": port["mac_address"],
    }


def _link_id(port: Object) -> str:
    return f"tap{port['id'][:11]}"


def _network(port: Object, fixed: Object, subnet: Object, place: int) -> dict[str, Any]:
    named = {"id": f"network{place}", "link": _link_id(port), "network_id": port["network_id"]}
    version, mode = subnet["ip_version"], subnet.get("ipv6_address_mode") or ""
    if version == 4 and subnet["enable_dhcp"]:
        return named | {"type": "ipv4_dhcp"}
    if mode in _BY_MODE:
        return named | {"type": _BY_MODE[mode]}
    return named | {
        "type": f"ipv{version}",
        "ip_address": fixed["ip_address"],
        "netmask": str(ip_network(subnet["cidr"]).netmask),
        "routes": list(_routes(subnet)),
        "services": list(_services(subnet)),
    }


def _routes(subnet: Object) -> Iterator[dict[str, str]]:
    if subnet["gateway_ip"]:
        yield _route(_EVERYWHERE[subnet["ip_version"]], subnet["gateway_ip"])
    for route in subnet["host_routes"]:
        yield _route(route["destination"], route["nexthop"])


def _route(destination: str, gateway: str) -> dict[str, str]:
    network = ip_network(destination, strict=False)
    return {"network": str(network.network_address), "netmask": str(network.netmask), "gateway": gateway}


def _services(subnet: Object) -> Iterator[dict[str, str]]:
    for server in subnet["dns_nameservers"]:
        if server not in ("0.0.0.0", "::"):
            yield {"type": "dns", "address": server}
