// What the API takes of a user, a form has.
import assert from "node:assert/strict";
import { test } from "node:test";
import "./page";

const { LIST } = await import("../src/resources/all");
const facts = (await import("../src/facts.json")).default as Record<string, { attributes: Record<string, { post?: boolean; put?: boolean }> }>;
const { balancer, START } = await import("../src/pages/balance");
const { heldOf, fits, inBase64, isPkcs12, lacks, partsOf } = await import("../src/resources/held");
const { ports } = await import("../src/resources/lines");
const { difference } = await import("../src/ui/inline");

// attributes that no form has, and why
const WITHOUT: Record<string, string> = {
  tenant_id: "project_id by its old name",
  tags: "an object's page has them",
  "listeners project_id": "a balancer's", "pools project_id": "a balancer's", "healthmonitors project_id": "a balancer's", "l7policies project_id": "a balancer's",
  "loadbalancers provider": "there is one",
  "loadbalancers vip_network_id": "by its subnet", "loadbalancers vip_port_id": "a port is made for it",
  "ports binding:profile": "what Nova tells", "ports data_plane_status": "what watches the wire tells", "floatingips distributed": "changes nothing here",
  "metering_label_rules project_id": "its label's", "metering_label_rules remote_ip_prefix": "the old name of the two that there are",
  "firewall_policies firewall_rules": "the policy's page has them in their order",
  "flavors service_profiles": "the flavor's page has them",
}; // prettier-ignore
// kinds that the page of what they belong to has
const WITHIN = ["l7rules", "members"];

test("each attribute that can be said has a field, or a reason", () => {
  const pages = new Map(LIST.map((one) => [one.kind, one]));
  assert.deepEqual(Object.keys(facts).filter((kind) => !pages.has(kind)), WITHIN);
  const lacking: string[] = [];
  for (const [kind, resource] of pages) {
    const fields = new Set(resource.fields.map((field) => field.name).concat(kind === "loadbalancers" ? Object.keys(START) : []));
    for (const [name, fact] of Object.entries(facts[kind].attributes))
      if ((fact.post || fact.put) && !fields.has(name) && !(name in WITHOUT) && !(`${kind} ${name}` in WITHOUT)) lacking.push(`${kind} ${name}`);
    for (const field of resource.fields) assert.ok(facts[kind].attributes[field.name], `${kind} has no ${field.name}`);
  }
  assert.deepEqual(lacking, []);
});

test("a balancer with all that may be said of it", () => {
  const made = balancer({
    ...START, name: "b", vip_subnet_id: "s4", additional_vips: ["s6"], flavor_id: "f", availability_zone: "z",
    protocol: "TERMINATED_HTTPS", protocol_port: "443", default_tls_container_ref: "r", sni_container_refs: ["t"],
  }); // prettier-ignore
  const { listeners, ...rest } = made;
  assert.deepEqual(rest, { name: "b", vip_subnet_id: "s4", additional_vips: [{ subnet_id: "s6" }], flavor_id: "f", availability_zone: "z" });
  assert.deepEqual([listeners[0].default_tls_container_ref, listeners[0].sni_container_refs, listeners[0].default_pool.protocol], ["r", ["t"], "HTTP"]);
  const plain = balancer({ ...START, vip_subnet_id: "s4" });
  assert.deepEqual(Object.keys(plain).sort(), ["listeners", "name", "vip_subnet_id"]);
  assert.ok(!("sni_container_refs" in plain.listeners[0]));
});

test("what the key manager has that a balancer can use", () => {
  const secret = (id: string, secret_type: string) => ({ secret_ref: id, secret_type, name: id, created: "" });
  const inside = { type: "certificate", container_ref: "c", name: "c", created: "", secret_refs: [{ secret_ref: "part" }] };
  const found = heldOf([secret("part", "certificate"), secret("bundle", "opaque"), secret("ca", "certificate"), secret("key", "private"), secret("word", "passphrase")], [inside, { ...inside, type: "generic", container_ref: "g", secret_refs: [] }]);
  assert.deepEqual(found.map((one) => one.id), ["c", "bundle", "ca"]);
  assert.deepEqual(found.filter((one) => fits(one, "certificate")).map((one) => one.id), ["c", "bundle"]);
  const ours = { ...inside, secret_refs: [{ name: "certificate", secret_ref: "part" }, { name: "private_key", secret_ref: "key" }] };
  assert.deepEqual(heldOf([{ ...secret("part", "certificate"), name: "c (certificate)" }, secret("key", "private")], [ours])[0].parts, ["part"]);
  assert.deepEqual(found.filter((one) => fits(one, "authorities")).map((one) => one.id), ["c", "ca"]);
});

test("what is no certificate is not stored as one", () => {
  const certificate = "-----BEGIN CERTIFICATE-----\n";
  const key = "-----BEGIN EC PRIVATE KEY-----\n";
  const locked = certificate + "-----BEGIN ENCRYPTED PRIVATE KEY-----";
  assert.equal(lacks("certificate", certificate + key), undefined);
  assert.match(lacks("certificate", certificate)![1], /its private key/);
  assert.match(lacks("certificate", "")![1], /a certificate and its private key/);
  assert.equal(lacks("certificate", locked)![0], "passphrase");
  assert.equal(lacks("certificate", locked, "p"), undefined);
  assert.equal(lacks("authorities", certificate), undefined);
  assert.match(lacks("authorities", certificate + key)![1], /leave the private key out/);
  assert.equal(lacks("revoked", "-----BEGIN X509 CRL-----"), undefined);
});

test("a bundle is taken apart as a container names its parts", () => {
  const block = (label: string, text: string) => `-----BEGIN ${label}-----\n${text}\n-----END ${label}-----`;
  const pem = ["Bag Attributes", block("CERTIFICATE", "a"), block("CERTIFICATE", "b"), block("ENCRYPTED PRIVATE KEY", "k"), block("CERTIFICATE", "c")].join("\n");
  const parts = { certificate: block("CERTIFICATE", "a") + "\n", private_key: block("ENCRYPTED PRIVATE KEY", "k") + "\n", intermediates: `${block("CERTIFICATE", "b")}\n${block("CERTIFICATE", "c")}\n` };
  assert.deepEqual(partsOf(pem), parts);
  assert.deepEqual(Object.keys(partsOf(block("CERTIFICATE", "a"))), ["certificate"]);
});

test("PKCS #12 is told from PEM by its first bytes", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  assert.ok(isPkcs12(new Uint8Array([0x30, 0x82, 4, 0])));
  assert.ok(!isPkcs12(bytes("-----BEGIN CERTIFICATE-----")) && !isPkcs12(bytes("0 words")) && !isPkcs12(bytes("")));
  assert.equal(inBase64(new Uint8Array([0, 255, 128])), "AP+A");
});

test("a forwarding's port, or several", () => {
  assert.deepEqual(ports("external", " 80 "), { external_port: 80 });
  assert.deepEqual(ports("internal", "80 - 90"), { internal_port_range: "80:90" });
  assert.deepEqual(ports("internal", ""), {});
});

test("only what is another is told of a change", () => {
  const fields = [{ name: "weight", label: "", as: "number" as const }, { name: "name", label: "", as: "text" as const }, { name: "backup", label: "", as: "flag" as const }];
  const one = { weight: 1, name: "a", backup: false };
  assert.deepEqual(difference(fields, one, { weight: "1", name: "a", backup: false }), {});
  assert.deepEqual(difference(fields, one, { weight: "0", name: "", backup: true }), { weight: 0, name: null, backup: true });
  assert.deepEqual(difference(fields, { name: null }, { weight: "", name: "", backup: false }), {});
});
