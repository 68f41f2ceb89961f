// The picture's logic: what is shown, in which order, where; over random graphs and some that are known.
import assert from "node:assert/strict";
import { test } from "node:test";
import { draw } from "../src/topology/draw";
import { type Wanted, NETWORKS, PORTS, around } from "../src/topology/fold";
import { type Things, graphOf } from "../src/topology/graph";
import { type Line, channel, crossings, fitted, ordered } from "../src/topology/layout";

type Row = Record<string, any>;
const WANTED: Wanted = { hops: 2, open: new Set(), keep: new Set() };

class Cloud {
  rows: Record<string, Map<string, Row>> = { networks: new Map(), subnets: new Map(), routers: new Map(), ports: new Map(), floatingips: new Map() };
  things = this.rows as unknown as Things;

  network(id: string, ports = 0, more: Row = {}): this {
    this.rows.networks.set(id, { id, name: id, status: "ACTIVE", admin_state_up: true, ...more });
    for (let at = 0; at < ports; at += 1) this.port(`${id}-${at}`, id);
    return this;
  }

  port(id: string, network_id: string, more: Row = {}): this {
    this.rows.ports.set(id, { id, name: id, network_id, status: "ACTIVE", admin_state_up: true, device_owner: "compute:nova", fixed_ips: [], ...more });
    return this;
  }

  router(id: string, networks: string[], outside?: string): this {
    const external_gateway_info = outside ? { network_id: outside, enable_snat: true, external_fixed_ips: [{ ip_address: "203.0.113.1" }] } : null;
    this.rows.routers.set(id, { id, name: id, status: "ACTIVE", admin_state_up: true, external_gateway_info });
    for (const network of networks) this.port(`${id} in ${network}`, network, { device_owner: "network:router_interface", device_id: id, fixed_ips: [{ ip_address: "10.0.0.1" }] });
    return this;
  }
}

// the same numbers each time
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function anything(seed: number): Cloud {
  const pick = numbers(seed);
  const cloud = new Cloud();
  const outside = Array.from({ length: 1 + pick(3) }, (_, at) => `out${at}`);
  for (const id of outside) cloud.network(id, pick(6), { "router:external": true });
  const inside = Array.from({ length: pick(30) }, (_, at) => `net${at}`);
  for (const id of inside) cloud.network(id, pick(25), { status: pick(4) ? "ACTIVE" : "DOWN" });
  for (let at = 0; at < pick(20); at += 1) {
    const legs = inside.filter(() => pick(6) === 0);
    cloud.router(`r${at}`, pick(8) ? legs : [...legs, outside[0]], pick(3) ? outside[pick(outside.length)] : undefined);
  }
  return cloud;
}

test("no two boxes overlap, whatever the graph", () => {
  for (let seed = 1; seed <= 150; seed += 1) {
    const { drawing, placed } = draw(anything(seed).things, WANTED);
    const layers = new Map<number, [number, number][]>();
    for (const box of drawing.boxes) {
      const top = placed.y.get(box.id)!;
      assert.ok(Number.isFinite(top) && top >= 0, box.id);
      layers.set(box.layer, [...(layers.get(box.layer) ?? []), [top, top + box.tall]]);
    }
    for (const spans of layers.values()) {
      spans.sort((a, b) => a[0] - b[0]);
      for (let at = 1; at < spans.length; at += 1) assert.ok(spans[at][0] >= spans[at - 1][1] + 5, `seed ${seed}`);
    }
    for (const line of drawing.lines) assert.match(placed.paths.get(line.id) ?? "", /^M[-\d. ]+[HVQ]/, line.id);
  }
});

test("every network that is seen is drawn or counted in a box, and no line leads nowhere", () => {
  for (let seed = 1; seed <= 150; seed += 1) {
    const cloud = anything(seed);
    const { drawing } = draw(cloud.things, WANTED);
    const ids = new Set(drawing.boxes.map((box) => box.id));
    for (const line of drawing.lines) assert.ok(ids.has(line.from) && ids.has(line.to), line.id);
    const opened = new Set([...drawing.boxes.map((box) => box.opens), ...drawing.boxes.flatMap((box) => box.rows.map((row) => row.opens))].filter((id) => id !== undefined));
    const all = new Set([...opened].flatMap((id) => [id]));
    let open = draw(cloud.things, { ...WANTED, open: all }).drawing;
    for (let round = 0; round < 3; round += 1) {
      for (const box of open.boxes) if (box.kind === "folded") all.add(box.id);
      open = draw(cloud.things, { ...WANTED, open: all }).drawing;
    }
    const drawn = new Set(open.boxes.map((box) => box.id));
    for (const id of [...cloud.rows.networks.keys(), ...cloud.rows.routers.keys()]) assert.ok(drawn.has(id), `seed ${seed}: ${id}`);
  }
});

test("a tree has no crossing, in whatever order its rows come", () => {
  const cloud = new Cloud().network("z-out", 0, { "router:external": true }).network("a-out", 0, { "router:external": true });
  for (const [router, nets, out] of [["r1", ["n9", "n1"], "z-out"], ["r2", ["n5", "n3"], "a-out"], ["r3", ["n4", "n7"], "z-out"]] as const) {
    for (const net of nets) cloud.network(net, 2);
    cloud.router(router, [...nets], out);
  }
  const { drawing } = draw(cloud.things, WANTED);
  assert.equal(crossings(ordered(drawing.boxes, drawing.lines), drawing.lines), 0);
});

