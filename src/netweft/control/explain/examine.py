"""Which checks there are, and which other objects have to work for an object to work.

    findings = examine(snapshot, "ports", row)

Of the others only what blocks is told: that a router has no gateway is no fault of a port's.
"""

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from netweft.control.explain import (
    balancers,
    codes,
    firewalls,
    floating_ips,
    hosts,
    l7,
    monitored,
    networks,
    policies,
    ports,
    routers,
    rules,
    states,
    subnets,
    trunks,
)
from netweft.control.explain.codes import Code
from netweft.control.explain.snapshot import Find, Row, Snapshot, Told
from netweft.control.l3 import forwardings
from netweft.control.l3.associations import LEADING
from netweft.control.l3.owners import GATEWAY, INTERFACE
from netweft.model.load_balancer import LOAD_BALANCER


class Check(NamedTuple):
    """Of rows of this kind; the codes that it may tell."""

    kind: str
    find: Find
    codes: tuple[Code, ...]


CHECKS = (
    Check("ports", states.admin_down(codes.PORT_ADMIN_DOWN), (codes.PORT_ADMIN_DOWN,)),
    Check("ports", ports.not_bound, (codes.PORT_NOT_BOUND, codes.PORT_TRUNK_NOT_BOUND)),
    Check("ports", ports.trunk_down, (codes.PORT_TRUNK_ADMIN_DOWN,)),
    Check(
        "ports",
        ports.binding_failed,
        (codes.PORT_HOST_UNKNOWN, codes.PORT_NO_SEGMENT, codes.PORT_BINDING_FAILED),
    ),
    Check("ports", ports.host_dead, (codes.PORT_HOST_DEAD,)),
    Check("ports", ports.host_behind, (codes.PORT_HOST_BEHIND,)),
    Check("ports", ports.not_wired, (codes.PORT_NOT_WIRED, codes.PORT_NOT_PLUGGED)),
    Check("ports", ports.switch_lacks, (codes.PORT_SWITCH_LACKS, codes.PORT_SWITCH_PENDING)),
    Check("ports", ports.metadata_down, (codes.PORT_METADATA_DOWN,)),
    Check("ports", ports.host_problems, (codes.PORT_HOST_PROBLEMS,)),
    Check("ports", ports.nothing_in, (codes.PORT_NOTHING_IN,)),
    Check("ports", ports.nothing_out, (codes.PORT_NOTHING_OUT,)),
    Check("ports", ports.pair_taken, (codes.PORT_PAIR_TAKEN,)),
    Check("ports", ports.no_dhcp, (codes.PORT_NO_DHCP,)),
    Check("ports", ports.no_metadata, (codes.PORT_NO_METADATA,)),
    Check("networks", states.admin_down(codes.NETWORK_ADMIN_DOWN), (codes.NETWORK_ADMIN_DOWN,)),
    Check("networks", networks.no_host, (codes.NETWORK_NO_HOST,)),
    Check("networks", networks.no_subnet, (codes.NETWORK_NO_SUBNET,)),
    Check("networks", networks.no_dhcp, (codes.NETWORK_NO_DHCP,)),
    Check("networks", networks.no_addresses, (codes.NETWORK_NO_ADDRESSES,)),
    Check("networks", hosts.crowded(codes.NETWORK_CROWDED), (codes.NETWORK_CROWDED,)),
    Check("networks", networks.quota_full, (codes.NETWORK_QUOTA,)),
    Check("subnets", subnets.no_dhcp, (codes.SUBNET_NO_DHCP,)),
    Check("subnets", subnets.no_addresses, (codes.SUBNET_NO_ADDRESSES,)),
    Check("subnets", subnets.no_gateway, (codes.SUBNET_NO_GATEWAY,)),
    Check("subnets", subnets.dns_nobodys, (codes.SUBNET_DNS_NOBODY,)),
    Check("subnets", subnets.not_advertised, (codes.SUBNET_NOT_ADVERTISED,)),
    Check("trunks", states.admin_down(codes.TRUNK_ADMIN_DOWN), (codes.TRUNK_ADMIN_DOWN,)),
    Check("trunks", trunks.sub_port_down, (codes.TRUNK_SUB_PORT_DOWN,)),
    Check("trunks", trunks.sub_port_mtu, (codes.TRUNK_SUB_PORT_MTU,)),
    Check("routers", states.admin_down(codes.ROUTER_ADMIN_DOWN), (codes.ROUTER_ADMIN_DOWN,)),
    Check("routers", routers.no_interface, (codes.ROUTER_NO_INTERFACE,)),
    Check("routers", routers.interface_down, (codes.ROUTER_INTERFACE_DOWN,)),
    Check("routers", routers.no_gateway, (codes.ROUTER_NO_GATEWAY,)),
    Check("routers", routers.gateway_nowhere, (codes.ROUTER_GATEWAY_NOWHERE,)),
    Check("routers", routers.gateway_dead, (codes.ROUTER_GATEWAY_DEAD,)),
    Check("routers", routers.gateway_behind, (codes.ROUTER_GATEWAY_BEHIND,)),
    Check("routers", hosts.crowded(codes.ROUTER_CROWDED), (codes.ROUTER_CROWDED,)),
    Check("floatingips", floating_ips.no_port, (codes.FLOATING_NO_PORT,)),
    Check("floatingips", floating_ips.no_gateway, (codes.FLOATING_NO_GATEWAY,)),
    Check("floatingips", floating_ips.not_active, (codes.FLOATING_NOT_ACTIVE,)),
    Check("security_groups", rules.nothing_in, (codes.GROUP_NOTHING_IN,)),
    Check("security_groups", rules.nothing_out, (codes.GROUP_NOTHING_OUT,)),
    Check("security_groups", rules.quota_full, (codes.GROUP_QUOTA,)),
    Check("security_groups", states.unused(codes.GROUP_UNUSED), (codes.GROUP_UNUSED,)),
    Check(
        "security_group_rules",
        rules.from_nobody,
        (codes.RULE_REMOTE_GROUP_UNUSED, codes.RULE_ADDRESS_GROUP_EMPTY),
    ),
    Check("address_groups", policies.no_addresses, (codes.ADDRESS_GROUP_EMPTY,)),
    Check("address_groups", states.unused(codes.ADDRESS_GROUP_UNUSED), (codes.ADDRESS_GROUP_UNUSED,)),
    Check("policies", policies.no_rules, (codes.POLICY_NO_RULES,)),
    Check("policies", states.unused(codes.POLICY_UNUSED), (codes.POLICY_UNUSED,)),
    Check("firewall_groups", firewalls.not_enforced, (codes.FIREWALL_NOT_ENFORCED,)),
    Check("firewall_groups", firewalls.admin_down, (codes.FIREWALL_ADMIN_DOWN,)),
    Check("firewall_groups", firewalls.nothing_in, (codes.FIREWALL_NOTHING_IN,)),
    Check("firewall_groups", firewalls.nothing_out, (codes.FIREWALL_NOTHING_OUT,)),
    Check("firewall_groups", firewalls.no_ports, (codes.FIREWALL_NO_PORTS,)),
    Check("firewall_policies", firewalls.allows_nothing, (codes.FIREWALL_POLICY_ALLOWS_NOTHING,)),
    Check("firewall_policies", states.unused(codes.FIREWALL_POLICY_UNUSED), (codes.FIREWALL_POLICY_UNUSED,)),
    Check("firewall_rules", firewalls.rule_disabled, (codes.FIREWALL_RULE_DISABLED,)),
    Check("firewall_rules", states.unused(codes.FIREWALL_RULE_UNUSED), (codes.FIREWALL_RULE_UNUSED,)),
    Check("address_scopes", states.unused(codes.ADDRESS_SCOPE_UNUSED), (codes.ADDRESS_SCOPE_UNUSED,)),
    Check("loadbalancers", states.admin_down(codes.BALANCER_ADMIN_DOWN), (codes.BALANCER_ADMIN_DOWN,)),
    Check("loadbalancers", balancers.no_listener, (codes.BALANCER_NO_LISTENER,)),
    Check("loadbalancers", balancers.pending, (codes.BALANCER_PENDING,)),
    Check("listeners", states.admin_down(codes.LISTENER_ADMIN_DOWN), (codes.LISTENER_ADMIN_DOWN,)),
    Check("listeners", balancers.no_pool, (codes.LISTENER_NO_POOL,)),
    Check("l7policies", states.admin_down(codes.L7POLICY_ADMIN_DOWN), (codes.L7POLICY_ADMIN_DOWN,)),
    Check("l7policies", l7.no_rules, (codes.L7POLICY_NO_RULES,)),
    Check("l7rules", l7.rule_admin_down, (codes.L7RULE_ADMIN_DOWN,)),
    Check("healthmonitors", states.admin_down(codes.MONITOR_ADMIN_DOWN), (codes.MONITOR_ADMIN_DOWN,)),
    Check("pools", states.admin_down(codes.POOL_ADMIN_DOWN), (codes.POOL_ADMIN_DOWN,)),
    Check("pools", balancers.no_member, (codes.POOL_NO_MEMBER,)),
    Check("pools", balancers.no_member_well, (codes.POOL_ALL_DOWN,)),
    Check("pools", balancers.unused, (codes.POOL_UNUSED,)),
    Check("members", balancers.member_admin_down, (codes.MEMBER_ADMIN_DOWN,)),
    Check("members", monitored.refused, (codes.MEMBER_REFUSES_MONITOR,)),
    Check("members", monitored.failed, (codes.MEMBER_FAILED,)),
    Check("members", balancers.not_answered, (codes.MEMBER_NOT_ASKED,)),
    Check("members", balancers.nobodys, (codes.MEMBER_NO_PORT,)),
    Check("members", balancers.is_a_vip, (codes.MEMBER_IS_A_VIP,)),
    Check("members", balancers.drained, (codes.MEMBER_DRAINED,)),
    Check("agents", hosts.agent_dead, (codes.AGENT_DEAD,)),
    Check("agents", hosts.agent_disabled, (codes.AGENT_DISABLED,)),
    Check("agents", hosts.agent_behind, (codes.AGENT_BEHIND,)),
    Check("agents", hosts.agent_metadata_down, (codes.AGENT_METADATA_DOWN,)),
    Check("agents", hosts.agent_problems, (codes.AGENT_PROBLEMS,)),
    Check("agents", hosts.agent_tunnel_shared, (codes.AGENT_TUNNEL_SHARED,)),
)


