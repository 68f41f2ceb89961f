// Between what a form holds and what the API takes.  Pure.
import type { Thing } from "../api";
import type { As, Fact, Field, Resource } from "../resources/types";
import type { Role } from "../session";

export type Values = Record<string, any>;

export function asOf(resource: Resource, field: Field): As {
  const fact = resource.attributes[field.name];
  return field.as ?? (fact?.flag ? "flag" : fact?.choices ? "choice" : "text");
}

// the fields of a form for this caller; before: the object that is changed
export function fieldsOf(resource: Resource, before: Thing | undefined, may: (needs?: Role) => boolean): Field[] {
  const those = resource.fields.filter((field) => {
    const fact = resource.attributes[field.name];
    if (!fact || !may(fact.needs)) return false;
    if (field.name === "project_id") return may("admin") && !before;
    return before ? fact.put && field.name in before : fact.post;
  });
  return those.map((field) => ({ ...field, choices: field.choices ?? offered(resource.attributes[field.name]) }));
}

const offered = ({ choices, default: start }: Fact): string[] | undefined => choices && (start === undefined ? ["", ...choices] : choices);

export function initial(resource: Resource, fields: Field[], before: Thing | undefined, query: URLSearchParams): Values {
  return Object.fromEntries(fields.map((field) => [field.name, first(resource, field, before, query)]));
}

function first(resource: Resource, field: Field, before: Thing | undefined, query: URLSearchParams): unknown {
  const as = asOf(resource, field);
  if (before) return shown(as, field, before[field.name]);
  const given = field.initial?.(query) ?? resource.attributes[field.name]?.default;
  if (given !== undefined) return given;
  if (as === "flag") return field.name === "port_security_enabled" || field.name === "stateful";
  return as === "refs" ? [] : "";
}

function shown(as: As, field: Field, value: any): unknown {
  if (as === "flag") return Boolean(value);
  if (as === "refs") return value ?? [];
  if (as === "lines") return (value ?? []).map((one: any) => (field.to ? field.to(one) : String(one))).join("\n");
  return value === null || value === undefined ? "" : field.to ? field.to(value) : value;
}

function told(as: As, field: Field, value: any): unknown {
  if (as === "number") return /^-?\d+$/.test(String(value).trim()) ? Number(value) : value;
  if (as === "lines")
    return String(value)
      .split("\n")
      .map((line) => line.trim())
      .filter(Boolean)
      .map((line) => (field.from ? field.from(line) : line));
  const text = typeof value === "string" ? value.trim() : value;
  return field.from ? field.from(text) : text;
}

const NULLABLE: ReadonlySet<As> = new Set(["ref", "number", "choice"]);
const ENDS = ["source_ip_address", "destination_ip_address", "source_port", "destination_port"];
const EMPTY_IS_NULL = new Set(["gateway_ip", "external_gateway_info", "fixed_ip_address", "binding:host_id", ...ENDS]);

// only what was said: the API has its own defaults
export function body(resource: Resource, fields: Field[], now: Values, start: Values, isNew: boolean): Thing {
  const said: Thing = {};
  for (const field of fields) {
    const value = now[field.name];
    const as = asOf(resource, field);
    if (field.when && !field.when(now)) continue;
    const changed = JSON.stringify(value) !== JSON.stringify(start[field.name]);
    const empty = value === "" || (Array.isArray(value) && !value.length);
    if (isNew ? empty || (!changed && !field.initial && !resource.attributes[field.name]?.required) : !changed) continue;
    said[field.name] = empty && (resource.dialect === "octavia" || NULLABLE.has(as) || EMPTY_IS_NULL.has(field.name)) ? null : told(as, field, value);
    if (field.name === "ip_version") said[field.name] = Number(value);
  }
  return said;
}

// which attribute a refusal is about
export function blamed(message: string, fields: Field[]): string | undefined {
  const found = /Invalid input for ([\w:]+)\./.exec(message) ?? /attribute(?:\(s\))? '?([\w:]+)'?/i.exec(message);
  return fields.find((field) => field.name === found?.[1])?.name;
}
