// What objects are called, for links to them: asked for together, kept, and asked for again when they change.
import { type Signal, signal } from "@preact/signals";
import { api, query, request } from "./api";
import { listen } from "./live";
import { RESOURCES } from "./resources/all";
import { rowsOf } from "./resources/types";
import { type Named, isAdmin, session } from "./session";

const AT_ONCE = 40;
const names = new Map<string, Map<string, Signal<string>>>();
const asked = new Map<string, Set<string>>();
let due = false;

export function nameOf(kind: string, id: string): Signal<string> {
  let kept = names.get(kind);
  if (!kept) {
    kept = new Map();
    names.set(kind, kept);
    listen([kind], (ids) => {
      for (const one of names.get(kind)!.keys()) if (!ids || ids.has(one)) want(kind, one);
    });
  }
  let found = kept.get(id);
  if (!found) {
    found = signal("");
    kept.set(id, found);
    want(kind, id);
  }
  return found;
}

function want(kind: string, id: string): void {
  asked.set(kind, (asked.get(kind) ?? new Set()).add(id));
  if (due) return;
  due = true;
  setTimeout(() => {
    due = false;
    for (const [kind, ids] of asked) void fetchNames(kind, [...ids]);
    asked.clear();
  });
}

const people = new Map<string, Promise<Named[]>>();

// projects and users: an admin's page may list all, others know their own
function peopleOf(kind: "projects" | "users"): Promise<Named[]> {
  const who = session.value;
  const mine: Named[] = !who ? [] : kind === "projects" ? who.projects : [who.user];
  if (!isAdmin.value) return Promise.resolve(mine);
  const key = `${kind} ${who?.user.id}`;
  const found =
    people.get(key) ??
    request("GET", `names/${kind}`).then(
      (said) => said[kind] as Named[],
      () => mine,
    );
  people.set(key, found);
  return found;
}

// users and projects are not in the feed: who has changed some says so
export function forget(kind: "projects" | "users"): void {
  for (const key of [...people.keys()]) if (key.startsWith(`${kind} `)) people.delete(key);
  for (const id of names.get(kind)?.keys() ?? []) want(kind, id);
}

async function fetchNames(kind: string, ids: string[]): Promise<void> {
  if (kind === "projects" || kind === "users") {
    for (const one of await peopleOf(kind)) {
      const kept = names.get(kind)!.get(one.id);
      if (kept) kept.value = one.name;
    }
    return;
  }
  const resource = RESOURCES[kind];
  for (let at = 0; at < ids.length; at += AT_ONCE) {
    const some = ids.slice(at, at + AT_ONCE);
    const key = resource.key ?? "id";
    const wanted: [string, string][] = some.map((id) => [key, id]);
    try {
      const found = await api.get(resource.path + query([...wanted, ["fields", key], ["fields", resource.name]]));
      for (const one of rowsOf(resource, found)) {
        const kept = names.get(kind)!.get(one.id);
        if (kept) kept.value = one[resource.name] ?? "";
      }
    } catch {
      // it stays an id
    }
  }
}
