/** The middle of the page: a channel's messages, or the app's Home, and the field to type in. */

import { control, told } from "./control.js";
import { Composer } from "./composer.js";
import { h, icon, iconButton, Slot } from "./dom.js";
import { receiveDrops } from "./drops.js";
import { FirstSteps } from "./first_steps.js";
import { HomeTab } from "./home.js";
import { MessageList } from "./message_list.js";
import { nameOf } from "./people.js";
import { currentChannel, go, place } from "./places.js";
import { store } from "./store.js";

/** @typedef {import("./store.js").Channel} Channel */

export class ChannelPane {
  /** @param {HTMLElement} root @param {{toggleDrawer: () => void, isDrawerOpen: () => boolean}} page */
  constructor(root, page) {
    this.root = root;
    this.page = page;
    this.head = new Slot(h("header", { class: "bar" }));
    this.tabs = new Slot(h("div", { class: "tabs", role: "tablist", "aria-label": "Dailies" }));
    this.notice = new Slot(h("div", { class: "notice" }));
    this.list = new MessageList({ inThread: false, label: "Messages" });
    this.home = new HomeTab();
    this.composer = new Composer({ id: "composer-input", onsent: () => this.list.toEnd() });
    this.steps = new FirstSteps(
      (text) => this.composer.put(text),
      (text, sample) => this.composer.putWithSample(text, sample),
    );
    this.closed = new Slot(h("div", { class: "closed" }));
    root.append(this.head.element, this.tabs.element, this.notice.element, this.list.root, this.home.root, this.steps.root, this.closed.element, this.composer.root);
    receiveDrops(root, (files) => this.composer.attach(files));
  }

  update() {
    const channel = currentChannel();
    if (!channel) return;
    const isDirect = channel.kind === "im";
    const isHome = isDirect && place().tab === "home" && store.settings.has_home;
    channel.seen = [...channel.messages.keys()].pop() ?? "";
    this.head.update([channel.id, store.label(channel), channel.kind, channel.is_archived, channel.members.length, this.page.isDrawerOpen(), store.bench.connected, this.troubles()], () => this.header(channel));
    this.tabs.update([isDirect && store.settings.has_home, channel.id, isHome], () => (isDirect && store.settings.has_home ? tabs(channel, isHome) : null));
    this.notice.update([channel.id, channel.members.includes(store.bot), channel.is_archived, store.connected], () => notice(channel));
    this.list.root.hidden = isHome;
    this.home.update(isHome);
    if (!isHome) this.list.show(`${store.me}/${channel.id}`, store.topMessages(channel), opening(channel));
    this.steps.update(channel, isHome);
    const canPost = store.isMember(channel) && !channel.is_archived && !isHome;
    this.composer.root.hidden = !canPost;
    this.closed.update([channel.id, canPost, isHome, store.me], () => (canPost || isHome ? null : closed(channel)));
    if (canPost) this.composer.aim({ channel: channel.id, thread: "" }, `Message ${isDirect ? store.label(channel) : `#${channel.name}`}`);
  }

  troubles() {
    return store.bench.faults.filter((fault) => fault.times !== 0).length;
  }

  /** @param {Channel} channel */
  header(channel) {
    const sign = channel.kind === "im" ? null : icon(channel.is_archived ? "archive" : channel.kind === "group" ? "lock" : "hash");
    const count = channel.members.length;
    const troubles = this.troubles();
    const connected = store.bench.connected;
    return [
      iconButton("back", "All channels", () => (location.hash = "#/"), { class: "icon-button only-phone" }),
      h("h2", { class: "title" }, sign, h("span", { class: "name" }, store.label(channel))),
      channel.kind === "im" ? null : h("span", { class: "hint members", title: channel.members.map(nameOf).join(", ") }, icon("people"), String(count)),
      h("span", { class: "grow" }),
      h("span", { class: connected ? "pill on" : "pill off", role: "status" }, h("span", { class: connected ? "dot on" : "dot" }), connected ? "Dailies is connected" : "Dailies is not connected"),
      h(
        "button",
        { type: "button", class: "button behind", id: "behind-the-scenes", "aria-label": behindLabel(troubles), "aria-expanded": String(this.page.isDrawerOpen()), "aria-controls": "drawer", data: { key: "drawer" }, onclick: () => this.page.toggleDrawer() },
        icon("sliders"),
        h("span", {}, "Behind the scenes"),
        troubles ? h("span", { class: "count" }, String(troubles)) : null,
      ),
    ];
  }
}

/** @param {number} troubles how many are active */
function behindLabel(troubles) {
  if (troubles === 0) return "Behind the scenes";
  return `Behind the scenes: ${troubles} active ${troubles === 1 ? "trouble" : "troubles"}`;
}

/** @param {Channel} channel @param {boolean} isHome */
function tabs(channel, isHome) {
  const tab = (/** @type {string} */ name, /** @type {string} */ part, /** @type {boolean} */ chosen) =>
    h("button", { type: "button", role: "tab", "aria-selected": String(chosen), data: { key: name }, onclick: () => go(channel.id, part) }, name);
  return [tab("Home", "home", isHome), tab("Messages", "", !isHome)];
}

/** @param {Channel} channel */
function notice(channel) {
  if (!store.connected) return h("p", {}, "The sandbox does not answer. This page goes on by itself as soon as it does.");
  if (channel.is_archived || channel.kind === "im" || channel.members.includes(store.bot)) return null;
  const invite = () => told(() => control("POST", "/channel", { action: "join", channel: channel.id, user: store.bot }));
  return h("p", {}, "Dailies is not in this channel. ", h("button", { type: "button", class: "link", onclick: invite }, "Add Dailies"));
}

/** @param {Channel} channel why nothing can be typed */
function closed(channel) {
  if (channel.is_archived) return h("p", {}, `#${channel.name} is archived. It can be read, and nothing can be posted.`);
  const join = () => told(() => control("POST", "/channel", { action: "join", channel: channel.id, user: store.me }));
  return [h("p", {}, `You are looking at #${channel.name}.`), h("button", { type: "button", class: "button primary", onclick: join }, "Join the channel")];
}

/** @type {Map<string, HTMLElement>} */
const openings = new Map();

/** @param {Channel} channel what stands before the first message */
function opening(channel) {
  const isDirect = channel.kind === "im";
  const name = isDirect ? store.label(channel) : `#${channel.name}`;
  const words = isDirect ? "Only the two of you see this conversation." : "This is the very beginning of the channel.";
  let shown = openings.get(channel.id);
  if (!shown || shown.dataset.name !== name) {
    shown = h("div", { class: "opening", data: { name } }, h("h3", {}, name), h("p", { class: "hint" }, words));
    openings.set(channel.id, shown);
  }
  return shown;
}
