/** Light or dark: as the system says, until the reader says otherwise. */

import { recall, remember } from "./memory.js";

const KEY = "theme";

/** What is shown now. */
export function isDark() {
  const chosen = recall(KEY);
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

/** Applies the reader's choice, if there is one. */
export function applyTheme() {
  const chosen = recall(KEY);
  if (chosen) document.documentElement.dataset.theme = chosen;
}

export function toggleTheme() {
  remember(KEY, isDark() ? "light" : "dark");
  applyTheme();
}
