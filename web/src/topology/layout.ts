// Boxes in layers from left to right, joined by lines between neighbouring layers.  Pure: sizes in, places out.
//
// The order in a layer comes from its neighbours (barycentres, the best of some sweeps), places from least squares:
// each box as near to what it is joined to as the others leave room for.  Lines go at right angles, each on a track
// of its own, so that none lies upon another.

export interface Box {
  id: string;
  layer: number;
  height: number; // that it takes; what is drawn of it may be less
  beside?: string; // stands as high as that one, which takes as much
  apart?: boolean; // more room above it: it begins something else
}

// out, into: where it leaves and comes in, down from the top of its box
export interface Line {
  id: string;
  from: string; // in the layer to the left
  to: string;
  out: number;
  into: number;
}

export interface Placed {
  x: Map<number, number>; // by layer
  y: Map<string, number>;
  paths: Map<string, string>; // by line
  width: number;
  height: number;
}

const APART = 14;
const MORE_APART = 30;
const TRACK = 8;
const MOST_TRACKS = 12;
const LEAST_GAP = 44;
const SWEEPS = 8;
const CORNER = 5;

export type Order = string[][];

// boxes come in an order that is kept where the lines do not tell otherwise
export function ordered(boxes: Box[], lines: Line[]): Order {
  const layers: Order = [];
  for (const box of boxes) (layers[box.layer] ??= []).push(box.id);
  for (let at = 0; at < layers.length; at += 1) layers[at] ??= [];
  let best = layers.map((layer) => [...layer]);
  let least = crossings(best, lines);
  for (let sweep = 0; sweep < SWEEPS && least > 0; sweep += 1) {
    const down = sweep % 2 === 0;
    const walk = layers.map((_, at) => at);
    for (const at of down ? walk.slice(1) : walk.reverse().slice(1)) sortLayer(layers, at, down ? at - 1 : at + 1, lines);
    swap(layers, lines);
    const now = crossings(layers, lines);
    if (now < least) {
      least = now;
      best = layers.map((layer) => [...layer]);
    }
  }
  return best;
}

function sortLayer(layers: Order, at: number, by: number, lines: Line[]): void {
  const place = new Map(layers[by].map((id, index) => [id, index]));
  const sums = new Map<string, [number, number]>();
  for (const line of lines) {
    const [here, there] = by < at ? [line.to, line.from] : [line.from, line.to];
    const index = place.get(there);
    if (index === undefined) continue;
    const fine = (by < at ? line.out : line.into) / 100_000; // the higher line of one box first
    const [sum, count] = sums.get(here) ?? [0, 0];
    sums.set(here, [sum + index + fine, count + 1]);
  }
  const weight = (id: string, index: number): number => {
    const found = sums.get(id);
    return found ? found[0] / found[1] : index;
  };
  const weighed = layers[at].map((id, index): [string, number, number] => [id, weight(id, index), index]);
  weighed.sort((a, b) => a[1] - b[1] || a[2] - b[2]);
  layers[at] = weighed.map(([id]) => id);
}

// neighbours in a layer change places where fewer lines cross then
function swap(layers: Order, lines: Line[]): void {
  const place = new Map(layers.flatMap((layer) => layer.map((id, index): [string, number] => [id, index])));
  const left = new Map<string, [string, number][]>();
  const right = new Map<string, [string, number][]>();
  for (const { from, to, out, into } of lines) {
    left.set(to, [...(left.get(to) ?? []), [from, out]]);
    right.set(from, [...(right.get(from) ?? []), [to, into]]);
  }
  const above = (a: [string, number], b: [string, number]): number => place.get(a[0])! - place.get(b[0])! || a[1] - b[1];
  const crossed = (a: string, b: string): number => {
    let count = 0;
    for (const side of [left, right]) for (const one of side.get(a) ?? []) for (const other of side.get(b) ?? []) count += Math.sign(above(one, other));
    return count;
  };
  for (let round = 0, moved = true; moved && round < SWEEPS; round += 1) {
    moved = false;
    for (const layer of layers)
      for (let at = 0; at + 1 < layer.length; at += 1) {
        const [a, b] = [layer[at], layer[at + 1]];
        if (crossed(a, b) <= 0) continue;
        [layer[at], layer[at + 1]] = [b, a];
        place.set(b, at).set(a, at + 1);
        moved = true;
      }
  }
}

export function crossings(layers: Order, lines: Line[]): number {
  const place = new Map<string, [number, number]>();
  layers.forEach((layer, at) => layer.forEach((id, index) => place.set(id, [at, index])));
  const between = new Map<number, [number, number][]>();
  for (const line of lines) {
    const from = place.get(line.from);
    const to = place.get(line.to);
    if (from && to) between.set(from[0], [...(between.get(from[0]) ?? []), [from[1], to[1]]]);
  }
  let count = 0;
  for (const those of between.values()) {
    those.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    for (let i = 0; i < those.length; i += 1)
      for (let j = i + 1; j < those.length; j += 1) if (those[i][0] < those[j][0] && those[i][1] > those[j][1]) count += 1;
  }
  return count;
}

