// How values look: states, links to other objects, addresses, times.
import type { ComponentChildren, JSX } from "preact";
import { nameOf } from "../names";
import { href } from "../route";

const GOOD = new Set(["ACTIVE", "PASSING", "RUNNING", "UP", "ONLINE"]);
const BAD = new Set(["ERROR", "FAILING", "STOPPED"]);

// never by colour alone: the dot stands before its word
export function State({ word }: { word: string | undefined }): JSX.Element | null {
  if (!word) return null;
  const kind = GOOD.has(word) ? "good" : BAD.has(word) ? "bad" : "idle";
  return <span class={`state ${kind}`}>{word}</span>;
}

export function Alive({ is }: { is: boolean }): JSX.Element {
  return <span class={`state ${is ? "good" : "bad"}`}>{is ? "alive" : "silent"}</span>;
}

export function Yes({ is }: { is: unknown }): JSX.Element {
  return <span class={is ? "" : "dim"}>{is === null || is === undefined ? "–" : is ? "yes" : "no"}</span>;
}

export const short = (id: string): string => (/^([0-9a-f]{8}-|[0-9a-f]{32}$)/.test(id) ? id.slice(0, 8) : id);

export function Id({ id }: { id: string }): JSX.Element {
  return (
    <code class="id" title={id}>
      {short(id)}
    </code>
  );
}

// a link to an object by its name
export function Ref({ kind, id }: { kind: string; id: string | null | undefined }): JSX.Element {
  if (!id) return <span class="dim">–</span>;
  const name = nameOf(kind, id).value;
  const text = name && name !== id ? <span>{name}</span> : <Id id={id} />;
  return kind === "projects" || kind === "users" ? text : <a href={href([kind, id])}>{text}</a>;
}

export function Refs({ kind, ids }: { kind: string; ids: string[] | undefined }): JSX.Element {
  return <Many items={(ids ?? []).map((id) => <Ref key={id} kind={kind} id={id} />)} />;
}

export function Many({ items }: { items: ComponentChildren[] }): JSX.Element {
  if (!items.length) return <span class="dim">–</span>;
  return (
    <span class="many">
      {items.map((item, at) => (
        <span key={at}>{item}</span>
      ))}
    </span>
  );
}

export function Mono({ children }: { children?: ComponentChildren }): JSX.Element {
  return children === null || children === undefined || children === "" ? <span class="dim">–</span> : <code>{children}</code>;
}

export function Addresses({ of }: { of: { ip_address: string }[] | undefined }): JSX.Element {
  return <Many items={(of ?? []).map((one) => <code key={one.ip_address}>{one.ip_address}</code>)} />;
}

export function Tags({ of }: { of: string[] | undefined }): JSX.Element | null {
  if (!of?.length) return null;
  return (
    <span class="tags">
      {of.map((tag) => (
        <span key={tag} class="tag">
          {tag}
        </span>
      ))}
    </span>
  );
}

const UNITS: [number, string][] = [
  [86400, "d"],
  [3600, "h"],
  [60, "min"],
];

export function ago(time: string): string {
  const seconds = Math.max(0, (Date.now() - new Date(time.replace(" ", "T").replace(/Z?$/, "Z")).getTime()) / 1000);
  const [size, unit] = UNITS.find(([size]) => seconds >= size) ?? [1, "s"];
  return `${Math.floor(seconds / size)} ${unit} ago`;
}

export function Time({ at }: { at: string | null | undefined }): JSX.Element {
  return at ? (
    <time dateTime={at} title={at}>
      {ago(at)}
    </time>
  ) : (
    <span class="dim">–</span>
  );
}
