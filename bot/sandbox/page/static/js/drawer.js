/** Behind the scenes: what the providers charged, what stands in the threads, and trouble to make. */

import { control, told } from "./control.js";
import { confirmed } from "./dialog.js";
import { h, iconButton, Slot } from "./dom.js";
import { store } from "./store.js";
import { clock } from "./time.js";
import { emptyAccount, healAll, isEmpty, otherFaults, standing, toggle, topUp, TROUBLES } from "./troubles.js";

const MICRO = 1_000_000;

export class Drawer {
  /** @param {HTMLElement} root @param {() => void} close */
  constructor(root, close) {
    this.root = root;
    this.connection = new Slot(h("section", {}));
    this.money = new Slot(h("section", { "aria-live": "polite" }));
    this.active = new Slot(h("section", {}));
    this.makers = new Slot(h("section", {}));
    this.ledger = new Slot(h("section", {}));
    const head = h("header", { class: "bar" }, h("h2", { class: "title" }, "Behind the scenes"), h("span", { class: "grow" }), iconButton("close", "Close", close));
    const parts = [this.money, this.connection, this.active, this.makers, this.ledger].map((slot) => slot.element);
    root.append(head, h("div", { class: "drawer-body" }, parts));
    root.addEventListener("keydown", (event) => {
      if (event.key === "Escape") close();
    });
  }

  update() {
    if (this.root.hidden) return;
    const { bench } = store;
    this.money.update([bench.verdict], money);
    this.connection.update([bench.connected, bench.delivery, bench.sockets, bench.can_kill], connection);
    this.active.update([bench.faults, emptyNames()], active);
    this.makers.update([bench.faults, emptyNames(), Object.keys(bench.providers)], makers);
    this.ledger.update([bench.providers], ledger);
  }
}

/** @returns {string[]} */
function emptyNames() {
  return Object.keys(store.bench.providers).filter(isEmpty);
}

/** The promise in one sentence, and what breaks it. */
function money() {
  const { words, detail, wrongs } = store.bench.verdict;
  return [
    h("h3", {}, "Charges and clips"),
    h("p", { class: wrongs.length > 0 ? "verdict wrong" : "verdict", id: "verdict" }, words),
    wrongs.length > 0 ? h("ul", { class: "wrongs", "aria-label": "What went wrong" }, wrongs.map((/** @type {string} */ wrong) => h("li", {}, wrong))) : null,
    detail ? h("p", { class: "hint" }, detail) : null,
  ];
}

/** How the app is told of what people do. */
function connectionWords() {
  const { connected, delivery, sockets } = store.bench;
  if (!connected) return "Dailies is not connected.";
  if (delivery === "http") return "Dailies is connected: it answers at its URL.";
  return sockets === 1 ? "Dailies is connected by one socket." : `Dailies is connected by ${sockets} sockets.`;
}

function connection() {
  const { connected, can_kill: canKill } = store.bench;
  const kill = async () => {
    const sure = await confirmed({
      title: { type: "plain_text", text: "Kill the bot?" },
      text: { type: "plain_text", text: "It gets SIGKILL and no chance to tidy up. Started again, it goes on where it was: nothing is charged twice, no clip is lost." },
      confirm: { type: "plain_text", text: "Kill it" },
      deny: { type: "plain_text", text: "Let it live" },
      style: "danger",
    });
    if (sure) await told(() => control("POST", "/bot/kill"));
  };
  return [
    h("h3", {}, "The bot"),
    h("p", { class: "row" }, h("span", { class: connected ? "dot on" : "dot" }), connectionWords()),
    h("button", { type: "button", class: "button danger", disabled: !canKill, data: { key: "kill" }, onclick: kill }, "Kill the bot (SIGKILL)"),
    canKill ? null : h("p", { class: "hint" }, "Its process is not known, or it was killed and has not come back yet."),
  ];
}

function active() {
  const made = TROUBLES.flatMap((trouble) => standing(trouble).map((fault) => `${trouble.where === "slack" ? "Slack" : "The provider"}: ${trouble.name.toLowerCase()}${left(fault)}`));
  const empty = emptyNames().map((name) => `The account at ${name} is empty`);
  const other = otherFaults().map((fault) => `${fault.point}, ${fault.phase}: ${fault.action.kind}${left(fault)}`);
  const all = [...new Set([...made, ...empty, ...other])];
  return [
    h("h3", {}, "Active troubles"),
    all.length === 0 ? h("p", { class: "hint" }, "None: everything works.") : h("ul", { class: "troubles" }, all.map((words) => h("li", {}, words))),
    h("button", { type: "button", class: "button", disabled: all.length === 0, data: { key: "heal" }, onclick: () => told(healAll) }, "Heal all"),
  ];
}

/** @param {any} fault */
function left(fault) {
  if (fault.times < 0) return fault.fired ? ` (happened ${fault.fired}×)` : "";
  return fault.times === 1 ? " (once)" : ` (${fault.times}×)`;
}

function makers() {
  const button = (/** @type {import("./troubles.js").Trouble} */ trouble) => {
    const on = standing(trouble).length > 0;
    return h(
      "button",
      { type: "button", class: "maker", "aria-pressed": String(on), data: { key: `${trouble.where}/${trouble.name}` }, onclick: () => told(() => toggle(trouble)) },
      h("strong", {}, trouble.name),
      h("small", {}, trouble.words),
    );
  };
  const accounts = Object.keys(store.bench.providers).map((name) => {
    const empty = isEmpty(name);
    const words = empty ? "Top up by $100" : "Is out of credits";
    const detail = empty ? "The account is empty. Asks wait, and go on by themselves." : "The account's balance becomes nothing.";
    return h(
      "button",
      { type: "button", class: "maker", "aria-pressed": String(empty), data: { key: `balance/${name}` }, onclick: () => told(() => (empty ? topUp(name) : emptyAccount(name))) },
      h("strong", {}, words),
      h("small", {}, detail),
    );
  });
  const of = (/** @type {string} */ where) => TROUBLES.filter((trouble) => trouble.where === where).map(button);
  return [h("h3", {}, "Make trouble: the provider"), h("div", { class: "makers" }, of("provider"), accounts), h("h3", {}, "Make trouble: Slack"), h("div", { class: "makers" }, of("slack"))];
}

function ledger() {
  return Object.entries(store.bench.providers).map(([name, account]) => [
    h("h3", {}, `Ledger of ${name}`),
    h("p", { class: "hint" }, `Balance ${dollars(account.balance_micro_usd)} · charged ${dollars(account.charged_micro_usd)}`),
    account.ledger.length === 0
      ? h("p", { class: "hint" }, "No charges yet.")
      : h(
          "table",
          { class: "ledger" },
          h("thead", {}, h("tr", {}, ["Time", "What", "Price", ""].map((word) => h("th", { scope: "col" }, word || h("span", { class: "only-read" }, "State"))))),
          h("tbody", {}, [...account.ledger].reverse().map(chargeRow)),
        ),
  ]);
}

/** @param {any} charge */
function chargeRow(charge) {
  return h(
    "tr",
    { class: charge.status },
    h("td", {}, clock(new Date(charge.at * 1000))),
    h("td", { title: charge.prompt }, `${charge.resolution}, ${charge.seconds} s`, h("small", {}, charge.prompt)),
    h("td", {}, dollars(charge.micro_usd)),
    h("td", {}, charge.status === "charged" ? "at work" : charge.status),
  );
}

/** @param {number} micro */
function dollars(micro) {
  return `$${(micro / MICRO).toLocaleString(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
}
