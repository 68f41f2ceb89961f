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
}

const USABLE = new Set(["opaque", "certificate"]);

export const fits = (one: Secret, wanted: Held): boolean => one.container || one.withKey === (wanted === "certificate");

const ofSecret = (one: Thing): Secret => ({ id: one.secret_ref, name: one.name ?? "", withKey: one.secret_type === "opaque", created: one.created, container: false });
const ofContainer = (one: Thing): Secret => ({ id: one.container_ref, name: one.name ?? "", withKey: true, created: one.created, container: true });

// containers of certificates, and secrets that are not part of one
export function heldOf(secrets: Thing[], containers: Thing[]): Secret[] {
  const inside = new Set(containers.flatMap((one) => one.secret_refs.map((ref: Thing) => ref.secret_ref)));
  return [
    ...containers.filter((one) => one.type === "certificate").map(ofContainer),
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

// why it would not be taken by a balancer; empty: it may be
export function lacks(kind: Held, pem: string): string {
  const missing = MARKS[kind].filter(([mark]) => !mark.test(pem)).map(([, what]) => what);
  if (missing.length) return `In PEM this has to have ${missing.join(" and ")}.`;
  if (/ENCRYPTED/.test(pem)) return "The private key has a passphrase: store it without one.";
  return kind === "authorities" && /PRIVATE KEY/.test(pem) ? "Authorities are certificates alone: leave the private key out." : "";
}

export const store = (name: string, kind: Held, pem: string): Promise<unknown> =>
  api.post(`${ROOT}secrets`, { name, secret_type: kind === "certificate" ? "opaque" : "certificate", payload: pem, payload_content_type: "text/plain" });

export const drop = (one: Secret): Promise<unknown> => api.delete(`${ROOT}${one.container ? "containers" : "secrets"}/${part(one.id.split("/").pop()!)}`);