class Finding(NamedTuple):
    """Of which row it is."""

    kind: str
    row: Row
    told: Told

    @property
    def code(self) -> Code:
        return self.told.code

    @property
    def fix(self) -> str:
        """Values are what users chose (a device's id), and the command is for an admin's shell: each is one word."""
        values = {"id": self.row["id"]} | dict(self.told.values)
        return self.code.fix.format_map({name: _word(value) for name, value in values.items()})


def _word(value: str) -> str:
    return shlex.quote("".join(each if each.isprintable() else "?" for each in value))


Named = tuple[str, Row]


def examine(seen: Snapshot, kind: str, row: Row) -> list[Finding]:
    """First what blocks."""
    found = list(found_of(seen, kind, row))
    others = {(other, one["id"]): one for other, one in _needed(seen, kind, row)}
    for (other, _), one in others.items():
        found += [finding for finding in found_of(seen, other, one) if finding.code.blocks]
    return sorted(found, key=lambda finding: not finding.code.blocks)


def found_of(seen: Snapshot, kind: str, row: Row) -> Iterator[Finding]:
    """About the object itself."""
    for check in CHECKS:
        if check.kind == kind:
            yield from (Finding(kind, row, told) for told in check.find(seen, row))


def _needed(seen: Snapshot, kind: str, row: Row) -> Iterable[Named]:
    return _NEEDED[kind](seen, row) if kind in _NEEDED else ()


