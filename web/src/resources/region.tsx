// What only admins see: agents, pools of VLANs and VNIs.
import { Alive, Id, Mono, Ref, Time, Yes } from "../ui/cells";
import { Members } from "../ui/members";
import { Use } from "../ui/use";
import { FlavorProfiles } from "../ui/flavorprofiles";
import { NAME, PROJECT } from "./standard";
import type { Declared } from "./types";

// what balancers are made of: an offer that everybody chooses, and the profile behind it, an admin's
const offer = (kind: string, title: string, one: string, profile: string, profiles: string): Declared => ({
  kind,
  title,
  one,
  group: "Region",
  columns: [NAME, { name: "description", title: "Description" }, { name: "enabled", title: "Enabled", cell: (one) => <Yes is={one.enabled} /> }, { name: profile, title: "Profile", cell: (one) => <Ref kind={profiles} id={one[profile]} /> }],
  filters: ["name"],
  refs: { [profile]: profiles },
  fields: [{ name: "name" }, { name: profile, label: "Profile", as: "ref", of: profiles }, { name: "description", label: "Description" }, { name: "enabled", label: "Enabled" }],
});

const profile = (kind: string, title: string, one: string, data: string, example: string): Declared => ({
  kind,
  title,
  one,
  group: "Region",
  columns: [NAME, { name: "provider_name", title: "Provider", cell: (one) => <Mono>{one.provider_name}</Mono> }, { name: data, title: "What", cell: (one) => <Mono>{one[data]}</Mono> }],
  filters: ["name"],
  fields: [{ name: "name" }, { name: "provider_name", label: "Provider", initial: () => "netweft" }, { name: data, label: "What", as: "area", help: `JSON, such as ${example}` }],
});

