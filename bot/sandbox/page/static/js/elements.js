/** The parts of blocks that people press: buttons, menus, overflows, and inputs that stand outside of modals. */

import { confirmed } from "./dialog.js";
import { h, icon } from "./dom.js";
import { control } from "./inputs.js";
import { textObject, wordsOf } from "./mrkdwn.js";
import { openMenu } from "./popup.js";

/** @typedef {import("./blocks.js").Surface} Surface */

/** @param {any} spec @param {any} block @param {Surface} surface @returns {Node} */
export function element(spec, block, surface) {
  if (spec.type === "button") return button(spec, block, surface);
  if (spec.type === "overflow") return overflow(spec, block, surface);
  if (spec.type === "image") return h("figure", { class: "picture small" }, imageOf(spec));
  return chooser(spec, block, surface);
}

/**
 * Asks where the element wants it, then tells the app, once at a time.
 * @param {any} spec @param {any} block @param {Surface} surface @param {string | null} value @param {HTMLElement} shown
 */
async function press(spec, block, surface, value, shown) {
  if (shown.getAttribute("aria-busy") === "true" || !(await confirmed(spec.confirm))) return;
  shown.setAttribute("aria-busy", "true");
  await surface.click({ action_id: spec.action_id, block_id: block.block_id, value });
  shown.removeAttribute("aria-busy");
}

/** @param {any} spec @param {any} block @param {Surface} surface */
function button(spec, block, surface) {
  const shown = h(
    "button",
    {
      type: "button",
      class: `button ${spec.style ?? ""}`,
      "aria-label": spec.accessibility_label,
      data: { key: `${block.block_id}/${spec.action_id}`, action: spec.action_id },
      onclick: () => {
        if (/^https?:/.test(spec.url ?? "")) open(spec.url, "_blank", "noopener");
        void press(spec, block, surface, spec.value ?? null, shown);
      },
    },
    textObject(spec.text),
  );
  return shown;
}

/** @param {any} spec @param {any} block @param {Surface} surface */
function overflow(spec, block, surface) {
  const shown = h(
    "button",
    {
      type: "button",
      class: "button overflow",
      "aria-label": "More actions",
      "aria-haspopup": "menu",
      "aria-expanded": "false",
      data: { key: `${block.block_id}/${spec.action_id}`, action: spec.action_id },
      onclick: () => {
        const choices = spec.options.map((/** @type {any} */ option) => ({
          label: wordsOf(option.text),
          detail: option.description ? wordsOf(option.description) : undefined,
          choose: () => void press(spec, block, surface, option.value, shown),
        }));
        openMenu(shown, choices, "More actions");
      },
    },
    icon("more"),
  );
  return shown;
}

/** A menu or other input whose change is an action. @param {any} spec @param {any} block @param {Surface} surface */
function chooser(spec, block, surface) {
  const made = control(spec, {
    label: spec.placeholder ? wordsOf(spec.placeholder) : spec.action_id ?? "Choose",
    onchange: () => {
      const value = made?.value();
      const chosen = Array.isArray(value) ? value[value.length - 1] : value;
      if (chosen !== null && chosen !== undefined && chosen !== "") void press(spec, block, surface, String(chosen), made.element);
    },
  });
  if (!made) return h("span", { class: "unknown" }, `An element of the type “${spec.type}”, which this page does not draw.`);
  surface.fields?.add(block.block_id, spec.action_id, made);
  return made.element;
}

/** @param {any} spec */
function imageOf(spec) {
  const url = new URL(spec.slack_file?.id ? `/page/file/${encodeURIComponent(spec.slack_file.id)}/picture` : spec.image_url ?? "", location.href);
  return url.origin === location.origin ? h("img", { src: url.href, alt: spec.alt_text }) : h("span", { class: "unknown" }, spec.alt_text);
}
