/** Modals of the app: the one on top of the acting person's stack is shown. */

import { blocks } from "./blocks.js";
import { act } from "./control.js";
import { h, iconButton } from "./dom.js";
import { Fields } from "./fields.js";
import { textObject } from "./mrkdwn.js";
import { store } from "./store.js";

/** @typedef {import("./store.js").View} View */

export class Modals {
  constructor() {
    /** @type {Map<string, ModalView>} */
    this.shown = new Map();
  }

  update() {
    const open = [...store.views.values()].filter((view) => view.type === "modal" && view.user === store.me);
    for (const [id, modal] of this.shown) {
      if (open.some((view) => view.id === id)) continue;
      modal.remove();
      this.shown.delete(id);
    }
    const top = open[open.length - 1];
    for (const view of open) {
      let modal = this.shown.get(view.id);
      if (!modal) this.shown.set(view.id, (modal = new ModalView()));
      modal.update(view, view === top);
    }
  }
}

class ModalView {
  constructor() {
    this.fields = new Fields();
    this.id = "";
    this.hash = "";
    this.notes = "";
    this.body = h("div", { class: "modal-body" });
    this.head = h("header", { class: "bar" });
    this.foot = h("footer", { class: "row end" });
    this.form = h("form", { novalidate: true, onsubmit: (/** @type {Event} */ event) => this.submit(event) }, this.head, this.body, this.foot);
    this.dialog = h("dialog", { class: "modal", "aria-label": "Window of the app" }, this.form);
    this.dialog.addEventListener("cancel", (/** @type {Event} */ event) => {
      event.preventDefault();
      void this.close();
    });
    document.body.append(this.dialog);
  }

  /** @param {View} view @param {boolean} isTop */
  update(view, isTop) {
    this.id = view.id;
    if (view.hash !== this.hash) this.draw(view);
    const notes = JSON.stringify(view.notes);
    if (notes !== this.notes) {
      this.notes = notes;
      this.tell(view.notes);
    }
    if (isTop && !this.dialog.open) this.dialog.showModal();
    if (!isTop && this.dialog.open) this.dialog.close();
  }

  /** @param {View} view */
  draw(view) {
    this.hash = view.hash;
    const focused = document.activeElement instanceof HTMLElement && this.dialog.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
    this.fields.keep();
    const title = textObject(view.title);
    this.head.replaceChildren(h("h2", { class: "title" }, title), h("span", { class: "grow" }), iconButton("close", "Close", () => void this.close()));
    this.dialog.setAttribute("aria-label", view.title?.text ?? "Window of the app");
    this.body.replaceChildren(...blocks(view.blocks, { fields: this.fields, click: (action) => act("/click", { view_id: this.id, values: this.fields.values(), ...action }) }));
    const submit = view.submit ? h("button", { type: "submit", class: "button primary" }, textObject(view.submit)) : null;
    this.foot.replaceChildren(h("button", { type: "button", class: "button", onclick: () => void this.close() }, view.close ? textObject(view.close) : "Close"), ...(submit ? [submit] : []));
    if (focused) this.body.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  /** @param {Record<string, string>} notes errors by block_id; all others go away */
  tell(notes) {
    for (const input of this.body.querySelectorAll(".input")) {
      const error = input.querySelector(".error");
      const words = notes[input.dataset.block] ?? "";
      error.textContent = words;
      error.hidden = !words;
      input.classList.toggle("wrong", Boolean(words));
    }
    this.body.querySelector(".wrong input, .wrong textarea, .wrong select")?.focus();
  }

  /** What cannot be sent as it is, by block_id. */
  problems() {
    /** @type {Record<string, string>} */
    const notes = {};
    for (const { block, control } of this.fields.controls.values()) {
      const input = this.body.querySelector(`.input[data-block="${CSS.escape(block)}"]`);
      const value = control.value();
      const isEmpty = value === null || value === "" || (Array.isArray(value) && value.length === 0);
      const problem = control.problem?.();
      if (input?.dataset.optional === "false" && isEmpty) notes[block] = "Please fill this in.";
      else if (problem) notes[block] = problem;
    }
    return notes;
  }

  /** @param {Event} event */
  async submit(event) {
    event.preventDefault();
    const notes = this.problems();
    this.tell(notes);
    if (Object.keys(notes).length > 0) return;
    this.form.setAttribute("aria-busy", "true");
    this.notes = "";
    await act("/submit", { view_id: this.id, values: this.fields.values() });
    this.form.removeAttribute("aria-busy");
  }

  async close() {
    await act("/close_view", { view_id: this.id });
  }

  remove() {
    if (this.dialog.open) this.dialog.close();
    this.dialog.remove();
  }
}
