/** The list of channels and people, and who is acting. */

import { act } from "./control.js";
import { h, icon, iconButton, Slot } from "./dom.js";
import { remember } from "./memory.js";
import { avatar, nameOf, role } from "./people.js";
import { canSee, currentChannel, go, place } from "./places.js";
import { openMenu } from "./popup.js";
import { store } from "./store.js";
import { isDark, toggleTheme } from "./theme.js";

/** @typedef {import("./store.js").Channel} Channel */

export class Sidebar {
  /** @param {HTMLElement} root @param {() => void} redraw */
  constructor(root, redraw) {
    this.redraw = redraw;
    this.top = new Slot(h("header", { class: "bar" }));
    this.channels = new Slot(h("div", { class: "places" }));
    this.me = new Slot(h("footer", { class: "me" }));
    root.append(this.top.element, this.channels.element, this.me.element);
  }

  update() {
    this.top.update([store.team, isDark()], () => this.header());
    this.channels.update(this.facts(), () => this.places());
    this.me.update([store.me, store.person(store.me)], () => this.footer());
  }

  header() {
    const theme = iconButton(isDark() ? "sun" : "moon", isDark() ? "Light colours" : "Dark colours", () => {
      toggleTheme();
      this.redraw();
    }, { data: { key: "theme" } });
    return [h("div", { class: "grow" }, h("h1", {}, store.team), h("p", { class: "hint" }, "pretend workspace")), theme];
  }

  facts() {
    const shown = [...store.channels.values()].map((one) => [one.id, one.name, one.kind, one.is_archived, one.members, isUnread(one)]);
    return [shown, currentChannel()?.id, place(), store.me, [...store.users.values()].length, store.bench.connected];
  }

  places() {
    const seen = [...store.channels.values()].filter((channel) => canSee(channel) && channel.kind !== "im");
    const open = seen.filter((channel) => !channel.is_archived);
    const archived = seen.filter((channel) => channel.is_archived);
    return [section("Channels", [...open, ...archived].map(channelLine)), section("Direct messages", [directLine()])];
  }

  footer() {
    const person = store.person(store.me);
    const button = h(
      "button",
      { type: "button", class: "who", id: "acting-as", "aria-haspopup": "menu", "aria-expanded": "false", data: { key: "who" }, onclick: () => this.choosePerson(button) },
      avatar(store.me),
      h("span", { class: "grow" }, h("span", { class: "hint" }, ["You act as", role(person)].filter(Boolean).join(" · ")), h("strong", {}, person.real_name)),
      icon("down"),
    );
    return button;
  }

  /** @param {HTMLElement} anchor */
  choosePerson(anchor) {
    const people = [...store.users.values()].filter((one) => !one.is_bot && !one.deleted);
    const choices = people.map((one) => ({ label: one.real_name, detail: role(one), checked: one.id === store.me, choose: () => this.become(one.id) }));
    openMenu(anchor, choices, "Act as");
  }

  /** @param {string} id */
  become(id) {
    store.me = id;
    remember("me", id, sessionStorage);
    this.redraw();
  }
}

/** @param {string} name @param {Node[]} lines */
function section(name, lines) {
  return h("section", {}, h("h2", {}, name), h("ul", {}, lines.map((line) => h("li", {}, line))));
}

/** @param {Channel} channel */
function channelLine(channel) {
  const kind = channel.is_archived ? "archive" : channel.kind === "group" ? "lock" : "hash";
  const outside = !store.isMember(channel);
  const words = [channel.is_archived ? "archived" : "", channel.kind === "group" ? "private" : "", outside ? "you are not a member" : ""].filter(Boolean);
  return line(channel, icon(kind), channel.name, words, outside ? h("span", { class: "mark" }, "not joined") : null);
}

/** @param {Channel} channel @param {Node} sign @param {string} name @param {string[]} words @param {Node | null} [more] */
function line(channel, sign, name, words, more = null) {
  const current = currentChannel()?.id === channel.id;
  const unread = isUnread(channel);
  const spoken = [name, ...words, unread ? "unread" : ""].filter(Boolean).join(", ");
  return h(
    "button",
    {
      type: "button",
      class: `place${unread ? " unread" : ""}${channel.is_archived ? " faint" : ""}`,
      "aria-current": current ? "page" : undefined,
      "aria-label": spoken,
      data: { key: channel.id },
      onclick: () => go(channel.id, channel.kind === "im" && place().tab === "home" ? "home" : ""),
    },
    sign,
    h("span", { class: "grow name" }, name),
    more,
  );
}

/** The conversation with the bot; it comes into being when it is first opened. */
function directLine() {
  const channel = store.directMessages();
  if (channel) return line(channel, avatar(store.bot), nameOf(store.bot), [], presence());
  const begin = async () => {
    const answer = await act("/home", { tab: "messages" });
    if (answer) go(answer.channel);
  };
  return h("button", { type: "button", class: "place", "aria-label": nameOf(store.bot), data: { key: "dm" }, onclick: begin }, avatar(store.bot), h("span", { class: "grow name" }, nameOf(store.bot)), presence());
}

function presence() {
  const connected = store.bench.connected;
  return h("span", { class: connected ? "dot on" : "dot", role: "img", "aria-label": connected ? "connected" : "not connected", title: connected ? "Connected" : "Not connected" });
}

/** @param {Channel} channel */
function isUnread(channel) {
  if (!store.isMember(channel) || channel.is_archived || currentChannel()?.id === channel.id) return false;
  const last = [...channel.messages.keys()].pop() ?? "";
  return last > channel.seen;
}
