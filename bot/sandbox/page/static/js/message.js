/** One message on the page. Each part is drawn anew only when it changes: a playing clip plays on. */

import { blocks } from "./blocks.js";
import { act } from "./control.js";
import { h, icon, iconButton, Slot } from "./dom.js";
import { drawn } from "./emoji.js";
import { fileTile } from "./files.js";
import { messageMenu } from "./message_menu.js";
import { mrkdwn, plainWithEmoji } from "./mrkdwn.js";
import { avatar, mark, nameOf } from "./people.js";
import { pickEmoji } from "./picker.js";
import { go } from "./places.js";
import { store } from "./store.js";
import { ago, clock, dateOf, fully } from "./time.js";

/** @typedef {import("./store.js").Message} Message */
/** @typedef {{inThread: boolean, continues: boolean}} Setting `continues`: the author wrote the message before, too */

export class MessageView {
  constructor() {
    this.gutter = new Slot(h("div", { class: "gutter" }));
    this.head = new Slot(h("div", { class: "head" }));
    this.body = new Slot(h("div", { class: "body" }));
    this.files = new Slot(h("div", { class: "files" }));
    this.reactions = new Slot(h("div", { class: "reactions" }));
    this.thread = new Slot(h("div", { class: "thread-line" }));
    this.tools = new Slot(h("div", { class: "tools", role: "group", "aria-label": "Message actions" }));
    const parts = [this.head, this.body, this.files, this.reactions, this.thread].map((slot) => slot.element);
    this.root = h("article", { class: "message" }, this.gutter.element, h("div", { class: "content" }, parts), this.tools.element);
  }

  /** @param {Message} message @param {Setting} setting */
  update(message, setting) {
    const own = Boolean(message.for);
    this.root.dataset.ts = message.ts;
    this.root.classList.toggle("private", own);
    this.root.classList.toggle("continues", setting.continues);
    const author = store.person(message.user);
    this.gutter.update([message.user, author.real_name, setting.continues], () => (setting.continues ? gutterTime(message) : avatar(message.user)));
    this.head.update([author, setting.continues, own, message.for, nameOf(message.for ?? "")], () => head(message, setting));
    this.body.update([message.text, message.blocks, message.attachments, message.edited, message.tombstone, store.me], () => body(message));
    this.files.update(message.files ?? [], () => (message.files ?? []).map(fileTile));
    this.reactions.update([message.reactions ?? [], store.me], () => reactions(message));
    const summary = setting.inThread || own ? null : message.replies;
    this.thread.update([summary, message.thread_ts, setting.inThread, summary && ago(dateOf(summary.latest))], () => threadLine(message, setting));
    this.tools.update([own, setting.inThread, message.user, store.me, store.settings.shortcuts, message.tombstone], () => (own || message.tombstone ? null : tools(message, setting)));
  }
}

/** @param {Message} message */
function smallTime(message) {
  return h("time", { title: fully(dateOf(message.ts)) }, clock(dateOf(message.ts)));
}

/** The time without "AM" or "PM", for which the gutter has no room. @param {Message} message */
function gutterTime(message) {
  const date = dateOf(message.ts);
  return h("time", { title: fully(date) }, clock(date).replace(/\s?[AP]M$/i, ""));
}

/** @param {Message} message @param {Setting} setting */
function head(message, setting) {
  const alone = message.for ? h("p", { class: "only-you" }, icon("eye"), "Only visible to you", dismissButton(message)) : null;
  if (setting.continues) return alone;
  return [alone, h("span", { class: "author" }, nameOf(message.user)), mark(message.user), smallTime(message)];
}

/** @param {Message} message */
function dismissButton(message) {
  return h("button", { type: "button", class: "link", onclick: () => act("/dismiss", { channel: message.channel, ts: message.ts }) }, "Dismiss");
}

