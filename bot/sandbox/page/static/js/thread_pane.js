/** A thread, beside its channel. */

import { Composer } from "./composer.js";
import { h, iconButton, Slot } from "./dom.js";
import { receiveDrops } from "./drops.js";
import { MessageList } from "./message_list.js";
import { currentChannel, go, place } from "./places.js";
import { store } from "./store.js";

export class ThreadPane {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.opened = "";
    this.head = new Slot(h("header", { class: "bar" }));
    this.list = new MessageList({ inThread: true, label: "Messages of the thread" });
    this.composer = new Composer({ id: "thread-input", onsent: () => this.list.toEnd() });
    root.append(this.head.element, this.list.root, this.composer.root);
    root.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
    receiveDrops(root, (files) => this.composer.attach(files));
  }

  get isOpen() {
    return !this.root.hidden;
  }

  update() {
    const channel = currentChannel();
    const ts = channel && place().channel === channel.id ? place().thread : "";
    this.root.hidden = !ts;
    if (!channel || !ts) {
      this.opened = "";
      return;
    }
    const name = channel.kind === "im" ? store.label(channel) : `#${channel.name}`;
    this.head.update([name], () => [
      iconButton("back", "Back to the channel", () => this.close(), { class: "icon-button only-phone" }),
      h("h2", { class: "title" }, "Thread", h("span", { class: "hint" }, name)),
      h("span", { class: "grow" }),
      iconButton("close", "Close the thread", () => this.close()),
    ]);
    this.list.show(`${store.me}/${channel.id}/${ts}`, store.threadMessages(channel, ts));
    const canPost = store.isMember(channel) && !channel.is_archived;
    this.composer.root.hidden = !canPost;
    if (canPost) this.composer.aim({ channel: channel.id, thread: ts }, "Reply…");
    if (this.opened !== ts) {
      this.opened = ts;
      if (canPost) this.composer.input.focus({ preventScroll: true });
    }
  }

  close() {
    const ts = place().thread;
    go(currentChannel()?.id ?? "");
    document.querySelector(`#channel [data-ts="${CSS.escape(ts)}"] [data-key="thread"]`)?.focus();
  }
}
