/**
 * Slack's mrkdwn as elements (https://docs.slack.dev/messaging/formatting-message-text). What is not understood stays
 * text; text is never parsed as HTML.
 */

import { h } from "./dom.js";
import { character } from "./emoji.js";
import { go } from "./places.js";
import { store } from "./store.js";
import { dateWords, fully } from "./time.js";

/** @typedef {Node | string} Piece */

const STYLES = /** @type {Record<string, string>} */ ({ "*": "strong", _: "em", "~": "s" });
const BEFORE = /[\s([{"'“‘.,;:!?…—–\-/|>]/;
const AFTER = /[\s)\]}"'”’.,;:!?…—–\-/|<]/;
const LINK = /^(?:https?:\/\/|mailto:)/i;

/** @param {string} text the three characters that Slack escapes, as people read them */
export function unescape(text) {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

/**
 * A whole text: code blocks, quotes and lines.
 * @param {string} text
 * @returns {Piece[]}
 */
export function mrkdwn(text) {
  return text.split(/```\n?/).flatMap((part, index, parts) => {
    const isCode = index % 2 === 1 && index < parts.length - 1;
    if (isCode) return [h("pre", {}, h("code", {}, unescape(part.replace(/\n$/, ""))))];
    return quotes(index % 2 === 1 ? "```" + part : part);
  });
}

/** @param {string} text @returns {Piece[]} */
function quotes(text) {
  /** @type {Piece[]} */
  const pieces = [];
  /** @type {string[]} */
  let plain = [];
  /** @type {string[]} */
  let quoted = [];
  const endPlain = () => {
    if (plain.length > 0) pieces.push(...inline(plain.join("\n")));
    plain = [];
  };
  const endQuote = () => {
    if (quoted.length > 0) pieces.push(h("blockquote", {}, inline(quoted.join("\n"))));
    quoted = [];
  };
  for (const line of text.split("\n")) {
    const found = /^&gt; ?(.*)$/.exec(line);
    if (found) {
      endPlain();
      quoted.push(found[1]);
    } else {
      endQuote();
      plain.push(line);
    }
  }
  endQuote();
  endPlain();
  return pieces;
}

/**
 * Marks within lines.
 * @param {string} text
 * @returns {Piece[]}
 */
export function inline(text) {
  /** @type {Piece[]} */
  const pieces = [];
  let plain = "";
  let at = 0;
  const take = (/** @type {Piece} */ piece, /** @type {number} */ length) => {
    if (plain) pieces.push(unescape(plain));
    plain = "";
    pieces.push(piece);
    at += length;
  };
  while (at < text.length) {
    const rest = text.slice(at);
    const code = /^`([^`\n]+)`/.exec(rest);
    const control = /^<([^<>\n]+)>/.exec(rest);
    const emoji = /^:([a-z0-9_+'-]+(?:::skin-tone-\d)?):/.exec(rest);
    const styled = STYLES[rest[0]] && (at === 0 || BEFORE.test(text[at - 1])) ? closing(rest) : 0;
    if (code) take(h("code", {}, unescape(code[1])), code[0].length);
    else if (control) take(controlSequence(control[1]), control[0].length);
    else if (emoji && character(emoji[1])) take(emojiElement(emoji[1]), emoji[0].length);
    else if (styled > 0) take(h(STYLES[rest[0]], {}, inline(rest.slice(1, styled))), styled + 1);
    else {
      plain += text[at];
      at += 1;
    }
  }
  if (plain) pieces.push(unescape(plain));
  return pieces;
}

/**
 * Where the sign that begins the text is closed, or 0.
 * @param {string} text
 */
function closing(text) {
  const sign = text[0];
  if (/\s/.test(text[1] ?? " ") || text[1] === sign) return 0;
  for (let at = 2; at < text.length && text[at] !== "\n"; at += 1) {
    if (text[at] === "`") {
      const end = text.indexOf("`", at + 1);
      if (end < 0) return 0;
      at = end;
    } else if (text[at] === sign && !/\s/.test(text[at - 1]) && (at + 1 === text.length || AFTER.test(text[at + 1]) || STYLES[text[at + 1]])) {
      return at;
    }
  }
  return 0;
}

/** @param {string} inner what stands between angle brackets @returns {Piece} */
function controlSequence(inner) {
  const bar = inner.indexOf("|");
  const target = bar < 0 ? inner : inner.slice(0, bar);
  const label = bar < 0 ? "" : unescape(inner.slice(bar + 1));
  if (target.startsWith("@")) return mention(target.slice(1), label);
  if (target.startsWith("#")) return channelLink(target.slice(1), label);
  if (target.startsWith("!date^")) return date(target, label);
  if (target.startsWith("!")) return h("span", { class: "mention" }, `@${label.replace(/^@/, "") || target.slice(1).split("^")[0]}`);
  return LINK.test(target) ? link(unescape(target), label) : unescape(`<${inner}>`);
}

/** @param {string} id @param {string} [label] */
export function mention(id, label = "") {
  const name = store.users.has(id) ? store.person(id).real_name : label || id;
  return h("span", { class: id === store.me ? "mention mine" : "mention" }, `@${name}`);
}

/** @param {string} id @param {string} [label] */
export function channelLink(id, label = "") {
  const channel = store.channels.get(id);
  if (!channel) return h("span", { class: "mention" }, `#${label || id}`);
  return h("button", { type: "button", class: "mention link", onclick: () => go(id) }, `#${store.label(channel)}`);
}

/** @param {string} target @param {string} label */
function date(target, label) {
  const [, seconds, form, address] = target.split("^");
  if (!/^\d+$/.test(seconds) || !form) return label;
  const words = h("time", { title: fully(new Date(Number(seconds) * 1000)) }, dateWords(Number(seconds), unescape(form)));
  return address ? link(unescape(address), words) : words;
}

/** @param {string} address @param {Piece} [label] @returns {Piece} a link, if it is one that a browser may follow */
export function link(address, label = "") {
  if (!LINK.test(address)) return label || address;
  return h("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, label || address);
}

/** @param {string} name */
export function emojiElement(name) {
  const shown = character(name);
  if (!shown) return `:${name}:`;
  return h("span", { class: "emoji", role: "img", "aria-label": name, title: `:${name}:` }, shown);
}

/**
 * A text object of Block Kit.
 * @param {{type: string, text: string, verbatim?: boolean} | null | undefined} object
 * @returns {Piece[]}
 */
export function textObject(object) {
  if (!object) return [];
  if (object.type === "mrkdwn") return mrkdwn(object.text);
  return plainWithEmoji(object.text);
}

/** @param {string} text plain text, in which only emoji names mean something @returns {Piece[]} */
export function plainWithEmoji(text) {
  return text
    .split(/(:[a-z0-9_+'-]+:)/)
    .filter((part) => part !== "")
    .map((part) => (/^:.+:$/.test(part) && character(part.slice(1, -1)) ? emojiElement(part.slice(1, -1)) : unescape(part)));
}

/** @param {{type: string, text: string} | null | undefined} object a text object in plain words, for labels */
export function wordsOf(object) {
  return h("div", {}, textObject(object)).textContent ?? "";
}

/** @param {string} text mrkdwn in plain words, for announcements */
export function words(text) {
  return h("div", {}, mrkdwn(text)).textContent ?? "";
}
