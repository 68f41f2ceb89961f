// From rows to places: what is shown of them, in boxes, in order.
import { type Drawing, WIDTHS, drawingOf } from "./boxes";
import { type Wanted, shown } from "./fold";
import { type Things, graphOf } from "./graph";
import { type Placed, ordered, placed } from "./layout";

export interface Drawn {
  drawing: Drawing;
  placed: Placed;
}

export function draw(things: Things, wanted: Wanted): Drawn {
  const graph = graphOf(things);
  const what = shown(graph, wanted);
  const first = drawingOf(graph, what, wanted.open);
  const order = ordered(first.boxes, first.lines);
  const rank = new Map((order[2] ?? []).map((id, at) => [id, at]));
  const drawing = drawingOf(graph, what, wanted.open, rank);
  const widths = WIDTHS.map((width, layer) => {
    const those = drawing.boxes.filter((box) => box.layer === layer);
    return those.length ? Math.max(...those.map((box) => box.width), width) : 0;
  });
  return { drawing, placed: placed(drawing.boxes, drawing.lines, order, widths) };
}
