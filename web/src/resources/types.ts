// What describes a resource to the page: one declaration each; lists, forms and object pages are made of it.
import type { ComponentChildren, JSX } from "preact";
import type { Thing } from "../api";
import type { Role } from "../session";
import type { Held } from "./held";

export interface Column {
  name: string; // the attribute by which it is sorted, where the API can
  title: string;
  cell?: (one: Thing) => ComponentChildren;
  admin?: boolean; // shown to those only
  text?: (one: Thing) => string; // of what its cell shows, what is not the attribute's
}

export type As = "text" | "password" | "area" | "number" | "flag" | "choice" | "ref" | "refs" | "lines" | "file";

export interface Field {
  name: string;
  label?: string;
  as?: As; // text; flag where the API says so
  help?: string;
  choices?: readonly string[]; // of a choice; "" is none
  labels?: Record<string, string>; // of choices: what stands for one
  of?: string; // the kind that a ref is of
  asking?: Record<string, string>; // which of those
  held?: Held; // a ref, or refs, to what the key manager has
  from?: (text: string) => unknown; // what the API takes for it; of lines: for one
  to?: (value: any) => string;
  initial?: (query: URLSearchParams) => unknown; // of a new one, when it is not the API's default
  when?: (values: Record<string, any>) => boolean;
}

export interface Action {
  title: string;
  danger?: boolean;
  may?: (one: Thing) => boolean;
  run: (one: Thing) => Promise<unknown>;
}

export type Needs = Partial<Record<"create" | "get" | "update" | "delete", Role>>;

export interface Resource {
  kind: string; // the collection, as the API and the live feed call it
  title: string;
  one: string;
  group: string;
  name: string; // the attribute that people call it by
  columns: Column[];
  fields: Field[];
  filters?: string[]; // offered; any that the API takes can be typed
  refs?: Record<string, string>; // attributes that name others -> their kind
  hide?: string[]; // attributes that its page shows elsewhere or not at all
  actions?: Action[];
  parts?: (one: Thing) => ComponentChildren; // what its page shows besides
  more?: string; // what goes with it when it is deleted, in words
  help?: string;
  preview?: (values: Thing) => ComponentChildren; // of what a form holds
  after?: (made: Thing) => string[]; // where one is when it was made; else at its page
  also?: readonly string[]; // kinds with which what is told of it changes
  settles?: (one: Thing) => boolean; // by itself, and nobody is told: it is asked again
  newPage?: () => JSX.Element; // in place of the form of its fields
  // from the API's facts
  member: string;
  path: string;
  listed: string; // what a list is called in a body
  key?: string; // the attribute that names one in paths, where it is not the id
  needs: Needs;
  can: ReadonlySet<string>;
  attributes: Record<string, Fact>;
  dialect?: "octavia"; // of the API, where it is not Networking's
  deletion?: string; // the query of a DELETE
}

// by which the live feed tells that it may look different
export const kindsOf = (resource: Resource): string[] => [resource.kind, ...(resource.also ?? [])];

// of an answer: all of a list, or the one
export const rowsOf = (resource: Resource, value: Thing | undefined): Thing[] => (value?.[resource.listed] ?? []).map((one: Thing) => withId(resource, one));
export const oneOf = (resource: Resource, value: Thing | undefined): Thing | undefined => value?.[resource.member] && withId(resource, value[resource.member]);
const withId = (resource: Resource, one: Thing): Thing => (resource.key ? { ...one, id: one[resource.key] } : one);

export const statesOf = (resource: Resource): string[] => (resource.dialect === "octavia" ? ["provisioning_status", "operating_status"] : ["status"]);

export interface Fact {
  post?: boolean;
  put?: boolean;
  required?: boolean;
  filter?: boolean;
  sort?: boolean;
  flag?: boolean;
  choices?: string[];
  needs?: Role;
  default?: unknown;
}

export type Declared = Omit<Resource, "member" | "path" | "listed" | "key" | "needs" | "can" | "attributes" | "dialect" | "deletion" | "name"> & { name?: string };