/** @param {Message} message */
function body(message) {
  if (message.tombstone) return h("p", { class: "hint" }, "This message was deleted.");
  const edited = message.edited ? h("small", { class: "edited" }, " (edited)") : null;
  const surface = {
    click: (/** @type {any} */ action) => act("/click", { channel: message.channel, ts: message.ts, ...action }),
  };
  const main = message.blocks?.length && !isTyped(message) ? blocks(message.blocks, surface) : message.text ? [h("div", { class: "text" }, mrkdwn(message.text))] : [];
  const attached = (message.attachments ?? []).map((one) => attachment(one, surface));
  if (main.length === 0 && attached.length === 0) return edited;
  return [...main, ...attached, edited];
}

/**
 * Whether a person typed it. Slack's editor turns their *signs* into styles before it sends them; here they are typed
 * as they are, and drawn from the text.
 * @param {Message} message
 */
function isTyped(message) {
  return !store.person(message.user).is_bot && message.blocks.every((block) => block.type === "rich_text");
}

/** @param {any} one a legacy attachment @param {import("./blocks.js").Surface} surface */
function attachment(one, surface) {
  const words = [one.pretext, one.title, one.text ?? one.fallback].filter(Boolean).map((/** @type {string} */ text) => h("div", { class: "text" }, plainWithEmoji(text)));
  return h("div", { class: "attachment" }, words, blocks(one.blocks ?? [], surface));
}

/** @param {Message} message */
function reactions(message) {
  const all = message.reactions ?? [];
  if (all.length === 0) return null;
  const chips = all.map(({ name, users }) => {
    const mine = users.includes(store.me);
    const who = users.map(nameOf).join(", ");
    return h(
      "button",
      {
        type: "button",
        class: "chip",
        "aria-pressed": String(mine),
        "aria-label": `${name.replaceAll("_", " ")}, ${users.length}: ${who}`,
        title: `${who} reacted with :${name}:`,
        data: { key: `reaction/${name}`, reaction: name },
        onclick: () => act("/react", { channel: message.channel, ts: message.ts, name, remove: mine }),
      },
      h("span", { class: "emoji" }, drawn(name)),
      String(users.length),
    );
  });
  return [...chips, iconButton("smile", "Add a reaction", (event) => react(message, event), { class: "chip add" })];
}

/** @param {Message} message @param {MouseEvent} event */
function react(message, event) {
  pickEmoji(/** @type {HTMLElement} */ (event.currentTarget), (name) => {
    const mine = (message.reactions ?? []).some((one) => one.name === name && one.users.includes(store.me));
    if (!mine) void act("/react", { channel: message.channel, ts: message.ts, name });
  });
}

/** @param {Message} message @param {Setting} setting */
function threadLine(message, setting) {
  if (setting.inThread) return null;
  if (message.thread_ts) return h("button", { type: "button", class: "link", onclick: () => go(message.channel, message.thread_ts ?? "") }, "From a thread");
  const replies = message.for ? null : message.replies;
  if (!replies) return null;
  const words = replies.count === 1 ? "1 reply" : `${replies.count} replies`;
  return h(
    "button",
    { type: "button", class: "summary", data: { key: "thread" }, onclick: () => go(message.channel, message.ts) },
    replies.users.map(avatar),
    h("strong", {}, words),
    h("span", { class: "hint" }, `last reply ${ago(dateOf(replies.latest))}`),
  );
}

/** @param {Message} message @param {Setting} setting */
function tools(message, setting) {
  const quick = (/** @type {string} */ name) =>
    h(
      "button",
      { type: "button", class: "icon-button", title: `React with :${name}:`, "aria-label": `React with ${name}`, onclick: () => act("/react", { channel: message.channel, ts: message.ts, name }) },
      h("span", { class: "emoji" }, drawn(name)),
    );
  return [
    message.user === store.bot ? quick("rocket") : null,
    iconButton("smile", "Add a reaction", (event) => react(message, event)),
    setting.inThread ? null : iconButton("reply", "Reply in thread", () => go(message.channel, message.thread_ts ?? message.ts)),
    iconButton("more", "More actions", (event) => messageMenu(message, /** @type {HTMLElement} */ (event.currentTarget)), { "aria-haspopup": "menu", "aria-expanded": "false" }),
  ];
}
