// The same as text: a row for each box of the picture, and for each port in it.
import type { JSX } from "preact";
import { href } from "../route";
import { Many } from "../ui/cells";
import type { Drawing, Drawn } from "./boxes";

const WORDS: Record<Drawn["kind"], string> = { external: "external network", router: "router", network: "network", ports: "ports", folded: "several" };
const STATES = { good: "ACTIVE", bad: "ERROR", idle: "DOWN", none: "" };

export function TopologyTable({ drawing, opened }: { drawing: Drawing; opened: (id: string) => string }): JSX.Element {
  const boxes = new Map(drawing.boxes.map((box) => [box.id, box]));
  const beside = (id: string): string[] => {
    const ids = drawing.lines.flatMap((line) => (line.from === id ? [line.to] : line.to === id ? [line.from] : []));
    return [...new Set(ids)].map((other) => boxes.get(other)).filter((box) => box && box.kind !== "ports").map((box) => box!.title);
  };
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Topology as a table">
      <table>
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">What</th>
            <th scope="col">Status</th>
            <th scope="col">Joined to</th>
            <th scope="col">Addresses and more</th>
          </tr>
        </thead>
        <tbody>
          {drawing.boxes.flatMap((box) => [
            <tr key={box.id}>
              <th scope="row">
                <a href={box.to ? href(box.to) : box.opens ? opened(box.opens) : undefined}>{box.title}</a>
              </th>
              <td>{WORDS[box.kind]}</td>
              <td>{box.word || STATES[box.look]}</td>
              <td>
                <Many items={beside(box.id)} />
              </td>
              <td>
                <Many items={box.kind === "ports" ? [] : box.rows.map((row) => <code key={row.key}>{[row.left, row.whole ?? row.right, row.word].filter(Boolean).join(" ")}</code>)} />
              </td>
            </tr>,
            ...(box.kind === "ports" ? box.rows : []).map((row) => (
              <tr key={row.key}>
                <td>
                  <a href={row.to && href(row.to)}>{row.left}</a>
                </td>
                <td>port</td>
                <td>{row.word || STATES[row.look ?? "none"]}</td>
                <td>{beside(box.id)[0] ?? boxes.get(box.id.slice(6))?.title}</td>
                <td>
                  <code>{row.whole ?? row.right}</code>
                </td>
              </tr>
            )),
          ])}
        </tbody>
      </table>
    </div>
  );
}
