/**
 * The workspace as this page knows it: filled from the live feed, read by everything that draws.
 *
 * @typedef {{id: string, name: string, real_name: string, is_bot: boolean, is_admin: boolean, is_guest: boolean,
 *   is_stranger: boolean, deleted: boolean}} Person
 * @typedef {{id: string, name: string, title: string, mimetype: string, size: number, state: string, url: string}} File
 * @typedef {{channel: string, ts: string, user: string, text: string, blocks: any[], attachments: any[], files: File[],
 *   reactions: {name: string, users: string[]}[], thread_ts: string | null, broadcast: boolean,
 *   replies: {count: number, users: string[], latest: string} | null, edited: boolean, tombstone: boolean,
 *   deleted?: boolean, for?: string}} Message
 * @typedef {{id: string, name: string, kind: string, is_archived: boolean, members: string[],
 *   messages: Map<string, Message>, ephemerals: Map<string, Message>, seen: string}} Channel
 * @typedef {{id: string, is_open: boolean, user: string, type: string, blocks: any[], title: any, submit: any,
 *   close: any, hash: string, notes: Record<string, string>}} View
 */

class Store {
  constructor() {
    this.team = "";
    this.bot = "";
    this.connected = false;
    /** @type {Map<string, Person>} */
    this.users = new Map();
    /** @type {Map<string, Channel>} */
    this.channels = new Map();
    /** @type {Map<string, View>} */
    this.views = new Map();
    this.bench = {
      connected: false,
      delivery: "socket",
      sockets: 0,
      can_kill: false,
      faults: /** @type {any[]} */ ([]),
      providers: /** @type {any} */ ({}),
      verdict: { words: "", detail: "", wrongs: /** @type {string[]} */ ([]) },
    };
    this.settings = {
      commands: /** @type {{command: string, description: string, usage_hint: string}[]} */ ([]),
      shortcuts: /** @type {{name: string, type: string, callback_id: string, description: string}[]} */ ([]),
      has_home: false,
    };
    /** Who acts. */
    this.me = "";
    /** @type {Set<() => void>} */
    this.listeners = new Set();
  }

  /** @param {() => void} listener called after every change */
  subscribe(listener) {
    this.listeners.add(listener);
  }

  changed() {
    for (const listener of this.listeners) listener();
  }

  /**
   * Takes a message of the live feed in.
   * @param {any} news
   * @returns {Message[]} the messages that are new (not those of the first state)
   */
  apply(news) {
    const first = news.type === "state";
    if (first) {
      this.team = news.team;
      this.bot = news.bot;
      this.forget();
    }
    for (const user of news.users ?? []) this.users.set(user.id, user);
    for (const channel of news.channels ?? []) this.takeChannel(channel);
    const fresh = (news.messages ?? []).filter((message) => this.takeMessage(message, "messages"));
    const shown = (news.ephemerals ?? []).filter((message) => this.takeMessage(message, "ephemerals"));
    for (const view of news.views ?? []) {
      if (view.is_open) this.views.set(view.id, view);
      else this.views.delete(view.id);
    }
    if (news.bench) this.bench = news.bench;
    if (news.settings) this.settings = news.settings;
    if (first) this.markRead();
    return first ? [] : [...fresh, ...shown];
  }

  /** Before a whole new state. What was read stays read. */
  forget() {
    for (const channel of this.channels.values()) {
      channel.messages.clear();
      channel.ephemerals.clear();
    }
    this.views.clear();
  }

  /** What was there before the page was opened does not stand out. */
  markRead() {
    for (const channel of this.channels.values()) channel.seen ||= [...channel.messages.keys()].pop() ?? "";
  }

  /** @param {any} news */
  takeChannel(news) {
    const known = this.channels.get(news.id);
    if (known) Object.assign(known, news);
    else this.channels.set(news.id, { ...news, messages: new Map(), ephemerals: new Map(), seen: "" });
  }

  /**
   * @param {Message} message
   * @param {"messages" | "ephemerals"} kind
   * @returns {boolean} whether it was not there before
   */
  takeMessage(message, kind) {
    const list = this.channels.get(message.channel)?.[kind];
    if (!list) return false;
    if (message.deleted) {
      list.delete(message.ts);
      return false;
    }
    const isNew = !list.has(message.ts);
    list.set(message.ts, message);
    return isNew;
  }

  /** @param {string} id @returns {Person} */
  person(id) {
    return this.users.get(id) ?? { id, name: id, real_name: id, is_bot: false, is_admin: false, is_guest: false, is_stranger: false, deleted: false };
  }

  /** The acting person's direct messages with the bot, once there are any. */
  directMessages() {
    return [...this.channels.values()].find((channel) => channel.kind === "im" && channel.members.includes(this.me));
  }

  /**
   * What stands in a channel for the acting person, without replies, oldest first.
   * @param {Channel} channel
   */
  topMessages(channel) {
    const messages = [...channel.messages.values()].filter((one) => !one.thread_ts || one.broadcast);
    const mine = [...channel.ephemerals.values()].filter((one) => one.for === this.me && !one.thread_ts);
    return merged(messages, mine);
  }

  /**
   * A thread for the acting person: the first message, then replies.
   * @param {Channel} channel
   * @param {string} ts
   */
  threadMessages(channel, ts) {
    const messages = [...channel.messages.values()].filter((one) => one.ts === ts || one.thread_ts === ts);
    const mine = [...channel.ephemerals.values()].filter((one) => one.for === this.me && one.thread_ts === ts);
    return merged(messages, mine);
  }

  /** @param {Channel} channel whether the acting person is in it */
  isMember(channel) {
    return channel.members.includes(this.me);
  }

  /** @param {Channel} channel */
  label(channel) {
    if (channel.kind !== "im") return channel.name;
    const other = channel.members.find((id) => id !== this.me) ?? this.me;
    return this.person(other).real_name;
  }
}

/** @param {Message[]} messages @param {Message[]} more */
function merged(messages, more) {
  if (more.length === 0) return messages;
  return [...messages, ...more].sort((one, other) => (one.ts < other.ts ? -1 : 1));
}

export const store = new Store();
