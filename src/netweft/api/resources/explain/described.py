"""An explanation's facts: out of the object as the API shows it to the caller, so nothing is in it that is hidden from
them; and, for who sees agents, of the nodes.  Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from netweft.control.explain import hosts, routers
from netweft.control.explain.examine import Finding
from netweft.control.explain.snapshot import Row, Snapshot
from netweft.control.l2.hosts import HOST
from netweft.control.l3.owners import FLOATING, GATEWAY
from netweft.plugins.identity import Context
from netweft.store import Object, Past

_STATE = ("admin_state_up", "status", "status_detail")


class Type(NamedTuple):
    """name: the attribute that people call it by.  where, state: attributes.  should: those of the state that tell
    whether all is well, and what they say then."""

    name: str = "name"
    where: tuple[str, ...] = ()
    state: tuple[str, ...] = _STATE
    should: Mapping[str, object] = {"admin_state_up": True, "status": "ACTIVE"}


_BALANCED = ("admin_state_up", "provisioning_status", "operating_status")
_WELL = {"admin_state_up": True, "provisioning_status": "ACTIVE", "operating_status": "ONLINE"}
_PORT = ("network_id", "fixed_ips", "mac_address", "device_owner", "device_id", HOST, "security_groups")
_PROVIDER = ("provider:network_type", "provider:physical_network", "provider:segmentation_id", "segments")
_RULE = (
    "security_group_id",
    "direction",
    "ethertype",
    "protocol",
    "port_range_min",
    "port_range_max",
    "remote_ip_prefix",
    "remote_group_id",
    "remote_address_group_id",
)
_FIREWALL_RULE = (
    *("action", "protocol", "ip_version", "source_ip_address", "source_port"),
    *("destination_ip_address", "destination_port"),
)
_FORWARDING = (
    *("floatingip_id", "protocol", "external_port", "external_port_range"),
    *("internal_port_id", "internal_ip_address", "internal_port", "internal_port_range"),
)
TYPES: Mapping[str, Type] = {
    "port": Type(where=_PORT, state=(*_STATE, "binding:vif_type", "binding:vif_details")),
    "network": Type(where=("subnets", *_PROVIDER, "mtu")),
    "router": Type(where=("external_gateway_info", "availability_zones", "routes")),
    "floatingip": Type(
        name="floating_ip_address",
        where=("floating_network_id", "floating_ip_address", "port_id", "fixed_ip_address", "router_id"),
        should={"status": "ACTIVE"},
    ),
    "subnet": Type(
        where=("network_id", "cidr", "gateway_ip", "allocation_pools", "subnetpool_id", "dns_nameservers"),
        state=("enable_dhcp", "ipv6_ra_mode", "ipv6_address_mode"),
        should={},
    ),
    "trunk": Type(where=("port_id", "sub_ports")),
    "security_group": Type(where=("security_group_rules", "stateful"), state=(), should={}),
    "security_group_rule": Type(name="description", where=_RULE, state=(), should={}),
    "address_group": Type(where=("addresses",), state=(), should={}),
    "policy": Type(where=("rules", "shared", "is_default"), state=(), should={}),
    "firewall_group": Type(
        where=("ports", "ingress_firewall_policy_id", "egress_firewall_policy_id"), state=("admin_state_up", "status")
    ),
    "firewall_policy": Type(where=("firewall_rules", "audited", "shared"), state=(), should={}),
    "firewall_rule": Type(
        where=(*_FIREWALL_RULE, "shared"), state=("enabled", "firewall_policy_id"), should={"enabled": True}
    ),
    "subnetpool": Type(
        where=("prefixes", "default_prefixlen", "default_quota", "address_scope_id", "shared"), state=(), should={}
    ),
    "address_scope": Type(where=("ip_version", "shared"), state=(), should={}),
    "port_forwarding": Type(name="description", where=_FORWARDING, state=(), should={}),
    "loadbalancer": Type(
        where=("vip_address", "vip_network_id", "vip_port_id", "listeners", "pools"), state=_BALANCED, should=_WELL
    ),
    "listener": Type(
        where=("loadbalancers", "protocol", "protocol_port", "default_pool_id", "l7policies", "allowed_cidrs"),
        state=_BALANCED,
        should=_WELL,
    ),
    "l7policy": Type(
        where=("listener_id", "action", "position", "redirect_pool_id", "redirect_url", "redirect_prefix", "rules"),
        state=_BALANCED,
        should=_WELL,
    ),
    "l7rule": Type(name="id", where=("type", "compare_type", "key", "value", "invert"), state=_BALANCED, should=_WELL),
    "healthmonitor": Type(
        where=("pools", "type", "delay", "timeout", "max_retries", "url_path", "expected_codes"),
        state=_BALANCED,
        should=_WELL,
    ),
    "pool": Type(
        where=("loadbalancers", "listeners", "protocol", "lb_algorithm", "members", "healthmonitor_id"),
        state=_BALANCED,
        should=_WELL,
    ),
    "member": Type(
        where=("address", "protocol_port", "subnet_id", "weight", "backup", "monitor_address", "monitor_port"),
        state=_BALANCED,
        should={"admin_state_up": True, "provisioning_status": "ACTIVE"},
    ),
    "agent": Type(
        name="host",
        where=("host", "agent_type", "binary", "availability_zone", "configurations"),
        state=("alive", *_STATE, "heartbeat_timestamp", "started_at"),
        should={"alive": True, "admin_state_up": True},
    ),
}


def facts(type: str, shown: Row) -> Object:
    """shown: as the caller sees it."""
    of = TYPES[type]
    should = {} if shown.get("device_owner") == FLOATING else of.should
    return {
        **named(type, shown),
        "where": {name: shown[name] for name in of.where if name in shown},
        "should_be": {name: value for name, value in should.items() if name in shown},
        "is": {name: shown[name] for name in of.state if name in shown},
        **{name: shown.get(name) for name in ("created_at", "updated_at", "revision_number")},
    }


def named(type: str, row: Row) -> Object:
    name = row.get(TYPES[type].name if type in TYPES else "name") or ""
    return {"type": type, "id": row["id"], "name": name, "project_id": row.get("project_id")}


def last_by_user(changes: Sequence[Past]) -> Past:
    """changes: the newest first, at least one.  The newest, where no user is among them."""
    return next((one for one in changes if (one.actor or "").startswith("user ")), changes[0])


def change(past: Past, *, sees_nodes: bool) -> Object:
    """by: empty where it was not kept.  A node is the server to who does not see nodes."""
    at = datetime.fromtimestamp(past.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    by = past.actor or ""
    if by.startswith("node ") and not sees_nodes:
        by = "server"
    return {"revision": past.revision, "operation": past.op, "at": at, "by": by}


def finding(type: str, found: Finding, *, sees_nodes: bool) -> Object:
    """Who does not see nodes sees neither which one it is nor what only an admin can do."""
    code = found.code
    mine = sees_nodes or not code.by_admin
    return {
        "code": code.code,
        "blocks": code.blocks,
        "object": {name: value for name, value in named(type, found.row).items() if name != "project_id"},
        "message": code.meaning,
        "detail": found.told.detail if sees_nodes else "",
        "fix": found.fix if mine else "",
        "fixed_by": "admin" if code.by_admin else "owner",
    }


def nodes_of(seen: Snapshot, kind: str, row: Row) -> list[str]:
    """The hosts that it is on."""
    its: Iterable[Any] = ()
    match kind:
        case "agents":
            its = (row.get("host"),)
        case "ports":
            its = (row.get(HOST),)
        case "trunks":
            its = (port[HOST] for port in seen.many("ports", [row["port_id"]]))
        case "routers" | "floatingips":
            router = seen.get("routers", row.get("router_id")) if kind == "floatingips" else row
            its = (port[HOST] for port in (routers.ports(seen, router, GATEWAY) if router else ()))
    return sorted({host for host in its if host})


def node(seen: Snapshot, host: str) -> Object:
    """As its agent said last, and what the feed knows.  feed: null where this server has no session with it."""
    agent, lag = seen.agent(host) or {}, seen.lags.get(host)
    said = {name: agent.get(name) for name in ("heartbeat_timestamp", "admin_state_up", "status_detail")}
    known = bool(agent)
    return {
        "host": host,
        "alive": known and not hosts.is_dead(seen, host),
        **said,
        "feed": None if lag is None else lag._asdict(),
    }


def is_own(context: Context, row: Row) -> bool:
    return context.sees_all or row.get("project_id") == context.project_id
