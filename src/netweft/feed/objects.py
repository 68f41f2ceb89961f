"""From rows, as the store keeps and the API shows them, to what a node is told.  The only place that does.

A row's attributes have the structs' field names, so most of it is `msgspec.convert`, which also drops what does not
leave the server.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

from netweft.model import Network, Node, Peer, Port, Segment, Subnet

Row: TypeAlias = Mapping[str, Any]


def network(row: Row) -> Network:
    segments = row.get("segments") or [row]  # a network of one segment has its attributes itself
    return Network(
        id=row["id"],
        name=row.get("name") or "",
        admin_state_up=row.get("admin_state_up", True),
        mtu=row.get("mtu") or 1500,
        segments=tuple(_segment(segment) for segment in segments if segment.get("provider:network_type")),
    )


def _segment(row: Row) -> Segment:
    return Segment(
        network_type=row["provider:network_type"],
        physical_network=row.get("provider:physical_network"),
        segmentation_id=row.get("provider:segmentation_id"),
    )


def subnet(row: Row) -> Subnet:
    return msgspec.convert(row, Subnet)


def port(row: Row) -> Port:
    return msgspec.convert(row, Port)


def peer(row: Row) -> Peer | None:
    """None for a port that is bound nowhere: it has no place to send frames to."""
    host = row.get("binding:host_id")
    if not host:
        return None
    return Peer(
        id=row["id"],
        network_id=row["network_id"],
        mac_address=row["mac_address"],
        ip_addresses=tuple(fixed["ip_address"] for fixed in row.get("fixed_ips") or ()),
        host_id=host,
    )


OVS_AGENT = "Open vSwitch agent"


def node(row: Row) -> Node | None:
    """From an agent's row; None for other agents of that host (DHCP, ...), which are no tunnel end points."""
    if row.get("agent_type") != OVS_AGENT:
        return None
    configurations = row.get("configurations") or {}
    return Node(
        name=row["host"],
        tunnel_ip=configurations.get("tunnel_ip") or None,
        tunnel_types=tuple(configurations.get("tunnel_types") or ()),
    )
