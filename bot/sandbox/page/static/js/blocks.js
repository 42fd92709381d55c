/**
 * Block Kit as elements (https://docs.slack.dev/reference/block-kit/blocks). A block that is not known here is a box
 * that names its type, so that nothing disappears unseen.
 */

import { h } from "./dom.js";
import { element } from "./elements.js";
import { inputBlock } from "./inputs.js";
import { mrkdwn, plainWithEmoji, textObject } from "./mrkdwn.js";
import { richText } from "./rich_text.js";

/**
 * What a click on an element needs to know. `click` tells the app; `fields` holds the inputs of a view.
 * @typedef {{click: (action: {action_id: string, block_id: string, value: string | null}) => Promise<any>,
 *   fields?: import("./fields.js").Fields}} Surface
 */

const LONG_TEXT = 900; // characters of a section that is folded unless it says `expand`
const LONG_LINES = 12;

/** @type {Record<string, (block: any, surface: Surface) => Node>} */
const DRAW = {
  section,
  context,
  actions: (block, surface) => h("div", { class: "actions" }, block.elements.map((/** @type {any} */ one) => element(one, block, surface))),
  header: (block) => h("h3", { class: "header" }, textObject(block.text)),
  divider: () => h("hr"),
  image: (block) => picture(block),
  rich_text: (block) => richText(block),
  input: (block, surface) => inputBlock(block, surface),
  markdown: (block) => h("div", { class: "text" }, mrkdwn(fromMarkdown(block.text))),
  alert: (block) => h("div", { class: "alert", data: { level: block.level ?? "default" } }, textObject(block.text)),
  table: (block) => table(block),
  container: (block, surface) => h("section", { class: "container" }, h("h3", { class: "header" }, textObject(block.title)), textObject(block.subtitle), blocks(block.child_blocks, surface)),
};

/**
 * @param {any[]} list
 * @param {Surface} surface
 * @returns {HTMLElement[]}
 */
export function blocks(list, surface) {
  return list.map((block) => h("div", { class: "block", data: { type: block.type } }, (DRAW[block.type] ?? unknown)(block, surface)));
}

/** @param {any} block */
function unknown(block) {
  return h("div", { class: "unknown" }, `A block of the type “${block.type}”, which this page does not draw.`);
}

/** @param {any} block @param {Surface} surface */
function section(block, surface) {
  const text = block.text ? folded(block) : null;
  const fields = block.fields ? h("div", { class: "fields" }, block.fields.map((/** @type {any} */ field) => h("div", { class: "text" }, textObject(field)))) : null;
  const beside = block.accessory ? h("div", { class: "accessory" }, element(block.accessory, block, surface)) : null;
  return h("div", { class: "section" }, h("div", { class: "grow" }, text, fields), beside);
}

/** @param {any} block */
function folded(block) {
  const text = h("div", { class: "text" }, textObject(block.text));
  const long = block.text.text.length > LONG_TEXT || block.text.text.split("\n").length > LONG_LINES;
  if (block.expand || !long) return text;
  text.classList.add("folded");
  const more = h("button", { type: "button", class: "link", "aria-expanded": "false" }, "Show more");
  more.addEventListener("click", () => {
    const isFolded = text.classList.toggle("folded");
    more.textContent = isFolded ? "Show more" : "Show less";
    more.setAttribute("aria-expanded", String(!isFolded));
  });
  return [text, more];
}

/** @param {any} block */
function context(block) {
  return h("div", { class: "context" }, block.elements.map((/** @type {any} */ one) => (one.type === "image" ? picture(one) : h("span", { class: "text" }, textObject(one)))));
}

/** @param {any} image a picture of this workspace; others are not fetched, and named instead */
function picture(image) {
  const address = image.slack_file?.id ? `/page/file/${encodeURIComponent(image.slack_file.id)}/picture` : image.image_url ?? image.slack_file?.url ?? "";
  const url = new URL(address, location.href);
  const own = url.origin === location.origin;
  return h(
    "figure",
    { class: "picture" },
    image.title ? h("figcaption", {}, textObject(image.title)) : null,
    own ? h("img", { src: url.href, alt: image.alt_text }) : h("div", { class: "unknown" }, `Picture from elsewhere, not fetched: ${image.alt_text}`),
  );
}

/** @param {any} block */
function table(block) {
  const cell = (/** @type {any} */ one) => (one.type === "rich_text" ? richText(one) : plainWithEmoji(String(one.text ?? "")));
  return h("table", {}, block.rows.map((/** @type {any[]} */ row) => h("tr", {}, row.map((one) => h("td", {}, cell(one))))));
}

/** @param {string} text standard Markdown's headings and bold in mrkdwn */
function fromMarkdown(text) {
  return text.replace(/^#{1,6} +(.+)$/gm, "*$1*").replace(/\*\*(.+?)\*\*/g, "*$1*").replace(/\[([^\]]+)\]\((https?:[^)\s]+)\)/g, "<$2|$1>");
}