export function placed(boxes: Box[], lines: Line[], order: Order, widths: number[]): Placed {
  const box = new Map(boxes.map((one) => [one.id, one]));
  const y = new Map<string, number>();
  const layers = order.map((layer) => layer.map((id) => box.get(id)!).filter((one) => !one.beside));
  const wants = new Map<string, [string, number][]>();
  for (const { from, to, out, into } of lines) {
    wants.set(from, [...(wants.get(from) ?? []), [to, into - out]]);
    wants.set(to, [...(wants.get(to) ?? []), [from, out - into]]);
  }
  // the longest first: the others go by it
  const walk = layers.map((_, at) => at).sort((a, b) => total(layers[b]) - total(layers[a]) || b - a);
  for (let round = 0; round < 3; round += 1)
    for (const at of walk) {
      let next = 0;
      const wanted = layers[at].map((one) => {
        const those = (wants.get(one.id) ?? []).filter(([id]) => y.has(id));
        const want = those.length ? those.reduce((sum, [id, by]) => sum + y.get(id)! + by, 0) / those.length : (y.get(one.id) ?? next);
        next = want + one.height + APART;
        return want;
      });
      fitted(layers[at], wanted).forEach((top, index) => y.set(layers[at][index].id, top));
    }
  for (const one of boxes) if (one.beside) y.set(one.id, y.get(one.beside)!);
  const top = Math.min(...y.values());
  for (const [id, at] of y) y.set(id, Math.round(at - top));
  return routed(boxes, lines, y, widths);
}

const total = (layer: Box[]): number => layer.reduce((sum, one) => sum + one.height + APART, 0);
const above = (one: Box): number => (one.apart ? MORE_APART : APART);

// as near to what is wanted as can be, none upon another, in this order (pool adjacent violators)
export function fitted(layer: Box[], wanted: number[]): number[] {
  const offsets: number[] = [];
  layer.forEach((_, index) => offsets.push(index ? offsets[index - 1] + layer[index - 1].height + above(layer[index]) : 0));
  const pools: { sum: number; count: number }[] = [];
  wanted.forEach((want, index) => {
    pools.push({ sum: want - offsets[index], count: 1 });
    while (pools.length > 1) {
      const [before, last] = pools.slice(-2);
      if (before.sum / before.count <= last.sum / last.count) break;
      pools.splice(-2, 2, { sum: before.sum + last.sum, count: before.count + last.count });
    }
  });
  return pools.flatMap((pool) => Array<number>(pool.count).fill(pool.sum / pool.count)).map((base, index) => base + offsets[index]);
}

function routed(boxes: Box[], lines: Line[], y: Map<string, number>, widths: number[]): Placed {
  const layerOf = new Map(boxes.map((one) => [one.id, one.layer]));
  const x = new Map<number, number>();
  const paths = new Map<string, string>();
  let right = 0;
  widths.forEach((width, at) => {
    const those = lines.filter((line) => layerOf.get(line.from) === at - 1 && layerOf.get(line.to) === at);
    const ends = those.map((line): [number, number] => [y.get(line.from)! + line.out, y.get(line.to)! + line.into]);
    const { tracks, count } = channel(ends);
    const step = Math.min(TRACK, (MOST_TRACKS * TRACK) / Math.max(1, count));
    const across = step * Math.max(0, count - 1);
    const gap = right ? LEAST_GAP + across : 0;
    x.set(at, right + gap);
    those.forEach((line, index) => paths.set(line.id, path(right, right + gap, ends[index], right + (gap - across) / 2 + step * tracks[index])));
    if (width) right += gap + width;
  });
  const height = Math.max(0, ...boxes.map((one) => y.get(one.id)! + one.height));
  return { x, y, paths, width: right, height };
}

// A track for each line that is not straight; those from one point have one.  Of those that go down the lower keeps
// left, of those that go up the higher: so they cross least.  Lines that do not meet share a track.
export function channel(ends: [number, number][]): { tracks: number[]; count: number } {
  const bundles = new Map<number, number[]>();
  ends.forEach(([out, into], index) => {
    if (Math.abs(out - into) >= 1) bundles.set(out, [...(bundles.get(out) ?? []), index]);
  });
  const trunks = [...bundles].map(([out, those]) => {
    const span = [out, ...those.map((index) => ends[index][1])];
    const mean = those.reduce((sum, index) => sum + ends[index][1], 0) / those.length;
    return { out, those, down: mean > out, low: Math.min(...span), high: Math.max(...span) };
  });
  trunks.sort((a, b) => Number(b.down) - Number(a.down) || (a.down ? b.out - a.out : a.out - b.out));
  const tracks = ends.map(() => 0);
  const taken: { low: number; high: number }[][] = [];
  for (const trunk of trunks) {
    const track = taken.findLastIndex((those) => those.some(({ low, high }) => trunk.low < high + CORNER && low < trunk.high + CORNER)) + 1;
    (taken[track] ??= []).push(trunk);
    for (const index of trunk.those) tracks[index] = track;
  }
  return { tracks, count: taken.length };
}

function path(from: number, to: number, [out, into]: [number, number], track: number): string {
  if (Math.abs(out - into) < 1) return `M${from} ${out}H${to}`;
  const corner = Math.min(CORNER, Math.abs(into - out) / 2);
  const by = into > out ? corner : -corner;
  return `M${from} ${out}H${track - corner}Q${track} ${out} ${track} ${out + by}V${into - by}Q${track} ${into} ${track + corner} ${into}H${to}`;
}
