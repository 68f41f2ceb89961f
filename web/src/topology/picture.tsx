// The drawing as SVG: every box and row that leads somewhere is a link; arrow keys go from box to box.
import type { JSX, Ref } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { href } from "../route";
import { useServer } from "../servers";
import { type Drawing, type Drawn, HEAD, type Joint, ROW, type Row } from "./boxes";
import type { Placed } from "./layout";
import { fitted, widthOf } from "./measure";
import "./picture.css";

const TOP = 24; // for the layers' names
const EDGE = 2;
const LEAST_SCALE = 0.8; // where it is a little too wide
const LAYERS = ["Outside", "Routers", "Networks", "Ports"];

interface Props {
  drawing: Drawing;
  placed: Placed;
  zoom: number;
  start?: string;
  lit?: ReadonlySet<string>;
  stops?: ReadonlySet<string>; // of what is lit
  opened: (id: string) => string; // the address at which it is open
  frame?: Ref<SVGSVGElement>;
}

export function Picture({ drawing, placed, zoom, start, lit, stops, opened, frame }: Props): JSX.Element {
  const width = placed.width + 2 * EDGE;
  const height = placed.height + TOP + 2 * EDGE;
  const [room, outer] = useRoom();
  const scale = zoom === 1 && room < width ? Math.max(LEAST_SCALE, room / width) : zoom;
  const about = `${opened("")} ${lit ? [...lit].join() : ""} ${stops ? [...stops].join() : ""}`;
  const kept = useKept();
  const used = new Set(drawing.boxes.map((box) => box.layer));
  return (
    <div ref={outer} class="pictured" tabIndex={0} role="region" aria-label="Picture">
      <svg ref={frame} class="picture" width={width * scale} height={height * scale} viewBox={`${-EDGE} ${-TOP - EDGE} ${width} ${height}`} onKeyDown={walk}>
        {LAYERS.map((name, layer) =>
          used.has(layer) ? (
            <text key={name} class="layer" x={placed.x.get(layer)} y={-10}>
              {name}
            </text>
          ) : null,
        )}
        {drawing.lines.map((line) => (
          <path key={line.id} class={classOf(line, lit)} d={placed.paths.get(line.id)} />
        ))}
        {drawing.boxes.map((box) => {
          const [x, y] = [placed.x.get(box.layer)!, placed.y.get(box.id)!];
          return kept(box.id, [box, x, y, start === box.id, about], () => <BoxShape key={box.id} box={box} x={x} y={y} start={start === box.id} lit={lit} stops={stops} opened={opened} />);
        })}
      </svg>
    </div>
  );
}

// What is as it was is not looked at again: of 1,000 ports one changes.
function useKept(): (id: string, of: unknown[], make: () => JSX.Element) => JSX.Element {
  const all = useRef(new Map<string, [string, JSX.Element]>());
  return (id, of, make) => {
    const now = JSON.stringify(of);
    const before = all.current.get(id);
    if (before?.[0] === now) return before[1];
    const made = make();
    all.current.set(id, [now, made]);
    return made;
  };
}

// what fits across
function useRoom(): [number, { current: HTMLDivElement | null }] {
  const outer = useRef<HTMLDivElement>(null);
  const [room, setRoom] = useState(Infinity);
  useLayoutEffect(() => {
    const watch = new ResizeObserver(() => setRoom(outer.current ? outer.current.clientWidth - 2 * EDGE : Infinity));
    watch.observe(outer.current!);
    return () => watch.disconnect();
  }, []);
  return [room, outer];
}

function classOf(line: Joint, lit?: ReadonlySet<string>): string {
  const both = lit?.has(line.from) && lit.has(line.to);
  return `line${line.works ? "" : " down"}${both ? " lit" : ""}`;
}

interface ShapeProps {
  box: Drawn;
  x: number;
  y: number;
  start: boolean;
  lit?: ReadonlySet<string>;
  stops?: ReadonlySet<string>;
  opened: (id: string) => string;
}

function BoxShape({ box, x, y, start, lit, stops, opened }: ShapeProps): JSX.Element {
  const each = box.width / box.columns;
  const deep = Math.ceil(box.rows.length / box.columns);
  const word = box.word && ` ${box.word}`;
  const room = box.width - 48 - (word ? widthOf(word, "word") : 0);
  const place = box.to ? href(box.to) : box.opens ? opened(box.opens) : undefined;
  return (
    <g class={`box ${box.kind}${start ? " start" : ""}${lit?.has(box.id) ? " lit" : ""}${stops?.has(box.id) ? " stops" : ""}`} transform={`translate(${x} ${y})`}>
      <rect class="frame" width={box.width} height={box.tall} rx="4" />
      <path class="head" d={head(box.width, HEAD, box.rows.length > 0)} />
      <Icon of={box.kind} />
      <Link to={place} layer={box.layer}>
        <title>{`${box.title}${word}`}</title>
        {place && <rect class="hit" x="3" y="3" width={box.width - 6} height={HEAD - 6} rx="2" />}
        <text class="title" x="28" y="17">
          {fitted(box.title, "title", room)}
          {box.opens && <tspan class="dim">{box.isOpen ? " ▾" : " ▸"}</tspan>}
          {word && <tspan class={`word ${box.look}`}>{` ${box.word}`}</tspan>}
        </text>
      </Link>
      {box.look !== "none" || box.word ? <Mark look={box.look} x={box.width - 12} y={HEAD / 2} /> : null}
      {box.rows.map((row, at) => (
        <RowShape key={row.key} row={row} x={Math.floor(at / deep) * each} y={HEAD + (at % deep) * ROW} width={each} names={box.kind === "ports"} lit={row.to !== undefined && lit?.has(row.to[1]) === true} stops={row.to !== undefined && stops?.has(row.to[1]) === true} opened={opened} />
      ))}
    </g>
  );
}

