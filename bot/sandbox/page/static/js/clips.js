/**
 * The bot's clips, as the line of each tells of them: `*#2* · take 2 of 2 · 480p · 4 s · 16:9 · … · Variant of #1: …`.
 *
 * @typedef {{resolution: string, ratio: string, origin: string}} Clip `origin` is "Final", "Variant" or, when it was
 *   asked for by a command, ""
 */

import { store } from "./store.js";

const RESOLUTION = /^\d+p$/;
const RATIO = /^\d+:\d+$/;
const ORIGIN = /^(Final|Variant) of #\d+:/;

/** @param {import("./store.js").Message} message @returns {Clip | null} null for anything but a clip in a thread */
function clip(message) {
  const isVideo = message.files.some((file) => file.state === "ready" && file.mimetype.startsWith("video/"));
  if (message.user !== store.bot || !message.thread_ts || !isVideo) return null;
  const parts = message.text.split(" · ");
  const part = (/** @type {RegExp} */ pattern) => parts.find((words) => pattern.test(words)) ?? "";
  return { resolution: part(RESOLUTION), ratio: part(RATIO), origin: ORIGIN.exec(part(ORIGIN))?.[1] ?? "" };
}

/** Whether a clip came of a person's message with a file: it stands in its thread. @param {import("./store.js").Channel} channel */
export function clipsFromPictures(channel) {
  const given = (/** @type {string} */ ts) => {
    const root = channel.messages.get(ts);
    return root !== undefined && root.user !== store.bot && root.files.some((file) => file.mimetype.startsWith("image/"));
  };
  return [...channel.messages.values()].some((message) => message.thread_ts && clip(message) && given(message.thread_ts));
}

/** The clips that stand in a channel, thread by thread. @param {import("./store.js").Channel} channel @returns {Clip[][]} */
export function clipsByThread(channel) {
  /** @type {Map<string, Clip[]>} */
  const threads = new Map();
  for (const message of channel.messages.values()) {
    const found = clip(message);
    if (!found || !message.thread_ts) continue;
    const thread = threads.get(message.thread_ts);
    if (thread) thread.push(found);
    else threads.set(message.thread_ts, [found]);
  }
  return [...threads.values()];
}