test("ordering never makes more crossings than there were", () => {
  for (let seed = 1; seed <= 100; seed += 1) {
    const { drawing } = draw(anything(seed).things, WANTED);
    const before: string[][] = [[], [], [], []];
    for (const box of drawing.boxes) before[box.layer].push(box.id);
    assert.ok(crossings(ordered(drawing.boxes, drawing.lines), drawing.lines) <= crossings(before, drawing.lines));
  }
});

test("crossings are counted", () => {
  const line = (from: string, to: string): Line => ({ id: from + to, from, to, out: 0, into: 0 });
  const lines = [line("a", "y"), line("b", "x")];
  assert.equal(crossings([["a", "b"], ["x", "y"]], lines), 1);
  assert.equal(crossings([["b", "a"], ["x", "y"]], lines), 0);
});

test("boxes stand as near to what is wanted as the others leave room for", () => {
  const box = (id: string) => ({ id, layer: 0, height: 10 });
  assert.deepEqual(fitted([box("a"), box("b")], [0, 100]), [0, 100]);
  assert.deepEqual(fitted([box("a"), box("b")], [50, 50]), [38, 62]);
});

test("lines that would lie upon each other have tracks of their own, those from one point have one", () => {
  const { tracks, count } = channel([[0, 100], [20, 120], [200, 200], [300, 250]]);
  assert.ok(tracks[0] > tracks[1], "the lower keeps left");
  assert.equal(count, 2);
  assert.equal(channel([[0, 50], [0, 90], [0, 130]]).count, 1);
});

test("many ports are one box, which says how many are down, and is opened by its network's id", () => {
  const cloud = new Cloud().network("few", PORTS).network("many", 213).port("sick", "many", { status: "DOWN" });
  const boxes = (open: string[]) => new Map(draw(cloud.things, { ...WANTED, open: new Set(open) }).drawing.boxes.map((box) => [box.id, box]));
  assert.equal(boxes([]).get("ports few")!.rows.length, PORTS);
  const many = boxes([]).get("ports many")!;
  assert.deepEqual([many.title, many.word, many.rows.length, many.opens], ["214 ports", "1 down", 0, "many"]);
  const open = boxes(["many"]).get("ports many")!;
  assert.equal(open.rows.length, 214);
  assert.equal(open.rows[0].left, "sick", "what does not work stands first");
});

test("a router's many networks are one box, but what has to be seen is never in it", () => {
  const cloud = new Cloud();
  const ids = Array.from({ length: 40 }, (_, at) => `n${at}`);
  for (const id of ids) cloud.network(id, 2);
  cloud.router("r", ids);
  const drawn = (keep: string[]) => draw(cloud.things, { ...WANTED, keep: new Set(keep) }).drawing.boxes;
  assert.equal(drawn([]).filter((box) => box.kind === "network").length, NETWORKS);
  const folded = drawn([]).find((box) => box.kind === "folded")!;
  assert.deepEqual([folded.title, folded.rows[0].left], ["32 more networks", "64 ports"]);
  assert.ok(drawn(["n39"]).some((box) => box.id === "n39"));
});

test("a thousand routers and their networks are a handful of boxes", () => {
  const cloud = new Cloud().network("public", 0, { "router:external": true });
  for (let at = 0; at < 1000; at += 1) cloud.network(`n${at}`, 1).router(`r${at}`, [`n${at}`], "public");
  const begun = performance.now();
  const { boxes, lines } = draw(cloud.things, WANTED).drawing;
  assert.ok(boxes.length < 40 && lines.length < 60, `${boxes.length} boxes`);
  assert.ok(boxes.some((box) => box.title === "990 more routers"));
  assert.ok(performance.now() - begun < 2000);
});

test("around an object: so many hops, and no further", () => {
  const cloud = new Cloud().network("public", 0, { "router:external": true }).network("a", 2).network("b", 2).network("c", 2);
  cloud.router("r", ["a", "b"], "public").router("s", ["b", "c"]);
  const graph = graphOf(cloud.things);
  const at = (id: string, hops: number): string[] => [...around(graph, id, hops)].filter((one) => !one.includes(" in ")).sort();
  assert.deepEqual(at("a-0", 1), ["a", "a-0"]);
  assert.deepEqual(at("a-0", 2), ["a", "a-0", "r"]);
  assert.deepEqual(at("a", 2), ["a", "b", "public", "r"]);
  assert.deepEqual(at("c", 1), ["c", "s"]);
});

test("floating IPs stand at their router's edge, spare ones outside", () => {
  const cloud = new Cloud().network("public", 0, { "router:external": true }).network("a", 1).router("r", ["a"], "public");
  cloud.rows.floatingips.set("f1", { id: "f1", status: "ACTIVE", floating_ip_address: "203.0.113.7", fixed_ip_address: "10.0.0.5", floating_network_id: "public", port_id: "a-0", router_id: "r" });
  cloud.rows.floatingips.set("f2", { id: "f2", status: "DOWN", floating_ip_address: "203.0.113.8", floating_network_id: "public", port_id: null, router_id: null });
  const boxes = draw(cloud.things, WANTED).drawing.boxes;
  const texts = (id: string) => boxes.find((box) => box.id === id)!.rows.map((row) => row.left);
  assert.ok(texts("r").includes("203.0.113.7 ⇄ 10.0.0.5"));
  assert.ok(texts("public").includes("1 spare floating IP"));
});