interface RowProps {
  row: Row;
  x: number;
  y: number;
  width: number;
  names: boolean;
  lit: boolean;
  stops: boolean;
  opened: (id: string) => string;
}

function RowShape({ row, x, y, width, names, lit, stops, opened }: RowProps): JSX.Element {
  const server = useServer(row.server ?? "");
  const left = server?.name ? (row.to?.[1].startsWith(row.left!) ? server.name : `${row.left}, ${server.name}`) : row.left;
  const whole = row.title ?? [row.left, row.right].filter(Boolean).join("  ");
  const from = row.look ? 24 : 10;
  const font = names || row.opens ? "plain" : "mono";
  const word = row.word ? widthOf(` ${row.word}`, "word") : 0;
  const look = stops ? "bad" : row.look;
  const right = row.right ? fitted(row.right, "mono", width - from - 10 - word - (row.left ? 60 : 0)) : "";
  const room = width - from - word - (right ? widthOf(right, "mono") + 20 : 10);
  return (
    <Link to={row.opens ? opened(row.opens) : row.to && href(row.to)} look={lit ? (stops ? " lit stops" : " lit") : ""}>
      {(row.title || (row.left?.length ?? 0) > 20 || (row.right?.length ?? 0) > 20) && <title>{server ? `${whole}, server ${server.name} ${server.status} ${server.host}` : whole}</title>}
      {(row.to || row.opens) && <rect class="hit" x={x + 3} y={y} width={width - 6} height={ROW} rx="2" />}
      {look && <Mark look={look} x={x + 13} y={y + ROW / 2} />}
      {(row.left || row.word) && (
        <text class={font === "mono" ? "mono" : undefined} x={x + from} y={y + 13}>
          {left ? fitted(left, font, room) : ""}
          {row.word && <tspan class={`word ${row.look ?? "idle"}`}>{`${left ? " " : ""}${row.word}`}</tspan>}
        </text>
      )}
      {right && (
        <text class={row.opens ? undefined : "mono"} x={x + width - 10} y={y + 13} text-anchor="end">
          {right}
        </text>
      )}
    </Link>
  );
}

function Link({ to, layer, look = "", children }: { to: string | undefined; layer?: number; look?: string; children: any }): JSX.Element {
  if (!to) return <g class={`row${look}`}>{children}</g>;
  return (
    <a href={to} data-layer={layer} class={`row${look}`}>
      {children}
    </a>
  );
}

// a state: a full circle, a square, an empty circle; its word stands beside it where it is not ACTIVE
function Mark({ look, x, y }: { look: string; x: number; y: number }): JSX.Element {
  if (look === "bad") return <rect class="mark bad" x={x - 4} y={y - 4} width="8" height="8" />;
  return <circle class={`mark ${look}`} cx={x} cy={y} r={look === "good" ? 4 : 3.3} />;
}

const ICONS: Record<Drawn["kind"], string> = {
  external: "M7 1a6 6 0 1 0 0 12a6 6 0 1 0 0-12M1 7H13M7 1C3.5 4.5 3.5 9.5 7 13C10.5 9.5 10.5 4.5 7 1",
  router: "M7 1a6 6 0 1 0 0 12a6 6 0 1 0 0-12M4 7H10M8.2 5L10.2 7L8.2 9M5.8 5L3.8 7L5.8 9",
  network: "M1 7H13M3.5 7V2.5M10.5 7V2.5M7 7V11.5M2 2.5H5M9 2.5H12M5.5 11.5H8.5",
  ports: "M2 3H12V10H9V12H5V10H2ZM5 3V6M7 3V6M9 3V6",
  folded: "M2 2.5H12M2 7H12M2 11.5H12",
};

function Icon({ of }: { of: Drawn["kind"] }): JSX.Element {
  return <path class="icon" transform="translate(8 6)" d={ICONS[of]} />;
}

function head(width: number, height: number, open: boolean): string {
  const w = width - 1;
  return open ? `M.5 ${height}V4.5Q.5 .5 4.5 .5H${w - 3.5}Q${w + 0.5} .5 ${w + 0.5} 4.5V${height}Z` : `M4.5 .5H${w - 3.5}Q${w + 0.5} .5 ${w + 0.5} 4.5V${height - 4.5}Q${w + 0.5} ${height - 0.5} ${w - 3.5} ${height - 0.5}H4.5Q.5 ${height - 0.5} .5 ${height - 4.5}V4.5Q.5 .5 4.5 .5Z`;
}

// by arrows: up and down in a layer, left and right to the nearest of the next
function walk(event: KeyboardEvent): void {
  const [across, along] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [0, 0];
  const here = (event.target as Element).closest("g.box")?.querySelector<SVGAElement>("a[data-layer]");
  if (!here || (!across && !along)) return;
  event.preventDefault();
  const layer = Number(here.dataset.layer);
  const at = here.getBoundingClientRect().top;
  const all = [...(event.currentTarget as Element).querySelectorAll<SVGAElement>("a[data-layer]")].filter((one) => one !== here);
  const those = all.filter((one) => (across ? (Number(one.dataset.layer) - layer) * across > 0 : Number(one.dataset.layer) === layer && (one.getBoundingClientRect().top - at) * along > 0));
  const far = (one: SVGAElement): number => Math.abs(one.getBoundingClientRect().top - at) + 10_000 * Math.abs(Number(one.dataset.layer) - layer);
  those.sort((a, b) => far(a) - far(b));
  those[0]?.focus();
}
