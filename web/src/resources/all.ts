// All that there are.  A new one is a declaration in one of these files, and nothing else.
import facts from "../facts.json";
import { BALANCING } from "./balancing";
import { CHECKS } from "./checks";
import { FIREWALLS } from "./firewalls";
import { NETWORK } from "./network";
import { REGION } from "./region";
import { ROUTING } from "./routing";
import { SECURITY } from "./security";
import { SHARING } from "./sharing";
import type { Declared, Fact, Needs, Resource } from "./types";

interface Facts {
  member: string;
  path: string;
  actions: string[];
  listed?: string;
  key?: string;
  needs: Needs;
  attributes: Record<string, Fact>;
  dialect?: "octavia";
  deletion?: string;
}

const known = facts as unknown as Record<string, Facts>;

function made(declared: Declared): Resource {
  const { actions: can, ...rest } = known[declared.kind];
  return { name: "name", listed: declared.kind, ...declared, ...rest, can: new Set(can) };
}

// what the API takes for an attribute, of a kind that has a page or none
export const choicesOf = (kind: string, name: string): string[] => known[kind].attributes[name].choices ?? [];

export const LIST: Resource[] = [...NETWORK, ...ROUTING, ...BALANCING, ...SECURITY, ...FIREWALLS, ...SHARING, ...CHECKS, ...REGION].map(made);
export const RESOURCES: Record<string, Resource> = Object.fromEntries(LIST.map((one) => [one.kind, one]));
