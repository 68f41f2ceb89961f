"""Neutron's default policies as of 2026, written down apart from ours: name -> who, any of it.

Words: a role alone (admin, service, reader); `own:ROLE` (of the object's project), `net:ROLE` (of its network's),
`sg:ROLE` (of its security group's); `shared`, `external` (the object is), `net-shared`, `net-external` (its network
is); `no-device`, `no-wildcard` (of values that are none of a network's devices, not everybody).  `+service`, `+admin`:
ours besides, decision 0250.
"""

_A, _AS = "admin", "admin service"
_AM, _AR = "admin own:member", "admin own:reader"
_N = "admin net:member"

_TEXT = f"""
create_network = {_AM}
create_network:shared, router:external, is_default = {_A}
create_network:segments, provider:network_type, provider:physical_network, provider:segmentation_id = {_A}
create_network:port_security_enabled = {_AM}
get_network = {_AR} service shared external
get_network:segments, provider:network_type, provider:physical_network, provider:segmentation_id = {_A}
update_network = {_AM}
update_network:shared, router:external, is_default = {_A}
update_network:segments, provider:network_type, provider:physical_network, provider:segmentation_id = {_A}
update_network:port_security_enabled = {_AM}
delete_network = {_AM}
get_network_ip_availability = {_AS}
create_network_segment_range = {_A}
get_network_segment_range = {_A}
update_network_segment_range = {_A}
delete_network_segment_range = {_A}
create_subnet = {_N}
get_subnet = own:reader net-shared net-external admin net:reader service
update_subnet = own:member {_N}
delete_subnet = own:member {_N}
create_subnetpool = {_AM}
create_subnetpool:shared, is_default = {_A}
get_subnetpool = {_AR} shared
update_subnetpool = {_AM}
update_subnetpool:is_default = {_A}
delete_subnetpool = {_AM}
create_address_scope = {_AM}
create_address_scope:shared = {_A}
get_address_scope = {_AR} shared
update_address_scope = {_AM}
update_address_scope:shared = {_A}
delete_address_scope = {_AM}
create_port = {_AS} net:member net-shared
create_port:device_id = {_AM} service
create_port:device_owner = no-device {_AS} net:member
create_port:mac_address = {_AS} net:member
create_port:fixed_ips, fixed_ips:subnet_id = {_AS} net:member net-shared
create_port:fixed_ips:ip_address = {_AS} net:member
create_port:port_security_enabled = {_AS} net:member
create_port:binding:host_id = {_AS}
create_port:binding:profile = service +admin
create_port:binding:vnic_type = {_AM} service
create_port:allowed_address_pairs = {_N} service
create_port:allowed_address_pairs:mac_address, allowed_address_pairs:ip_address = {_N} service
get_port = {_AS} net:reader own:reader
get_port:binding:vif_type, binding:vif_details, binding:host_id, binding:profile = {_AS}
create_port:tags = {_AM} service
get_port:resource_request = admin +service
get_port:status_detail = +admin +service
update_port = {_AS} own:member
update_port:device_id = {_AM} service
update_port:device_owner = no-device {_AS} net:member
update_port:mac_address = {_AS} net:manager
update_port:fixed_ips, fixed_ips:ip_address = {_AS} net:member
update_port:fixed_ips:subnet_id = {_AS} net:member net-shared
update_port:port_security_enabled = {_AS} net:member
update_port:binding:host_id = {_AS}
update_port:binding:profile = service +admin
update_port:binding:vnic_type = {_AS} own:member
update_port:allowed_address_pairs = {_N} service
update_port:allowed_address_pairs:mac_address, allowed_address_pairs:ip_address = {_N} service
update_port:data_plane_status = admin data_plane_integrator
update_port:tags = {_AM} service
delete_port = {_AS} net:member own:member
delete_port:tags = service own:member {_N}
get_port_binding = {_AS}
create_port_binding = service +admin
update_port_binding = service +admin
delete_port_binding = service +admin
activate = service +admin
create_trunk = {_AM}
get_trunk = {_AR}
update_trunk = {_AM}
delete_trunk = {_AM}
get_subports = {_AR}
add_subports = {_AM}
remove_subports = {_AM}
create_router = {_AM}
create_router:distributed, ha, enable_default_route_bfd, enable_default_route_ecmp = {_A}
create_router:external_gateway_info, external_gateway_info:network_id = {_AM}
create_router:external_gateway_info:enable_snat, external_gateway_info:external_fixed_ips = {_A}
get_router = {_AR}
get_router:distributed, ha = {_A}
update_router = {_AM}
update_router:distributed, ha, enable_default_route_bfd, enable_default_route_ecmp = {_A}
update_router:external_gateway_info, external_gateway_info:network_id = {_AM}
update_router:external_gateway_info:enable_snat, external_gateway_info:external_fixed_ips = {_A}
delete_router = {_AM}
create_floatingip = {_AM}
create_floatingip:floating_ip_address = admin own:manager
get_floatingip = {_AR}
update_floatingip = {_AM}
delete_floatingip = {_AM}
get_floatingip_pool = {_AR}
create_floatingip_port_forwarding = {_AM}
get_floatingip_port_forwarding = {_AR}
update_floatingip_port_forwarding = {_AM}
delete_floatingip_port_forwarding = {_AM}
add_router_interface = {_AM}
remove_router_interface = {_AM}
add_extraroutes = {_AM}
remove_extraroutes = {_AM}
add_external_gateways = {_AM}
update_external_gateways = {_AM}
remove_external_gateways = {_AM}
create_router_conntrack_helper = {_AM}
get_router_conntrack_helper = {_AR}
update_router_conntrack_helper = {_AM}
delete_router_conntrack_helper = {_AM}
create_metering_label = {_A}
get_metering_label = {_A}
delete_metering_label = {_A}
create_metering_label_rule = {_A}
get_metering_label_rule = {_A}
delete_metering_label_rule = {_A}
create_flavor = {_A}
get_flavor = reader
update_flavor = {_A}
delete_flavor = {_A}
create_service_profile = {_A}
get_service_profile = {_A}
update_service_profile = {_A}
delete_service_profile = {_A}
create_flavor_service_profile = {_A}
delete_flavor_service_profile = {_A}
get_service_provider = reader
create_security_group = {_AM}
get_security_group = {_AR} shared
update_security_group = {_AM}
delete_security_group = {_AM}
create_security_group_rule = admin sg:member
get_security_group_rule = admin sg:reader
update_security_group_rule = admin sg:member
delete_security_group_rule = admin sg:member
create_default_security_group_rule = {_A}
get_default_security_group_rule = reader
delete_default_security_group_rule = {_A}
create_address_group = {_AM}
get_address_group = {_AR} shared
update_address_group = {_AM}
delete_address_group = {_AM}
add_addresses = {_AM}
remove_addresses = {_AM}
create_firewall_group = {_AM}
create_firewall_group:shared = {_A}
get_firewall_group = {_AR} shared
update_firewall_group = {_AM}
update_firewall_group:shared = {_A}
delete_firewall_group = {_AM}
create_firewall_policy = {_AM}
create_firewall_policy:shared = {_A}
get_firewall_policy = {_AR} shared
update_firewall_policy = {_AM}
update_firewall_policy:shared = {_A}
delete_firewall_policy = {_AM}
insert_rule = {_AM}
remove_rule = {_AM}
create_firewall_rule = {_AM}
create_firewall_rule:shared = {_A}
get_firewall_rule = {_AR} shared
update_firewall_rule = {_AM}
update_firewall_rule:shared = {_A}
delete_firewall_rule = {_AM}
create_log = admin own:manager
get_log = admin own:manager
update_log = admin own:manager
delete_log = admin own:manager
get_loggable_resource = admin own:manager
create_policy = admin own:manager
get_policy = {_AR} shared
update_policy = admin own:manager
delete_policy = admin own:manager
get_rule_type = reader
get_availability_zone = reader
get_l3-routers = {_A}
create_l3-router = {_A}
delete_l3-router = {_A}
get_l3-agents = {_A}
get_agent = {_A}
update_agent = {_A}
delete_agent = {_A}
get_quota = admin own:manager
update_quota = {_A}
delete_quota = {_A}
get_auto_allocated_topology = {_AR}
delete_auto_allocated_topology = {_AM}
create_rbac_policy = {_AM}
create_rbac_policy:target_tenant = admin no-wildcard
get_rbac_policy = {_AR}
update_rbac_policy = {_AM}
update_rbac_policy:target_tenant = admin no-wildcard
delete_rbac_policy = {_AM}
"""


def _parse() -> dict[str, frozenset[str]]:
    rules: dict[str, frozenset[str]] = {}
    for line in _TEXT.strip().splitlines():
        names, _, who = line.partition(" = ")
        verb, _, attributes = names.partition(":")
        for attribute in attributes.split(", "):
            rules[f"{verb}:{attribute}" if attribute else verb] = frozenset(who.replace("+", "").split())
    for type in ("bandwidth_limit", "dscp_marking", "minimum_bandwidth", "packet_rate_limit"):
        for verb in ("create", "get", "update", "delete"):
            role = "reader" if verb == "get" else "manager"
            rules[f"{verb}_policy_{type}_rule"] = frozenset({"admin", f"own:{role}"})
    return rules


NEUTRON = _parse()


OURS = {f"{verb}_network:netweft:nat66": frozenset({_A}) for verb in ("create", "update")}  # decision 0447


def rule(action: str) -> frozenset[str]:
    """An attribute's own rule, else its object's."""
    return NEUTRON.get(action) or OURS.get(action) or NEUTRON[action.partition(":")[0]]
