"""The extensions that the API names: those that are really there."""

from typing import Final

from netweft.api.resources.l3 import extensions as l3

# alias -> (name, what it means, since when)
EXTENSIONS: Final = {
    "aap-reject-multicast": (
        "Allowed address pairs reject multicast extension",
        "Reject multicast addresses in Allowed Address Pairs",
        "2026-04-01T00:00:00-00:00",
    ),
    "address-group": ("Address group", "Support address group", "2020-07-15T10:00:00-00:00"),
    "address-scope": ("Address scope", "Address scopes extension.", "2015-07-26T10:00:00-00:00"),
    "agent": ("agent", "The agent management extension.", "2013-02-03T10:00:00-00:00"),
    "agent_sort_key": ("Agents Sort Key", "Sorting of agents.", "2013-02-03T10:00:00-00:00"),
    "allowed-address-pairs": (
        "Allowed Address Pairs",
        "Provides allowed address pairs",
        "2013-07-23T10:00:00-00:00",
    ),
    "auto-allocated-topology": (
        "Auto Allocated Topology Services",
        "Auto Allocated Topology Services.",
        "2016-01-01T00:00:00-00:00",
    ),
    "binding": (
        "Port Binding",
        "Expose port bindings of a virtual port to external application",
        "2014-02-03T10:00:00-00:00",
    ),
    "binding-extended": (
        "Port Bindings Extended",
        "Expose port bindings of a virtual port to external application",
        "2017-07-17T10:00:00-00:00",
    ),
    "dns-domain-ports": (
        "dns_domain for ports",
        "Allows the DNS domain to be specified for a network port.",
        "2017-04-24T10:00:00-00:00",
    ),
    "dns-integration": ("DNS Integration", "Provides integration with DNS.", "2015-08-15T18:00:00-00:00"),
    "empty-string-filtering": (
        "Empty String Filtering Extension",
        "Allow filtering by attributes with empty string value",
        "2018-05-01T10:00:00-00:00",
    ),
    "data-plane-status": (
        "Port data plane status extension",
        "Expose status of underlying data plane",
        "2017-01-24T10:00:00-00:00",
    ),
    "default-subnetpools": (
        "Default Subnetpools",
        "Provides ability to mark and use a subnetpool as the default.",
        "2016-02-18T18:00:00-00:00",
    ),
    "external-net": (
        "Neutron external network",
        "Adds external network attribute to network resource.",
        "2013-01-14T10:00:00-00:00",
    ),
    "extra_dhcp_opt": (
        "Neutron Extra DHCP options",
        "Extra options configuration for DHCP. For example PXE boot options to DHCP clients can be specified",
        "2013-03-17T12:00:00-00:00",
    ),
    "filter-validation": (
        "Filter parameters validation",
        "Provides validation on filter parameters.",
        "2018-07-04T10:00:00-00:00",
    ),
    "fwaas_v2": ("FWaaS v2", "Provides support for firewall-as-a-service version 2", "2016-10-06T10:00:00-00:00"),
    "ip-substring-filtering": (
        "IP address substring filtering",
        "Provides IP address substring filtering when listing ports",
        "2017-11-28T09:00:00-00:00",
    ),
    "logging": ("Logging API Extension", "Provides a logging API for resources", "2017-01-01T10:00:00-00:00"),
    "multi-provider": (
        "Multi Provider Network",
        "Expose mapping of virtual networks to multiple physical networks",
        "2013-06-27T10:00:00-00:00",
    ),
    "net-mtu": ("Network MTU", "Provides MTU attribute for a network resource.", "2015-03-25T10:00:00-00:00"),
    "net-mtu-writable": (
        "Network MTU (writable)",
        "Provides a writable MTU attribute for a network resource.",
        "2017-07-12T00:00:00-00:00",
    ),
    "network-ip-availability": (
        "Network IP Availability",
        "Provides IP availability data for each network and subnet.",
        "2015-09-24T00:00:00-00:00",
    ),
    "network-segment-range": (
        "Neutron Network Segment Range",
        "Provides support for the network segment range management",
        "2018-11-29T00:00:00-00:00",
    ),
    "netweft-activity": (
        "Activity",
        "Who changed what, and when",
        "2026-11-29T00:00:00-00:00",
    ),
    "netweft-checks": (
        "Checks",
        "Saved expectations of what passes and what does not, looked at again when what they depend on changes.",
        "2026-11-29T00:00:00-00:00",
    ),
    "netweft-counters": (
        "Counters of traffic",
        "Packets and bytes of floating IPs, port forwardings, router gateways, metering labels and firewall rules",
        "2026-11-29T00:00:00-00:00",
    ),
    "netweft-explain": (
        "Explanations",
        "Says of a port, network, router, floating IP, security group or agent everything that keeps it from working.",
        "2026-11-29T00:00:00-00:00",
    ),
    "netweft-firewall-address-groups": (
        "Address groups in firewall rules",
        "Firewall rules may name an address group as source or destination",
        "2026-11-29T00:00:00-00:00",
    ),
    "netweft-nat66": (
        "NAT66",
        "External networks may ask for unique local IPv6 addresses to be translated to the gateway's",
        "2026-11-29T00:00:00-00:00",
    ),
    "netweft-status": (
        "Status detail",
        "Says in one sentence why a port or an agent is not as one might expect.",
        "2026-11-21T00:00:00-00:00",
    ),
    "netweft-trace": (
        "Traces",
        "Says whether a packet passes from one end to another, and everything that is in its way.",
        "2026-11-29T00:00:00-00:00",
    ),
    "pagination": (
        "Pagination support",
        "Extension that indicates that pagination is enabled.",
        "2016-06-12T00:00:00-00:00",
    ),
    "port-device-profile": (
        "Port device profile",
        "Expose the port device profile",
        "2020-12-17T10:00:00-00:00",
    ),
    "port-numa-affinity-policy": (
        "Port NUMA affinity policy",
        "Expose the port NUMA affinity policy",
        "2020-07-08T10:00:00-00:00",
    ),
    "port-numa-affinity-policy-socket": (
        'Port NUMA affinity policy "socket"',
        'Adds "socket" to the port NUMA affinity policies',
        "2024-02-09T10:00:00-00:00",
    ),
    "port-mac-address-regenerate": (
        "Neutron Port MAC address regenerate",
        "Network port MAC address regenerate",
        "2018-05-03T10:00:00-00:00",
    ),
    "port-resource-request": (
        "Port Resource Request",
        "Expose resource request to Port",
        "2018-05-08T10:00:00-00:00",
    ),
    "port-resource-request-groups": (
        "Port Resource Request Groups",
        "Support requesting multiple groups of resources and traits from the same RP subtree in resource_request",
        "2021-08-02T10:00:00-00:00",
    ),
    "port-security": ("Port Security", "Provides port security", "2012-07-23T10:00:00-00:00"),
    "port-security-groups-filtering": (
        "Port filtering on security groups",
        "Provides security groups filtering when listing ports",
        "2018-01-09T09:00:00-00:00",
    ),
    "project-id": (
        "project_id field enabled",
        "Extension that indicates that project_id field is enabled.",
        "2016-09-09T09:09:09-09:09",
    ),
    "provider": (
        "Provider Network",
        "Expose mapping of virtual networks to physical networks",
        "2012-09-07T10:00:00-00:00",
    ),
    "qos": ("Quality of Service", "The Quality of Service extension.", "2015-06-08T10:00:00-00:00"),
    "qos-bw-limit-direction": (
        "Direction for QoS bandwidth limit rule",
        "Allow to configure QoS bandwidth limit rule with specific direction: ingress or egress",
        "2017-04-10T10:00:00-00:00",
    ),
    "qos-default": ("QoS default policy", "Expose the QoS default policy per project", "2017-041-06T10:00:00-00:00"),
    "qos-fip": ("Floating IP QoS", "The floating IP Quality of Service extension", "2017-07-20T00:00:00-00:00"),
    "qos-fip-network-policy": (
        "QoS floating IP network policy ID",
        "Expose the QoS policy of the floating IP's network",
        "2021-11-15T10:00:00-00:00",
    ),
    "qos-gateway-ip": (
        "Router gateway IP QoS",
        "The router gateway IP Quality of Service extension",
        "2018-02-24T00:00:00-00:00",
    ),
    "qos-port-network-policy": (
        "QoS port network policy ID",
        "Expose the QoS policy of the port's network",
        "2019-11-01T10:00:00-00:00",
    ),
    "qos-pps": (
        "QoS Rule Type Packet per Second Extension",
        "Add support of packet rate limit rules",
        "2021-05-12T10:00:00-00:00",
    ),
    "qos-rule-type-details": (
        "Details of QoS rule types",
        "Expose details about QoS rule types supported by loaded backend drivers",
        "2017-06-22T10:00:00-00:00",
    ),
    "qos-rule-type-filter": (
        "Allow to filter the list of QoS rule types",
        "List the QoS rule types that some drivers support, or all that there are",
        "2022-02-02T10:00:00-00:00",
    ),
    "qos-rules-alias": (
        "Quality of Service rules alias API",
        "API to enable operating on QoS rules without the ID of their policy",
        "2018-10-07T10:00:00-00:00",
    ),
    "quota-check-limit": (
        "Quota engine limit check",
        "Support for checking the resource usage before applying a new quota limit",
        "2021-09-08T16:00:00-00:00",
    ),
    "quota-check-limit-default": (
        "Quota engine limit check by default",
        "By default, the resource usage is checked before applying a new quota limit",
        "2024-08-21T16:00:00-00:00",
    ),
    "quota_details": (
        "Quota details management support",
        "Expose functions for quotas usage statistics per project",
        "2017-02-10T10:00:00-00:00",
    ),
    "quotas": (
        "Quota management support",
        "Expose functions for quotas management per project",
        "2012-07-29T10:00:00-00:00",
    ),
    "rbac-address-group": (
        "Add address_group type to RBAC",
        "Sharing of address groups with some projects",
        "2021-01-20T00:00:00-00:00",
    ),
    "rbac-address-scope": (
        "Add address_scope type to RBAC",
        "Sharing of address scopes with some projects",
        "2020-02-12T00:00:00-00:00",
    ),
    "rbac-policies": (
        "RBAC Policies",
        "Allows creation and modification of policies that control tenant access to resources.",
        "2015-06-17T12:15:12-00:00",
    ),
    "rbac-security-groups": (
        "Add security_group type to network RBAC",
        "Sharing of security groups with some projects",
        "2019-02-14T00:00:00-00:00",
    ),
    "rbac-subnetpool": (
        "Add subnetpool type to RBAC",
        "Sharing of subnet pools with some projects",
        "2020-02-05T00:00:00-00:00",
    ),
    "revision-if-match": (
        "If-Match constraints based on revision_number",
        "Extension indicating that If-Match based on revision_number is supported.",
        "2016-12-11T00:00:00-00:00",
    ),
    "security-group": ("security-group", "The security groups extension.", "2012-10-05T10:00:00-00:00"),
    "security-groups-default-rules": (
        "Default rules for security groups",
        "Configure set of security group rules used as default rules for every new security group",
        "2022-12-19T10:00:00-00:00",
    ),
    "security-groups-name-restrictions": (
        "Security group name restrictions",
        "No other security group may be called default",
        "2026-07-29T10:00:00-00:00",
    ),
    "security-groups-normalized-cidr": (
        "Normalized CIDR field for security group rules",
        "Add new field with normalized remote_ip_prefix cidr in SG rule",
        "2020-07-28T10:00:00-00:00",
    ),
    "security-groups-remote-address-group": (
        "Remote address group id field for security group rules",
        "Add new field of remote address group id in SG rules",
        "2020-08-25T10:00:00-00:00",
    ),
    "security-groups-rules-belongs-to-default-sg": (
        "Security group rule belongs to the project's default security group",
        "Flag to determine if the security group rule belongs to the project's default security group",
        "2023-05-23T10:00:00-00:00",
    ),
    "security-groups-shared-filtering": (
        "Security group filtering on the shared field",
        "Security group filtering on the shared field",
        "2021-10-05T09:00:00-00:00",
    ),
    "sort-key-validation": (
        "Sort keys validation",
        "Provides validation on sort keys.",
        "2018-07-04T10:00:00-00:00",
    ),
    "service-type": (
        "Neutron Service Type Management",
        "API for retrieving service providers for Neutron advanced services",
        "2013-01-20T00:00:00-00:00",
    ),
    "sorting": ("Sorting support", "Extension that indicates that sorting is enabled.", "2016-06-12T00:00:00-00:00"),
    "standard-attr-description": (
        "standard-attr-description",
        "Extension to add descriptions to standard attributes",
        "2016-02-10T10:00:00-00:00",
    ),
    "standard-attr-revisions": (
        "Resource revision numbers",
        "This extension will display the revision number of neutron resources.",
        "2016-04-11T10:00:00-00:00",
    ),
    "standard-attr-tag": (
        "Tag support for resources with standard attribute: port, subnet, network, security_group",
        "Enables to set tag on resources with standard attribute.",
        "2017-01-01T00:00:00-00:00",
    ),
    "standard-attr-timestamp": (
        "Resource timestamps",
        "Adds created_at and updated_at fields to all Neutron resources that have Neutron standard attributes.",
        "2016-09-12T10:00:00-00:00",
    ),
    "standard-attr-fwaas-v2": (
        "Standard Attribute FWaaS v2 Extension",
        "Add standard attributes to FWaaS v2 resources",
        "2023-04-027T01:00:00-00:00",
    ),
    "stateful-security-group": (
        "Stateful security group",
        "Indicates if the security group is stateful or not",
        "2019-11-26T09:00:00-00:00",
    ),
    "subnet-external-network": (
        "Subnet belongs to an external network",
        "Informs if the subnet belongs to an external network",
        "2024-02-05T18:00:00-00:00",
    ),
    "subnet-service-types": (
        "Subnet service types",
        "Provides ability to set the subnet service_types field",
        "2016-03-15T18:00:00-00:00",
    ),
    "subnet_allocation": (
        "Subnet Allocation",
        "Enables allocation of subnets from a subnet pool",
        "2015-03-30T10:00:00-00:00",
    ),
    "tag-creation": (
        "Tag creation extension",
        "Allow to create multiple tags for a resource",
        "2024-23-07T10:00:00-00:00",
    ),
    "tag-ports-during-bulk-creation": (
        "Tag Ports During Bulk Creation",
        "Allow to tag ports during bulk creation",
        "2019-12-29T19:00:00-00:00",
    ),
    "trunk": ("Trunk Extension", "Provides support for trunk ports", "2016-01-01T10:00:00-00:00"),
    "trunk-details": ("Trunk port details", "Expose trunk port details", "2016-01-01T10:00:00-00:00"),
    "vlan-transparent": ("Vlantransparent", "Provides Vlan Transparent Networks", "2015-03-23T09:00:00-00:00"),
} | l3.ADVERTISED
