// The rows that the picture is made of, kept as they are now: asked for once, and then only what the feed tells of.
import { AGAIN_MS, passes } from "../data";
import { useEffect, useState } from "preact/hooks";
import { Refusal, type Thing, api, isAborted, query } from "../api";
import { listen } from "../live";
import { isAdmin } from "../session";
import type { Kind, Things } from "./graph";

export const MOST: Record<Kind, number> = { networks: 1000, subnets: 2000, routers: 500, ports: 5000, floatingips: 2000 };
const AT_ONCE = 40;
const APART_MS = 60; // where changes come one upon the other
const WHOLE_APART_MS = 1500;
const FEW = 200; // changes of a kind; of more, all is asked for again
const KINDS = Object.keys(MOST) as Kind[];
const FIELDS: Record<Kind, string[]> = {
  networks: ["name", "status", "admin_state_up", "shared", "router:external", "project_id", "provider:network_type", "provider:physical_network", "provider:segmentation_id"],
  subnets: ["network_id", "cidr", "project_id"],
  routers: ["name", "status", "admin_state_up", "project_id", "external_gateway_info", "external_gateways"],
  ports: ["name", "status", "admin_state_up", "network_id", "fixed_ips", "device_owner", "device_id", "project_id", "binding:host_id"],
  floatingips: ["status", "floating_ip_address", "fixed_ip_address", "floating_network_id", "port_id", "router_id", "port_forwardings", "project_id"],
};

export interface Kept {
  things?: Things;
  more: Kind[]; // of which there are more than are asked for
  refusal?: Refusal;
  again: number; // how often something came
}

type Asked = [string, string][];

async function some(kind: Kind, asked: Asked, signal: AbortSignal): Promise<Thing[]> {
  const fields = ["id", ...FIELDS[kind]].map((name): [string, string] => ["fields", name]);
  return (await api.get(kind + query([...asked, ...fields]), signal))[kind];
}

async function byIds(kind: Kind, name: string, ids: Iterable<string>, signal: AbortSignal): Promise<Thing[]> {
  const all = [...ids];
  const found: Thing[] = [];
  for (let at = 0; at < all.length; at += AT_ONCE)
    found.push(...(await some(kind, [...all.slice(at, at + AT_ONCE).map((id): [string, string] => [name, id]), ["limit", String(MOST[kind])]], signal)));
  return found;
}

// project: only its objects, and what those name.  Empty: all that is seen
class Rows {
  readonly kept = Object.fromEntries(KINDS.map((kind) => [kind, new Map<string, Thing>()])) as Record<Kind, Map<string, Thing>>;
  readonly more: Kind[] = [];
  private looked = false;
  private all = false; // whatever is seen belongs

  constructor(
    private readonly project: string,
    private readonly signal: AbortSignal,
  ) {}

  async load(): Promise<void> {
    this.all = !this.project;
    const own: Asked = this.project ? [["project_id", this.project]] : [];
    const answers = await Promise.all(
      KINDS.map((kind) => some(kind, [...(kind === "subnets" ? [] : own), ["limit", String(MOST[kind] + 1)]], this.signal)),
    );
    KINDS.forEach((kind, at) => {
      if (answers[at].length > MOST[kind]) this.more.push(kind);
      this.put(kind, answers[at].slice(0, MOST[kind]));
    });
    await this.named();
  }

  async around(at: string, hops: number): Promise<void> {
    const found = await Promise.all((["ports", "networks", "routers"] as const).map((kind) => byIds(kind, "id", [at], this.signal)));
    found.forEach((those, index) => this.put((["ports", "networks", "routers"] as const)[index], those));
    const done = new Set<string>();
    const fresh = (ids: Iterable<string>): string[] => [...ids].filter((id) => id && !done.has(id) && done.add(id));
    for (let hop = 0; hop < hops; hop += 1) {
      const routers = fresh(this.kept.routers.keys());
      const networks = fresh(this.kept.networks.keys());
      this.put("ports", await byIds("ports", "device_id", routers, this.signal));
      const ports = await byIds("ports", "network_id", networks, this.signal);
      if (ports.length >= MOST.ports && !this.more.includes("ports")) this.more.push("ports");
      this.put("ports", ports);
      await this.named();
      await this.outside();
    }
    const routers = [...this.kept.routers.keys()];
    this.put("floatingips", await byIds("floatingips", "router_id", routers, this.signal));
    this.put("subnets", await byIds("subnets", "network_id", this.kept.networks.keys(), this.signal));
  }

  // these, and what joins them
  async exactly(ids: readonly string[]): Promise<void> {
    const found = await Promise.all(KINDS.map((kind) => byIds(kind, "id", ids, this.signal)));
    KINDS.forEach((kind, at) => this.put(kind, found[at]));
    this.put("ports", await byIds("ports", "device_id", this.kept.routers.keys(), this.signal));
    this.put("subnets", await byIds("subnets", "network_id", this.kept.networks.keys(), this.signal));
  }