export const REGION: Declared[] = [
  {
    kind: "agents",
    title: "Agents",
    one: "agent",
    group: "Region",
    name: "host",
    columns: [
      { name: "host", title: "Host", cell: undefined },
      {
        name: "alive",
        title: "Alive",
        cell: (one) => (
          <>
            <Alive is={one.alive} />
            {one.status_detail && <span class="note">{one.status_detail}</span>}
          </>
        ),
      },
      { name: "agent_type", title: "Type" },
      { name: "admin_state_up", title: "Admin up", cell: (one) => <Yes is={one.admin_state_up} /> },
      { name: "availability_zone", title: "Zone", cell: (one) => <Mono>{one.availability_zone}</Mono> },
      { name: "configurations", title: "Tunnel IP", cell: (one) => <Mono>{one.configurations?.tunnel_ip}</Mono> },
      { name: "heartbeat_timestamp", title: "Last heard", cell: (one) => <Time at={one.heartbeat_timestamp} /> },
    ],
    filters: ["host", "alive", "agent_type"],
    fields: [{ name: "admin_state_up", label: "Admin state up" }, { name: "description", label: "Description" }],
  },
  {
    kind: "network_segment_ranges",
    title: "VLANs and VNIs",
    one: "segment range",
    group: "Region",
    columns: [
      NAME,
      { name: "network_type", title: "Type", cell: (one) => <Mono>{one.network_type}</Mono> },
      { name: "physical_network", title: "Physical network", cell: (one) => <Mono>{one.physical_network}</Mono> },
      { name: "minimum", title: "Range", cell: (one) => <Mono>{`${one.minimum} – ${one.maximum}`}</Mono> },
      {
        name: "used",
        title: "Used",
        cell: (one) => <Use used={Object.keys(one.used ?? {}).length} of={one.maximum - one.minimum + 1} />,
      },
      { name: "shared", title: "Shared", cell: (one) => <Yes is={one.shared} /> },
    ],
    filters: ["network_type", "physical_network"],
    hide: ["available"],
    fields: [
      { name: "name" },
      { name: "network_type", label: "Type", as: "choice", choices: ["vlan", "vxlan", "geneve", "gre"], initial: () => "vlan" },
      { name: "physical_network", label: "Physical network", when: (values) => values.network_type === "vlan" },
      { name: "minimum", label: "First", as: "number" },
      { name: "maximum", label: "Last", as: "number" },
      { name: "shared", label: "For all projects" },
      { name: "project_id", label: "or for project" },
      { name: "description", label: "Description" },
    ],
  },
  {
    kind: "default_security_group_rules",
    title: "Default rules",
    one: "default rule",
    group: "Region",
    name: "id",
    columns: [
      { name: "direction", title: "Direction" },
      { name: "ethertype", title: "Over" },
      { name: "protocol", title: "Protocol", cell: (one) => <Mono>{one.protocol ?? "any"}</Mono> },
      { name: "remote_group_id", title: "Remote group", cell: (one) => <Mono>{one.remote_group_id}</Mono> },
      { name: "used_in_default_sg", title: "In default groups", cell: (one) => <Yes is={one.used_in_default_sg} /> },
      { name: "used_in_non_default_sg", title: "In other groups", cell: (one) => <Yes is={one.used_in_non_default_sg} /> },
    ],
    fields: [
      { name: "direction", label: "Direction", as: "choice", choices: ["ingress", "egress"], initial: () => "ingress" },
      { name: "ethertype", label: "Over", as: "choice", choices: ["IPv4", "IPv6"], initial: () => "IPv4" },
      { name: "protocol", label: "Protocol" },
      { name: "port_range_min", label: "First port", as: "number" },
      { name: "port_range_max", label: "Last port", as: "number" },
      { name: "remote_ip_prefix", label: "CIDR" },
      { name: "remote_group_id", label: "or: a security group's ID", help: "PARENT: that in which the rule is" },
      { name: "remote_address_group_id", label: "or: an address group", as: "ref", of: "address_groups" },
      { name: "description", label: "Description" },
      { name: "used_in_default_sg", label: "In default groups" },
      { name: "used_in_non_default_sg", label: "In other groups" },
    ],
  },
  {
    kind: "metering_labels",
    title: "Metering labels",
    one: "metering label",
    group: "Region",
    columns: [NAME, { name: "description", title: "Description" }, { name: "shared", title: "All projects", cell: (one) => <Yes is={one.shared} /> }],
    filters: ["name"],
    fields: [{ name: "name" }, { name: "description", label: "Description" }, { name: "shared", label: "Counts all projects" }, PROJECT],
    parts: (one) => <Members kind="metering_label_rules" by="metering_label_id" id={one.id} title="Rules" add="Add a rule" />,
  },
  {
    kind: "metering_label_rules",
    title: "Metering rules",
    one: "metering rule",
    group: "",
    name: "id",
    columns: [
      { name: "id", title: "ID", cell: (one) => <Id id={one.id} /> },
      { name: "direction", title: "Direction" },
      { name: "source_ip_prefix", title: "From", cell: (one) => <Mono>{one.source_ip_prefix ?? "anywhere"}</Mono> },
      { name: "destination_ip_prefix", title: "To", cell: (one) => <Mono>{one.destination_ip_prefix ?? "anywhere"}</Mono> },
      { name: "excluded", title: "Not counted", cell: (one) => <Yes is={one.excluded} /> },
    ],
    after: (made) => ["metering_labels", made.metering_label_id],
    refs: { metering_label_id: "metering_labels" },
    fields: [
      { name: "metering_label_id", label: "Label", as: "ref", of: "metering_labels", initial: (query) => query.get("metering_label_id") ?? "" },
      { name: "direction", label: "Direction", as: "choice", choices: ["ingress", "egress"], initial: () => "ingress" },
      { name: "source_ip_prefix", label: "From: CIDR" },
      { name: "destination_ip_prefix", label: "To: CIDR" },
      { name: "excluded", label: "Not counted" },
    ],
  },
  {
    kind: "flavors",
    title: "Router flavors",
    one: "flavor",
    group: "Region",
    columns: [NAME, { name: "service_type", title: "Service", cell: (one) => <Mono>{one.service_type}</Mono> }, { name: "enabled", title: "Enabled", cell: (one) => <Yes is={one.enabled} /> }],
    filters: ["name"],
    fields: [{ name: "name" }, { name: "service_type", label: "Service", initial: () => "L3_ROUTER_NAT" }, { name: "description", label: "Description" }, { name: "enabled", label: "Enabled" }],
    parts: (one) => <FlavorProfiles flavor={one} />,
  },
  {
    kind: "service_profiles",
    title: "Router flavors' profiles",
    one: "profile",
    group: "Region",
    name: "description",
    columns: [{ name: "description", title: "Description" }, { name: "driver", title: "Driver", cell: (one) => <Mono>{one.driver}</Mono> }, { name: "metainfo", title: "Metainfo", cell: (one) => <Mono>{one.metainfo}</Mono> }, { name: "enabled", title: "Enabled", cell: (one) => <Yes is={one.enabled} /> }],
    fields: [{ name: "description", label: "Description" }, { name: "driver", label: "Driver" }, { name: "metainfo", label: "Metainfo", as: "area" }, { name: "enabled", label: "Enabled" }],
  },
  offer("lb_flavors", "Balancers' flavors", "balancer flavor", "flavor_profile_id", "lb_flavor_profiles"),
  profile("lb_flavor_profiles", "Balancers' flavor profiles", "balancer flavor profile", "flavor_data", '{"haproxy_nodes": 2}'),
  offer("lb_zones", "Balancers' zones", "balancer zone", "availability_zone_profile_id", "lb_zone_profiles"),
  profile("lb_zone_profiles", "Balancers' zone profiles", "balancer zone profile", "availability_zone_data", '{"compute_zone": "nova"}'),
];
