"""From rows, as the store keeps and the API shows them, to what a node is sent.  The only place that does.

A row's attributes have the structs' field names, so all of it is `msgspec.convert`: it drops what does not leave the
server, and raises ValidationError on what an agent could not read.
"""

from collections.abc import Mapping
from enum import Enum
from ipaddress import ip_network
from typing import Any, Final, TypeAlias

import msgspec

from netweft.control.l2.dynamic_segments import DYNAMIC
from netweft.control.l2.hosts import TUNNELLED_TO, is_bare_metal
from netweft.control.l3.port_ranges import parsed
from netweft.control.lb.vocabulary import PENDING_DELETE
from netweft.control.security import protocols
from netweft.model import (
    AddressGroup,
    FirewallGroup,
    FirewallLog,
    FirewallPolicy,
    FirewallRule,
    FloatingAddress,
    FloatingIp,
    GatewayPort,
    GroupMember,
    HealthMonitor,
    L7Policy,
    L7Rule,
    Listener,
    LoadBalancer,
    Member,
    MeteringLabel,
    NamedPort,
    Network,
    Node,
    Peer,
    Pool,
    Port,
    PortForwarding,
    Proxy,
    QosPolicy,
    Router,
    RouterPort,
    SecurityGroup,
    Subnet,
    Trunk,
    VipPort,
)
from netweft.model.connections import CAME_FROM, LEFT, MOVED
from netweft.model.fwaas import OF_FIREWALLS, OF_GROUPS
from netweft.model.load_balancer import TYPE, VIP_OWNER
from netweft.model.node import OUR_AGENT, OVN_AGENT
from netweft.model.proxy import PROXY_OWNER
from netweft.model.router import ADDRESS_MAC, ANSWERS_HOSTS, ANSWERS_ON, GATEWAY_OWNER, INTERFACE_OWNER


class Way(Enum):
    """Nothing to send to a node: the row only refers to others."""

    WAY = "way"


WAY: Final = Way.WAY
Row: TypeAlias = Mapping[str, Any]
# no tunnel end of ours: services, and OVN's hosts, which know each other; any other is a host's L2 agent
SERVICE_AGENTS = frozenset({"DHCP agent", "L3 agent", "Metadata agent", OVN_AGENT})
SEGMENT = ("provider:network_type", "provider:physical_network", "provider:segmentation_id")


def way(_: Row) -> Way:
    return WAY


def network(row: Row) -> Network:
    segments = row.get("segments") or [row]  # a network of one segment has its attributes itself
    known = [_segment(segment) for segment in segments if segment.get("provider:network_type")]
    known += [_segment(segment) for segment in row.get(DYNAMIC) or ()]
    transparent = bool(row.get("vlan_transparent"))  # null in the API: unset
    return msgspec.convert({**row, "segments": known, "vlan_transparent": transparent}, Network)


def _segment(row: Row) -> Row:
    return {name.removeprefix("provider:"): row.get(name) for name in SEGMENT}


def subnet(row: Row) -> Subnet:
    return msgspec.convert(row, Subnet)


def port(row: Row) -> Port | None:
    """None for a router's: it is not plugged in anywhere."""
    if row.get("device_owner") == GATEWAY_OWNER:
        return None
    return msgspec.convert({**row, LEFT: bool(row.get(CAME_FROM))}, Port)


def port_ahead(row: Row) -> Port:
    """For a node where the port is wired before it moves there."""
    return msgspec.convert({**row, "active": False, MOVED: None}, Port)


def trunk(row: Row) -> Trunk:
    return msgspec.convert(row, Trunk)


def peer(row: Row) -> Peer | None:
    """None for a port that is bound nowhere: it has no place to send frames to."""
    if not row.get("binding:host_id"):
        return None
    addresses = [fixed["ip_address"] for fixed in row.get("fixed_ips") or ()]
    more = {"ip_addresses": addresses, "is_gateway": row.get("device_owner") == GATEWAY_OWNER}
    if row.get(TUNNELLED_TO):
        more["binding:host_id"] = row[TUNNELLED_TO]
    return msgspec.convert({**row, **more}, Peer)


