/** The app's Home tab, as the app published it for the acting person. */

import { blocks } from "./blocks.js";
import { act } from "./control.js";
import { h, Slot } from "./dom.js";
import { Fields } from "./fields.js";
import { store } from "./store.js";

export class HomeTab {
  constructor() {
    this.slot = new Slot(h("div", { class: "home", role: "tabpanel", "aria-label": "Home", tabindex: "0" }));
    this.root = h("div", { class: "home-scroller", hidden: true }, this.slot.element);
    this.openedFor = "";
  }

  /** @param {boolean} shown */
  update(shown) {
    this.root.hidden = !shown;
    if (!shown) {
      this.openedFor = "";
      return;
    }
    if (this.openedFor !== store.me) {
      this.openedFor = store.me;
      void act("/home", { tab: "home" });
    }
    const view = [...store.views.values()].find((one) => one.type === "home" && one.user === store.me);
    this.slot.update([view?.id, view?.hash, store.me], () => (view ? draw(view) : empty()));
  }
}

/** @param {import("./store.js").View} view */
function draw(view) {
  const fields = new Fields();
  return blocks(view.blocks, { fields, click: (action) => act("/click", { home: true, values: fields.values(), ...action }) });
}

function empty() {
  return h("p", { class: "hint" }, "The app has not published a Home for you yet.");
}
