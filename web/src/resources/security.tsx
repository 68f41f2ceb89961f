// Security groups with their rules, address groups.
import { AddressList } from "../ui/addresslist";
import { Mono, Ref, Yes } from "../ui/cells";
import { Members } from "../ui/members";
import { Rules, RuleText } from "../ui/rules";
import { DESCRIPTION, NAME, PROJECT, projectColumn } from "./standard";
import type { Declared } from "./types";

// of a packet log: what decides -> its kind
const GROUPS: Record<string, string> = { security_group: "security_groups", firewall_group: "firewall_groups" };
const PROTOCOLS = ["", "tcp", "udp", "icmp", "ipv6-icmp", "sctp", "gre", "esp", "vrrp"] as const;
const asNumber = (text: string): number | null => (/^\d+$/.test(text) ? Number(text) : null);
const isIcmp = (protocol: string) => protocol === "icmp" || protocol === "ipv6-icmp";
const hasPorts = (values: Record<string, any>) => ["tcp", "udp", "sctp"].includes(values.protocol) || isIcmp(values.protocol);

export const SECURITY: Declared[] = [
  {
    kind: "security_groups",
    title: "Security groups",
    one: "security group",
    group: "Security",
    columns: [
      NAME,
      {
        name: "security_group_rules",
        title: "Lets",
        cell: (one) => {
          const rules: any[] = one.security_group_rules ?? [];
          const inward = rules.filter((rule) => rule.direction === "ingress");
          return (
            <span class="many">
              {inward.slice(0, 3).map((rule) => (
                <span key={rule.id}>
                  <RuleText rule={rule} />
                </span>
              ))}
              {inward.length > 3 && <span class="dim">and {inward.length - 3} more</span>}
              {!inward.length && <span class="dim">lets nothing in</span>}
            </span>
          );
        },
      },
      { name: "stateful", title: "Stateful", cell: (one) => <Yes is={one.stateful} /> },
      { name: "description", title: "Description" },
      projectColumn,
    ],
    filters: ["name", "stateful", "shared"],
    hide: ["security_group_rules"],
    fields: [{ name: "name" }, DESCRIPTION, { name: "stateful", label: "Stateful: answers are let through" }, PROJECT],
    parts: (one) => (
      <>
        <Rules group={one} />
        <Members kind="ports" by="security_groups" id={one.id} title="Ports in it" />
      </>
    ),
  },
  {
    kind: "security_group_rules",
    title: "Rules",
    one: "rule",
    group: "",
    name: "id",
    columns: [
      { name: "direction", title: "Rule", cell: (one) => <RuleText rule={one} /> },
      { name: "description", title: "Description" },
    ],
    after: (made) => ["security_groups", made.security_group_id],
    preview: (values) => <RuleText rule={{ ...values, port_range_min: asNumber(values.port_range_min), port_range_max: asNumber(values.port_range_max) }} />,
    refs: { security_group_id: "security_groups", remote_group_id: "security_groups", remote_address_group_id: "address_groups" },
    fields: [
      { name: "security_group_id", label: "Security group", as: "ref", of: "security_groups", initial: (query) => query.get("security_group_id") ?? "" },
      { name: "direction", label: "Direction", as: "choice", choices: ["ingress", "egress"], initial: () => "ingress" },
      { name: "ethertype", label: "Over", as: "choice", choices: ["IPv4", "IPv6"], initial: () => "IPv4" },
      { name: "protocol", label: "Protocol", as: "choice", choices: PROTOCOLS, help: "None: any" },
      { name: "port_range_min", label: "First port (ICMP: type)", as: "number", when: hasPorts },
      { name: "port_range_max", label: "Last port (ICMP: code)", as: "number", when: hasPorts },
      { name: "remote_ip_prefix", label: "From or to: CIDR", help: "Nothing here and below: everywhere" },
      { name: "remote_group_id", label: "or: ports of a security group", as: "ref", of: "security_groups" },
      { name: "remote_address_group_id", label: "or: an address group", as: "ref", of: "address_groups" },
      DESCRIPTION,
      PROJECT,
    ],
  },
  {
    kind: "address_groups",
    title: "Address groups",
    one: "address group",
    group: "Security",
    columns: [
      NAME,
      {
        name: "addresses",
        title: "Addresses",
        cell: (one) => <Mono>{(one.addresses ?? []).slice(0, 6).join(" ") + ((one.addresses ?? []).length > 6 ? " …" : "")}</Mono>,
      },
      { name: "description", title: "Description" },
      projectColumn,
    ],
    filters: ["name"],
    hide: ["addresses"],
    fields: [{ name: "name" }, { name: "addresses", label: "Addresses", as: "lines", help: "One CIDR a line" }, DESCRIPTION, PROJECT],
    parts: (one) => <AddressList group={one} />,
  },
  {
    kind: "logs",
    title: "Packet logs",
    one: "packet log",
    group: "Security",
    columns: [
      NAME,
      { name: "event", title: "Of packets", cell: (one) => <Mono>{one.event}</Mono> },
      { name: "resource_type", title: "By", cell: (one) => <Mono>{one.resource_type}</Mono> },
      { name: "resource_id", title: "Group", cell: (one) => <Ref kind={GROUPS[one.resource_type]} id={one.resource_id} /> },
      { name: "target_id", title: "Port", cell: (one) => <Ref kind="ports" id={one.target_id} /> },
      { name: "enabled", title: "Enabled", cell: (one) => <Yes is={one.enabled} /> },
      projectColumn,
    ],
    filters: ["name", "event", "enabled", "resource_type"],
    refs: { target_id: "ports" },
    fields: [
      { name: "name" },
      { name: "resource_type", label: "Decided by", as: "choice", choices: Object.keys(GROUPS), initial: () => "security_group" },
      { name: "event", label: "Which packets", as: "choice", choices: ["ALL", "ACCEPT", "DROP"] },
      { name: "resource_id", label: "Group", help: "Its ID; empty: any of the project's" },
      { name: "target_id", label: "Port", as: "ref", of: "ports", help: "None: any" },
      { name: "enabled", label: "Enabled" },
      DESCRIPTION,
      PROJECT,
    ],
  },
];
