// What a region's nodes have in common, out of agents, ports and networks.  Pure.
import type { Thing } from "../api";

export interface Node {
  id: string;
  host: string;
  alive: boolean;
  up: boolean;
  detail: string;
  feed: Thing | undefined; // undefined: this server has no session with it
  tunnelIp: string;
  tunnelTypes: string[];
  bridges: [string, string][]; // physical network, bridge
  networks: Set<string>;
  ports: number;
  down: number;
  gateways: number;
  about: string;
}

const TUNNELLED = new Set(["vxlan", "gre", "geneve"]);
const TYPE = "provider:network_type";

export function nodesOf(agents: Thing[], feeds: Thing[], ports: Thing[]): Node[] {
  const feed = new Map(feeds.map((one) => [one.host, one.feed]));
  const nodes = new Map<string, Node>();
  for (const agent of agents) {
    const told = agent.configurations ?? {};
    const version = [told.ovs_version && `Open vSwitch ${told.ovs_version}`, told.datapath_type].filter(Boolean).join(", ");
    nodes.set(agent.host, {
      id: agent.id,
      host: agent.host,
      alive: agent.alive,
      up: agent.admin_state_up,
      detail: agent.status_detail ?? "",
      feed: feed.get(agent.host),
      tunnelIp: told.tunnel_ip ?? "",
      tunnelTypes: told.tunnel_types ?? [],
      bridges: Object.entries<string>(told.bridge_mappings ?? {}).sort(),
      networks: new Set(),
      ports: 0,
      down: 0,
      gateways: 0,
      about: version,
    });
  }
  for (const port of ports) {
    const node = nodes.get(port["binding:host_id"]);
    if (!node) continue;
    node.networks.add(port.network_id);
    if (port.device_owner === "network:router_gateway") node.gateways += 1;
    else if (!port.device_owner.startsWith("network:router")) {
      node.ports += 1;
      if (port.status !== "ACTIVE" && port.admin_state_up !== false) node.down += 1;
    }
  }
  return [...nodes.values()].sort((a, b) => (a.host < b.host ? -1 : 1));
}

export interface Pair {
  networks: number; // by tunnel, on both
  types: string[];
  works: "none" | "yes" | "silent" | "no address" | "no common type";
}

// whether frames go between two nodes by a tunnel, and for how many networks
export function pair(a: Node, b: Node, networks: ReadonlyMap<string, Thing>): Pair {
  const types = new Set<string>();
  let count = 0;
  for (const id of a.networks) {
    const type = networks.get(id)?.[TYPE];
    if (!b.networks.has(id) || !TUNNELLED.has(type)) continue;
    count += 1;
    types.add(type);
  }
  const found = { networks: count, types: [...types].sort() };
  if (!count) return { ...found, works: "none" };
  if (!a.tunnelIp || !b.tunnelIp) return { ...found, works: "no address" };
  if (found.types.some((type) => !a.tunnelTypes.includes(type) || !b.tunnelTypes.includes(type))) return { ...found, works: "no common type" };
  return { ...found, works: a.alive && b.alive ? "yes" : "silent" };
}

// what a node sees of another through the tunnel between them: how it looks, and the word
export const SIGHTS: Record<string, [string, string]> = {
  there: ["good", "up"],
  cut: ["idle", "up, its way outside is cut"],
  deaf: ["bad", "one way: it does not hear"],
  gone: ["bad", "down"],
  unknown: ["idle", "not up yet"],
};

// by who sees and who is seen
export function seenOf(tunnels: Thing[]): Map<string, Map<string, string>> {
  return new Map(tunnels.map((one) => [one.host, new Map<string, string>((one.watched ?? []).map((seen: Thing) => [seen.host, seen.state]))]));
}

export function onPhysical(node: Node, physical: string, networks: ReadonlyMap<string, Thing>): number {
  return [...node.networks].filter((id) => networks.get(id)?.["provider:physical_network"] === physical).length;
}

export function behind(node: Node): string {
  if (!node.feed) return node.alive ? "at another server" : "not connected";
  if (!node.feed.connected) return "not connected";
  const { revisions, seconds } = node.feed;
  return revisions ? `${revisions} ${revisions === 1 ? "revision" : "revisions"}, for ${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s` : "up to date";
}
