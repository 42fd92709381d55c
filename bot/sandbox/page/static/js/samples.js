/** Sample files of the sandbox's own making, to attach with one click by whoever has none at hand. */

import { iconButton } from "./dom.js";
import { openMenu } from "./popup.js";
import { toast } from "./toasts.js";

/** @typedef {{name: string, label: string, detail: string}} Sample */

/** @type {Promise<Sample[]> | null} the list, asked for once */
let listing = null;

/**
 * A button that opens the menu.
 * @param {(file: globalThis.File) => void} attach
 * @param {(coming: Promise<void>) => void} wait told of a file that was chosen and is not there yet
 */
export function samplesButton(attach, wait) {
  const open = async (/** @type {MouseEvent} */ event) => {
    const anchor = /** @type {HTMLElement} */ (event.currentTarget);
    const samples = await offered();
    if (!samples) return;
    const choices = samples.map((one) => ({ label: one.label, detail: one.detail, choose: () => wait(take(one, attach)) }));
    openMenu(anchor, choices, "Sample files");
  };
  return iconButton("picture", "Attach a sample file", (event) => void open(event), { "aria-haspopup": "menu", "aria-expanded": "false" });
}

/** @param {string} name @param {(file: globalThis.File) => void} attach */
export async function attachSample(name, attach) {
  await take({ name, label: name, detail: "" }, attach);
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

/** @param {Sample} sample @param {(file: globalThis.File) => void} attach */
async function take(sample, attach) {
  try {
    const content = await (await ask(`/page/sample/${encodeURIComponent(sample.name)}`)).blob();
    attach(new File([content], sample.name, { type: content.type }));
  } catch {
    toast(`${sample.label} could not be made. Is the demo still running?`);
  }
}

/** @param {string} path @returns {Promise<Response>} */
async function ask(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  return answer;
}
