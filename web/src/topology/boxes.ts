// What stands in each box, and how large that makes it.  Pure.
import { type Folded, PORTS, type Shown } from "./fold";
import { type Graph, type Net, type Port, type Router, fails } from "./graph";
import type { Box, Line } from "./layout";

export const HEAD = 26;
export const ROW = 18;
const FOOT = 5;
const MIDDLE = HEAD / 2;
const NAT = 6; // of a router's edge, more are one row
export const WIDTHS = [160, 250, 204, 272];
const [OUTSIDE, ROUTERS, NETWORKS, PORTS_OF] = [0, 1, 2, 3];

export type Look = "good" | "bad" | "idle" | "none";

export interface Row {
  key: string;
  left?: string;
  right?: string;
  look?: Look;
  word?: string; // of its state, where it is not the usual
  to?: [string, string]; // an object's page
  opens?: string; // what a click shows
  joins?: string; // the box that a line leads to from here
  title?: string; // all of it, where it may be cut
  whole?: string; // of `right`, where that is not all
  server?: string; // the VM that it is of
}

export interface Drawn extends Box {
  kind: "external" | "router" | "network" | "ports" | "folded";
  title: string;
  word: string;
  look: Look;
  to?: [string, string];
  opens?: string;
  rows: Row[];
  width: number;
  tall: number; // what is drawn of its height
  columns: number; // of rows
  isOpen?: boolean; // what `opens` opens
}

export interface Joint extends Line {
  works: boolean;
}

export interface Drawing {
  boxes: Drawn[];
  lines: Joint[];
}

export function lookOf(one: { status: string; up: boolean }): Look {
  if (!one.up) return "none";
  return one.status === "ACTIVE" ? "good" : one.status === "ERROR" ? "bad" : "idle";
}

const wordOf = (one: { status: string; up: boolean }): string => (one.up ? (one.status === "ACTIVE" ? "" : one.status) : "admin down");

// rank: of networks, from top to bottom, where that is known already: interfaces stand in that order
export function drawingOf(graph: Graph, shown: Shown, open: ReadonlySet<string>, rank: ReadonlyMap<string, number> = new Map()): Drawing {
  const boxes: Drawn[] = [];
  const lines: Joint[] = [];
  const here = new Set([...shown.externals, ...shown.nets].map((net) => net.id));
  for (const net of shown.externals) boxes.push(external(net, graph.ports.get(net.id) ?? [], open.has(net.id)));
  for (const router of shown.routers) {
    const box = routerBox(router, here, shown, open.has(router.id), rank);
    boxes.push(box);
    box.rows.forEach((row, at) => {
      if (!row.joins) return;
      const y = HEAD + at * ROW + ROW / 2;
      const works = row.look !== "idle";
      const outside = shown.externals.some((net) => net.id === row.joins);
      if (outside) lines.push({ id: row.key, from: row.joins, to: router.id, out: MIDDLE, into: y, works });
      else lines.push({ id: row.key, from: router.id, to: row.joins, out: y, into: MIDDLE, works });
    });
  }
  for (const folded of shown.folded) if (folded.of === "routers") foldedRouters(folded, boxes, lines);
  networks(graph, shown, open, boxes, lines);
  return { boxes, lines };
}

function networks(graph: Graph, shown: Shown, open: ReadonlySet<string>, boxes: Drawn[], lines: Joint[]): void {
  const joined = new Map(lines.map((line, at) => [line.to, at]).reverse() as [string, number][]);
  const lone = (net: Net): boolean => !joined.has(net.id);
  const place = (net: Net): number => joined.get(net.id) ?? lines.length;
  const sorted = [...shown.nets].sort((a, b) => place(a) - place(b));
  const first = sorted.find(lone);
  for (const net of sorted) {
    const those = (graph.ports.get(net.id) ?? []).filter((port) => !shown.only || shown.only.has(port.id));
    const ports = those.length ? portsBox(net, those, open.has(net.id)) : undefined;
    const box = networkBox(net);
    box.height = Math.max(box.height, ports?.height ?? 0);
    box.apart = net === first && sorted[0] !== first;
    boxes.push(box);
    if (!ports) continue;
    boxes.push({ ...ports, height: box.height, beside: net.id });
    lines.push({ id: `${net.id} ports`, from: net.id, to: ports.id, out: MIDDLE, into: MIDDLE, works: true });
  }
  for (const folded of shown.folded) if (folded.of === "networks") boxes.push(foldedBox(folded, NETWORKS, folded.router ? "more networks" : "networks without a router"));
}

const some = (addresses: string[]): string => addresses.slice(0, 1).join() + (addresses.length > 1 ? ` +${addresses.length - 1}` : "");
const titleOf = (one: { id: string; name: string }): string => one.name || one.id.slice(0, 8);
const heightOf = (rows: number): number => HEAD + rows * ROW + (rows ? FOOT : 0);

function made(box: Omit<Drawn, "height" | "tall" | "width" | "columns"> & { columns?: number }): Drawn {
  const columns = box.columns ?? 1;
  const tall = heightOf(Math.ceil(box.rows.length / columns));
  return { ...box, columns, width: WIDTHS[box.layer], tall, height: tall };
}

