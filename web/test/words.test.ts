// Rules as sentences, what is typed into a filter, what a form says to the API.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inserted, moved, sentence as firewall } from "../src/resources/firewallsentence";
import { headers, member, persistence } from "../src/resources/lines";
import { sentence } from "../src/resources/sentence";
import type { Resource } from "../src/resources/types";
import { asked, read, written } from "../src/ui/filters";
import { amount } from "../src/ui/use";
import { wordOf } from "../src/words";
import { fieldsOf, blamed, body, initial } from "../src/ui/values";

function said(rule: Record<string, unknown>): string {
  const { verb, what, way, who } = sentence({ direction: "ingress", ethertype: "IPv4", protocol: null, ...rule });
  return `${verb} ${what} ${way} ${"text" in who ? who.text : `${who.kind} ${who.id}`}`;
}

test("a rule reads as a sentence", () => {
  const tcp = { protocol: "tcp", port_range_min: 443, port_range_max: 443 };
  assert.equal(said(tcp), "let in TCP 443 from everywhere (IPv4)");
  assert.equal(said({ ...tcp, protocol: "6", port_range_max: 8443 }), "let in TCP 443 to 8443 from everywhere (IPv4)");
  assert.equal(said({ ...tcp, remote_ip_prefix: "10.0.0.0/8" }), "let in TCP 443 from 10.0.0.0/8");
  assert.equal(said({ ...tcp, ethertype: "IPv6", remote_ip_prefix: "::/0" }), "let in TCP 443 over IPv6 from everywhere (IPv6)");
  assert.equal(said({ protocol: "udp" }), "let in UDP from everywhere (IPv4)");
  assert.equal(said({ direction: "egress" }), "let out any IPv4 to everywhere");
  assert.equal(said({ protocol: "icmp" }), "let in ICMP from everywhere (IPv4)");
  assert.equal(said({ protocol: "icmp", port_range_min: 8, port_range_max: 0 }), "let in ICMP type 8 code 0 from everywhere (IPv4)");
  assert.equal(said({ protocol: "ipv6-icmp", port_range_min: 0 }), "let in ICMPv6 type 0 from everywhere (IPv4)");
  assert.equal(said({ protocol: "112" }), "let in VRRP from everywhere (IPv4)");
  assert.equal(said({ protocol: "77" }), "let in protocol 77 from everywhere (IPv4)");
  assert.equal(said({ remote_group_id: "g" }), "let in any IPv4 from security_groups g");
  assert.equal(said({ remote_group_id: "PARENT" }), "let in any IPv4 from the same group");
  assert.equal(said({ remote_address_group_id: "a" }), "let in any IPv4 from address_groups a");
});

const decides = (rule: Record<string, unknown>): string => {
  const { verb, what, from, to } = firewall(rule);
  const words = [...from, "to", ...to].map((one) => (typeof one === "string" ? one : `${one.kind} ${one.id}`));
  return [verb, what, "from", ...words].join(" ");
};

test("a firewall's rule reads as a sentence", () => {
  assert.equal(decides({}), "deny any IPv4 from anybody to anybody");
  assert.equal(decides({ action: "allow", protocol: "tcp", destination_port: "443", ip_version: 4 }), "allow TCP 443 from anybody to anybody");
  assert.equal(decides({ action: "reject", protocol: "udp", destination_port: "5000:5010", source_ip_address: "10.0.0.0/8", source_port: "53" }), "reject UDP 5000 to 5010 from 10.0.0.0/8 port 53 to anybody");
  assert.equal(decides({ action: "allow", protocol: "ipv6-icmp", ip_version: "6" }), "allow ICMPv6 over IPv6 from anybody to anybody");
  assert.equal(decides({ ip_version: 6, "netweft:source_address_group_id": "g", destination_ip_address: "2001:db8::1" }), "deny any IPv6 from address_groups g to 2001:db8::1");
});

test("a firewall's rule is put at a place, and moved to the next", () => {
  assert.deepEqual(inserted([], 1), {});
  assert.deepEqual(inserted(["a", "b"], 1), { insert_before: "a" });
  assert.deepEqual(inserted(["a", "b"], 0), { insert_before: "a" });
  assert.deepEqual(inserted(["a", "b"], 2), { insert_before: "b" });
  assert.deepEqual(inserted(["a", "b"], 9), { insert_after: "b" });
  assert.deepEqual(moved(["a", "b", "c"], "c", -1), ["a", "c", "b"]);
  assert.deepEqual(moved(["a", "b", "c"], "a", 1), ["b", "a", "c"]);
  assert.deepEqual(moved(["a", "b"], "a", -1), ["a", "b"]);
});

const known = (name: string): boolean => ["name", "status", "router:external", "binding:host_id"].includes(name);
const typed = (text: string): string => read(text, known, new URLSearchParams("sort_key=name&marker=x")).toString();

test("pairs that the API knows are asked of it, any other word is looked for", () => {
  assert.equal(typed("status:ACTIVE web"), "sort_key=name&status=ACTIVE&find=web");
  assert.equal(typed('name:"my net"'), "sort_key=name&name=my+net");
  assert.equal(typed("router:external:true"), "sort_key=name&router%3Aexternal=true");
  assert.equal(typed("binding:host_id:hv1"), "sort_key=name&binding%3Ahost_id=hv1");
  assert.equal(typed("fa:16:3e:00:00:01"), "sort_key=name&find=fa%3A16%3A3e%3A00%3A00%3A01");
  assert.equal(typed("unknown:x"), "sort_key=name&find=unknown%3Ax");
  assert.equal(written(new URLSearchParams("name=my net&status=DOWN&find=a b&sort_key=name")), 'name:"my net" status:DOWN a b');
  assert.deepEqual(asked(new URLSearchParams("status=DOWN&find=x"), 5, "name"), [["status", "DOWN"], ["sort_key", "name"], ["limit", "5"]]);
});

