// What the other pages work out: nodes in pairs, rates.
import assert from "node:assert/strict";
import { test } from "node:test";
import { behind, nodesOf, onPhysical, pair } from "../src/fabric/nodes";
import { ratesOf } from "../src/wiring/asked";

const agent = (host: string, more: object = {}) => ({ id: host, host, alive: true, admin_state_up: true, configurations: { tunnel_ip: `192.0.2.${host.length}`, tunnel_types: ["vxlan"] }, ...more });
const port = (host: string, network_id: string, more: object = {}) => ({ "binding:host_id": host, network_id, status: "ACTIVE", device_owner: "compute:nova", ...more });
const NETWORKS = new Map([
  ["a", { "provider:network_type": "vxlan" }],
  ["b", { "provider:network_type": "vlan", "provider:physical_network": "physnet1" }],
  ["c", { "provider:network_type": "gre" }],
]);

test("two nodes have a tunnel for what both have and goes by tunnels", () => {
  const [one, two, three] = nodesOf([agent("hv1"), agent("hv22"), agent("hv333", { alive: false })], [], [port("hv1", "a"), port("hv22", "a"), port("hv333", "a"), port("hv1", "b"), port("hv22", "b")]);
  assert.deepEqual(pair(one, two, NETWORKS), { networks: 1, types: ["vxlan"], works: "yes" });
  assert.equal(pair(one, three, NETWORKS).works, "silent");
  assert.equal(onPhysical(one, "physnet1", NETWORKS), 1);
});

test("why there is none", () => {
  const [one, two] = nodesOf([agent("hv1"), agent("hv22")], [], [port("hv1", "c"), port("hv22", "c")]);
  assert.equal(pair(one, two, NETWORKS).works, "no common type");
  const [, bare] = nodesOf([agent("hv1"), agent("hv22", { configurations: {} })], [], [port("hv1", "c"), port("hv22", "c")]);
  assert.equal(pair(one, bare, NETWORKS).works, "no address");
  assert.equal(pair(one, { ...two, networks: new Set<string>() }, NETWORKS).works, "none");
});

test("ports, gateways and lag of a node", () => {
  const ports = [port("hv1", "a"), port("hv1", "a", { status: "DOWN" }), port("hv1", "b", { device_owner: "network:router_gateway" }), port("elsewhere", "a")];
  const [node] = nodesOf([agent("hv1")], [{ host: "hv1", feed: { connected: true, revisions: 3, seconds: 1.25 } }], ports);
  assert.deepEqual([node.ports, node.down, node.gateways, node.networks.size], [2, 1, 1, 2]);
  assert.equal(behind(node), "3 revisions, for 1.3 s");
  assert.equal(behind({ ...node, feed: undefined, alive: false }), "not connected");
});

test("packets a second; nothing of what was counted anew", () => {
  const station = (name: string, rx_packets: number, tx_packets: number) => ({ name, counts: { rx_packets, tx_packets } });
  const rates = ratesOf([station("tap", 10, 5), station("vx", 100, 100)], [station("tap", 30, 5), station("vx", 3, 3), station("new", 1, 1)], 4);
  assert.deepEqual([...rates], [["tap", { rx: 5, tx: 0 }]]);
  assert.equal(ratesOf([station("tap", 1, 1)], [station("tap", 2, 2)], 0).size, 0);
});
