// Asked again when something of these kinds changes, but never more often than so: for what is dear to ask.
import { useEffect } from "preact/hooks";
import { listen } from "./live";

export function useAgain(key: string, kinds: readonly string[], again: () => void, apartMs: number): void {
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let before = -Infinity;
    const stop = listen(kinds, () => {
      timer ??= setTimeout(
        () => {
          timer = undefined;
          before = performance.now();
          again();
        },
        Math.max(0, before + apartMs - performance.now()),
      );
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [key]);
}
