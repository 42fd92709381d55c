/** Sample files of the sandbox's own making, to attach with one click by whoever has none at hand. */

import { iconButton } from "./dom.js";
import { openMenu } from "./popup.js";
import { toast } from "./toasts.js";

/** @typedef {{name: string, label: string, detail: string}} Sample */

/** @type {Promise<Sample[]> | null} the list, asked for once */
let listing = null;

/**
 * A button that opens the menu.
 * @param {(coming: Promise<globalThis.File | null>) => void} attach told of a file as soon as it is chosen
 */
export function samplesButton(attach) {
  const open = async (/** @type {MouseEvent} */ event) => {
    const anchor = /** @type {HTMLElement} */ (event.currentTarget);
    const samples = await offered();
    if (!samples) return;
    const choices = samples.map((one) => ({ label: one.label, detail: one.detail, choose: () => attach(take(one)) }));
    openMenu(anchor, choices, "Sample files");
  };
  return iconButton("picture", "Attach a sample file", (event) => void open(event), { "aria-haspopup": "menu", "aria-expanded": "false" });
}

/** @param {string} name @returns {Promise<globalThis.File | null>} as it is made; null when it cannot be */
export async function sampleFile(name) {
  return take({ name, label: name, detail: "" });
}

/** @returns {Promise<Sample[] | null>} null when the sandbox does not answer, which the person is told */
async function offered() {
  try {
    listing ??= ask("/page/samples").then((answer) => answer.json());
    return await listing;
  } catch {
    listing = null;
    toast("The sandbox does not answer. Is the demo still running?");
    return null;
  }
}

/** @param {Sample} sample @returns {Promise<globalThis.File | null>} null when it cannot be had, which the person is told */
async function take(sample) {
  try {
    const content = await (await ask(`/page/sample/${encodeURIComponent(sample.name)}`)).blob();
    return new File([content], sample.name, { type: content.type });
  } catch {
    toast(`${sample.label} could not be made. Is the demo still running?`);
    return null;
  }
}

/** @param {string} path @returns {Promise<Response>} */
async function ask(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  return answer;
}