def named_port(row: Row) -> NamedPort | None:
    """None for one without a name, and for one that is bound: that is a peer."""
    if row.get("binding:host_id") or not row.get("dns_name"):
        return None
    addresses = [fixed["ip_address"] for fixed in row.get("fixed_ips") or ()]
    return msgspec.convert({**row, "ip_addresses": addresses}, NamedPort)


def behind(row: Row) -> Way | None:
    """Leads the switch that a bare-metal port is behind."""
    return WAY if is_bare_metal(row) and row.get("binding:host_id") else None


def router_port(row: Row) -> RouterPort | None:
    """None for a port that is no router's interface.  One that nobody answers for any more has no order."""
    if row.get("device_owner") != INTERFACE_OWNER:
        return None
    unanswered = {ANSWERS_ON: "", ANSWERS_HOSTS: ()} if row.get(ANSWERS_ON) is None else {}
    return msgspec.convert({**row, **unanswered}, RouterPort)


def vip_port(row: Row) -> VipPort | None:
    """None for a port that is no VIP's, or on a network without a wire."""
    on_a_wire = row.get("device_owner") == VIP_OWNER and row.get(ANSWERS_HOSTS) is not None
    return msgspec.convert(row, VipPort) if on_a_wire else None


def answering(row: Row) -> Way | None:
    """Leads the node that answers for a router's interface, or a VIP, on a wire."""
    return WAY if row.get("device_owner") in (INTERFACE_OWNER, VIP_OWNER) else None


def router(row: Row) -> Router:
    outside = row.get("external_gateway_info") or {}
    return msgspec.convert({**row, "enable_snat": outside.get("enable_snat", True)}, Router)


def gateway_port(row: Row) -> GatewayPort | None:
    return msgspec.convert(row, GatewayPort) if row.get("device_owner") == GATEWAY_OWNER else None


def gateway(row: Row) -> Way | None:
    """Leads the node that a router's gateway is bound to."""
    return WAY if row.get("device_owner") == GATEWAY_OWNER else None


def floating_ip(row: Row) -> FloatingIp | None:
    """None for one that is associated with no port."""
    if not row.get("router_id"):
        return None
    kept = {name: row.get(name) or "" for name in ("fixed_ip_address", "port_id", ADDRESS_MAC)}
    return msgspec.convert({**row, **kept, "distributed": row.get("distributed") is not False}, FloatingIp)


def floating_address(row: Row) -> FloatingAddress:
    return msgspec.convert({**row, ADDRESS_MAC: row.get(ADDRESS_MAC) or ""}, FloatingAddress)


def port_forwarding(row: Row) -> PortForwarding:
    ends = {
        f"{side}_{end}": getattr(parsed(row[f"{side}_port_range"]), end)
        for side in ("external", "internal")
        for end in ("first", "last")
    }
    protocol = protocols.number(row["protocol"], "IPv4")
    return msgspec.convert({**row, **ends, "protocol": protocol}, PortForwarding)


def metering_label(row: Row) -> MeteringLabel:
    return msgspec.convert(row, MeteringLabel)


def load_balancer(row: Row) -> LoadBalancer:
    """One that is about to go serves nobody any more."""
    up = row.get("admin_state_up", True) and row.get("provisioning_status") != PENDING_DELETE
    return msgspec.convert(_told({**row, "admin_state_up": up}), LoadBalancer)


def listener(row: Row) -> Listener:
    return msgspec.convert(_told(row), Listener)


def pool(row: Row) -> Pool:
    return msgspec.convert(_told(row), Pool)


def member(row: Row) -> Member:
    return msgspec.convert(_told(row), Member)


def health_monitor(row: Row) -> HealthMonitor:
    return msgspec.convert(_told(row) | {TYPE: row["type"]}, HealthMonitor)


def l7_policy(row: Row) -> L7Policy:
    return msgspec.convert(_told(row), L7Policy)


def l7_rule(row: Row) -> L7Rule:
    return msgspec.convert(_told(row) | {TYPE: row["type"]}, L7Rule)


