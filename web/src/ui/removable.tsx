// A button that takes one thing out of another, and says why not, when it is refused.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { Refusal } from "../api";
import { mayChange } from "../session";

// word: what it does instead
export function Remove({ what, word = "Remove", run }: { what: string; word?: string; run: () => Promise<unknown> }): JSX.Element | null {
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  if (!mayChange.value) return null;
  const go = async (): Promise<void> => {
    setBusy(true);
    setProblem("");
    try {
      await run();
    } catch (error) {
      setProblem(error instanceof Refusal ? error.message : String(error));
    }
    setBusy(false);
  };
  return (
    <>
      <button type="button" class="small" aria-label={`${word} ${what}`} disabled={busy} onClick={go}>
        {word}
      </button>
      {problem && (
        <small class="problem" role="alert">
          {problem}
        </small>
      )}
    </>
  );
}
