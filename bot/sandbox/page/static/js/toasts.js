/** Short notices at the edge of the page, for what was refused. */

import { h, iconButton } from "./dom.js";

const STAY = 7000; // milliseconds

/** @param {string} text */
export function toast(text) {
  const place = document.getElementById("toasts");
  if (!place) return;
  const note = h("div", { class: "toast" }, h("p", {}, text));
  const remove = () => {
    note.remove();
    if (!place.hasChildNodes()) place.hidePopover();
  };
  note.append(iconButton("close", "Dismiss", remove));
  place.append(note);
  // Shown anew, it comes to lie over a dialog that was opened meanwhile.
  place.hidePopover();
  place.showPopover();
  setTimeout(remove, STAY);
}

/** @param {string} text read aloud by screen readers */
export function announce(text) {
  const place = document.getElementById("announcer");
  if (place) place.textContent = text;
}
