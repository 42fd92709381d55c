/**
 * A list of messages that stays at its end while the reader is there. Messages keep their elements, so that nothing
 * moves or stops when others come; of long lists only the last part is drawn.
 */

import { h } from "./dom.js";
import { MessageView } from "./message.js";
import { dateOf, dayKey, dayName } from "./time.js";

/** @typedef {import("./store.js").Message} Message */

const FIRST_DRAWN = 60;
const MORE_DRAWN = 100;
const TOGETHER = 300; // seconds within which messages of one author stand under one name
const AT_END = 60; // pixels

export class MessageList {
  /** @param {{inThread: boolean, label: string}} options */
  constructor(options) {
    this.options = options;
    /** @type {Map<string, MessageView>} */
    this.views = new Map();
    /** @type {Map<string, HTMLElement>} */
    this.days = new Map();
    this.most = FIRST_DRAWN;
    this.key = "";
    this.atEnd = true;
    this.lastTop = 0;
    /** @type {Message[]} */
    this.messages = [];
    this.earlier = h("button", { type: "button", class: "link earlier", onclick: () => this.drawEarlier() }, "Show earlier messages");
    this.end = h("button", { type: "button", class: "to-end", hidden: true, onclick: () => this.toEnd() }, "New messages ↓");
    this.list = h("div", { class: "list", role: "log", "aria-live": "off", "aria-label": options.label, tabindex: "0" });
    this.scroller = h("div", { class: "scroller", onscroll: () => this.scrolled() }, this.list);
    this.root = h("div", { class: "messages" }, this.scroller, this.end);
    new ResizeObserver(() => this.follow()).observe(this.list);
    new ResizeObserver(() => this.follow()).observe(this.scroller);
  }

  /**
   * @param {string} key another key is another list: drawn from its end
   * @param {Message[]} messages oldest first
   * @param {Node | null} [opening] what stands before the first message
   */
  show(key, messages, opening = null) {
    if (key !== this.key) {
      this.key = key;
      this.most = FIRST_DRAWN;
      this.atEnd = true;
      this.views.clear();
      this.list.replaceChildren();
    }
    const grew = messages.length > this.messages.length;
    this.messages = messages;
    const drawn = messages.slice(-this.most);
    const nodes = drawn.length < messages.length ? [this.earlier] : opening ? [opening] : [];
    this.place([...nodes, ...this.draw(drawn)]);
    this.forget(drawn);
    this.end.hidden = this.atEnd || !(grew || !this.end.hidden);
    this.follow();
  }

  /** @param {Message[]} messages @returns {HTMLElement[]} */
  draw(messages) {
    let before = /** @type {Message | null} */ (null);
    return messages.flatMap((message) => {
      const key = keyOf(message);
      let view = this.views.get(key);
      if (!view) this.views.set(key, (view = new MessageView()));
      const isNewDay = !before || dayKey(dateOf(before.ts)) !== dayKey(dateOf(message.ts));
      const continues = !isNewDay && before !== null && belong(before, message) && !(this.options.inThread && before.thread_ts === null);
      view.update(message, { inThread: this.options.inThread, continues });
      before = message;
      return isNewDay ? [this.day(message), view.root] : [view.root];
    });
  }

  /** @param {Message} message */
  day(message) {
    const date = dateOf(message.ts);
    const key = dayKey(date);
    let divider = this.days.get(key);
    if (!divider) this.days.set(key, (divider = h("div", { class: "day", role: "separator" }, h("span", {}, dayName(date)))));
    return divider;
  }

  /** Brings the list's children to these, moving none that stands in order. @param {Node[]} nodes */
  place(nodes) {
    const wanted = new Set(nodes);
    for (const child of [...this.list.childNodes]) if (!wanted.has(child)) child.remove();
    let next = this.list.firstChild;
    for (const node of nodes) {
      if (node === next) next = next.nextSibling;
      else this.list.insertBefore(node, next);
    }
  }

  /** @param {Message[]} drawn */
  forget(drawn) {
    if (this.views.size <= drawn.length) return;
    const kept = new Set(drawn.map(keyOf));
    for (const key of [...this.views.keys()]) if (!kept.has(key)) this.views.delete(key);
  }

  drawEarlier() {
    const fromEnd = this.scroller.scrollHeight - this.scroller.scrollTop;
    this.most += MORE_DRAWN;
    this.show(this.key, this.messages);
    this.scroller.scrollTop = this.scroller.scrollHeight - fromEnd;
  }

  /** Only scrolling up leaves the end: a list that grows, or has less room, is followed. */
  scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    if (scrollHeight - scrollTop - clientHeight < AT_END) this.atEnd = true;
    else if (scrollTop < this.lastTop) this.atEnd = false;
    this.lastTop = scrollTop;
    if (this.atEnd) this.end.hidden = true;
  }

  follow() {
    if (this.atEnd) this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  toEnd() {
    this.atEnd = true;
    this.end.hidden = true;
    this.follow();
  }
}

/** @param {Message} message */
function keyOf(message) {
  return `${message.for ?? ""}/${message.ts}`;
}

/** @param {Message} before @param {Message} message */
function belong(before, message) {
  const near = Number(message.ts) - Number(before.ts) < TOGETHER;
  return near && before.user === message.user && !before.for && !message.for && !message.broadcast && !before.tombstone;
}
