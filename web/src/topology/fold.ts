// What of a graph is shown: around one object by hops, and what is many in one box each.  Pure.
import { type Graph, type Net, type Router, fails, natural } from "./graph";

export const PORTS = 10; // of a network, more are one box
export const NETWORKS = 8; // of one router only, and of none
export const ROUTERS = 10; // with the same gateway and nothing else in common

export interface Wanted {
  at?: string; // an object's id: only what is around it
  hops: number;
  open: ReadonlySet<string>; // ids of what is not to be in one box
  keep: ReadonlySet<string>; // what has to be seen
  only?: ReadonlySet<string>; // nothing else, e.g. a trace's way
}

export interface Folded {
  id: string; // as in Wanted.open
  of: "networks" | "routers";
  router?: string; // whose networks
  external?: string; // whose routers
  members: string[];
  ports: number;
  failing: number;
}

export interface Shown {
  externals: Net[];
  routers: Router[];
  nets: Net[];
  folded: Folded[];
  only?: ReadonlySet<string>;
}

export function shown(graph: Graph, wanted: Wanted): Shown {
  const near = wanted.only ?? (wanted.at ? around(graph, wanted.at, wanted.hops) : null);
  const seen = (id: string): boolean => !near || near.has(id);
  const byName = (a: Net | Router, b: Net | Router): number => natural(a.name, b.name) || natural(a.id, b.id);
  const externals = [...graph.nets.values()].filter((net) => net.external && seen(net.id)).sort(byName);
  const all = [...graph.routers.values()].filter((router) => seen(router.id)).sort(byName);
  const inside = [...graph.nets.values()].filter((net) => !net.external && seen(net.id)).sort(byName);
  const folding = new Folding(graph, wanted, inside);
  const routers = folding.routers(all);
  const nets = folding.networks(routers, all);
  return { externals, routers, nets, folded: folding.made, only: wanted.only };
}

class Folding {
  readonly made: Folded[] = [];
  private readonly of = new Map<string, Set<string>>(); // network -> routers
  private readonly hidden = new Set<string>();

  constructor(
    private readonly graph: Graph,
    private readonly wanted: Wanted,
    private readonly inside: Net[],
  ) {
    for (const router of graph.routers.values())
      for (const leg of router.legs) this.of.set(leg.network, (this.of.get(leg.network) ?? new Set()).add(router.id));
  }

  // those that have nothing but a gateway in common, and are many
  routers(all: Router[]): Router[] {
    const alike = new Map<string, Router[]>();
    for (const router of all) {
      const own = router.legs.every((leg) => this.of.get(leg.network)!.size === 1);
      const key = router.gateways.map((leg) => leg.network).join(" ");
      if (own) alike.set(key, [...(alike.get(key) ?? []), router]);
    }
    for (const [key, those] of alike) {
      const [first] = those[0].gateways;
      const rest = this.rest(`routers:${key}`, those, ROUTERS);
      if (!rest.length) continue;
      const nets = rest.flatMap((router) => router.legs.map((leg) => leg.network));
      for (const one of [...rest.map((router) => router.id), ...nets]) this.hidden.add(one);
      this.note({ id: `routers:${key}`, of: "routers", external: first?.network, members: rest.map((router) => router.id) }, nets);
    }
    return all.filter((router) => !this.hidden.has(router.id));
  }

  networks(routers: Router[], all: Router[]): Net[] {
    const known = new Set(all.map((router) => router.id));
    const left = this.inside.filter((net) => !this.hidden.has(net.id));
    const groups = new Map<string, Net[]>();
    for (const net of left) {
      const those = [...(this.of.get(net.id) ?? [])].filter((id) => known.has(id));
      if (those.length < 2) groups.set(those[0] ?? "", [...(groups.get(those[0] ?? "") ?? []), net]);
    }
    for (const router of ["", ...routers.map((one) => one.id)]) {
      const rest = this.rest(`networks:${router}`, groups.get(router) ?? [], NETWORKS);
      if (!rest.length) continue;
      const members = rest.map((net) => net.id);
      for (const id of members) this.hidden.add(id);
      this.note({ id: `networks:${router}`, of: "networks", router: router || undefined, members }, members);
    }
    return left.filter((net) => !this.hidden.has(net.id));
  }

  // beyond what is shown; one or two more are shown, too
  private rest<T extends { id: string }>(id: string, those: T[], most: number): T[] {
    if (this.wanted.open.has(id) || those.length <= most + 2) return [];
    return those.slice(most).filter((one) => !this.wanted.keep.has(one.id) && one.id !== this.wanted.at);
  }

  private note(box: Omit<Folded, "ports" | "failing">, nets: string[]): void {
    const ports = nets.flatMap((id) => this.graph.ports.get(id) ?? []);
    this.made.push({ ...box, ports: ports.length, failing: ports.filter(fails).length });
  }
}

// all within so many hops; a port is one hop from its network
export function around(graph: Graph, at: string, hops: number): Set<string> {
  const beside = new Map<string, string[]>();
  const join = (a: string, b: string): void => {
    beside.set(a, [...(beside.get(a) ?? []), b]);
    beside.set(b, [...(beside.get(b) ?? []), a]);
  };
  for (const router of graph.routers.values()) {
    for (const leg of [...router.gateways, ...router.legs]) {
      join(router.id, leg.network);
      if (leg.port) join(leg.port, router.id);
    }
  }
  for (const [network, ports] of graph.ports) for (const port of ports) if (port.id === at) join(port.id, network);
  const found = new Set([at]);
  let edge = [at];
  for (let hop = 0; hop < hops; hop += 1) {
    edge = edge.flatMap((id) => beside.get(id) ?? []).filter((id) => !found.has(id) && found.add(id));
  }
  return found;
}
