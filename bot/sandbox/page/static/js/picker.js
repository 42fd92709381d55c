/** Choosing an emoji: the app's gestures first, then the rest, with a search. */

import { h } from "./dom.js";
import { character, drawn, GESTURES, GESTURE_WORDS, named } from "./emoji.js";
import { openPopup } from "./popup.js";

const COLUMNS = 9;

/**
 * @param {HTMLElement} anchor
 * @param {(name: string) => void} choose
 */
export function pickEmoji(anchor, choose) {
  const search = h("input", { type: "search", placeholder: "Search emoji", "aria-label": "Search emoji", oninput: () => show() });
  const gestures = h("div", { class: "gestures" });
  const grid = h("div", { class: "emoji-grid", role: "group", "aria-label": "Emoji" });
  const content = h("div", { class: "picker", role: "dialog", "aria-label": "Add a reaction", onkeydown: keys }, search, gestures, grid);
  const cell = (/** @type {string} */ name, /** @type {any[]} */ ...more) =>
    h("button", { type: "button", title: `:${name}:`, "aria-label": name.replaceAll("_", " "), data: { emoji: name }, onclick: () => take(name) }, h("span", { class: "emoji" }, drawn(name)), more);

  function show() {
    const word = search.value.trim().replaceAll(":", "").replaceAll(" ", "_");
    const names = oneOfEach(named(word));
    gestures.replaceChildren(...names.filter((name) => GESTURES.includes(name)).map((name) => cell(name, h("small", {}, GESTURE_WORDS[name]))));
    gestures.hidden = !gestures.hasChildNodes();
    grid.replaceChildren(...names.filter((name) => !GESTURES.includes(name)).map((name) => cell(name)));
    if (!gestures.hasChildNodes() && !grid.hasChildNodes()) grid.append(h("p", { class: "hint" }, "No emoji has that name here."));
  }

  function take(/** @type {string} */ name) {
    close();
    choose(name);
  }

  function keys(/** @type {KeyboardEvent} */ event) {
    const cells = [...content.querySelectorAll("button")];
    const at = cells.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    /** @type {Record<string, number>} */
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: at < GESTURES.length ? 1 : COLUMNS, ArrowUp: at < GESTURES.length ? -1 : -COLUMNS };
    if (event.key === "Enter" && document.activeElement === search) {
      event.preventDefault();
      cells[0]?.click();
    } else if (event.key in steps && (at >= 0 || event.key === "ArrowDown")) {
      event.preventDefault();
      const target = at < 0 ? 0 : at + steps[event.key];
      if (target < 0) search.focus();
      else cells[Math.min(target, cells.length - 1)]?.focus();
    }
  }

  show();
  const close = openPopup(anchor, content);
  search.focus();
}

/** @param {string[]} names of several names of one emoji the first */
function oneOfEach(names) {
  const seen = new Set();
  return names.filter((name) => !seen.has(character(name)) && seen.add(character(name)));
}
