/** People as they stand beside their messages: names, and avatars drawn from initials. */

import { h } from "./dom.js";
import { store } from "./store.js";

const COLOURS = 8;

/** @param {string} id the name that is shown */
export function nameOf(id) {
  return store.person(id).real_name;
}

/** @param {string} id */
export function avatar(id) {
  if (id === store.bot) return h("img", { class: "avatar", src: "/page/static/icon.svg", alt: "" });
  const words = nameOf(id).split(/\s+/);
  const initials = [words[0], words.length > 1 ? words[words.length - 1] : ""].map((word) => [...word][0] ?? "").join("");
  return h("span", { class: "avatar", data: { colour: String(hash(id) % COLOURS) }, "aria-hidden": "true" }, initials.toUpperCase());
}

/** @param {string} text a number that is the same for the same text */
function hash(text) {
  let sum = 7;
  for (const letter of text) sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) >>> 0;
  return sum;
}

/** @param {import("./store.js").Person} person what they may do here, in a word; empty for most */
export function role(person) {
  if (person.is_bot) return "app";
  if (person.is_stranger) return "other organisation";
  if (person.is_guest) return "guest";
  if (person.is_admin) return "admin";
  return "";
}

/** @param {string} id a small mark beside a name, where one is needed */
export function mark(id) {
  const person = store.person(id);
  const word = person.is_bot ? "app" : person.is_stranger ? "external" : person.is_guest ? "guest" : "";
  return word ? h("span", { class: "mark" }, word) : null;
}
