// How much of something is used: a bar that has its numbers beside it.
import type { JSX } from "preact";

export function Use({ used, of }: { used: number; of: number }): JSX.Element {
  const share = of > 0 ? Math.min(1, used / of) : 0;
  return (
    <span class="use">
      <meter min={0} max={1} high={0.8} value={share} aria-label={`${used} of ${of < 0 ? "any number" : of} used`} />
      <code>
        {used} / {of < 0 ? "∞" : of}
      </code>
    </span>
  );
}
