// What hangs on what: external networks, routers, networks, ports; out of the API's rows.  Pure.
import type { Thing } from "../api";

export type Kind = "networks" | "subnets" | "routers" | "ports" | "floatingips";
export type Things = Record<Kind, ReadonlyMap<string, Thing>>;

export interface Leg {
  port: string; // empty: a gateway's, which its owner does not see
  network: string;
  addresses: string[];
  works: boolean;
}

export interface Translation {
  id: string;
  from: string;
  to: string;
  works: boolean;
}

export interface Net {
  id: string;
  name: string;
  external: boolean;
  shared: boolean;
  status: string;
  up: boolean;
  cidrs: string[];
  segment: string; // told to who may see it
  project: string;
  spare: number; // floating IPs that lead nowhere
}

export interface Router {
  id: string;
  name: string;
  status: string;
  up: boolean;
  project: string;
  gateways: (Leg & { snat: boolean })[];
  legs: Leg[];
  nat: Translation[];
}

export interface Port {
  id: string;
  name: string;
  network: string;
  addresses: string[];
  status: string;
  up: boolean;
  host: string;
  owner: string;
  server: string; // its VM; empty: none
  floating: string[];
}

export interface Graph {
  nets: Map<string, Net>;
  routers: Map<string, Router>;
  ports: Map<string, Port[]>; // by network
}

const PLUMBING = "network:"; // device owners of what is no VM's port
export const isRouters = (owner: string): boolean => owner.startsWith("network:router") || owner.startsWith("network:ha_router");
export const isGateway = (owner: string): boolean => owner === "network:router_gateway";

export function graphOf(things: Things): Graph {
  const nets = new Map([...things.networks.values()].map((one) => [one.id, netOf(one)]));
  for (const one of things.subnets.values()) nets.get(one.network_id)?.cidrs.push(one.cidr);
  const routers = new Map([...things.routers.values()].map((one) => [one.id, routerOf(one, things)]));
  const ports = new Map<string, Port[]>();
  for (const one of things.ports.values()) {
    const owner: string = one.device_owner ?? "";
    if (isRouters(owner)) {
      if (!isGateway(owner)) routers.get(one.device_id)?.legs.push(legOf(one));
    } else if (!owner.startsWith(PLUMBING) || owner === "network:local_ip") {
      const those = ports.get(one.network_id);
      if (those) those.push(portOf(one));
      else ports.set(one.network_id, [portOf(one)]);
    }
  }
  addFloating(things, nets, routers, ports);
  for (const net of nets.values()) net.cidrs.sort();
  for (const those of ports.values()) those.sort(byNeed);
  for (const router of routers.values()) {
    router.legs.sort((a, b) => natural(a.addresses.join(), b.addresses.join()));
    router.nat.sort((a, b) => natural(a.from, b.from));
  }
  return { nets, routers, ports };
}

function netOf(one: Thing): Net {
  const type = one["provider:network_type"];
  const where = [one["provider:physical_network"], one["provider:segmentation_id"]].filter((part) => part !== null && part !== undefined);
  return {
    id: one.id,
    name: one.name,
    external: Boolean(one["router:external"]),
    shared: Boolean(one.shared),
    status: one.status,
    up: one.admin_state_up !== false,
    cidrs: [],
    segment: type ? [type, ...where].join(" ") : "",
    project: one.project_id ?? "",
    spare: 0,
  };
}

function routerOf(one: Thing, things: Things): Router {
  const told: Thing[] = one.external_gateways?.length ? one.external_gateways : one.external_gateway_info ? [one.external_gateway_info] : [];
  return {
    id: one.id,
    name: one.name,
    status: one.status,
    up: one.admin_state_up !== false,
    project: one.project_id ?? "",
    gateways: told
      .filter((gateway) => things.networks.has(gateway.network_id))
      .map((gateway) => ({
        port: "",
        network: gateway.network_id,
        addresses: (gateway.external_fixed_ips ?? []).map((ip: Thing) => ip.ip_address),
        works: true,
        snat: gateway.enable_snat !== false,
      })),
    legs: [],
    nat: [],
  };
}

const addressesOf = (one: Thing): string[] => (one.fixed_ips ?? []).map((ip: Thing) => ip.ip_address);

function legOf(one: Thing): Leg {
  return { port: one.id, network: one.network_id, addresses: addressesOf(one), works: one.status === "ACTIVE" && one.admin_state_up !== false };
}

function portOf(one: Thing): Port {
  return {
    id: one.id,
    name: one.name || one.id.slice(0, 8),
    network: one.network_id,
    addresses: addressesOf(one),
    status: one.status,
    up: one.admin_state_up !== false,
    host: one["binding:host_id"] ?? "",
    owner: one.device_owner ?? "",
    server: one.device_owner?.startsWith("compute:") ? (one.device_id ?? "").toLowerCase() : "",
    floating: [],
  };
}

function addFloating(things: Things, nets: Map<string, Net>, routers: Map<string, Router>, ports: Map<string, Port[]>): void {
  const byId = new Map<string, Port>();
  for (const those of ports.values()) for (const port of those) byId.set(port.id, port);
  for (const one of things.floatingips.values()) {
    const address: string = one.floating_ip_address;
    const router = routers.get(one.router_id);
    const works = one.status === "ACTIVE";
    const forwarded: Thing[] = one.port_forwardings ?? [];
    if (one.port_id && router) router.nat.push({ id: one.id, from: address, to: one.fixed_ip_address, works });
    for (const rule of forwarded)
      router?.nat.push({
        id: one.id,
        from: `${address}:${rule.external_port ?? rule.external_port_range} ${rule.protocol}`,
        to: `${rule.internal_ip_address ?? ""}:${rule.internal_port ?? rule.internal_port_range}`,
        works,
      });
    byId.get(one.port_id)?.floating.push(address);
    const outside = nets.get(one.floating_network_id);
    if (outside && !one.port_id && !forwarded.length) outside.spare += 1;
  }
}

export const fails = (one: { status: string; up: boolean }): boolean => one.up && one.status !== "ACTIVE";

// what does not work first, then by name as people count
function byNeed(a: Port, b: Port): number {
  return Number(fails(b)) - Number(fails(a)) || natural(a.name, b.name);
}

const collator = new Intl.Collator("en", { numeric: true });
export const natural = (a: string, b: string): number => collator.compare(a, b);
