"""What Neutron's database has and an import does not take over, by name, so that nobody misses it only afterwards."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

Row: TypeAlias = Mapping[str, Any]
LeftOut: TypeAlias = tuple[str, str, str]

_SERVICE: Final = "describe it here anew: only what belongs to networks, ports and routers is taken over"
_NOT_HERE: Final = "Netweft has nothing like it"
# table -> what a row is, and why it does not come
_OBJECTS: Final[Mapping[str, tuple[str, str]]] = {
    "logs": ("log", _SERVICE),
    "network_segment_ranges": ("network segment range", _SERVICE),
    "firewall_groups_v2": ("firewall group", _SERVICE),
    "firewall_policies_v2": ("firewall policy", _SERVICE),
    "firewall_rules_v2": ("firewall rule", _SERVICE),
    "local_ips": ("local IP", _NOT_HERE),
    "ndp_proxies": ("NDP proxy", _NOT_HERE),
    "bgp_speakers": ("BGP speaker", _NOT_HERE),
    "bgp_peers": ("BGP peer", _NOT_HERE),
    "bgpvpns": ("BGP VPN", _NOT_HERE),
    "vpnservices": ("VPN service", _NOT_HERE),
    "ipsec_site_connections": ("IPsec connection", _NOT_HERE),
    "sfc_port_chains": ("port chain", _NOT_HERE),
    "tap_services": ("tap service", _NOT_HERE),
    "tap_mirrors": ("tap mirror", _NOT_HERE),
    "flavors": ("flavor", _NOT_HERE),
}
# table -> its key, whose attribute it is, and the attribute
_ATTRIBUTES: Final[Mapping[str, tuple[str, str, str]]] = {
    "subnet_service_types": ("subnet_id", "subnet", "service_types"),
    "subnet_dns_publish_fixed_ips": ("subnet_id", "subnet", "dns_publish_fixed_ip"),
    "porthints": ("port_id", "port", "hints"),
    "porttrusted": ("port_id", "port", "trusted"),
    "portuplinkstatuspropagation": ("port_id", "port", "propagate_uplink_status"),
    "porthardwareoffloadtype": ("port_id", "port", "hardware_offload_type"),
    "portpvlan": ("port_id", "port", "pvlan_type"),
    "networkpvlan": ("network_id", "network", "pvlan"),
    "evpn_l3_instances": ("router_id", "router", "EVPN"),
}
# those that are so where nobody has said anything
_USUAL: Final = {"trusted": False, "propagate_uplink_status": True, "dns_publish_fixed_ip": False, "pvlan": False}


def left_out(rows: Callable[[str], Iterable[Row]]) -> Iterator[LeftOut]:
    """rows: of a table; none where it is not there."""
    for table, (kind, why) in _OBJECTS.items():
        for row in rows(table):
            if not row.get("default"):  # a segment range of the settings
                named = f" ({row['name']})" if row.get("name") else ""
                yield kind, f"{row['id']}{named}", why
    for table, (key, kind, attribute) in _ATTRIBUTES.items():
        for row in rows(table):
            value = row.get(attribute)
            if value is None or attribute not in _USUAL or bool(value) != _USUAL[attribute]:
                yield f"{attribute} of {kind}", row[key], "the attribute is not taken over"
    for row in rows("ml2_port_bindings"):
        if row.get("status", "ACTIVE") != "ACTIVE":
            yield "port binding", f"{row['port_id']} on {row['host']}", "only the active one comes: let migrations end"