  // what is named and not there: others' networks, which one uses; the routers of interfaces
  private async named(): Promise<void> {
    const { networks, routers, ports } = this.kept;
    const gateways = [...ports.values()].filter((port) => port.device_owner?.startsWith("network:router"));
    const missing = new Set(gateways.map((port) => port.device_id as string).filter((id) => !routers.has(id)));
    this.put("routers", await byIds("routers", "id", missing, this.signal));
    const wanted = [...[...ports.values()].map((port) => port.network_id), ...[...routers.values()].map((router) => router.external_gateway_info?.network_id)];
    const away = new Set<string>(wanted.filter((id) => id && !networks.has(id)));
    this.put("networks", await byIds("networks", "id", away, this.signal));
    this.put("subnets", await byIds("subnets", "network_id", away, this.signal));
  }

  // who does not see gateways' ports finds routers by what they say of their gateway
  private async outside(): Promise<void> {
    if (isAdmin.peek() || this.looked || ![...this.kept.networks.values()].some((one) => one["router:external"])) return;
    this.looked = true;
    this.put("routers", await some("routers", [["limit", String(MOST.routers)]], this.signal));
  }

  private put(kind: Kind, those: Thing[]): void {
    for (const one of those) this.kept[kind].set(one.id, one);
  }

  async changed(kind: Kind, ids: ReadonlySet<string>, gone: ReadonlySet<string>): Promise<void> {
    const asked = [...ids].filter((id) => !gone.has(id));
    const found = (await byIds(kind, "id", asked, this.signal)).filter((one) => this.kept[kind].has(one.id) || this.belongs(kind, one));
    for (const id of ids) this.kept[kind].delete(id);
    this.put(kind, found);
    if (kind === "ports" || kind === "routers") await this.named();
  }

  // something new: of the project, or joined to what is there.  An admin is told of everybody's changes
  private belongs(kind: Kind, one: Thing): boolean {
    const { networks, routers } = this.kept;
    if (this.all || (this.project && one.project_id === this.project)) return true;
    if (kind === "subnets") return networks.has(one.network_id);
    if (kind === "floatingips") return !this.project && routers.has(one.router_id);
    if (kind === "ports") return routers.has(one.device_id) || (!this.project && networks.has(one.network_id));
    return kind === "routers" && !this.project && networks.has(one.external_gateway_info?.network_id);
  }

  get now(): Things {
    return this.kept;
  }
}

export type Start = { project: string } | { at: string; hops: number } | { ids: readonly string[] };

// another key is another picture
export function useTopology(key: string, start: Start): Kept {
  const [state, setState] = useState<Kept & { key: string }>({ key, more: [], again: 0 });
  useEffect(() => {
    const gone = new AbortController();
    const project = "project" in start ? start.project : "";
    let rows = new Rows(project, gone.signal);
    let again = 0;
    let running = false;
    let all = true;
    let later: ReturnType<typeof setTimeout> | undefined;
    const waiting = new Map<Kind, { ids: Set<string>; gone: Set<string> }>();

    const step = async (): Promise<void> => {
      if (all) {
        all = false;
        waiting.clear();
        const next = new Rows(project, gone.signal);
        await ("ids" in start ? next.exactly(start.ids) : "at" in start ? next.around(start.at, start.hops) : next.load());
        rows = next;
        return;
      }
      const those = [...waiting];
      waiting.clear();
      await Promise.all(those.map(([kind, told]) => rows.changed(kind, told.ids, told.gone)));
    };
    const run = async (): Promise<void> => {
      if (running) return;
      running = true;
      try {
        while ((all || waiting.size) && !gone.signal.aborted) {
          const whole = all;
          await step();
          const apart = whole && again ? WHOLE_APART_MS : APART_MS;
          again += 1;
          if (gone.signal.aborted) return;
          setState({ key, things: { ...rows.now }, more: rows.more, again });
          await new Promise((done) => setTimeout(done, apart));
        }
      } catch (error) {
        if (isAborted(error) || gone.signal.aborted) return;
        all = true; // at the next change, or then
        const refusal = error instanceof Refusal ? error : new Refusal(0, "Fault", String(error));
        setState((now) => ({ ...now, key, refusal }));
        clearTimeout(later);
        if (passes(refusal)) later = setTimeout(run, AGAIN_MS);
      } finally {
        running = false;
      }
    };
    const stops = KINDS.map((kind) =>
      listen([kind], (ids, deleted) => {
        if (!ids || ids.size > FEW) all = true;
        else {
          const told = waiting.get(kind) ?? { ids: new Set(), gone: new Set() };
          for (const id of ids) told.ids.add(id);
          for (const id of deleted) told.gone.add(id);
          waiting.set(kind, told);
        }
        void run();
      }),
    );
    void run();
    return () => {
      gone.abort();
      clearTimeout(later);
      for (const stop of stops) stop();
    };
  }, [key]);
  return state.key === key ? state : { more: [], again: 0 };
}
