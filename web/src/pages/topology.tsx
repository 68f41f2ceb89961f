// External networks, routers, networks, ports, from left to right: all that a project has, or what is around one object.
// The address holds what is shown: at, hops, open, view, zoom, all.
import type { JSX } from "preact";
import { useMemo, useRef, useState } from "preact/hooks";
import { type Thing, api, query } from "../api";
import { useKeys } from "../keys";
import { goHere, href, place } from "../route";
import { isAdmin, session } from "../session";
import { type Drawn, draw } from "../topology/draw";
import type { Things } from "../topology/graph";
import { Picture } from "../topology/picture";
import { save } from "../topology/save";
import { useTopology } from "../topology/store";
import { TopologyTable } from "../topology/table";
import { Refused, Waiting } from "../ui/notice";

const HOPS = 2;
const MOST_HOPS = 6;
const ZOOMS = [0.4, 0.55, 0.75, 1, 1.35, 1.8];
const NONE: ReadonlySet<string> = new Set();

export function TopologyPage(): JSX.Element {
  const asked = place.value.query;
  const at = asked.get("at") || undefined;
  const hops = Math.max(1, Math.min(MOST_HOPS, Number(asked.get("hops")) || HOPS));
  const all = isAdmin.value && asked.get("all") === "1";
  const zoom = Number(asked.get("zoom")) || 1;
  const table = asked.get("view") === "table";
  const open = new Set((asked.get("open") ?? "").split(",").filter(Boolean));
  const svg = useRef<SVGSVGElement>(null);
  const mine = session.value?.project?.id ?? "";
  const { things, more, refusal, again } = useTopology(`${mine} ${all} ${at} ${hops}`, at ? { at, hops } : { project: isAdmin.value && !all ? mine : "" });
  const drawn = useMemo(() => things && draw(things, { at, hops, open, keep: NONE }), [things, again, at, hops, asked.get("open")]);

  const set = (name: string, value: string | null): URLSearchParams => {
    const next = new URLSearchParams(asked);
    if (value === null) next.delete(name);
    else next.set(name, value);
    return next;
  };
  const opened = (id: string): string => href(place.value.path, set("open", [...open].filter((one) => one !== id).concat(open.has(id) ? [] : [id]).join(",") || null));
  const zoomBy = (by: number): void => {
    const next = ZOOMS[Math.max(0, Math.min(ZOOMS.length - 1, ZOOMS.indexOf(zoom) + by))] ?? 1;
    goHere(set("zoom", next === 1 ? null : String(next)));
  };
  const widen = (by: number): void => {
    if (at) goHere(set("hops", String(Math.max(1, Math.min(MOST_HOPS, hops + by)))));
  };
  const turn = (): void => goHere(set("view", table ? null : "table"));
  const keep = (): void => {
    if (svg.current) save(svg.current, "topology");
  };
  useKeys([
    { key: "t", does: table ? "picture" : "table", run: turn },
    { key: "+", does: "larger", run: () => zoomBy(1) },
    { key: "-", does: "smaller", run: () => zoomBy(-1) },
    { key: "0", does: "as it is", run: () => goHere(set("zoom", null)) },
    { key: "s", does: "save the picture", run: keep },
    ...(at ? [{ key: "w", does: "one hop more", run: () => widen(1) }, { key: "W", does: "one hop less", run: () => widen(-1) }] : []),
  ]);
  return (
    <section>
      <header class="head">
        <h1>Topology</h1>
        <button type="button" onClick={turn}>
          {table ? "As a picture" : "As a table"}
        </button>
        {!table && (
          <>
            <button type="button" aria-label="Smaller" onClick={() => zoomBy(-1)}>
              −
            </button>
            <button type="button" aria-label="Larger" onClick={() => zoomBy(1)}>
              +
            </button>
            <button type="button" onClick={keep}>
              Save as SVG
            </button>
          </>
        )}
      </header>
      <div class="switches">
        {things && <Start things={things} go={(id) => goHere(set("at", id))} />}
        {at && (
          <>
            <span>
              around <strong>{things ? nameOf(things, at) : "…"}</strong>, {hops} {hops === 1 ? "hop" : "hops"}
            </span>
            <button type="button" class="small" onClick={() => widen(-1)} disabled={hops <= 1}>
              narrower
            </button>
            <button type="button" class="small" onClick={() => widen(1)} disabled={hops >= MOST_HOPS}>
              wider
            </button>
            <a href={href(["topology"], all ? [["all", "1"]] : [])}>everything</a>
          </>
        )}
        {isAdmin.value && !at && (
          <label>
            <input type="checkbox" checked={all} onChange={() => goHere(set("all", all ? null : "1"))} /> all projects
          </label>
        )}
        {open.size > 0 && (
          <button type="button" class="small" onClick={() => goHere(set("open", null))}>
            close what is open
          </button>
        )}
      </div>
      <Refused by={refusal} />
      {more.length > 0 && <p class="dim">There are more {more.join(" and ")} than are drawn: start from one object.</p>}
      {!drawn && !refusal && <Waiting />}
      {drawn && <Shown drawn={drawn} {...{ at, zoom, table, opened }} frame={svg} />}
    </section>
  );
}

