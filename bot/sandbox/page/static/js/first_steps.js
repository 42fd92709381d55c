/** What a newcomer can try, ticked off as it happens. */

import { clipsByThread, clipsFromPictures } from "./clips.js";
import { h, icon, iconButton, Slot } from "./dom.js";
import { recall, remember } from "./memory.js";
import { store } from "./store.js";

const DRAFT = "480p"; // what a draft is unless somebody asks for more
const FIRST_LINE = "/clip a red panda surfing --takes 2";
const PICTURE_LINE = "@dailies steam rises slowly";
const PICTURE = "mug.png";

/** @typedef {import("./store.js").Channel} Channel */

export class FirstSteps {
  /**
   * @param {(text: string) => void} put puts a text into the composer
   * @param {(text: string, sample: string) => void} putWithSample the same, with a sample file attached
   */
  constructor(put, putWithSample) {
    this.put = put;
    this.putWithSample = putWithSample;
    this.slot = new Slot(h("section", { class: "steps", "aria-label": "First steps" }));
    this.root = this.slot.element;
  }

  /** @param {Channel} channel @param {boolean} isHome */
  update(channel, isHome) {
    const shown = channel.name === "dailies" && !isHome && recall("steps-dismissed") !== "yes" && store.isMember(channel);
    const done = shown ? progress(channel) : [];
    this.slot.update([shown, done], () => (shown ? this.draw(done) : null));
  }

  /** @param {boolean[]} done */
  draw(done) {
    const all = done.every(Boolean);
    if (all) return this.drawDone();
    return [
      this.header("First steps"),
      h(
        "ol",
        {},
        step(done[0], "Ask for two drafts: ", this.line(FIRST_LINE)),
        step(done[1], "Open the card's thread and react with 🚀 to the draft you like. Its final is rendered."),
        step(done[2], "Reply ", h("code", {}, "#1 9:16"), " in the thread. A variant in another shape arrives."),
        step(done[3], "Attach a picture and name the app: ", this.line(PICTURE_LINE, PICTURE), " It begins to move."),
      ),
    ];
  }

  /** All of it happened: two lines instead of a list, since the room belongs to the messages now. */
  drawDone() {
    const ticks = ["drafts", "final", "variant", "picture"].map((what) => h("span", { class: "tick", role: "img", "aria-label": "done", title: what }, icon("check")));
    return [
      this.header("That is how Dailies works", h("span", { class: "done row" }, ticks)),
      h("p", { class: "hint" }, "There is more in ", this.line("/clip help"), ", and trouble to make behind the scenes."),
    ];
  }

  /** @param {string} title @param {Node | null} [more] */
  header(title, more = null) {
    return h("header", {}, h("h3", {}, title), more, h("span", { class: "grow" }), iconButton("close", "Dismiss the first steps", () => this.dismiss()));
  }

  /** A line that a click puts into the composer. @param {string} text @param {string} [sample] a file to attach */
  line(text, sample) {
    const put = () => (sample ? this.putWithSample(text, sample) : this.put(text));
    return h("button", { type: "button", class: "try", data: { key: `try ${text}` }, onclick: put }, h("code", {}, text));
  }

  dismiss() {
    remember("steps-dismissed", "yes");
    store.changed();
  }
}

/** @param {boolean} done @param {...any} words */
function step(done, ...words) {
  return h("li", { class: done ? "done" : "" }, h("span", { class: "tick", role: "img", "aria-label": done ? "done" : "to do" }, done ? icon("check") : null), h("span", {}, words));
}

/**
 * What of these has happened in the channel: told by the clips that came, not by what was typed. An ask can be
 * refused, a rocket taken back, and a reply may be talk.
 * @param {Channel} channel
 * @returns {boolean[]}
 */
function progress(channel) {
  const threads = clipsByThread(channel);
  return [
    threads.some((clips) => clips.filter((clip) => !clip.origin && clip.resolution === DRAFT).length >= 2),
    threads.some((clips) => clips.some((clip) => clip.origin === "Final")),
    threads.some((clips) => new Set(clips.map((clip) => clip.ratio)).size >= 2),
    clipsFromPictures(channel),
  ];
}
