"""The tables of OVN_Northbound (ovn-nb(5)) that we write: which columns are ours, and what a row hangs on.

A row's key is its table and a name (`Logical_Switch neutron-ID`); the name stands in `external_ids:netweft-key` too, by
which it is found again, whatever its other columns say.  What is desired is a `Row` with the columns that are not
empty: an absent column is an empty one.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final, TypeAlias

from msgspec import Struct

KEY: Final = "netweft-key"
Columns: TypeAlias = dict[str, Any]


class As(Enum):
    """What a column's value is.  REFS: keys of other rows.  ENTRIES: a map of which only the difference is written."""

    SCALAR = "scalar"
    OPTIONAL = "optional"
    SET = "set"
    MAP = "map"
    REFS = "refs"
    ENTRIES = "entries"


class Table(Struct, frozen=True):
    """parent: the table, and its column, of the row that a row hangs on; without one it is a root."""

    columns: Mapping[str, As]
    parent: tuple[str, str] | None = None


TABLES: Final[Mapping[str, Table]] = {
    "Address_Set": Table({"name": As.SCALAR, "addresses": As.SET}),
    "DNS": Table({"records": As.ENTRIES}),
    "DHCP_Options": Table({"cidr": As.SCALAR, "options": As.MAP}),
    "Load_Balancer": Table(
        {
            "name": As.SCALAR,
            "protocol": As.OPTIONAL,
            "vips": As.MAP,
            "options": As.MAP,
            "selection_fields": As.SET,
            "ip_port_mappings": As.MAP,
        }
    ),
    "Load_Balancer_Health_Check": Table(
        {"vip": As.SCALAR, "options": As.MAP},
        ("Load_Balancer", "health_check"),
    ),
    "Logical_Switch": Table(
        {"name": As.SCALAR, "other_config": As.MAP, "load_balancer": As.REFS, "dns_records": As.REFS}
    ),
    "Logical_Switch_Port": Table(
        {
            "name": As.SCALAR,
            "type": As.SCALAR,
            "addresses": As.SET,
            "port_security": As.SET,
            "options": As.MAP,
            "enabled": As.OPTIONAL,
            "parent_name": As.OPTIONAL,
            "tag": As.OPTIONAL,
            "dhcpv4_options": As.REFS,
            "dhcpv6_options": As.REFS,
        },
        ("Logical_Switch", "ports"),
    ),
    "QoS": Table(
        {
            "priority": As.SCALAR,
            "direction": As.SCALAR,
            "match": As.SCALAR,
            "action": As.MAP,
            "bandwidth": As.MAP,
        },
        ("Logical_Switch", "qos_rules"),
    ),
    "Port_Group": Table({"name": As.SCALAR, "ports": As.REFS}),
    "ACL": Table(
        {"priority": As.SCALAR, "direction": As.SCALAR, "match": As.SCALAR, "action": As.SCALAR, "options": As.MAP},
        ("Port_Group", "acls"),
    ),
    "Logical_Router": Table({"name": As.SCALAR, "enabled": As.OPTIONAL, "options": As.MAP, "load_balancer": As.REFS}),
    "Logical_Router_Port": Table(
        {"name": As.SCALAR, "mac": As.SCALAR, "networks": As.SET, "options": As.MAP, "ipv6_ra_configs": As.MAP},
        ("Logical_Router", "ports"),
    ),
    "Gateway_Chassis": Table(
        {"name": As.SCALAR, "chassis_name": As.SCALAR, "priority": As.SCALAR},
        ("Logical_Router_Port", "gateway_chassis"),
    ),
    "Logical_Router_Static_Route": Table(
        {"ip_prefix": As.SCALAR, "nexthop": As.SCALAR, "output_port": As.OPTIONAL},
        ("Logical_Router", "static_routes"),
    ),
    "Logical_Router_Policy": Table(
        {"priority": As.SCALAR, "match": As.SCALAR, "action": As.SCALAR}, ("Logical_Router", "policies")
    ),
    "NAT": Table(
        {
            "type": As.SCALAR,
            "external_ip": As.SCALAR,
            "logical_ip": As.SCALAR,
            "external_mac": As.OPTIONAL,
            "logical_port": As.OPTIONAL,
        },
        ("Logical_Router", "nat"),
    ),
}
# in which order rows are made: what others name, or hang on, comes first; they go the other way round
ORDER: Final = tuple(TABLES)


def key(table: str, name: str) -> str:
    return f"{table} {name}"


def table_of(key: str) -> str:
    return key.partition(" ")[0]


def row(columns: Columns, parent: str = "") -> Columns:
    """As it is compared and kept: what is empty left out, sets in order."""
    kept = {name: sorted(value) if isinstance(value, list) else value for name, value in columns.items()}
    kept = {name: value for name, value in kept.items() if value not in (None, "", [], {})}
    return kept | ({"in": parent} if parent else {})
