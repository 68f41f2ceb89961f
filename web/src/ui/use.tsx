// How much of something is used: a bar that has its numbers beside it.
import type { JSX } from "preact";

const LARGE = 2 ** 32; // a subnet of IPv6: nobody counts these

export const amount = (of: number): string => (of < 0 ? "∞" : of > LARGE ? `2^${Math.round(Math.log2(of))}` : of.toLocaleString("en"));

export function Use({ used, of }: { used: number; of: number }): JSX.Element {
  const share = of > 0 ? Math.min(1, used / of) : 0;
  return (
    <span class="use">
      <meter min={0} max={1} high={0.8} value={share} aria-label={`${used} of ${of < 0 ? "any number" : of} used`} />
      <code>
        {amount(used)} / {amount(of)}
      </code>
    </span>
  );
}
