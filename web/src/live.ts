// What the server tells of changes: a follower of its feed, by WebSocket (decision 0525).
import { computed, effect, signal } from "@preact/signals";
import { unauthorized } from "./api";
import { session } from "./session";

export const connected = signal(false);

// ids: what changed of the kind; null: look at everything again
type Listener = (ids: ReadonlySet<string> | null, gone: ReadonlySet<string>) => void;
const listeners = new Map<string, Set<Listener>>();
const NONE: ReadonlySet<string> = new Set();

export function listen(kinds: readonly string[], listener: Listener): () => void {
  for (const kind of kinds) {
    const those = listeners.get(kind) ?? new Set();
    listeners.set(kind, those.add(listener));
  }
  return () => {
    for (const kind of kinds) listeners.get(kind)?.delete(listener);
  };
}

let socket: WebSocket | null = null;
let last = -1;
let tries = 0;
let timer: ReturnType<typeof setTimeout> | undefined;

function tell(said: { revision: number; reload?: boolean; changes?: [string, string, boolean][] }): void {
  if (said.reload) {
    if (said.revision === last) return;
    last = said.revision;
    const each = new Set<Listener>();
    for (const those of listeners.values()) for (const one of those) each.add(one);
    for (const one of each) one(null, NONE);
    return;
  }
  last = said.revision;
  const kinds = new Map<string, [Set<string>, Set<string>]>();
  for (const [kind, id, gone] of said.changes ?? []) {
    const found = kinds.get(kind) ?? [new Set(), new Set()];
    kinds.set(kind, found);
    found[0].add(id);
    if (gone) found[1].add(id);
  }
  const told = new Map<Listener, [Set<string>, Set<string>]>();
  for (const [kind, [ids, gone]] of kinds)
    for (const one of listeners.get(kind) ?? []) {
      const before = told.get(one);
      told.set(one, before ? [new Set([...before[0], ...ids]), new Set([...before[1], ...gone])] : [ids, gone]);
    }
  for (const [one, [ids, gone]] of told) one(ids, gone);
}

function open(): void {
  const url = new URL("live", document.baseURI);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.hash = "";
  const mine = new WebSocket(url);
  socket = mine;
  mine.onopen = () => {
    connected.value = true;
    tries = 0;
  };
  mine.onmessage = (event) => tell(JSON.parse(event.data));
  mine.onclose = () => {
    if (socket !== mine) return;
    connected.value = false;
    tries += 1;
    unauthorized.tell(); // it may have been ended since the session is another
    timer = setTimeout(open, Math.min(10_000, 250 * 2 ** tries) * (0.5 + Math.random()));
  };
}

function close(): void {
  clearTimeout(timer);
  const mine = socket;
  socket = null;
  last = -1;
  connected.value = false;
  mine?.close();
}

// one connection for each session: another project sees other things
const who = computed(
  () => session.value && `${session.value.user.id} ${session.value.project?.id} ${session.value.roles.join()}`,
);
effect(() => {
  const somebody = who.value;
  close();
  if (somebody) open();
});