def _of_port(seen: Snapshot, port: Row) -> Iterator[Named]:
    """Its network, the routers that its subnets' gateways are, and its floating IPs and forwardings."""
    yield from _networks(seen, [port["network_id"]])
    for group in firewalls.group_of(seen, port):
        yield "firewall_groups", group
    if not ports.is_plugged_in(port):
        return
    for router in gateways_of(seen, port):
        yield from _routed(seen, router)
    for one in seen.many("floatingips", port.get(LEADING) or ()):
        yield "floatingips", one


def gateways_of(seen: Snapshot, port: Row) -> Iterator[Row]:
    """Routers to which its VM sends what is for elsewhere."""
    ids = {fixed["subnet_id"] for fixed in port["fixed_ips"]}
    return _routers_at(seen, port["network_id"], seen.many("subnets", ids))


def _routers_at(seen: Snapshot, network_id: str, of: Iterable[Row]) -> Iterator[Row]:
    """The gateways of these subnets."""
    wanted = {(subnet["id"], subnet["gateway_ip"]) for subnet in of}
    for interface in seen.all("ports", network_id=network_id, device_owner=INTERFACE):
        if wanted & {(fixed["subnet_id"], fixed["ip_address"]) for fixed in interface["fixed_ips"]}:
            yield from seen.many("routers", [interface["device_id"]])


