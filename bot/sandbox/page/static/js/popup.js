/** Something that opens beside a button and closes with Escape or a click elsewhere: menus, the emoji picker. */

import { h } from "./dom.js";

const GAP = 6; // pixels

/** @type {(() => void) | null} */
let closeOpen = null;

/**
 * @param {Element} anchor
 * @param {HTMLElement} content
 * @param {{onclose?: () => void}} [options]
 * @returns {() => void} closes it and gives the focus back
 */
export function openPopup(anchor, content, options = {}) {
  closeOpen?.();
  const box = h("div", { class: "popup" }, content);
  const host = anchor.closest("dialog") ?? document.body;
  const close = (/** @type {boolean} */ keepFocus = true) => {
    if (closeOpen !== closeThis) return;
    closeOpen = null;
    removeEventListener("pointerdown", elsewhere, true);
    box.removeEventListener("keydown", keys);
    box.remove();
    options.onclose?.();
    if (keepFocus && anchor instanceof HTMLElement && anchor.isConnected) anchor.focus();
  };
  const closeThis = () => close();
  const elsewhere = (/** @type {Event} */ event) => {
    const target = /** @type {Node} */ (event.target);
    if (!box.contains(target) && !anchor.contains(target)) close(false);
  };
  const keys = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    event.preventDefault();
    close();
  };
  addEventListener("pointerdown", elsewhere, true);
  box.addEventListener("keydown", keys);
  host.append(box);
  position(box, anchor.getBoundingClientRect());
  closeOpen = closeThis;
  return closeThis;
}

/** @param {HTMLElement} box @param {DOMRect} anchor below it, or above where there is more room */
function position(box, anchor) {
  const { offsetWidth: width, offsetHeight: height } = box;
  const below = innerHeight - anchor.bottom - GAP;
  const top = height <= below || below >= anchor.top ? anchor.bottom + GAP : anchor.top - GAP - height;
  box.style.left = `${Math.max(GAP, Math.min(anchor.left, innerWidth - width - GAP))}px`;
  box.style.top = `${Math.max(GAP, Math.min(top, innerHeight - height - GAP))}px`;
}

/**
 * @typedef {{label: string, detail?: string, danger?: boolean, checked?: boolean, choose: () => void}} Choice
 */

/**
 * A menu: arrow keys move, Enter chooses, Escape closes.
 * @param {HTMLElement} anchor
 * @param {Choice[]} choices
 * @param {string} label
 */
export function openMenu(anchor, choices, label) {
  const items = choices.map((choice) =>
    h(
      "button",
      {
        type: "button",
        role: choice.checked === undefined ? "menuitem" : "menuitemradio",
        "aria-checked": choice.checked === undefined ? undefined : String(choice.checked),
        class: choice.danger ? "danger" : "",
        tabindex: "-1",
        onclick: () => {
          close();
          choice.choose();
        },
      },
      h("span", {}, choice.label),
      choice.detail ? h("small", {}, choice.detail) : null,
    ),
  );
  const menu = h("div", { class: "menu", role: "menu", "aria-label": label, onkeydown: (/** @type {KeyboardEvent} */ event) => moveFocus(event, items) }, items);
  anchor.setAttribute("aria-expanded", "true");
  const close = openPopup(anchor, menu, { onclose: () => anchor.setAttribute("aria-expanded", "false") });
  (items.find((item) => item.getAttribute("aria-checked") === "true") ?? items[0])?.focus();
}

/** @param {KeyboardEvent} event @param {HTMLElement[]} items */
function moveFocus(event, items) {
  const at = items.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  /** @type {Record<string, number>} */
  const targets = { ArrowDown: (at + 1) % items.length, ArrowUp: (at - 1 + items.length) % items.length, Home: 0, End: items.length - 1 };
  const target = targets[event.key];
  if (target === undefined) return;
  event.preventDefault();
  items[target].focus();
}
