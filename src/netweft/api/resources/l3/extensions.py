"""Layer 3's extension aliases.

alias -> (name, what it means, since when).
"""

Extensions = dict[str, tuple[str, str, str]]

ROUTING: Extensions = {
    "dvr": (
        "Distributed Virtual Router",
        "Enables configuration of Distributed Virtual Routers.",
        "2014-06-1T10:00:00-00:00",
    ),
    "ecmp_routes": (
        "Equal Cost Multipath Routing",
        "Allows traffic to reach the same destination via multiple different links",
        "2020-11-26T18:00:00-00:00",
    ),
    "extraroute": ("Neutron Extra Route", "Extra routes configuration for L3 router", "2013-02-01T10:00:00-00:00"),
    "extraroute-atomic": (
        "Atomically add/remove extra routes",
        "Edit extra routes of a router on server side by atomically adding/removing extra routes",
        "2019-07-10T00:00:00+00:00",
    ),
    "flavors": (
        "Neutron Service Flavors",
        "Flavor specification for Neutron advanced services.",
        "2015-09-17T10:00:00-00:00",
    ),
    "l3-flavors": ("Router Flavor Extension", "Flavor support for routers.", "2016-05-17T00:00:00-00:00"),
    "l3-ha": ("HA Router extension", "Adds HA capability to routers.", "2014-04-26T00:00:00-00:00"),
    "l3-port-ip-change-not-allowed": (
        "Prevent L3 router ports IP address change extension",
        "Prevent change of IP address for some L3 router ports",
        "2018-10-09T10:00:00-00:00",
    ),
    "router": (
        "Neutron L3 Router",
        "Router abstraction for basic L3 forwarding between L2 Neutron networks "
        "and access to external networks via a NAT gateway.",
        "2012-07-20T10:00:00-00:00",
    ),
    "router-admin-state-down-before-update": (
        "Enforce Router's Admin State Down Before Update Extension",
        "Ensure that the admin state of a router is DOWN (admin_state_up=False) "
        "before updating the distributed attribute",
        "2019-07-02T15:56:00",
    ),
}
OUTSIDE: Extensions = {
    "floating-ip-distributed": (
        "Floating IP Distributed Extension",
        "Add distributed attribute to Floating IP resource",
        "2022-08-30T10:00:00-00:00",
    ),
    "enable-default-route-bfd": (
        "Enable Default Route BFD",
        "Enables configuration of BFD for default routes",
        "2023-02-27T00:00:00-00:00",
    ),
    "enable-default-route-ecmp": (
        "Enable Default Route ECMP",
        "Enables configuration of ECMP for default routes",
        "2023-02-27T00:00:00-00:00",
    ),
    "ext-gw-mode": (
        "Neutron L3 Configurable external gateway mode",
        "Extension of the router abstraction for specifying whether SNAT should occur on the external gateway",
        "2013-03-28T10:00:00-00:00",
    ),
    "external-gateway-multihoming": (
        "Neutron L3 External Gateway Multihoming",
        "Allows multiple external gateways to be configured for a router",
        "2023-01-18T00:00:00-00:00",
    ),
    "fip-port-details": (
        "Floating IP Port Details Extension",
        "Add port_details attribute to Floating IP resource",
        "2018-04-09T10:00:00-00:00",
    ),
    "floatingip-autodelete-internal": (
        "Autodelete floating IPs of internal networks",
        "Autodelete unused floating IPs of networks being turned to router:external=False",
        "2019-01-24T00:00:00-00:00",
    ),
    "floatingip-pools": (
        "Floating IP Pools Extension",
        "Provides a floating IP pools API.",
        "2018-03-21T10:00:00-00:00",
    ),
}
FORWARDING: Extensions = {
    "expose-port-forwarding-in-fip": (
        "Expose Floating IP port forwardings",
        "Expose the floating IP port forwardings in floating IP resource",
        "2018-06-28T16:00:00-00:00",
    ),
    "floating-ip-port-forwarding": (
        "Floating IP Port Forwarding",
        "Allows to forward traffic from a specific Floating IP port to a specific private IP port.",
        "2018-01-19T10:00:00-00:00",
    ),
    "floating-ip-port-forwarding-description": (
        "Floating IP Port Forwarding new attribute description",
        "Add a description field to Port Forwarding rules",
        "2019-11-01T10:00:00-00:00",
    ),
    "floating-ip-port-forwarding-detail": (
        "Floating IP port forwarding detail",
        "Adds the id and the internal port id of port forwardings to floating IPs",
        "2022-05-06T10:00:00-00:00",
    ),
    "floating-ip-port-forwarding-port-ranges": (
        "Floating IP Port Forwarding support port ranges",
        "Support port ranges when creating Port Forwardings",
        "2020-07-01T10:00:00-00:00",
    ),
}
HELPERS: Extensions = {
    "expose-l3-conntrack-helper": (
        "Expose CT target rules for conntrack helper",
        "Expose allowed conntrack helpers in the router",
        "2019-04-04T10:00:00-00:00",
    ),
    "l3-conntrack-helper": (
        "L3 Conntrack helper",
        "CT helpers of a router: which connections conntrack reads along",
        "2019-04-04T10:00:00-00:00",
    ),
}
PLACES: Extensions = {
    "availability_zone": ("Availability Zone", "The availability zone extension.", "2015-01-01T10:00:00-00:00"),
    "availability_zone_filter": (
        "Availability Zone Filter Extension",
        "Add filter parameters to AvailabilityZone resource",
        "2018-06-22T10:00:00-00:00",
    ),
    "l3_agent_scheduler": ("L3 Agent Scheduler", "Schedule routers among l3 agents", "2013-02-07T10:00:00-00:00"),
    "network_availability_zone": (
        "Network Availability Zone",
        "Availability zone support for network.",
        "2015-01-01T10:00:00-00:00",
    ),
    "router_availability_zone": (
        "Router Availability Zone",
        "Availability zone support for router.",
        "2015-01-01T10:00:00-00:00",
    ),
}
METERING: Extensions = {
    "metering": ("Neutron Metering", "Neutron Metering extension.", "2013-06-12T10:00:00-00:00"),
    "metering_source_and_destination_fields": (
        "Neutron Metering with source and destination filtering",
        "Neutron Metering extension that enables the use of source and destination IP prefixes to create metering "
        "label rules.",
        "2020-08-21T08:12:00-00:00",
    ),
}
ADVERTISED: Extensions = ROUTING | OUTSIDE | FORWARDING | HELPERS | METERING | PLACES
