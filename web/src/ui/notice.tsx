// Refusals, in the API's own words.
import type { JSX } from "preact";
import type { Refusal } from "../api";

export function Refused({ by }: { by: Refusal | undefined }): JSX.Element | null {
  if (!by) return null;
  return (
    <div class="refusal" role="alert">
      <p>{by.message}</p>
      <small>
        {by.status ? `${by.status} ` : ""}
        {by.type}
      </small>
    </div>
  );
}

export function Waiting(): JSX.Element {
  return (
    <p class="dim" aria-busy="true">
      Loading…
    </p>
  );
}
