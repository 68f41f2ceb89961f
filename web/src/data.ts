// What a view shows: asked for once, and again whenever something of these kinds changes.
import { useEffect, useRef, useState } from "preact/hooks";
import { Refusal, isAborted } from "./api";
import { listen } from "./live";

const APART_MS = 400; // where changes come one upon the other
export const AGAIN_MS = 3000; // where the server could not answer: it may be starting, or busy

export interface Data<T> {
  value: T | undefined;
  refusal: Refusal | undefined;
  again: () => void;
}

// it says nothing of what was asked, and another time the answer is another
export const passes = (refusal: Refusal): boolean => refusal.status === 0 || refusal.status === 429 || refusal.status >= 500;

const SETTLES_MS = 500;

// asks again while what is shown is about to be another by itself
export function useSettled(settles: boolean, value: unknown, again: () => void): void {
  useEffect(() => {
    if (!settles) return;
    const timer = setTimeout(again, SETTLES_MS);
    return () => clearTimeout(timer);
  }, [settles, value]);
}

// key: what is asked for, as text; another key is another question.  kinds: as the live feed names them.  apart: not asked
// again sooner than after so many milliseconds, where the answer is dear
export function useData<T>(
  key: string,
  ask: (signal: AbortSignal) => Promise<T>,
  kinds: readonly string[] = [],
  apart = APART_MS,
): Data<T> {
  const [state, setState] = useState<{ key: string; value?: T; refusal?: Refusal }>({ key });
  const asking = useRef(ask);
  asking.current = ask;
  const refresh = useRef<() => void>(() => {});

  useEffect(() => {
    const gone = new AbortController();
    let running = false;
    let wanted = false;
    let before = -Infinity;
    let timer: ReturnType<typeof setTimeout> | undefined;

    const run = async (): Promise<void> => {
      timer = undefined;
      running = true;
      before = performance.now();
      try {
        const value = await asking.current(gone.signal);
        if (!gone.signal.aborted) setState({ key, value });
      } catch (error) {
        if (isAborted(error) || gone.signal.aborted) return;
        const refusal = error instanceof Refusal ? error : new Refusal(0, "Fault", String(error));
        setState((now) => ({ key, refusal, value: now.key === key && refusal.status !== 404 ? now.value : undefined }));
        if (passes(refusal)) timer ??= setTimeout(run, AGAIN_MS);
      } finally {
        running = false;
        if (wanted && !gone.signal.aborted) soon();
      }
    };
    const soon = (): void => {
      wanted = running;
      if (running || timer !== undefined) return;
      timer = setTimeout(run, Math.max(0, before + apart - performance.now()));
    };

    refresh.current = soon;
    void run();
    const stop = listen(kinds, soon);
    return () => {
      gone.abort();
      clearTimeout(timer);
      stop();
    };
  }, [key, kinds.join()]);

  const mine = state.key === key;
  return {
    value: mine ? state.value : undefined,
    refusal: mine ? state.refusal : undefined,
    again: () => refresh.current(),
  };
}