function external(net: Net, ports: Port[], open: boolean): Drawn {
  const rows: Row[] = net.cidrs.map((cidr) => ({ key: cidr, left: cidr }));
  if (net.segment) rows.push({ key: "segment", left: net.segment });
  if (net.spare) rows.push({ key: "spare", left: `${net.spare} spare floating ${net.spare > 1 ? "IPs" : "IP"}` });
  if (ports.length && (open || ports.length <= 4)) rows.push(...ports.map(portRow));
  else if (ports.length) rows.push({ ...summary(ports), key: "ports", opens: net.id });
  return made({ id: net.id, layer: OUTSIDE, kind: "external", title: titleOf(net), word: wordOf(net), look: lookOf(net), to: ["networks", net.id], rows });
}

function routerBox(router: Router, here: ReadonlySet<string>, shown: Shown, open: boolean, rank: ReadonlyMap<string, number>): Drawn {
  const rows: Row[] = [];
  const joins = (network: string): string | undefined => (here.has(network) ? network : undefined);
  for (const leg of router.gateways)
    rows.push({ key: `${router.id} gateway ${leg.network}`, left: some(leg.addresses) || "gateway", right: leg.snat ? "SNAT" : "no SNAT", joins: joins(leg.network) });
  const nat = router.nat.map((one, at): Row => ({ key: `${one.id} ${at}`, left: `${one.from} ⇄ ${one.to}`, look: one.works ? undefined : "idle", word: one.works ? "" : "DOWN", to: ["floatingips", one.id] }));
  if (open || nat.length <= NAT + 1) rows.push(...nat);
  else rows.push(...nat.slice(0, NAT), { key: "nat", left: `${nat.length - NAT} more floating IPs`, opens: router.id });
  if (open && nat.length > NAT + 1) rows.push({ key: "fewer", left: "fewer floating IPs", opens: router.id });
  const more = shown.folded.find((one) => one.router === router.id);
  const hidden = new Set(more?.members);
  const legs = router.legs.filter((leg) => !hidden.has(leg.network) && (!shown.only || here.has(leg.network)));
  legs.sort((a, b) => (rank.get(a.network) ?? 0) - (rank.get(b.network) ?? 0));
  for (const leg of legs) {
    const word = leg.works ? "" : "DOWN";
    rows.push({ key: `${router.id} leg ${leg.port}`, right: some(leg.addresses), whole: leg.addresses.join(" "), title: leg.addresses.join(" "), word, look: leg.works ? undefined : "idle", joins: joins(leg.network), to: ["ports", leg.port] });
  }
  if (more) rows.push({ key: `${router.id} legs`, right: `${more.members.length} more interfaces`, opens: more.id, joins: more.id });
  return made({ id: router.id, layer: ROUTERS, kind: "router", title: titleOf(router), word: wordOf(router), look: lookOf(router), to: ["routers", router.id], rows });
}

function networkBox(net: Net): Drawn {
  const rows: Row[] = net.cidrs.map((cidr) => ({ key: cidr, left: cidr }));
  const about = [net.segment, net.shared ? "shared" : ""].filter(Boolean).join(", ");
  if (about) rows.push({ key: "segment", left: about });
  return made({ id: net.id, layer: NETWORKS, kind: "network", title: titleOf(net), word: wordOf(net), look: lookOf(net), to: ["networks", net.id], rows });
}

export function summary(ports: { status: string; up: boolean }[]): Pick<Row, "left" | "look" | "word"> {
  const bad = ports.filter(fails).length;
  return { left: `${ports.length} ${ports.length === 1 ? "port" : "ports"}`, look: bad ? "idle" : "good", word: bad ? `${bad} down` : "" };
}

function portRow(port: Port): Row {
  const word = wordOf(port);
  return {
    key: port.id,
    left: port.name,
    right: some(port.addresses),
    whole: port.addresses.join(" "),
    look: lookOf(port),
    word,
    to: ["ports", port.id],
    server: port.server,
    title: [port.name, ...port.addresses, word || "ACTIVE", port.host && `on ${port.host}`, ...port.floating.map((address) => `floating IP ${address}`)].filter(Boolean).join(", "),
  };
}

function portsBox(net: Net, ports: Port[], open: boolean): Drawn {
  const { left, look, word } = summary(ports);
  const all = open || ports.length <= PORTS;
  const columns = all ? Math.min(4, Math.ceil(ports.length / 30)) : 1;
  const more = ports.length > PORTS ? net.id : undefined;
  const box = made({ id: `ports ${net.id}`, layer: PORTS_OF, kind: "ports", title: left!, word: word!, look: look!, opens: more, isOpen: all, rows: all ? ports.map(portRow) : [], columns });
  return { ...box, width: box.width * columns };
}

function foldedBox(folded: Folded, layer: number, words: string): Drawn {
  const look: Look = folded.failing ? "idle" : "good";
  const rows: Row[] = [{ key: "ports", left: folded.ports === 1 ? "1 port" : `${folded.ports || "no"} ports`, look: folded.ports ? look : undefined, word: folded.failing ? `${folded.failing} down` : "" }];
  return made({ id: folded.id, layer, kind: "folded", title: `${folded.members.length} ${words}`, word: "", look: "none", opens: folded.id, rows });
}

function foldedRouters(folded: Folded, boxes: Drawn[], lines: Joint[]): void {
  boxes.push(foldedBox(folded, ROUTERS, "more routers"));
  if (folded.external && boxes.some((box) => box.id === folded.external))
    lines.push({ id: `${folded.id} gateway`, from: folded.external, to: folded.id, out: MIDDLE, into: MIDDLE, works: true });
}
