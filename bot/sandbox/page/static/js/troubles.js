/** Trouble that can be made, as rules of the sandbox's fault injection. */

import { control } from "./control.js";
import { store } from "./store.js";

const EMPTY = 10_000; // micro-dollars: less than the cheapest clip
const TOP_UP = 100; // dollars

/**
 * @typedef {{point: string, phase: string, action: Record<string, any>, times: number}} Rule
 * @typedef {{name: string, words: string, where: "provider" | "slack", once: boolean, rules: () => Rule[]}} Trouble
 */

/** @param {string} kind @param {Partial<Rule> & {point: string, phase: string}} rule @param {Record<string, any>} [details] @returns {Rule} */
function rule(kind, { point, phase, times = -1 }, details = {}) {
  return { point, phase, times, action: { kind, ...details } };
}

/** @param {(name: string) => Rule} make */
function everyProvider(make) {
  return Object.keys(store.bench.providers).map(make);
}

/** @type {Trouble[]} */
export const TROUBLES = [
  {
    name: "Is slow",
    words: "Every new render takes eight times as long.",
    where: "provider",
    once: false,
    rules: () => everyProvider((name) => rule("slow", { point: `${name}:outcome`, phase: "do" }, { factor: 8 })),
  },
  {
    name: "Is down",
    words: "Every call is answered with 503.",
    where: "provider",
    once: false,
    rules: () => everyProvider((name) => rule("status", { point: `${name}:*`, phase: "before" }, { status: 503 })),
  },
  {
    name: "Refuses the next prompt",
    words: "Its moderation turns one order down.",
    where: "provider",
    once: true,
    rules: () => everyProvider((name) => rule("fail", { point: `${name}:outcome`, phase: "do", times: 1 }, { reason: "policy" })),
  },
  {
    name: "Loses the next answer",
    words: "It takes an order and charges, and the connection breaks before it says so.",
    where: "provider",
    once: true,
    rules: () => everyProvider((name) => rule("reset", { point: `${name}:create`, phase: "amid", times: 1 })),
  },
  {
    name: "Drops the next share",
    words: "It says that a file was posted, and nothing appears.",
    where: "slack",
    once: true,
    rules: () => [rule("drop", { point: "slack:share", phase: "do", times: 1 })],
  },
  {
    name: "Delivers events twice",
    words: "Each message and reaction reaches the bot two times.",
    where: "slack",
    once: false,
    rules: () => [rule("duplicate", { point: "slack:event", phase: "do" }, { times: 2 })],
  },
  {
    name: "Is slow",
    words: "Each of the bot's calls takes two seconds longer.",
    where: "slack",
    once: false,
    rules: () => [rule("delay", { point: "slack:*", phase: "before" }, { seconds: 2 })],
  },
];

/** @param {any} fault @param {Rule} wanted */
function matches(fault, wanted) {
  return fault.times !== 0 && fault.point === wanted.point && fault.phase === wanted.phase && fault.action.kind === wanted.action.kind;
}

/** @param {Trouble} trouble the standing rules that make it */
export function standing(trouble) {
  const wanted = trouble.rules();
  return store.bench.faults.filter((fault) => wanted.some((one) => matches(fault, one)));
}

/** Makes the trouble, or ends it. @param {Trouble} trouble */
export async function toggle(trouble) {
  const rules = standing(trouble);
  if (rules.length === 0) for (const one of trouble.rules()) await control("POST", "/faults", one);
  else for (const one of rules) await control("DELETE", `/faults/${one.id}`);
  return {};
}

/** Faults that stand and that none of these buttons made. */
export function otherFaults() {
  const known = TROUBLES.flatMap(standing);
  return store.bench.faults.filter((fault) => fault.times !== 0 && !known.includes(fault));
}

/** @param {string} name whether the account there is empty */
export function isEmpty(name) {
  return store.bench.providers[name].balance_micro_usd < EMPTY;
}

/** @param {string} name */
export async function emptyAccount(name) {
  return control("POST", `/providers/${name}/settings`, { balance: 0 });
}

/** @param {string} name */
export async function topUp(name) {
  return control("POST", `/providers/${name}/top_up`, { usd: TOP_UP });
}

/** Ends every trouble. */
export async function healAll() {
  await control("DELETE", "/faults");
  for (const name of Object.keys(store.bench.providers)) if (isEmpty(name)) await topUp(name);
  return {};
}
