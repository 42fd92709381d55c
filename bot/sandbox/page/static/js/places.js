/**
 * Where the reader is: the address after "#" says channel, thread and tab, so that reloading and the back button work.
 * "#/C0DAILIES1", "#/C0DAILIES1/1700000000.000100", "#/D0ABC/home"; on a phone "#/" is the list of channels.
 */

import { store } from "./store.js";

/** @typedef {{channel: string, thread: string, tab: string}} Place */

/** @returns {Place} */
export function place() {
  const [, channel = "", part = ""] = location.hash.split("/");
  const isTab = part === "home";
  return { channel: decodeURIComponent(channel), thread: isTab ? "" : decodeURIComponent(part), tab: isTab ? part : "" };
}

/** @param {string} channel @param {string} [part] a thread's ts, or "home" */
export function go(channel, part = "") {
  const target = `#/${encodeURIComponent(channel)}${part ? `/${encodeURIComponent(part)}` : ""}`;
  if (location.hash !== target) location.hash = target;
}

/** The channel shown: that of the address, or else the one where everything begins. */
export function currentChannel() {
  const asked = store.channels.get(place().channel);
  if (asked && canSee(asked)) return asked;
  const seen = [...store.channels.values()].filter(canSee);
  return seen.find((channel) => channel.name === "dailies") ?? seen[0];
}

/** @param {import("./store.js").Channel} channel whether the acting person may look into it */
export function canSee(channel) {
  if (store.isMember(channel)) return true;
  const person = store.person(store.me);
  return channel.kind === "channel" && !person.is_guest && !person.is_stranger;
}
