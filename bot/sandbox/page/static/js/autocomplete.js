/** Suggestions while typing: commands, people, channels, emoji. */

import { h } from "./dom.js";
import { character, named } from "./emoji.js";
import { role } from "./people.js";
import { canSee } from "./places.js";
import { store } from "./store.js";

const MOST = 8;

/** @typedef {{insert: string, label: string, detail: string, glyph?: string}} Suggestion */

let made = 0;

export class Autocomplete {
  /** @param {HTMLTextAreaElement} input @param {() => void} onchange after something was inserted */
  constructor(input, onchange) {
    made += 1;
    this.input = input;
    this.onchange = onchange;
    /** @type {Suggestion[]} */
    this.found = [];
    this.at = 0;
    this.start = 0;
    this.id = `suggestions-${made}`;
    this.box = h("div", { class: "suggestions", id: this.id, role: "listbox", "aria-label": "Suggestions", hidden: true });
    input.setAttribute("aria-autocomplete", "list");
    input.setAttribute("aria-controls", this.id);
    input.addEventListener("blur", () => this.close());
  }

  get isOpen() {
    return !this.box.hidden;
  }

  /** Looks at what stands before the caret. */
  look() {
    const before = this.input.value.slice(0, this.input.selectionStart ?? 0);
    const { start, found } = suggestions(before);
    this.start = start;
    this.found = found;
    this.at = 0;
    this.draw();
  }

  draw() {
    this.box.hidden = this.found.length === 0;
    this.input.setAttribute("aria-expanded", String(this.isOpen));
    const options = this.found.map((one, index) =>
      h(
        "div",
        {
          role: "option",
          id: `${this.id}-${index}`,
          "aria-selected": String(index === this.at),
          onpointerdown: (/** @type {Event} */ event) => {
            event.preventDefault();
            this.take(index);
          },
        },
        one.glyph ? h("span", { class: "emoji" }, one.glyph) : null,
        h("strong", {}, one.label),
        h("span", { class: "hint" }, one.detail),
      ),
    );
    this.box.replaceChildren(...options);
    if (this.isOpen) this.input.setAttribute("aria-activedescendant", `${this.id}-${this.at}`);
    else this.input.removeAttribute("aria-activedescendant");
  }

  /** @param {KeyboardEvent} event @returns {boolean} whether the key was meant for the suggestions */
  key(event) {
    if (!this.isOpen) return false;
    if (event.key === "Enter" && this.isTypedOut()) {
      this.close();
      return false;
    }
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const step = event.key === "ArrowDown" ? 1 : -1;
      this.at = (this.at + step + this.found.length) % this.found.length;
      this.draw();
    } else if (event.key === "Tab" || event.key === "Enter") this.take(this.at);
    else if (event.key === "Escape") this.close();
    else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  }

  /** Whether the chosen suggestion stands there already: Enter then means "send". */
  isTypedOut() {
    const typed = this.input.value.slice(this.start, this.input.selectionStart ?? 0);
    return this.found[this.at].insert.trim() === typed;
  }

  /** @param {number} index */
  take(index) {
    const caret = this.input.selectionStart ?? 0;
    this.input.setRangeText(this.found[index].insert, this.start, caret, "end");
    this.close();
    this.onchange();
  }

  close() {
    this.found = [];
    this.draw();
  }
}

/** @param {string} before @returns {{start: number, found: Suggestion[]}} */
function suggestions(before) {
  const command = /^\/\S*$/.exec(before);
  if (command) return { start: 0, found: commands(before) };
  const token = /(?:^|\s)([@#:])([\w.+'-]*)$/.exec(before);
  if (!token) return { start: 0, found: [] };
  const [, sign, word] = token;
  const found = sign === "@" ? people(word) : sign === "#" ? channels(word) : emoji(word);
  return { start: before.length - word.length - 1, found: found.slice(0, MOST) };
}

/** @param {string} begun */
function commands(begun) {
  return store.settings.commands
    .filter((one) => one.command.startsWith(begun))
    .map((one) => ({ insert: `${one.command} `, label: one.command, detail: [one.description, one.usage_hint].filter(Boolean).join(" — ") }));
}

/** @param {string} word */
function people(word) {
  const begun = word.toLowerCase();
  return [...store.users.values()]
    .filter((one) => !one.deleted && one.name !== "slackbot" && (one.name.startsWith(begun) || one.real_name.toLowerCase().includes(begun)))
    .map((one) => ({ insert: `@${one.name} `, label: one.real_name, detail: [`@${one.name}`, role(one)].filter(Boolean).join(" · ") }));
}

/** @param {string} word */
function channels(word) {
  return [...store.channels.values()]
    .filter((one) => one.kind !== "im" && canSee(one) && one.name.startsWith(word))
    .map((one) => ({ insert: `#${one.name} `, label: `#${one.name}`, detail: one.kind === "group" ? "private" : "" }));
}

/** @param {string} word */
function emoji(word) {
  if (word.length < 2) return [];
  return named(word, MOST).map((name) => ({ insert: `:${name}: `, label: `:${name}:`, detail: "", glyph: character(name) }));
}
