// The keyboard: a view names its keys while it is shown.  No key is taken while somebody writes.
import { signal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";

export interface Key {
  key: string;
  does: string;
  run: () => void;
}

export const keys = signal<Key[]>([]);

// what a key does is what the last rendering says, so that one pressed at once after another finds what that one did
export function useKeys(mine: Key[]): void {
  const latest = useRef(mine);
  latest.current = mine;
  useLayoutEffect(() => {
    const those = latest.current.map(({ key, does }) => ({
      key,
      does,
      run: () => latest.current.find((one) => one.key === key)?.run(),
    }));
    keys.value = [...keys.peek(), ...those];
    return () => {
      keys.value = keys.peek().filter((key) => !those.includes(key));
    };
  }, [mine.map(({ key, does }) => `${key} ${does}`).join("\n")]);
}

const WRITING = "input:not([type=checkbox]), textarea, select, [contenteditable]";

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  const target = event.target as HTMLElement;
  if (event.key === "Escape" && target.matches(WRITING)) {
    target.blur();
    return;
  }
  if (target.matches(WRITING) || document.querySelector("dialog[open]")) return;
  if (event.key === "Enter" && target.matches("a, button, summary, [type=checkbox]")) return;
  const found = keys.peek().findLast((key) => key.key === event.key);
  if (found) {
    event.preventDefault();
    found.run();
  }
});
