"""A region's objects as the rows that a server would keep of them, for checks that look at rows: all of it as it should
be.  `rows[kind][id]` may be changed to break something; `seen` is what checks then look at."""

from collections.abc import Iterator
from typing import Any

import msgspec

from netweft.control.explain.snapshot import Snapshot
from netweft.control.l2 import hosts
from netweft.control.l2.hosts import HOST, VIF_TYPE
from netweft.control.l3 import attached
from netweft.control.l3.associations import LEADING
from netweft.control.l3.owners import GATEWAY, INTERFACE
from netweft.model import NodeFacts
from netweft.testing.region import Region

Rows = dict[str, dict[str, dict[str, Any]]]


def rows_of(region: Region) -> Rows:
    """Everything that has been plugged in and settled is ACTIVE; a router's first gateway is its `gateway_info`."""
    found = {
        "networks": [_network(region, one) for one in region.networks.values()],
        "subnets": [_row(one) for one in region.subnets.values()],
        "ports": [*_ports(region)],
        "routers": [_router(region, one) for one in region.routers.values()],
        "floatingips": [_row(one) | {"status": "ACTIVE"} for one in region.floating_ips.values()],
        "port_forwardings": [],
        "trunks": [_row(one) for one in region.trunks.values()],
        "security_groups": [_row(one) for one in region.groups.values()],
        "security_group_rules": [
            _row(rule) | {"security_group_id": group.id} for group in region.groups.values() for rule in group.rules
        ],
        "agents": [_agent(one.host) for one in region.nodes.values()],
    }
    return {kind: {row["id"]: row for row in rows} for kind, rows in found.items()}


def seen(rows: Rows, **more: Any) -> Snapshot:
    return Snapshot(rows, whole=frozenset({"agents"}), **more)


def _row(object: msgspec.Struct) -> dict[str, Any]:
    """With its defaults, which the wire leaves out."""
    names = zip(object.__struct_fields__, object.__struct_encode_fields__, strict=True)
    row: dict[str, Any] = {name: msgspec.to_builtins(getattr(object, field)) for field, name in names}
    return row | {"project_id": "p", "name": row.get("name") or row.get("id", "")}


def _network(region: Region, network: Any) -> dict[str, Any]:
    (segment,) = network.segments
    subnets = [one.id for one in region.subnets.values() if one.network_id == network.id]
    carried = {
        "provider:network_type": segment.network_type,
        "provider:physical_network": segment.physical_network,
        "provider:segmentation_id": segment.segmentation_id,
    }
    return _row(network) | {"subnets": subnets, "segments": None, "status": "ACTIVE"} | carried


def _ports(region: Region) -> Iterator[dict[str, Any]]:
    bound = region.hosts()
    for port in region.ports.values():
        leading = [one.id for one in region.floating_ips.values() if one.port_id == port.id]
        yield _row(port) | _bound(bound.get(port.id, "")) | {"device_id": "vm", LEADING: leading}
    for interface in region.router_ports.values():
        yield _row(interface) | _bound("") | {"device_owner": INTERFACE}
    for gateway in region.gateway_ports.values():
        yield _row(gateway) | _bound(gateway.host_id) | {"device_owner": GATEWAY, "admin_state_up": True}


def _bound(host: str) -> dict[str, Any]:
    return {HOST: host, VIF_TYPE: "ovs" if host else "unbound", "status": "ACTIVE", "status_detail": ""}


def _router(region: Region, router: Any) -> dict[str, Any]:
    out = next((one for one in region.gateway_ports.values() if one.router_id == router.id), None)
    info = {"network_id": out.network_id, "enable_snat": True} if out else None
    return _row(router) | {"status": "ACTIVE", attached.INFO: info}


def _agent(host: Any) -> dict[str, Any]:
    facts = NodeFacts(
        tunnel_ip=host.tunnel_ip, tunnel_types=tuple(host.tunnel_types), bridge_mappings=dict(host.bridge_mappings)
    )
    said = {"host": host.name, "admin_state_up": True, "status_detail": "", hosts.TUNNEL_END: host.tunnel_ip}
    return {"id": f"agent-{host.name}", "configurations": msgspec.to_builtins(facts), **said}