interface ShownProps {
  drawn: Drawn;
  at?: string;
  zoom: number;
  table: boolean;
  opened: (id: string) => string;
  frame: { current: SVGSVGElement | null };
}

function Shown({ drawn, at, zoom, table, opened, frame }: ShownProps): JSX.Element {
  if (!drawn.drawing.boxes.length) return <p class="empty">{at ? "It is not there, or not yours." : "There are no networks and no routers yet."}</p>;
  if (table) return <TopologyTable drawing={drawn.drawing} opened={opened} />;
  return (
    <>
      <Picture drawing={drawn.drawing} placed={drawn.placed} zoom={zoom} start={at} lit={at ? new Set([at]) : undefined} opened={opened} frame={frame} />
      <p class="legend dim">
        <span class="state good">ACTIVE</span>
        <span class="state idle">DOWN, being built</span>
        <span class="state bad">ERROR</span>
        <span>⇄ floating IP, from outside to inside</span>
        <span>dashed: what is joined there is down</span>
      </p>
    </>
  );
}

// by name, address or ID: among what is there, else by the API
function Start({ things, go }: { things: Things; go: (id: string) => void }): JSX.Element {
  const [none, setNone] = useState("");
  const look = async (text: string): Promise<void> => {
    const wanted = text.trim();
    if (!wanted) return;
    const those = [...things.routers.values(), ...things.networks.values(), ...things.ports.values()];
    const here = those.find((one) => one.id === wanted || one.name === wanted || one.fixed_ips?.some((ip: Thing) => ip.ip_address === wanted));
    const found = here?.id ?? (await asked(wanted));
    setNone(found ? "" : wanted);
    if (found) go(found);
  };
  return (
    <label class="filter">
      <span class="hidden">Start from</span>
      <input placeholder="Start from: name, address or ID" onChange={(event) => void look(event.currentTarget.value)} aria-invalid={none ? true : undefined} />
      {none && <span class="note">nothing is called {none}</span>}
    </label>
  );
}

async function asked(wanted: string): Promise<string | undefined> {
  const by: [string, string][] = /^[\d.]+$|:/.test(wanted) ? [["fixed_ips", `ip_address=${wanted}`]] : [["name", wanted]];
  const ways = by[0][0] === "name" ? ["routers", "networks", "ports"] : ["ports"];
  for (const kind of ways)
    for (const [name, value] of [...by, ["id", wanted]]) {
      const found = await api.get(kind + query([[name, value], ["limit", "1"], ["fields", "id"]])).catch(() => ({ [kind]: [] }));
      if (found[kind].length) return found[kind][0].id;
    }
  return undefined;
}

function nameOf(things: Things, id: string): string {
  const one = things.routers.get(id) ?? things.networks.get(id) ?? things.ports.get(id);
  return one?.name || id.slice(0, 8);
}
