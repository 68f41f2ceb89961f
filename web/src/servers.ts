// The VMs behind ports, as the cloud's Nova tells them to who is logged in: asked for together, and again each while as
// long as they are shown.  Our server asks Nova; where there is none, nothing is asked again (decision 0529).
import { type Signal, effect, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { type Thing, query, request } from "./api";
import { session } from "./session";

export interface Server {
  id: string;
  name: string;
  status: string;
  task: string;
  host: string; // told to admins
}

const AGAIN_MS = 10_000;
const SOON_MS = 30;
const AT_ONCE = 100;
const MOST = 300; // of those that are shown at a time
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

// why something is missing; empty: nothing is
export const unseen = signal("");
const known = new Map<string, Signal<Server | null>>();
const shown = new Map<string, number>();
const unasked = new Set<string>();
let none = false;
let asking = false;
let timer: ReturnType<typeof setTimeout> | undefined;

export const serverIdOf = (port: Thing): string => (port.device_owner?.startsWith("compute:") && UUID.test(port.device_id) ? port.device_id.toLowerCase() : "");

// what is known of it just now; asks for nothing
export const knownServer = (id: string): Server | null => (id && known.get(id)?.peek()) || null;

// named: no server's id: there is none
export function useServer(named: string): Server | null {
  const id = UUID.test(named) ? named : "";
  useEffect(() => {
    if (!id) return undefined;
    shown.set(id, (shown.get(id) ?? 0) + 1);
    if (shown.get(id) === 1) unasked.add(id);
    if (!none) after(SOON_MS);
    return () => {
      const left = shown.get(id)! - 1;
      if (left) shown.set(id, left);
      else for (const each of [shown, unasked]) each.delete(id);
    };
  }, [id]);
  return id ? of(id).value : null;
}

function of(id: string): Signal<Server | null> {
  const found = known.get(id) ?? signal(null);
  known.set(id, found);
  return found;
}

function after(ms: number): void {
  if (asking) return;
  clearTimeout(timer);
  timer = setTimeout(ask, ms);
}

// first what was never asked for
async function ask(): Promise<void> {
  const ids = (unasked.size ? [...unasked] : [...shown.keys()]).slice(0, MOST);
  unasked.clear();
  if (!ids.length || none) return;
  if (document.hidden) return after(AGAIN_MS);
  asking = true;
  try {
    for (let at = 0; at < ids.length && !none; at += AT_ONCE) await take(ids.slice(at, at + AT_ONCE));
  } catch {
    // the page is there without it
  } finally {
    asking = false;
  }
  after(unasked.size ? SOON_MS : AGAIN_MS);
}

async function take(ids: string[]): Promise<void> {
  const who = session.peek();
  const said: Thing = await request("GET", `servers${query(ids.map((id) => ["id", id]))}`);
  if (session.peek() !== who) return;
  none = !said.nova;
  unseen.value = said.unseen;
  const told = new Map<string, Server>(said.servers.map((one: Server) => [one.id, one]));
  for (const id of ids) if (!said.unseen || told.has(id)) of(id).value = told.get(id) ?? null;
}

// somebody else, or another project: nothing of what is known is theirs
effect(() => {
  void session.value;
  none = false;
  for (const one of known.values()) one.value = null;
  for (const id of [...known.keys()]) if (!shown.has(id)) known.delete(id);
  for (const id of shown.keys()) unasked.add(id);
  if (session.peek() && unasked.size) after(SOON_MS);
});
