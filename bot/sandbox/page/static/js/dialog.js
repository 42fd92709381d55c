/** Questions that must be answered before anything else: confirmations. */

import { h } from "./dom.js";
import { textObject } from "./mrkdwn.js";

/** @typedef {{title: any, text: any, confirm: any, deny: any, style?: string}} Confirmation Block Kit's confirm object */

/**
 * @param {Confirmation | undefined} confirmation nothing is asked without one
 * @returns {Promise<boolean>}
 */
export function confirmed(confirmation) {
  if (!confirmation) return Promise.resolve(true);
  return new Promise((resolve) => {
    const yes = confirmation.style === "danger" ? "button danger" : "button primary";
    const answer = (/** @type {string} */ word) => () => dialog.close(word);
    const dialog = h(
      "dialog",
      { class: "question", "aria-labelledby": "question-title" },
      h("h2", { id: "question-title" }, textObject(confirmation.title)),
      h("p", {}, textObject(confirmation.text)),
      h(
        "div",
        { class: "row end" },
        h("button", { type: "button", class: "button", onclick: answer("") }, textObject(confirmation.deny)),
        h("button", { type: "button", class: yes, autofocus: true, onclick: answer("yes") }, textObject(confirmation.confirm)),
      ),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