def _routed(seen: Snapshot, router: Row) -> Iterator[Named]:
    """A router and its external networks."""
    yield "routers", router
    yield from _networks(seen, [one["network_id"] for one in routers.ports(seen, router, GATEWAY)])


def _of_subnet(seen: Snapshot, subnet: Row) -> Iterator[Named]:
    yield from _networks(seen, [subnet["network_id"]])
    for router in _routers_at(seen, subnet["network_id"], [subnet]):
        yield from _routed(seen, router)


def _of_trunk(seen: Snapshot, trunk: Row) -> Iterator[Named]:
    its = [*seen.many("ports", [trunk["port_id"]]), *trunks.not_wired(seen, trunk)[: trunks.MOST]]
    for port in its:
        yield "ports", port
        yield from _networks(seen, [port["network_id"]])


def _of_router(seen: Snapshot, router: Row) -> Iterator[Named]:
    its = [*routers.ports(seen, router, INTERFACE), *routers.ports(seen, router, GATEWAY)]
    return _networks(seen, [port["network_id"] for port in its])


def _of_floating_ip(seen: Snapshot, floating_ip: Row) -> Iterator[Named]:
    yield from _networks(seen, [floating_ip["floating_network_id"]])
    for router in seen.many("routers", [floating_ip.get("router_id") or ""]):
        yield "routers", router
    for port in seen.many("ports", [floating_ip.get("port_id") or ""]):
        yield "ports", port
        yield from _networks(seen, [port["network_id"]])


def _of_forwarding(seen: Snapshot, forwarding: Row) -> Iterator[Named]:
    """Its floating IP, with all that this needs, and the port inside."""
    for floating_ip in seen.many("floatingips", [forwarding[forwardings.FIP]]):
        yield "floatingips", floating_ip
        yield from _of_floating_ip(seen, floating_ip)
    for port in seen.many("ports", [forwarding[forwardings.PORT]]):
        yield "ports", port
        yield from _networks(seen, [port["network_id"]])


def _of_balancer(seen: Snapshot, balancer: Row) -> Iterator[Named]:
    """That a member has failed is reported on its pool, if no other is left."""
    yield from _networks(seen, [balancer["vip_network_id"]])
    for pool in balancers.pools_of(seen, balancer):
        yield "pools", pool


def _its_balancer(seen: Snapshot, row: Row) -> Iterator[Named]:
    for balancer in seen.many("loadbalancers", [row[LOAD_BALANCER]]):
        yield "loadbalancers", balancer
        yield from _networks(seen, [balancer["vip_network_id"]])


def _of_listener(seen: Snapshot, listener: Row) -> Iterator[Named]:
    yield from _its_balancer(seen, listener)
    for pool in seen.many("pools", [listener.get("default_pool_id") or ""]):
        yield "pools", pool


def _of_l7policy(seen: Snapshot, policy: Row) -> Iterator[Named]:
    yield from _its_balancer(seen, policy)
    for listener in seen.many("listeners", [policy["listener_id"]]):
        yield "listeners", listener
    for pool in seen.many("pools", [policy.get("redirect_pool_id") or ""]):
        yield "pools", pool


def _of_l7rule(seen: Snapshot, rule: Row) -> Iterator[Named]:
    for policy in seen.many("l7policies", [rule["l7policy_id"]]):
        yield "l7policies", policy
        yield from _of_l7policy(seen, policy)


def _of_member(seen: Snapshot, member: Row) -> Iterator[Named]:
    for pool in seen.many("pools", [member["pool_id"]]):
        if not pool["admin_state_up"]:
            yield "pools", pool
        yield from _its_balancer(seen, pool)
    port = balancers.port_of(seen, member)
    if port is not None:
        yield "ports", port
        yield from _networks(seen, [port["network_id"]])


def _networks(seen: Snapshot, ids: Sequence[str]) -> Iterator[Named]:
    return (("networks", network) for network in seen.many("networks", ids))


_NEEDED: Mapping[str, Callable[[Snapshot, Row], Iterator[Named]]] = {
    "ports": _of_port,
    "subnets": _of_subnet,
    "trunks": _of_trunk,
    "routers": _of_router,
    "floatingips": _of_floating_ip,
    "port_forwardings": _of_forwarding,
    "loadbalancers": _of_balancer,
    "listeners": _of_listener,
    "l7policies": _of_l7policy,
    "l7rules": _of_l7rule,
    "pools": _its_balancer,
    "members": _of_member,
}
