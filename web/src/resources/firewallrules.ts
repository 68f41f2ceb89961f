// The fields of a firewall rule, in forms of its own and in a policy's.
import type { InlineField } from "../ui/inline";

const PROTOCOLS = ["", "tcp", "udp", "icmp", "ipv6-icmp", "sctp", "dccp"] as const;
const hasPorts = (values: Record<string, any>): boolean => ["tcp", "udp"].includes(values.protocol);
const END = "Nothing here and below: anybody";
const RANGE = "One, or FIRST:LAST; empty: any";

export const RULE_FIELDS: InlineField[] = [
  { name: "name", label: "Name", as: "text" },
  { name: "action", label: "Does", as: "choice", choices: ["allow", "deny", "reject"], start: "allow" },
  { name: "ip_version", label: "IP version", as: "choice", choices: ["4", "6"], start: "4" },
  { name: "protocol", label: "Protocol", as: "choice", choices: PROTOCOLS, help: "None: any" },
  { name: "source_ip_address", label: "From: address or CIDR", as: "text", help: END },
  { name: "netweft:source_address_group_id", label: "or: an address group", as: "ref", of: "address_groups" },
  { name: "source_port", label: "From port", as: "text", help: RANGE, when: hasPorts },
  { name: "destination_ip_address", label: "To: address or CIDR", as: "text", help: END },
  { name: "netweft:destination_address_group_id", label: "or: an address group", as: "ref", of: "address_groups" },
  { name: "destination_port", label: "To port", as: "text", help: RANGE, when: hasPorts },
];
