// Where else an object is shown.
import type { JSX } from "preact";
import { href } from "../route";

const DRAWN = new Set(["ports", "networks", "routers"]);

export function Views({ kind, id }: { kind: string; id: string }): JSX.Element | null {
  if (!DRAWN.has(kind)) return null;
  return (
    <>
      <a class="button" href={href(["topology"], [["at", id]])}>
        Topology
      </a>
      {kind === "ports" && (
        <>
          <a class="button" href={href(["wiring", id])}>
            Wiring
          </a>
          <a class="button" href={href(["trace"], [["from", id]])}>
            Trace
          </a>
        </>
      )}
    </>
  );
}
