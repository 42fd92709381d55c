/** The rich_text block: what Slack makes of typed text (https://docs.slack.dev/reference/block-kit/blocks/rich-text-block). */

import { h } from "./dom.js";
import { channelLink, emojiElement, link, mention } from "./mrkdwn.js";
import { dateWords } from "./time.js";

/** @param {any} block */
export function richText(block) {
  return h("div", { class: "rich-text" }, block.elements.map(part));
}

/** @param {any} element */
function part(element) {
  switch (element.type) {
    case "rich_text_section":
      return h("div", {}, element.elements.map(leaf));
    case "rich_text_preformatted":
      return h("pre", {}, h("code", {}, element.elements.map(leaf)));
    case "rich_text_quote":
      return h("blockquote", {}, element.elements.map(leaf));
    case "rich_text_list":
      return h(element.style === "ordered" ? "ol" : "ul", { class: `indent-${Number(element.indent) || 0}` }, element.elements.map((/** @type {any} */ item) => h("li", {}, item.elements.map(leaf))));
    default:
      return h("span", { class: "unknown" }, `[${element.type}]`);
  }
}

/** @param {any} element */
function leaf(element) {
  return styled(bare(element), element.style ?? {});
}

/** @param {any} element @returns {Node | string} */
function bare(element) {
  switch (element.type) {
    case "text":
      return element.text;
    case "link":
      return link(element.url, element.text);
    case "user":
      return mention(element.user_id);
    case "channel":
      return channelLink(element.channel_id);
    case "broadcast":
      return h("span", { class: "mention" }, `@${element.range}`);
    case "emoji":
      return emojiElement(element.name);
    case "date":
      return dateWords(element.timestamp, element.format);
    case "color":
      return element.value;
    default:
      return h("span", { class: "unknown" }, `[${element.type}]`);
  }
}

/** @param {Node | string} piece @param {Record<string, boolean>} style */
function styled(piece, style) {
  const tags = { bold: "strong", italic: "em", strike: "s", code: "code", underline: "u" };
  return Object.entries(tags).reduce((inner, [name, tag]) => (style[name] ? h(tag, {}, inner) : inner), piece);
}
