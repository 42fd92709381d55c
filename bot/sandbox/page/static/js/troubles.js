/** Trouble that can be made, as rules of the sandbox's fault injection. */

import { control } from "./control.js";
import { store } from "./store.js";

const EMPTY = 10_000; // micro-dollars: less than the cheapest clip
const TOP_UP = 100; // dollars

/** Instead of a provider's name: all of them. */
export const EVERY = "*";

/**
 * @typedef {{point: string, phase: string, action: Record<string, any>, times: number}} Rule
 * @typedef {{name: string, words: string, where: "provider" | "slack", rules: (target: string) => Rule[]}} Trouble
 */

/** @param {string} kind @param {Partial<Rule> & {point: string, phase: string}} rule @param {Record<string, any>} [details] @returns {Rule} */
function rule(kind, { point, phase, times = -1 }, details = {}) {
  return { point, phase, times, action: { kind, ...details } };
}

/** @param {string} target a provider's name, or EVERY @returns {string[]} */
export function providersOf(target) {
  return target === EVERY ? Object.keys(store.bench.providers) : [target];
}

/** @type {Trouble[]} */
export const TROUBLES = [
  {
    name: "Is slow",
    words: "Every new render takes eight times as long.",
    where: "provider",
    rules: (target) => [rule("slow", { point: `${target}:outcome`, phase: "do" }, { factor: 8 })],
  },
  {
    name: "Is down",
    words: "Every call is answered with 503.",
    where: "provider",
    rules: (target) => providersOf(target).map((name) => rule("status", { point: `${name}:*`, phase: "before" }, { status: 503 })),
  },
  {
    name: "Refuses the next prompt",
    words: "Its moderation turns one order down.",
    where: "provider",
    rules: (target) => [rule("fail", { point: `${target}:outcome`, phase: "do", times: 1 }, { reason: "policy" })],
  },
  {
    name: "Loses the next answer",
    words: "It takes an order and charges, and the connection breaks before it says so.",
    where: "provider",
    rules: (target) => [rule("reset", { point: `${target}:create`, phase: "amid", times: 1 })],
  },
  {
    name: "Drops the next share",
    words: "It says that a file was posted, and nothing appears.",
    where: "slack",
    rules: () => [rule("drop", { point: "slack:share", phase: "do", times: 1 })],
  },
  {
    name: "Delivers events twice",
    words: "Each message and reaction reaches the bot two times.",
    where: "slack",
    rules: () => [rule("duplicate", { point: "slack:event", phase: "do" }, { times: 2 })],
  },
  {
    name: "Is slow",
    words: "Each of the bot's calls takes two seconds longer.",
    where: "slack",
    rules: () => [rule("delay", { point: "slack:*", phase: "before" }, { seconds: 2 })],
  },
];

/** @param {any} fault @param {Rule} wanted */
function matches(fault, wanted) {
  return fault.times !== 0 && fault.point === wanted.point && fault.phase === wanted.phase && fault.action.kind === wanted.action.kind;
}

/** The standing rules that make it. @param {Trouble} trouble @param {string} target */
export function standing(trouble, target) {
  const wanted = trouble.rules(target);
  return store.bench.faults.filter((fault) => wanted.some((one) => matches(fault, one)));
}

/** Makes the trouble, or ends it. @param {Trouble} trouble @param {string} target */
export async function toggle(trouble, target) {
  const rules = standing(trouble, target);
  if (rules.length === 0) for (const one of trouble.rules(target)) await control("POST", "/faults", one);
  else for (const one of rules) await control("DELETE", `/faults/${one.id}`);
  return {};
}

/** The trouble that a fault is, whoever is meant; none for a fault that no button makes. @param {any} fault */
export function troubleOf(fault) {
  const whose = fault.point.split(":")[0];
  return TROUBLES.find((trouble) => (whose === "slack") === (trouble.where === "slack") && trouble.rules(whose).some((one) => matches(fault, one)));
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
