/** The "more" menu of a message: the app's shortcuts, and editing and deleting one's own. */

import { act } from "./control.js";
import { confirmed } from "./dialog.js";
import { h } from "./dom.js";
import { unescape } from "./mrkdwn.js";
import { openMenu } from "./popup.js";
import { store } from "./store.js";
import { toast } from "./toasts.js";

/** @param {import("./store.js").Message} message @param {HTMLElement} anchor */
export function messageMenu(message, anchor) {
  const place = { channel: message.channel, ts: message.ts };
  const shortcuts = store.settings.shortcuts
    .filter((one) => one.type === "message")
    .map((one) => ({ label: one.name, detail: one.description, choose: () => void act("/shortcut", { callback_id: one.callback_id, ...place }) }));
  const own = message.user === store.me ? [{ label: "Edit message", choose: () => edit(message) }] : [];
  const mayDelete = message.user === store.me || store.person(store.me).is_admin;
  const removal = mayDelete ? [{ label: "Delete message…", danger: true, choose: () => void remove(message) }] : [];
  const address = `${location.origin}/#/${message.channel}/${message.thread_ts ?? message.ts}`;
  const copy = { label: "Copy link", choose: () => void navigator.clipboard.writeText(address).then(() => toast("Link copied.")) };
  openMenu(anchor, [...shortcuts, ...own, copy, ...removal], "Message actions");
}

/** @param {import("./store.js").Message} message */
async function remove(message) {
  const sure = await confirmed({
    title: { type: "plain_text", text: "Delete this message?" },
    text: { type: "plain_text", text: "It goes for everybody, and cannot be brought back." },
    confirm: { type: "plain_text", text: "Delete" },
    deny: { type: "plain_text", text: "Keep it" },
    style: "danger",
  });
  if (sure) await act("/delete", { channel: message.channel, ts: message.ts });
}

/** @param {import("./store.js").Message} message */
function edit(message) {
  const field = h("textarea", { rows: 4, "aria-label": "Message", value: typed(message.text), autofocus: true });
  const dialog = h(
    "dialog",
    { class: "question", "aria-label": "Edit message" },
    h("h2", {}, "Edit message"),
    field,
    h(
      "div",
      { class: "row end" },
      h("button", { type: "button", class: "button", onclick: () => dialog.close() }, "Cancel"),
      h("button", { type: "button", class: "button primary", onclick: () => dialog.close("save") }, "Save"),
    ),
  );
  dialog.addEventListener("close", () => {
    dialog.remove();
    const text = field.value.trim();
    if (dialog.returnValue === "save" && text) void act("/edit", { channel: message.channel, ts: message.ts, text });
  });
  document.body.append(dialog);
  dialog.showModal();
}

/** @param {string} text a stored text as it was typed: mentions by name, links bare */
function typed(text) {
  return unescape(
    text
      .replace(/<@([A-Z0-9]+)(?:\|[^>]*)?>/g, (_whole, id) => `@${store.person(id).name}`)
      .replace(/<#([A-Z0-9]+)(?:\|([^>]*))?>/g, (_whole, id, name) => `#${name ?? store.channels.get(id)?.name ?? id}`)
      .replace(/<((?:https?|mailto):[^>|]+)(?:\|[^>]*)?>/g, "$1"),
  );
}
