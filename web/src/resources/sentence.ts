// A security group's rule as one reads it aloud.
import type { Thing } from "../api";

const NUMBERS: Record<string, string> = { "1": "ICMP", "6": "TCP", "17": "UDP", "47": "GRE", "50": "ESP", "58": "ICMPv6", "112": "VRRP", "132": "SCTP" };
const WORDS: Record<string, string> = { icmpv6: "ICMPv6", "ipv6-icmp": "ICMPv6" };
const ICMP = new Set(["icmp", "1", "icmpv6", "ipv6-icmp", "58"]);

export interface Sentence {
  verb: string;
  what: string;
  way: string; // "from" or "to"
  who: { text: string } | { kind: string; id: string };
}

export function sentence(rule: Thing): Sentence {
  const inward = rule.direction === "ingress";
  return {
    verb: inward ? "let in" : "let out",
    what: what(rule),
    way: inward ? "from" : "to",
    who: who(rule),
  };
}

function what(rule: Thing): string {
  const protocol: string | null = rule.protocol && String(rule.protocol).toLowerCase();
  const name = protocol ? (NUMBERS[protocol] ?? (/^\d+$/.test(protocol) ? `protocol ${protocol}` : (WORDS[protocol] ?? protocol.toUpperCase()))) : `any ${rule.ethertype}`;
  const least = rule.port_range_min;
  const most = rule.port_range_max;
  const all = least === null || least === undefined;
  if (protocol && ICMP.has(protocol)) {
    const type = all ? "" : ` type ${least}${most === null || most === undefined ? "" : ` code ${most}`}`;
    return name + type;
  }
  if (!protocol) return name;
  const ports = all || (least === 1 && most === 65535) ? (all ? "" : " any port") : least === most ? ` ${least}` : ` ${least} to ${most}`;
  return name + ports + (rule.ethertype === "IPv6" ? " over IPv6" : "");
}

function who(rule: Thing): Sentence["who"] {
  if (rule.remote_group_id === "PARENT") return { text: "the same group" };
  if (rule.remote_group_id) return { kind: "security_groups", id: rule.remote_group_id };
  if (rule.remote_address_group_id) return { kind: "address_groups", id: rule.remote_address_group_id };
  const prefix: string | null = rule.remote_ip_prefix;
  if (!prefix || prefix === "0.0.0.0/0" || prefix === "::/0") return { text: rule.protocol ? `everywhere (${rule.ethertype})` : "everywhere" };
  return { text: prefix };
}
