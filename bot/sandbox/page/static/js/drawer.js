/** Behind the scenes: what the providers charged, what stands in the threads, and trouble to make. */

import { control, told } from "./control.js";
import { confirmed } from "./dialog.js";
import { h, iconButton, Slot } from "./dom.js";
import { store } from "./store.js";
import { clock } from "./time.js";
import { emptyAccount, EVERY, healAll, isEmpty, providersOf, standing, toggle, topUp, troubleOf, TROUBLES } from "./troubles.js";

const MICRO = 1_000_000;

/** Whom trouble is made for: a provider's name, or every one. */
let target = EVERY;

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
    this.makers.update([bench.faults, emptyNames(), Object.keys(bench.providers), target], () => makers(() => this.update()));
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
  const faults = store.bench.faults.filter((fault) => fault.times !== 0);
  const all = [...faults.map(faultWords), ...emptyNames().map((name) => `The account at ${name} is empty`)];
  return [
    h("h3", {}, "Active troubles"),
    all.length === 0 ? h("p", { class: "hint" }, "None: everything works.") : h("ul", { class: "troubles" }, [...new Set(all)].map((words) => h("li", {}, words))),
    h("button", { type: "button", class: "button", disabled: all.length === 0, data: { key: "heal" }, onclick: () => told(healAll) }, "Heal all"),
  ];
}

/** @param {any} fault */
function faultWords(fault) {
  const trouble = troubleOf(fault);
  if (!trouble) return `${fault.point}, ${fault.phase}: ${fault.action.kind}${left(fault)}`;
  return `${nameOf(fault.point.split(":")[0])}: ${trouble.name.toLowerCase()}${left(fault)}`;
}

/** @param {string} whose the first part of a fault's point, or whom trouble is made for */
function nameOf(whose) {
  return whose === EVERY ? "Every provider" : whose === "slack" ? "Slack" : whose;
}

/** @param {any} fault */
function left(fault) {
  if (fault.times < 0) return fault.fired ? ` (happened ${fault.fired}×)` : "";
  return fault.times === 1 ? " (once)" : ` (${fault.times}×)`;
}

/** @param {() => void} redraw */
function makers(redraw) {
  const of = (/** @type {string} */ where) => TROUBLES.filter((trouble) => trouble.where === where).map(maker);
  return [
    h("h3", {}, "Make trouble: providers"),
    h("label", { class: "row" }, "For ", targets(redraw)),
    h("div", { class: "makers" }, of("provider"), account()),
    h("h3", {}, "Make trouble: Slack"),
    h("div", { class: "makers" }, of("slack")),
  ];
}

/** @param {() => void} redraw */
function targets(redraw) {
  const choose = (/** @type {any} */ event) => {
    target = event.target.value;
    redraw();
  };
  const option = (/** @type {string} */ name) => h("option", { value: name, selected: name === target }, nameOf(name));
  return h("select", { data: { key: "target" }, onchange: choose }, [EVERY, ...Object.keys(store.bench.providers)].map(option));
}

/** @param {import("./troubles.js").Trouble} trouble */
function maker(trouble) {
  const on = standing(trouble, target).length > 0;
  return makerButton(`${trouble.where}/${trouble.name}`, on, trouble.name, trouble.words, () => toggle(trouble, target));
}

/** The balances of those meant, made nothing or filled again. */
function account() {
  const names = providersOf(target);
  const empty = names.filter(isEmpty);
  if (empty.length === 0) return makerButton("balance", false, "Is out of credits", "The account's balance becomes nothing.", () => forEach(names, emptyAccount));
  return makerButton("balance", true, "Top up by $100", "The account is empty. Asks wait, and go on by themselves.", () => forEach(empty, topUp));
}

/** @param {string[]} names @param {(name: string) => Promise<any>} act */
async function forEach(names, act) {
  for (const name of names) await act(name);
  return {};
}

/** @param {string} key @param {boolean} pressed @param {string} name @param {string} words @param {() => Promise<any>} act */
function makerButton(key, pressed, name, words, act) {
  return h("button", { type: "button", class: "maker", "aria-pressed": String(pressed), data: { key }, onclick: () => told(act) }, h("strong", {}, name), h("small", {}, words));
}

/** Those that charged something, and in a line each those that did not. */
function ledger() {
  const accounts = Object.entries(store.bench.providers);
  const idle = accounts.filter(([, account]) => account.ledger.length === 0);
  return [
    ...accounts.filter(([, account]) => account.ledger.length > 0).map(([name, account]) => [
      h("h3", {}, `Ledger of ${name}`),
      h("p", { class: "hint" }, `Balance ${dollars(account.balance_micro_usd)} · charged ${dollars(account.charged_micro_usd)}`),
      table(account.ledger),
    ]),
    idle.length > 0 ? h("h3", {}, "No charges yet") : null,
    ...idle.map(([name, account]) => h("p", { class: "hint" }, `${name}: balance ${dollars(account.balance_micro_usd)}`)),
  ];
}

/** @param {any[]} charges */
function table(charges) {
  const heads = ["Time", "What", "Price", ""].map((word) => h("th", { scope: "col" }, word || h("span", { class: "only-read" }, "State")));
  return h("table", { class: "ledger" }, h("thead", {}, h("tr", {}, heads)), h("tbody", {}, [...charges].reverse().map(chargeRow)));
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