const resource = {
  fields: [
    { name: "name" },
    { name: "up", as: "flag" },
    { name: "mtu", as: "number" },
    { name: "pool", as: "ref" },
    { name: "lines", as: "lines", from: (line: string) => ({ line }), to: (value: { line: string }) => value.line },
    { name: "odd", when: (values: { up: boolean }) => !values.up },
  ],
  attributes: { name: { put: true }, up: { flag: true, default: true }, mtu: {}, pool: {}, lines: {}, odd: {} },
} as unknown as Resource;

test("a form says only what was said", () => {
  const start = initial(resource, resource.fields, undefined, new URLSearchParams());
  assert.deepEqual(start, { name: "", up: true, mtu: "", pool: "", lines: "", odd: "" });
  assert.deepEqual(body(resource, resource.fields, start, start, true), {});
  const now = { ...start, name: " n ", mtu: "1400", lines: "a\n\n b ", odd: "left out while up" };
  assert.deepEqual(body(resource, resource.fields, now, start, true), { name: "n", mtu: 1400, lines: [{ line: "a" }, { line: "b" }] });
  assert.deepEqual(body(resource, resource.fields, { ...start, mtu: "many" }, start, true), { mtu: "many" }); // the API says what is wrong
});

test("what is changed is said, what was emptied is none", () => {
  const before = { name: "n", up: true, mtu: 1450, pool: "p", lines: [{ line: "a" }], odd: "" };
  const start = initial(resource, resource.fields, before, new URLSearchParams());
  assert.deepEqual(body(resource, resource.fields, start, start, false), {});
  assert.deepEqual(body(resource, resource.fields, { ...start, name: "", pool: "", lines: "", up: false }, start, false), { name: "", up: false, pool: null, lines: [] });
});

test("a refusal is about the field that it names", () => {
  assert.equal(blamed("Invalid input for mtu. Reason: 'many' is not an integer.", resource.fields), "mtu");
  assert.equal(blamed("Failed to parse request. Required attribute 'name' not specified", resource.fields), "name");
  assert.equal(blamed("Invalid input for other. Reason: x", resource.fields), undefined);
  assert.equal(blamed("Quota exceeded for resources: ['network'].", resource.fields), undefined);
});

test("a balancer's member is an address and a port, and what is neither is the API's to refuse", () => {
  assert.deepEqual(member.from("10.0.0.1:80"), { address: "10.0.0.1", protocol_port: 80 });
  assert.deepEqual(member.from("[2001:db8::1]:80 5"), { address: "2001:db8::1", protocol_port: 80, weight: 5 });
  assert.deepEqual(member.from("10.0.0.1"), { address: "10.0.0.1" });
  assert.deepEqual(member.from("10.0.0.1:http"), { address: "10.0.0.1", protocol_port: "http" });
  assert.deepEqual(member.from("2001:db8::1"), { address: "2001:db8::1" });
  assert.equal(member.to({ address: "2001:db8::1", protocol_port: 80 }), "[2001:db8::1]:80");
  assert.equal(blamed("Invalid input for field/attribute url_path. Value: 'x'. Value must be", [{ name: "url_path" }]), "url_path");
});

test("what is emptied is null to the load balancers' API", () => {
  const attributes = { url_path: { post: true, put: true }, type: { post: true } };
  const monitors = { dialect: "octavia", attributes } as unknown as Resource;
  assert.deepEqual(body(monitors, [{ name: "url_path" }], { url_path: "" }, { url_path: "/a" }, false), { url_path: null });
});

test("what a field holds as text is an object to the API, and back", () => {
  for (const text of ["SOURCE_IP", "APP_COOKIE JSESSIONID"]) assert.equal(persistence.to(persistence.from(text)), text);
  assert.deepEqual(persistence.from("APP_COOKIE JSESSIONID"), { type: "APP_COOKIE", cookie_name: "JSESSIONID" });
  assert.deepEqual(headers.from("X-Forwarded-For: true\n\nX-Forwarded-Port:true"), { "X-Forwarded-For": "true", "X-Forwarded-Port": "true" });
});

test("attributes are called by words, and much is said in short", () => {
  assert.deepEqual(["created_at", "binding:vnic_type", "fixed_ips", "router_route"].map(wordOf), ["Created", "VNIC type", "Fixed IPs", "Router route"]);
  assert.deepEqual([-1, 253, 16_777_215, 2 ** 64 - 1].map(amount), ["∞", "253", "16,777,215", "2^64"]);
});

test("a form offers what the caller's roles allow", () => {
  const rows = { name: { post: true }, mac_address: { post: true, needs: "manager" }, shared: { post: true, needs: "admin" }, project_id: { post: true } };
  const resource = { attributes: rows, fields: Object.keys(rows).map((name) => ({ name })) } as unknown as Resource;
  const offered = (...roles: string[]): string[] => fieldsOf(resource, undefined, (needs) => !needs || roles.includes(needs)).map((field) => field.name);
  assert.deepEqual([offered(), offered("manager"), offered("manager", "admin")], [["name"], ["name", "mac_address"], Object.keys(rows)]);
});