def proxy(row: Row) -> Proxy | None:
    """None for a port that is no HAProxy's."""
    return msgspec.convert(row, Proxy) if row.get("device_owner") == PROXY_OWNER else None


def _told(row: Row) -> dict[str, Any]:
    """Without what is null: the struct's default says the same; nor what a struct's tag is."""
    return {name: value for name, value in row.items() if value is not None and name != "type"}


def node(row: Row) -> Node | None:
    """From an L2 agent's row, whatever it wires with; None for other agents of that host: they are no tunnel ends."""
    if row.get("agent_type") in SERVICE_AGENTS:
        return None
    configurations = row.get("configurations") or {}
    ours = {"name": row["host"], "speaks_bfd": row.get("binary", OUR_AGENT) == OUR_AGENT}
    return msgspec.convert({**configurations, **ours}, Node)


def security_group(row: Row) -> SecurityGroup:
    """With its rules, in an order that says nothing and does not change."""
    rules = sorted(row.get("security_group_rules") or (), key=lambda rule: str(rule["id"]))
    numbered = [{**rule, "protocol": protocols.number(rule.get("protocol"), rule["ethertype"])} for rule in rules]
    return msgspec.convert({**row, "rules": numbered}, SecurityGroup)


def group_member(row: Row) -> GroupMember | None:
    """From a port's row with one group; None for one without addresses.  Where it is bound does not matter."""
    fixed, pairs = row.get("fixed_ips") or (), row.get("allowed_address_pairs") or ()
    ranges = [pair for pair in pairs if ip_network(pair["ip_address"], strict=False).num_addresses > 1]
    singles = [one["ip_address"] for one in (*fixed, *pairs) if one not in ranges]
    if not singles and not ranges:
        return None
    (group,) = row["security_groups"]
    addresses = {"ip_addresses": list(dict.fromkeys(singles)), "ranges": ranges}
    return msgspec.convert({"group_id": group, "port_id": row["id"], **addresses}, GroupMember)


def address_group(row: Row) -> AddressGroup:
    return msgspec.convert(row, AddressGroup)


def firewall_group(row: Row) -> FirewallGroup:
    return msgspec.convert(row, FirewallGroup)


def firewall_log(row: Row) -> FirewallLog | None:
    """One that is switched off is none."""
    return _log(row, OF_FIREWALLS)


def group_log(row: Row) -> FirewallLog | None:
    """Likewise, of security groups."""
    return _log(row, OF_GROUPS)


def _log(row: Row, kind: str) -> FirewallLog | None:
    return msgspec.convert(row, FirewallLog) if row["enabled"] and row["resource_type"] == kind else None


def firewall_policy(row: Row) -> FirewallPolicy:
    return msgspec.convert(row, FirewallPolicy)


def firewall_rule(row: Row) -> FirewallRule:
    ends: dict[str, int] = {}
    for side in ("source", "destination"):
        first, _, last = (row.get(f"{side}_port") or "").partition(":")
        if first:
            ends |= {f"{side}_port_range_min": int(first), f"{side}_port_range_max": int(last or first)}
    protocol = protocols.number(row.get("protocol"), f"IPv{row['ip_version']}")
    return msgspec.convert({**row, **ends, "protocol": protocol}, FirewallRule)


def qos_policy(row: Row) -> QosPolicy:
    """A policy's rules are one list in its row, each with its type."""
    rules: dict[str, list[Row]] = {}
    for rule in row.get("rules") or ():
        rules.setdefault(rule["type"], []).append(rule)
    marks = [rule["dscp_mark"] for rule in rules.get("dscp_marking", ())]
    return msgspec.convert(
        {
            "id": row["id"],
            "bandwidth_limits": rules.get("bandwidth_limit", ()),
            "packet_rate_limits": rules.get("packet_rate_limit", ()),
            "minimum_bandwidths": rules.get("minimum_bandwidth", ()),
            "dscp_mark": marks[0] if marks else None,
        },
        QosPolicy,
    )
