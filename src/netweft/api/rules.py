"""Who may do what: Neutron's default rules by their names, to be read beside `neutron/conf/policies` (decision 0250).

A name is `verb_member`, `verb_member:attribute` or `verb_member:attribute:part`.  A rule is what grants it, any of it.
An attribute without a rule goes with its object.  No behaviour here: `policy` asks.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from netweft.api.relations import (
    ANY,
    EXTERNAL,
    FLAGGED,
    IN_OWN_GROUP,
    ON_EXTERNAL_NETWORK,
    ON_OWN_NETWORK,
    ON_SHARED_NETWORK,
    OWN,
    SHARED,
    Relation,
)
from netweft.control.rbac import EVERYBODY


class Grant(NamedTuple):
    """To whoever has this role ("": any) and is so related to the object; of these values alone, where that matters."""

    role: str = ""
    relation: Relation = ANY
    value: Callable[[Any], bool] | None = None


class Rule(NamedTuple):
    """grants: first those that take no look-up, since one is enough."""

    grants: tuple[Grant, ...]

    def __or__(self, other: "Rule") -> "Rule":
        return Rule(tuple(sorted(self.grants + other.grants, key=lambda grant: not grant.relation.is_plain)))


def _rule(role: str = "", relation: Relation = ANY, value: Callable[[Any], bool] | None = None) -> Rule:
    return Rule((Grant(role, relation, value),))


def _is_no_service(device_owner: Any) -> bool:
    """Services' ports are exempt from security groups and anti-spoofing."""
    return not (isinstance(device_owner, str) and device_owner.startswith("network:"))


ADMIN = _rule("admin")
SERVICE = _rule("service")
DATA_PLANE_INTEGRATOR = _rule("data_plane_integrator")
READER = _rule("reader")
PROJECT_MANAGER = _rule("manager", OWN)
PROJECT_MEMBER = _rule("member", OWN)
PROJECT_READER = _rule("reader", OWN)
NET_OWNER_MANAGER = _rule("manager", ON_OWN_NETWORK)
NET_OWNER_MEMBER = _rule("member", ON_OWN_NETWORK)
NET_OWNER_READER = _rule("reader", ON_OWN_NETWORK)
SG_OWNER_MEMBER = _rule("member", IN_OWN_GROUP)
SG_OWNER_READER = _rule("reader", IN_OWN_GROUP)
IS_SHARED = _rule("", SHARED)
IS_FLAGGED = _rule("", FLAGGED)
IS_EXTERNAL = _rule("", EXTERNAL)
NET_IS_SHARED = _rule("", ON_SHARED_NETWORK)
NET_IS_EXTERNAL = _rule("", ON_EXTERNAL_NETWORK)
NOT_NETWORK_DEVICE = _rule(value=_is_no_service)
NOT_EVERYBODY = _rule(value=lambda target: target != EVERYBODY)

ADMIN_OR_SERVICE = ADMIN | SERVICE
ADMIN_OR_PROJECT_MANAGER = ADMIN | PROJECT_MANAGER
ADMIN_OR_PROJECT_MEMBER = ADMIN | PROJECT_MEMBER
ADMIN_OR_PROJECT_READER = ADMIN | PROJECT_READER
ADMIN_OR_NET_OWNER_MEMBER = ADMIN | NET_OWNER_MEMBER
ADMIN_OR_SG_OWNER_MEMBER = ADMIN | SG_OWNER_MEMBER

