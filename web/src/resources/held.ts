// What the key manager has for balancers: certificates with their keys, authorities, lists of what was revoked.  Of what is
// in it a page is never told.
import { type Thing, api, part } from "../api";

const ROOT = "/key-manager/v1/";
const PAGE = 100;
const MOST = 10; // pages of each

export type Held = "certificate" | "authorities" | "revoked";

export interface Secret {
  id: string; // its reference, as balancers say it
  name: string;
  withKey: boolean; // a certificate with its key, as far as is told; else one without, or a list of revoked ones
  created: string;
  container: boolean;
  parts: string[]; // references of the secrets that this page has made for a container: others' may be in use elsewhere
}

const USABLE = new Set(["opaque", "certificate"]);

export const fits = (one: Secret, wanted: Held): boolean => one.container || one.withKey === (wanted === "certificate");

const ofSecret = (one: Thing): Secret => ({ id: one.secret_ref, name: one.name ?? "", withKey: one.secret_type === "opaque", created: one.created, container: false, parts: [] });
const ofContainer = (one: Thing, names: Map<string, string>): Secret => {
  const made = one.secret_refs.filter((inside: Thing) => names.get(inside.secret_ref) === nameOfPart(one.name, inside.name));
  return { id: one.container_ref, name: one.name ?? "", withKey: true, created: one.created, container: true, parts: made.map((inside: Thing) => inside.secret_ref) };
};

// containers of certificates, and secrets that are not part of one
export function heldOf(secrets: Thing[], containers: Thing[]): Secret[] {
  const inside = new Set(containers.flatMap((one) => one.secret_refs.map((ref: Thing) => ref.secret_ref)));
  const names = new Map(secrets.map((one) => [one.secret_ref, one.name]));
  return [
    ...containers.filter((one) => one.type === "certificate").map((one) => ofContainer(one, names)),
    ...secrets.filter((one) => USABLE.has(one.secret_type) && !inside.has(one.secret_ref)).map(ofSecret),
  ];
}

async function every(kind: "secrets" | "containers", signal?: AbortSignal): Promise<Thing[]> {
  const found: Thing[] = [];
  for (let at = 0; at < MOST; at++) {
    const told = await api.get(`${ROOT}${kind}?limit=${PAGE}&offset=${at * PAGE}`, signal);
    found.push(...told[kind]);
    if (found.length >= told.total) break;
  }
  return found;
}

export async function askHeld(signal?: AbortSignal): Promise<Secret[]> {
  const [secrets, containers] = await Promise.all([every("secrets", signal), every("containers", signal)]);
  return heldOf(secrets, containers);
}

const MARKS: Record<Held, [RegExp, string][]> = {
  certificate: [[/-----BEGIN CERTIFICATE-----/, "a certificate"], [/-----BEGIN [A-Z ]*PRIVATE KEY-----/, "its private key"]],
  authorities: [[/-----BEGIN CERTIFICATE-----/, "a certificate"]],
  revoked: [[/-----BEGIN X509 CRL-----/, "a list of revoked certificates"]],
};

const isLocked = (pem: string): boolean => /ENCRYPTED/.test(pem);

// which field keeps it from being taken by a balancer, and why; none: it may be
export function lacks(kind: Held, pem: string, passphrase = ""): ["pem" | "passphrase", string] | undefined {
  const missing = MARKS[kind].filter(([mark]) => !mark.test(pem)).map(([, what]) => what);
  if (missing.length) return ["pem", `In PEM this has to have ${missing.join(" and ")}.`];
  if (kind === "authorities" && /PRIVATE KEY/.test(pem)) return ["pem", "Authorities are certificates alone: leave the private key out."];
  if (isLocked(pem) && !passphrase) return ["passphrase", "The private key has a passphrase: balancers need it."];
  return undefined;
}

// PKCS #12 is DER: a sequence; PEM begins with dashes, or with words
export const isPkcs12 = (bytes: Uint8Array): boolean => bytes[0] === 0x30 && bytes[1] > 0x7f;

export const inBase64 = (bytes: Uint8Array): string => btoa(Array.from(bytes, (one) => String.fromCharCode(one)).join(""));

const secret = (name: string, secret_type: string, payload: string): Promise<Thing> => api.post(`${ROOT}secrets`, { name, secret_type, payload, payload_content_type: "text/plain" });

export const storePkcs12 = (name: string, bytes: Uint8Array): Promise<unknown> =>
  api.post(`${ROOT}secrets`, { name, secret_type: "opaque", payload: inBase64(bytes), payload_content_type: "application/octet-stream", payload_content_encoding: "base64" });

// a key with a passphrase is a secret of its own, beside the passphrase, in a container
export function storePem(name: string, kind: Held, pem: string, passphrase: string): Promise<unknown> {
  if (kind === "certificate" && isLocked(pem)) return storeLocked(name, partsOf(pem), passphrase);
  return secret(name, kind === "certificate" ? "opaque" : "certificate", pem);
}

// as containers name them: the first certificate is the one, others lie between it and its authority
export function partsOf(pem: string): Record<string, string> {
  const blocks = pem.match(/-----BEGIN ([A-Z0-9 ]+)-----[^]*?-----END \1-----/g) ?? [];
  const certificates = blocks.filter((block) => block.startsWith("-----BEGIN CERTIFICATE-----"));
  const key = blocks.find((block) => /^-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(block));
  const parts = { certificate: certificates[0], private_key: key, intermediates: certificates.slice(1).join("\n") };
  return Object.fromEntries(Object.entries(parts).flatMap(([what, text]) => (text ? [[what, `${text}\n`]] : [])));
}

const PART_TYPES: Record<string, string> = { private_key: "private", private_key_passphrase: "passphrase" }; // others are certificates
const nameOfPart = (name: string, what: string): string => `${name} (${what})`.slice(-255);

// all of it or nothing
async function storeLocked(name: string, parts: Record<string, string>, passphrase: string): Promise<void> {
  const secret_refs: Thing[] = [];
  try {
    for (const [what, payload] of Object.entries({ ...parts, private_key_passphrase: passphrase }))
      secret_refs.push({ name: what, secret_ref: (await secret(nameOfPart(name, what), PART_TYPES[what] ?? "certificate", payload)).secret_ref });
    await api.post(`${ROOT}containers`, { name, type: "certificate", secret_refs });
  } catch (error) {
    await Promise.allSettled(secret_refs.map((one) => dropRef("secrets", one.secret_ref)));
    throw error;
  }
}

const dropRef = (kind: "secrets" | "containers", ref: string): Promise<unknown> => api.delete(`${ROOT}${kind}/${part(ref.split("/").pop()!)}`);

export async function drop(one: Secret): Promise<void> {
  await dropRef(one.container ? "containers" : "secrets", one.id);
  await Promise.all(one.parts.map((ref) => dropRef("secrets", ref)));
}
