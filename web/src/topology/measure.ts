// How wide text is, and what of it fits.

const FONTS = {
  title: '600 12.5px system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif',
  plain: '12.5px system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif',
  word: '600 10.5px system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif',
  mono: '11px ui-monospace, "DejaVu Sans Mono", "Cascadia Mono", Menlo, Consolas, monospace',
};
export type Font = keyof typeof FONTS;

const MOST = 20_000;
const known = new Map<string, number>();
let canvas: CanvasRenderingContext2D | null = null;

export function widthOf(text: string, font: Font): number {
  const key = `${font} ${text}`;
  let found = known.get(key);
  if (found === undefined) {
    canvas ??= document.createElement("canvas").getContext("2d")!;
    canvas.font = FONTS[font];
    found = canvas.measureText(text).width;
    if (known.size > MOST) known.clear();
    known.set(key, found);
  }
  return found;
}

export function fitted(text: string, font: Font, room: number): string {
  if (widthOf(text, font) <= room) return text;
  let [low, high] = [0, text.length];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (widthOf(`${text.slice(0, middle)}…`, font) <= room) low = middle;
    else high = middle - 1;
  }
  return `${text.slice(0, low)}…`;
}