_NETWORKS = {
    "create_network": ADMIN_OR_PROJECT_MEMBER,
    "create_network:shared": ADMIN,
    "create_network:router:external": ADMIN,
    "create_network:is_default": ADMIN,
    "create_network:port_security_enabled": ADMIN_OR_PROJECT_MEMBER,
    "create_network:segments": ADMIN,
    "create_network:provider:network_type": ADMIN,
    "create_network:provider:physical_network": ADMIN,
    "create_network:provider:segmentation_id": ADMIN,
    "create_network:netweft:nat66": ADMIN,
    "get_network": ADMIN_OR_PROJECT_READER | SERVICE | IS_SHARED | IS_EXTERNAL,
    "get_network:segments": ADMIN,
    "get_network:provider:network_type": ADMIN,
    "get_network:provider:physical_network": ADMIN,
    "get_network:provider:segmentation_id": ADMIN,
    "update_network": ADMIN_OR_PROJECT_MEMBER,
    "update_network:shared": ADMIN,
    "update_network:router:external": ADMIN,
    "update_network:is_default": ADMIN,
    "update_network:port_security_enabled": ADMIN_OR_PROJECT_MEMBER,
    "update_network:segments": ADMIN,
    "update_network:provider:network_type": ADMIN,
    "update_network:provider:physical_network": ADMIN,
    "update_network:provider:segmentation_id": ADMIN,
    "update_network:netweft:nat66": ADMIN,
    "delete_network": ADMIN_OR_PROJECT_MEMBER,
    "get_network_ip_availability": ADMIN_OR_SERVICE,
    "get_auto_allocated_topology": ADMIN_OR_PROJECT_READER,
    "delete_auto_allocated_topology": ADMIN_OR_PROJECT_MEMBER,
    "create_network_segment_range": ADMIN,
    "get_network_segment_range": ADMIN,
    "update_network_segment_range": ADMIN,
    "delete_network_segment_range": ADMIN,
}
_SUBNETS = {
    "create_subnet": ADMIN_OR_NET_OWNER_MEMBER,
    "get_subnet": PROJECT_READER | NET_IS_SHARED | NET_IS_EXTERNAL | ADMIN | NET_OWNER_READER | SERVICE,
    "update_subnet": PROJECT_MEMBER | ADMIN_OR_NET_OWNER_MEMBER,
    "delete_subnet": PROJECT_MEMBER | ADMIN_OR_NET_OWNER_MEMBER,
    "create_subnetpool": ADMIN_OR_PROJECT_MEMBER,
    "create_subnetpool:shared": ADMIN,
    "create_subnetpool:is_default": ADMIN,
    "get_subnetpool": ADMIN_OR_PROJECT_READER | IS_SHARED,
    "update_subnetpool": ADMIN_OR_PROJECT_MEMBER,
    "update_subnetpool:is_default": ADMIN,
    "delete_subnetpool": ADMIN_OR_PROJECT_MEMBER,
    "create_address_scope": ADMIN_OR_PROJECT_MEMBER,
    "create_address_scope:shared": ADMIN,
    "get_address_scope": ADMIN_OR_PROJECT_READER | IS_SHARED,
    "update_address_scope": ADMIN_OR_PROJECT_MEMBER,
    "update_address_scope:shared": ADMIN,
    "delete_address_scope": ADMIN_OR_PROJECT_MEMBER,
}
_PORTS = {
    "create_port": ADMIN_OR_SERVICE | NET_OWNER_MEMBER | NET_IS_SHARED,
    "create_port:device_id": ADMIN_OR_PROJECT_MEMBER | SERVICE,
    "create_port:device_owner": NOT_NETWORK_DEVICE | ADMIN_OR_SERVICE | NET_OWNER_MEMBER,
    "create_port:mac_address": ADMIN_OR_SERVICE | NET_OWNER_MEMBER,
    "create_port:fixed_ips": ADMIN_OR_SERVICE | NET_OWNER_MEMBER | NET_IS_SHARED,
    "create_port:fixed_ips:ip_address": ADMIN_OR_SERVICE | NET_OWNER_MEMBER,
    "create_port:fixed_ips:subnet_id": ADMIN_OR_SERVICE | NET_OWNER_MEMBER | NET_IS_SHARED,
    "create_port:port_security_enabled": ADMIN_OR_SERVICE | NET_OWNER_MEMBER,
    "create_port:binding:host_id": ADMIN_OR_SERVICE,
    "create_port:binding:profile": ADMIN_OR_SERVICE,  # Neutron: SERVICE (decision 0250)
    "create_port:binding:vnic_type": ADMIN_OR_PROJECT_MEMBER | SERVICE,
    "create_port:allowed_address_pairs": ADMIN_OR_NET_OWNER_MEMBER | SERVICE,
    "create_port:allowed_address_pairs:mac_address": ADMIN_OR_NET_OWNER_MEMBER | SERVICE,
    "create_port:allowed_address_pairs:ip_address": ADMIN_OR_NET_OWNER_MEMBER | SERVICE,
    "create_port:tags": ADMIN_OR_PROJECT_MEMBER | SERVICE,
    "get_port": ADMIN_OR_SERVICE | NET_OWNER_READER | PROJECT_READER,
    "get_port:binding:vif_type": ADMIN_OR_SERVICE,
    "get_port:binding:vif_details": ADMIN_OR_SERVICE,
    "get_port:binding:host_id": ADMIN_OR_SERVICE,
    "get_port:binding:profile": ADMIN_OR_SERVICE,
    "get_port:resource_request": ADMIN_OR_SERVICE,  # Neutron: ADMIN; it is for Nova
    "get_port:status_detail": ADMIN_OR_SERVICE,  # ours: it may name hosts, bridges, wires
    "update_port": ADMIN_OR_SERVICE | PROJECT_MEMBER,
    "update_port:device_id": ADMIN_OR_PROJECT_MEMBER | SERVICE,
    "update_port:device_owner": NOT_NETWORK_DEVICE | ADMIN_OR_SERVICE | NET_OWNER_MEMBER,
    "update_port:mac_address": ADMIN_OR_SERVICE | NET_OWNER_MANAGER,
    "update_port:fixed_ips": ADMIN_OR_SERVICE | NET_OWNER_MEMBER,
    "update_port:fixed_ips:ip_address": ADMIN_OR_SERVICE | NET_OWNER_MEMBER,
    "update_port:fixed_ips:subnet_id": ADMIN_OR_SERVICE | NET_OWNER_MEMBER | NET_IS_SHARED,
    "update_port:port_security_enabled": ADMIN_OR_SERVICE | NET_OWNER_MEMBER,
    "update_port:binding:host_id": ADMIN_OR_SERVICE,
    "update_port:binding:profile": ADMIN_OR_SERVICE,  # Neutron: SERVICE (decision 0250)
    "update_port:binding:vnic_type": ADMIN_OR_SERVICE | PROJECT_MEMBER,
    "update_port:allowed_address_pairs": ADMIN_OR_NET_OWNER_MEMBER | SERVICE,
    "update_port:allowed_address_pairs:mac_address": ADMIN_OR_NET_OWNER_MEMBER | SERVICE,
    "update_port:allowed_address_pairs:ip_address": ADMIN_OR_NET_OWNER_MEMBER | SERVICE,
    "update_port:data_plane_status": ADMIN | DATA_PLANE_INTEGRATOR,
    "update_port:tags": ADMIN_OR_PROJECT_MEMBER | SERVICE,
    "delete_port": ADMIN_OR_SERVICE | NET_OWNER_MEMBER | PROJECT_MEMBER,
    "delete_port:tags": ADMIN_OR_SERVICE | PROJECT_MEMBER | NET_OWNER_MEMBER,
    "get_port_binding": ADMIN_OR_SERVICE,
    "create_port_binding": ADMIN_OR_SERVICE,  # Neutron: SERVICE, here and below (decision 0250)
    "update_port_binding": ADMIN_OR_SERVICE,
    "delete_port_binding": ADMIN_OR_SERVICE,
    "activate": ADMIN_OR_SERVICE,
    "create_trunk": ADMIN_OR_PROJECT_MEMBER,
    "get_trunk": ADMIN_OR_PROJECT_READER,
    "update_trunk": ADMIN_OR_PROJECT_MEMBER,
    "delete_trunk": ADMIN_OR_PROJECT_MEMBER,
    "get_subports": ADMIN_OR_PROJECT_READER,
    "add_subports": ADMIN_OR_PROJECT_MEMBER,
    "remove_subports": ADMIN_OR_PROJECT_MEMBER,
}
_ROUTERS = {
    "create_router": ADMIN_OR_PROJECT_MEMBER,
    "create_router:distributed": ADMIN,
    "create_router:ha": ADMIN,
    "create_router:enable_default_route_bfd": ADMIN,
    "create_router:enable_default_route_ecmp": ADMIN,
    "create_router:external_gateway_info": ADMIN_OR_PROJECT_MEMBER,
    "create_router:external_gateway_info:network_id": ADMIN_OR_PROJECT_MEMBER,
    "create_router:external_gateway_info:enable_snat": ADMIN,
    "create_router:external_gateway_info:external_fixed_ips": ADMIN,
    "get_router": ADMIN_OR_PROJECT_READER,
    "get_router:distributed": ADMIN,
    "get_router:ha": ADMIN,
    "update_router": ADMIN_OR_PROJECT_MEMBER,
    "update_router:distributed": ADMIN,
    "update_router:ha": ADMIN,
    "update_router:enable_default_route_bfd": ADMIN,
    "update_router:enable_default_route_ecmp": ADMIN,
    "update_router:external_gateway_info": ADMIN_OR_PROJECT_MEMBER,
    "update_router:external_gateway_info:network_id": ADMIN_OR_PROJECT_MEMBER,
    "update_router:external_gateway_info:enable_snat": ADMIN,
    "update_router:external_gateway_info:external_fixed_ips": ADMIN,
    "delete_router": ADMIN_OR_PROJECT_MEMBER,
    "add_router_interface": ADMIN_OR_PROJECT_MEMBER,
    "remove_router_interface": ADMIN_OR_PROJECT_MEMBER,
    "add_extraroutes": ADMIN_OR_PROJECT_MEMBER,
    "remove_extraroutes": ADMIN_OR_PROJECT_MEMBER,
    "add_external_gateways": ADMIN_OR_PROJECT_MEMBER,
    "update_external_gateways": ADMIN_OR_PROJECT_MEMBER,
    "remove_external_gateways": ADMIN_OR_PROJECT_MEMBER,
    "create_router_conntrack_helper": ADMIN_OR_PROJECT_MEMBER,
    "get_router_conntrack_helper": ADMIN_OR_PROJECT_READER,
    "update_router_conntrack_helper": ADMIN_OR_PROJECT_MEMBER,
    "delete_router_conntrack_helper": ADMIN_OR_PROJECT_MEMBER,
}
_FLAVORS = {
    "create_flavor": ADMIN,
    "get_flavor": READER,
    "update_flavor": ADMIN,
    "delete_flavor": ADMIN,
    "create_service_profile": ADMIN,
    "get_service_profile": ADMIN,
    "update_service_profile": ADMIN,
    "delete_service_profile": ADMIN,
    "create_flavor_service_profile": ADMIN,
    "delete_flavor_service_profile": ADMIN,
    "get_service_provider": READER,
}
_FLOATING_IPS = {
    "create_floatingip": ADMIN_OR_PROJECT_MEMBER,
    "create_floatingip:floating_ip_address": ADMIN_OR_PROJECT_MANAGER,
    "get_floatingip": ADMIN_OR_PROJECT_READER,
    "update_floatingip": ADMIN_OR_PROJECT_MEMBER,
    "delete_floatingip": ADMIN_OR_PROJECT_MEMBER,
    "get_floatingip_pool": ADMIN_OR_PROJECT_READER,
    "create_floatingip_port_forwarding": ADMIN_OR_PROJECT_MEMBER,
    "get_floatingip_port_forwarding": ADMIN_OR_PROJECT_READER,
    "update_floatingip_port_forwarding": ADMIN_OR_PROJECT_MEMBER,
    "delete_floatingip_port_forwarding": ADMIN_OR_PROJECT_MEMBER,
}
_METERING = {
    f"{verb}_{member}": ADMIN
    for verb in ("create", "get", "delete")
    for member in ("metering_label", "metering_label_rule")
}
_CHECKS = {f"{verb}_check": ADMIN_OR_PROJECT_MEMBER for verb in ("create", "update", "delete", "run")}
_CHECKS["get_check"] = ADMIN_OR_PROJECT_READER
_SECURITY = {
    "create_security_group": ADMIN_OR_PROJECT_MEMBER,
    "get_security_group": ADMIN_OR_PROJECT_READER | IS_SHARED,
    "update_security_group": ADMIN_OR_PROJECT_MEMBER,
    "delete_security_group": ADMIN_OR_PROJECT_MEMBER,
    "create_security_group_rule": ADMIN_OR_SG_OWNER_MEMBER,
    "get_security_group_rule": ADMIN | SG_OWNER_READER,
    "update_security_group_rule": ADMIN_OR_SG_OWNER_MEMBER,
    "delete_security_group_rule": ADMIN_OR_SG_OWNER_MEMBER,
    "create_default_security_group_rule": ADMIN,
    "get_default_security_group_rule": READER,
    "delete_default_security_group_rule": ADMIN,
    "create_address_group": ADMIN_OR_PROJECT_MEMBER,
    "get_address_group": ADMIN_OR_PROJECT_READER | IS_SHARED,
    "update_address_group": ADMIN_OR_PROJECT_MEMBER,
    "delete_address_group": ADMIN_OR_PROJECT_MEMBER,
    "add_addresses": ADMIN_OR_PROJECT_MEMBER,
    "remove_addresses": ADMIN_OR_PROJECT_MEMBER,
}
_FIREWALLS = {
    **{
        f"{verb}_{member}": ADMIN_OR_PROJECT_READER | IS_FLAGGED if verb == "get" else ADMIN_OR_PROJECT_MEMBER
        for member in ("firewall_group", "firewall_policy", "firewall_rule")
        for verb in ("create", "get", "update", "delete")
    },
    **{
        f"{verb}_{member}:shared": ADMIN
        for member in ("firewall_group", "firewall_policy", "firewall_rule")
        for verb in ("create", "update")
    },
    "insert_rule": ADMIN_OR_PROJECT_MEMBER,
    "remove_rule": ADMIN_OR_PROJECT_MEMBER,
    **{f"{verb}_log": ADMIN_OR_PROJECT_MANAGER for verb in ("create", "get", "update", "delete")},
    "get_loggable_resource": ADMIN_OR_PROJECT_MANAGER,
}
# a rule's owner is its policy's: these are asked of the policy
_QOS = {
    "create_policy": ADMIN_OR_PROJECT_MANAGER,
    "get_policy": ADMIN_OR_PROJECT_READER | IS_SHARED,
    "update_policy": ADMIN_OR_PROJECT_MANAGER,
    "delete_policy": ADMIN_OR_PROJECT_MANAGER,
    "get_rule_type": READER,
    **{
        f"{verb}_policy_{type}_rule": ADMIN_OR_PROJECT_READER if verb == "get" else ADMIN_OR_PROJECT_MANAGER
        for type in ("bandwidth_limit", "dscp_marking", "minimum_bandwidth", "packet_rate_limit")
        for verb in ("create", "get", "update", "delete")
    },
}
_ADMINISTRATION = {
    "get_availability_zone": READER,
    "get_l3-routers": ADMIN,
    "create_l3-router": ADMIN,
    "delete_l3-router": ADMIN,
    "get_l3-agents": ADMIN,
    "get_agent": ADMIN,
    "update_agent": ADMIN,
    "delete_agent": ADMIN,
    "get_quota": ADMIN_OR_PROJECT_MANAGER,
    "update_quota": ADMIN,
    "delete_quota": ADMIN,
    "create_rbac_policy": ADMIN_OR_PROJECT_MEMBER,
    "create_rbac_policy:target_tenant": ADMIN | NOT_EVERYBODY,
    "get_rbac_policy": ADMIN_OR_PROJECT_READER,
    "update_rbac_policy": ADMIN_OR_PROJECT_MEMBER,
    "update_rbac_policy:target_tenant": ADMIN | NOT_EVERYBODY,
    "delete_rbac_policy": ADMIN_OR_PROJECT_MEMBER,
}

RULES: Mapping[str, Rule] = (
    _NETWORKS
    | _SUBNETS
    | _PORTS
    | _ROUTERS
    | _FLAVORS
    | _FLOATING_IPS
    | _METERING
    | _CHECKS
    | _SECURITY
    | _FIREWALLS
    | _QOS
    | _ADMINISTRATION
)


def rule_of(action: str) -> Rule:
    """An attribute goes with its object; what no rule is written for belongs to its project."""
    verb, _, _ = action.partition(":")
    default = ADMIN_OR_PROJECT_READER if verb.startswith("get_") else ADMIN_OR_PROJECT_MEMBER
    return RULES.get(action) or RULES.get(verb, default)
