// A firewall's rule as one reads it aloud.
import type { Thing } from "../api";

const WORDS: Record<string, string> = { "ipv6-icmp": "ICMPv6" };

// text, or another object to be named
export type Piece = string | { kind: string; id: string };

export interface Sentence {
  verb: string;
  what: string;
  from: Piece[];
  to: Piece[];
}

export function sentence(rule: Thing): Sentence {
  const protocol: string | null = rule.protocol || null;
  const version = Number(rule.ip_version ?? 4);
  const name = protocol ? (WORDS[protocol] ?? protocol.toUpperCase()) : `any IPv${version}`;
  const port = ports(rule.destination_port);
  return {
    verb: rule.action ?? "deny",
    what: name + (port && ` ${port}`) + (protocol && version === 6 ? " over IPv6" : ""),
    from: [who(rule, "source"), ...(rule.source_port ? [`port ${ports(rule.source_port)}`] : [])],
    to: [who(rule, "destination")],
  };
}

const ports = (range: string | null | undefined): string => (range ?? "").replace(":", " to ");

function who(rule: Thing, end: "source" | "destination"): Piece {
  const group = rule[`netweft:${end}_address_group_id`];
  return group ? { kind: "address_groups", id: group } : rule[`${end}_ip_address`] || "anybody";
}

// where a rule comes to stand that is put at this place, counted from 1: as the API's insert_rule takes it
export function inserted(rules: string[], place: number): { insert_before?: string; insert_after?: string } {
  if (place <= rules.length) return { insert_before: rules[Math.max(0, place - 1)] };
  return rules.length ? { insert_after: rules[rules.length - 1] } : {};
}

// the order after one of them has gone a place up (-1) or down (1)
export function moved(rules: string[], id: string, by: number): string[] {
  const at = rules.indexOf(id);
  const rest = rules.filter((one) => one !== id);
  rest.splice(Math.max(0, at + by), 0, id);
  return rest;
}
