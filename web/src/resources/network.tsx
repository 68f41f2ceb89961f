// Networks, subnets, ports, trunks, subnet pools, address scopes.
import { knownServer, serverIdOf } from "../servers";
import { Addresses, Id, Many, Mono, Ref, Refs, Yes } from "../ui/cells";
import { Bindings } from "../ui/bindings";
import { Members } from "../ui/members";
import { ServerPart, UsedBy } from "../ui/server";
import { SubPorts } from "../ui/subports";
import { dhcpOption, fixedIp, hostRoute, pair, pool, segment, subPort } from "./lines";
import { DESCRIPTION, NAME, PROJECT, STATE, UP, projectColumn } from "./standard";
import type { Declared } from "./types";

const TYPES = ["", "vxlan", "geneve", "gre", "vlan", "flat"] as const;
const VNICS = ["normal", "direct", "macvtap", "direct-physical", "baremetal", "virtio-forwarder", "smart-nic"] as const;
const NUMA = ["", "required", "preferred", "legacy", "socket"] as const;
const MODES = ["", "slaac", "dhcpv6-stateful", "dhcpv6-stateless"] as const;
const fromQuery = (name: string) => (query: URLSearchParams) => query.get(name) ?? "";

export const NETWORK: Declared[] = [
  {
    kind: "networks",
    title: "Networks",
    one: "network",
    group: "Network",
    columns: [
      NAME,
      STATE,
      { name: "subnets", title: "Subnets", cell: (one) => <Refs kind="subnets" ids={one.subnets} /> },
      {
        name: "provider:network_type",
        title: "Carried by",
        admin: true,
        cell: (one) => (
          <Mono>
            {[one["provider:network_type"], one["provider:physical_network"], one["provider:segmentation_id"]]
              .filter((value) => value !== null && value !== undefined)
              .join(" ")}
          </Mono>
        ),
      },
      { name: "mtu", title: "MTU", cell: (one) => <code>{one.mtu}</code> },
      { name: "shared", title: "Shared", cell: (one) => <Yes is={one.shared} /> },
      { name: "router:external", title: "External", cell: (one) => <Yes is={one["router:external"]} /> },
      projectColumn,
    ],
    filters: ["name", "status", "shared", "router:external"],
    refs: { subnets: "subnets", qos_policy_id: "policies", ipv4_address_scope: "address_scopes", ipv6_address_scope: "address_scopes" },
    fields: [
      { name: "name" },
      DESCRIPTION,
      UP,
      { name: "port_security_enabled", label: "Port security", help: "Anti-spoofing and security groups for its ports" },
      { name: "mtu", label: "MTU", as: "number", help: "Empty: as large as the wire allows" },
      { name: "qos_policy_id", label: "QoS policy", as: "ref", of: "policies" },
      { name: "dns_domain", label: "DNS domain", help: "Of its ports' names, with a dot at its end" },
      { name: "shared", label: "Shared with all projects" },
      { name: "router:external", label: "External: routers may have their gateway here" },
      { name: "is_default", label: "Default external network" },
      { name: "netweft:nat66", label: "NAT66: IPv6 inside is translated, too" },
      { name: "vlan_transparent", label: "VLAN transparent: VMs' own tags pass" },
      { name: "provider:network_type", label: "Carried by", as: "choice", choices: TYPES },
      { name: "provider:physical_network", label: "Physical network" },
      { name: "provider:segmentation_id", label: "VLAN or VNI", as: "number" },
      { name: "availability_zone_hints", label: "Availability zones", as: "lines", help: "One name a line: where DHCP is to be" },
      { name: "segments", label: "or several segments", as: "lines", help: "TYPE PHYSICAL-NETWORK VLAN, one a line: vlan physnet1 101, vxlan 5000, flat physnet2", ...segment },
      PROJECT,
    ],
    parts: (one) => (
      <>
        <Members kind="subnets" by="network_id" id={one.id} title="Subnets" add="Add a subnet" />
        <Members kind="ports" by="network_id" id={one.id} title="Ports" add="Add a port" />
      </>
    ),
  },
  {
    kind: "subnets",
    title: "Subnets",
    one: "subnet",
    group: "Network",
    columns: [
      NAME,
      { name: "cidr", title: "CIDR", cell: (one) => <Mono>{one.cidr}</Mono> },
      { name: "network_id", title: "Network", cell: (one) => <Ref kind="networks" id={one.network_id} /> },
      { name: "gateway_ip", title: "Gateway", cell: (one) => <Mono>{one.gateway_ip}</Mono> },
      { name: "enable_dhcp", title: "DHCP", cell: (one) => <Yes is={one.enable_dhcp} /> },
      { name: "dns_nameservers", title: "DNS", cell: (one) => <Many items={(one.dns_nameservers ?? []).map((ip: string) => <code key={ip}>{ip}</code>)} /> },
      projectColumn,
    ],
    filters: ["name", "ip_version", "enable_dhcp"],
    refs: { network_id: "networks", subnetpool_id: "subnetpools" },
    fields: [
      { name: "network_id", label: "Network", as: "ref", of: "networks", initial: fromQuery("network_id") },
      { name: "name" },
      { name: "cidr", label: "CIDR", help: "such as 10.0.0.0/24; empty where a subnet pool gives it" },
      { name: "ip_version", label: "IP version", as: "choice", choices: ["4", "6"], initial: () => "4" },
      { name: "subnetpool_id", label: "Subnet pool", as: "ref", of: "subnetpools" },
      { name: "use_default_subnetpool", label: "or out of the default pool" },
      { name: "prefixlen", label: "Prefix length", as: "number", when: (values) => Boolean(values.subnetpool_id || values.use_default_subnetpool) },
      { name: "gateway_ip", label: "Gateway", help: "Empty: the first address, when it is made; none, when it is changed" },
      { name: "enable_dhcp", label: "DHCP" },
      { name: "dns_nameservers", label: "DNS servers", as: "lines", help: "One address a line" },
      { name: "allocation_pools", label: "Addresses to give out", as: "lines", help: "FIRST - LAST, one range a line; empty: all", ...pool },
      { name: "service_types", label: "For ports of", as: "lines", help: "Device owners, one a line, such as compute:nova; empty: all" },
      { name: "host_routes", label: "Host routes", as: "lines", help: "CIDR via ADDRESS, one a line", ...hostRoute },
      { name: "ipv6_ra_mode", label: "Router advertisements", as: "choice", choices: MODES, when: (values) => values.ip_version === "6" },
      { name: "ipv6_address_mode", label: "Addresses by", as: "choice", choices: MODES, when: (values) => values.ip_version === "6" },
      DESCRIPTION,
      PROJECT,
    ],
    parts: (one) => <Members kind="ports" by="fixed_ips" id={`subnet_id=${one.id}`} title="Ports with its addresses" />,
  },
  {
    kind: "ports",
    title: "Ports",
    one: "port",
    group: "Network",
    columns: [
      NAME,
      STATE,
      { name: "fixed_ips", title: "Addresses", cell: (one) => <Addresses of={one.fixed_ips} /> },
      { name: "mac_address", title: "MAC", cell: (one) => <code>{one.mac_address}</code> },
      { name: "network_id", title: "Network", cell: (one) => <Ref kind="networks" id={one.network_id} /> },
      { name: "device_owner", title: "Used by", cell: (one) => <UsedBy port={one} />, text: (one) => knownServer(serverIdOf(one))?.name ?? "" },
      { name: "binding:host_id", title: "Host", admin: true, cell: (one) => <Mono>{one["binding:host_id"]}</Mono> },
      { name: "security_groups", title: "Security groups", cell: (one) => <Refs kind="security_groups" ids={one.security_groups} /> },
      projectColumn,
    ],
    filters: ["name", "status", "mac_address", "device_id", "device_owner", "fixed_ips"],
    refs: { network_id: "networks", security_groups: "security_groups", qos_policy_id: "policies", qos_network_policy_id: "policies" },
    hide: ["trunk_details"],
    fields: [
      { name: "network_id", label: "Network", as: "ref", of: "networks", initial: fromQuery("network_id") },
      { name: "name" },
      { name: "fixed_ips", label: "Addresses", as: "lines", help: "ADDRESS, or a subnet's id, one a line; empty: one of each subnet", ...fixedIp },
      { name: "security_groups", label: "Security groups", as: "refs", of: "security_groups", help: "None chosen on a new port: the project's default group" },
      UP,
      { name: "port_security_enabled", label: "Port security" },
      { name: "mac_address", label: "MAC address" },
      { name: "dns_name", label: "DNS name", help: "By which VMs of its network find it" },
      { name: "dns_domain", label: "DNS domain", help: "Empty: its network's" },
      { name: "device_owner", label: "Used by (device owner)" },
      { name: "device_id", label: "Device" },
      { name: "allowed_address_pairs", label: "Allowed address pairs", as: "lines", help: "ADDRESS or CIDR, and perhaps a MAC, one a line", ...pair },
      { name: "extra_dhcp_opts", label: "DHCP options", as: "lines", help: "OPTION=VALUE, one a line", ...dhcpOption },
      { name: "qos_policy_id", label: "QoS policy", as: "ref", of: "policies" },
      { name: "binding:host_id", label: "Host" },
      { name: "data_plane_status", label: "Data plane, as seen from outside", as: "choice", choices: ["ACTIVE", "DOWN"] },
      { name: "binding:vnic_type", label: "VNIC type", as: "choice", choices: VNICS },
      { name: "numa_affinity_policy", label: "NUMA affinity", as: "choice", choices: NUMA },
      { name: "device_profile", label: "Device profile" },
      DESCRIPTION,
      PROJECT,
    ],
    parts: (one) => (
      <>
        <ServerPart port={one} />
        {!String(one.device_owner).startsWith("network:") && <Members kind="floatingips" by="port_id" id={one.id} title="Floating IPs" add="Associate a floating IP" />}
        {one.trunk_details && <Members kind="trunks" by="port_id" id={one.id} title="Trunk" />}
        <Bindings port={one} />
      </>
    ),
  },
  {
    kind: "trunks",
    title: "Trunks",
    one: "trunk",
    group: "Network",
    columns: [
      NAME,
      STATE,
      { name: "port_id", title: "Parent port", cell: (one) => <Ref kind="ports" id={one.port_id} /> },
      {
        name: "sub_ports",
        title: "Subports",
        cell: (one) => (
          <Many
            items={(one.sub_ports ?? []).map((sub: any) => (
              <span key={sub.port_id}>
                <Ref kind="ports" id={sub.port_id} /> <code>VLAN {sub.segmentation_id}</code>
              </span>
            ))}
          />
        ),
      },
      projectColumn,
    ],
    filters: ["name", "status"],
    refs: { port_id: "ports" },
    hide: ["sub_ports"],
    fields: [
      { name: "port_id", label: "Parent port", as: "ref", of: "ports" },
      { name: "name" },
      { name: "sub_ports", label: "Subports", as: "lines", help: "PORT-ID VLAN, one a line", ...subPort },
      UP,
      DESCRIPTION,
      PROJECT,
    ],
    parts: (one) => <SubPorts trunk={one} />,
  },
  {
    kind: "subnetpools",
    title: "Subnet pools",
    one: "subnet pool",
    group: "Network",
    columns: [
      NAME,
      { name: "prefixes", title: "Prefixes", cell: (one) => <Many items={(one.prefixes ?? []).map((cidr: string) => <code key={cidr}>{cidr}</code>)} /> },
      { name: "default_prefixlen", title: "Default length", cell: (one) => <code>/{one.default_prefixlen}</code> },
      { name: "address_scope_id", title: "Address scope", cell: (one) => <Ref kind="address_scopes" id={one.address_scope_id} /> },
      { name: "shared", title: "Shared", cell: (one) => <Yes is={one.shared} /> },
      projectColumn,
    ],
    filters: ["name", "shared", "ip_version"],
    refs: { address_scope_id: "address_scopes" },
    fields: [
      { name: "name" },
      { name: "prefixes", label: "Prefixes", as: "lines", help: "One CIDR a line" },
      { name: "default_prefixlen", label: "Default prefix length", as: "number" },
      { name: "min_prefixlen", label: "Shortest", as: "number" },
      { name: "max_prefixlen", label: "Longest", as: "number" },
      { name: "default_quota", label: "Addresses a project may have", as: "number" },
      { name: "address_scope_id", label: "Address scope", as: "ref", of: "address_scopes" },
      { name: "is_default", label: "Default pool" },
      { name: "shared", label: "Shared with all projects" },
      DESCRIPTION,
      PROJECT,
    ],
    parts: (one) => <Members kind="subnets" by="subnetpool_id" id={one.id} title="Subnets out of it" />,
  },
  {
    kind: "address_scopes",
    title: "Address scopes",
    one: "address scope",
    group: "Network",
    columns: [
      NAME,
      { name: "ip_version", title: "IP version", cell: (one) => <code>{one.ip_version}</code> },
      { name: "shared", title: "Shared", cell: (one) => <Yes is={one.shared} /> },
      { name: "id", title: "ID", cell: (one) => <Id id={one.id} /> },
      projectColumn,
    ],
    filters: ["name", "shared", "ip_version"],
    fields: [
      { name: "name" },
      { name: "ip_version", label: "IP version", as: "choice", choices: ["4", "6"], initial: () => "4" },
      { name: "shared", label: "Shared with all projects" },
      PROJECT,
    ],
    parts: (one) => <Members kind="subnetpools" by="address_scope_id" id={one.id} title="Subnet pools" />,
  },
];
