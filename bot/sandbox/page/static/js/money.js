/** The promise in one sentence: what the providers' ledgers say, against what stands in the threads. */

import { store } from "./store.js";

/** A clip's file, as the bot names it: `dailies-<n>-<resolution>-<job>.mp4`. */
const CLIP = /^dailies-\d+-[^-]+-.+\.mp4$/;

/** @typedef {{standing: number, doubled: string[]}} Clips `doubled`: clips that stand more than once */

/** @returns {Clips} the clips that stand in all threads */
export function clipCount() {
  /** @type {Set<string>} */
  const names = new Set();
  /** @type {Set<string>} */
  const doubled = new Set();
  for (const channel of store.channels.values()) {
    for (const message of channel.messages.values()) {
      if (message.user !== store.bot || !message.files?.length) continue;
      for (const file of message.files) {
        if (file.state === "deleted" || !CLIP.test(file.name)) continue;
        if (names.has(file.name)) doubled.add(file.name);
        names.add(file.name);
      }
    }
  }
  return { standing: names.size, doubled: [...doubled] };
}

/** @param {Clips} clips */
export function moneySentence(clips) {
  const accounts = /** @type {any[]} */ (Object.values(store.bench.providers));
  const sum = (/** @type {string} */ part) => accounts.reduce((total, account) => total + account[part], 0);
  const [charges, atWork, refunded] = [sum("charges"), sum("at_work"), sum("refunded")];
  const without = charges - atWork - clips.standing;
  const details = [
    atWork ? `${counted(atWork, "clip")} being rendered.` : "",
    without > 0 ? `${counted(without, "charge")} without a clip in a thread (yet).` : "",
    refunded ? `${counted(refunded, "charge")} given back.` : "",
    clips.doubled.length ? `Stands twice: ${clips.doubled.join(", ")}.` : "",
  ];
  return {
    words: `${counted(charges, "charge")}, ${counted(clips.standing, "clip")}`,
    detail: details.filter(Boolean).join(" "),
    isWrong: clips.doubled.length > 0 || clips.standing > charges,
  };
}

/** @param {number} count @param {string} what */
function counted(count, what) {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
