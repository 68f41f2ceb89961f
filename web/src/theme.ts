// Light, dark, or as the system has it.
import { computed, effect, signal } from "@preact/signals";

const CHOICES = ["auto", "dark", "light"] as const;
const KEPT = "netweft-theme";

const chosen = signal<string>(localStorage.getItem(KEPT) ?? "auto");

effect(() => {
  document.documentElement.dataset.theme = chosen.value;
  localStorage.setItem(KEPT, chosen.value);
});

export const theme = {
  word: computed(() => ({ auto: "Theme: auto", dark: "Theme: dark", light: "Theme: light" })[chosen.value] ?? "Theme"),
  next: (): void => {
    chosen.value = CHOICES[(CHOICES.indexOf(chosen.value as "auto") + 1) % CHOICES.length];
  },
};
