"""From rows, as the store keeps and the API shows them, to what a node is told.  The only place that does.

A row's attributes have the structs' field names, so all of it is `msgspec.convert`: it drops what does not leave the
server, and raises ValidationError on what an agent could not read.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

from netweft.model import Network, Node, Peer, Port, Subnet

Row: TypeAlias = Mapping[str, Any]
SERVICE_AGENTS = frozenset({"DHCP agent", "L3 agent", "Metadata agent"})  # any other is a host's L2 agent
SEGMENT = ("provider:network_type", "provider:physical_network", "provider:segmentation_id")


def network(row: Row) -> Network:
    segments = row.get("segments") or [row]  # a network of one segment has its attributes itself
    known = [_segment(segment) for segment in segments if segment.get("provider:network_type")]
    transparent = bool(row.get("vlan_transparent"))  # null in the API: nobody asked for it
    return msgspec.convert({**row, "segments": known, "vlan_transparent": transparent}, Network)


def _segment(row: Row) -> Row:
    return {name.removeprefix("provider:"): row.get(name) for name in SEGMENT}


def subnet(row: Row) -> Subnet:
    return msgspec.convert(row, Subnet)


def port(row: Row) -> Port:
    return msgspec.convert(row, Port)


def peer(row: Row) -> Peer | None:
    """None for a port that is bound nowhere: it has no place to send frames to."""
    if not row.get("binding:host_id"):
        return None
    addresses = [fixed["ip_address"] for fixed in row.get("fixed_ips") or ()]
    return msgspec.convert({**row, "ip_addresses": addresses}, Peer)


def node(row: Row) -> Node | None:
    """From an L2 agent's row, whatever it wires with; None for other agents of that host: they are no tunnel ends."""
    if row.get("agent_type") in SERVICE_AGENTS:
        return None
    configurations = row.get("configurations") or {}
    return msgspec.convert({**configurations, "name": row["host"]}, Node)
