/** Acting: requests to the sandbox's control API, and what to tell the person when one is refused. */

import { store } from "./store.js";
import { toast } from "./toasts.js";

/** The control API's refusal: `error` is its word. */
export class Refusal extends Error {
  /** @param {string} error @param {string} detail */
  constructor(error, detail) {
    super(detail ? `${error}: ${detail}` : error);
    this.error = error;
    this.detail = detail;
  }
}

/** @type {Record<string, string>} */
const SENTENCES = {
  dispatch_failed: "Dailies is not connected, so it did not hear of this.",
  operation_timeout: "Dailies did not answer within three seconds.",
  not_supported_in_threads: "Slash commands cannot be used in a thread. Type it in the channel instead.",
  invalid_command: "There is no such command in this workspace.",
  is_archived: "This channel is archived: nothing can be posted here.",
  user_not_in_channel: "You are not a member of this channel.",
  message_not_found: "That message is gone.",
  thread_not_found: "That thread is gone.",
  action_not_found: "The message has changed meanwhile; that button is no longer there.",
  too_many_emoji: "This message has as many different emoji as a message can have.",
  too_many_reactions: "You have reacted to this message as often as one person can.",
  already_reacted: "You have reacted with that emoji already.",
  no_reaction: "That reaction is gone already.",
  not_own_message: "You can change only what you wrote yourself.",
  no_open_view: "That window is closed already.",
  cannot_kill: "Nobody told the sandbox which process is the bot.",
  unreachable: "The sandbox does not answer. Is the demo still running?",
};

/** @param {string} error @param {string} [detail] */
export function sentence(error, detail = "") {
  return SENTENCES[error] ?? `That was refused: ${error}${detail ? ` (${detail})` : ""}.`;
}

/**
 * One request to the control API. Throws `Refusal`.
 * @param {string} method
 * @param {string} path below /control
 * @param {Record<string, any> | FormData} [body]
 * @returns {Promise<any>}
 */
export async function control(method, path, body) {
  /** @type {RequestInit} */
  const options = { method };
  if (body instanceof FormData) options.body = body;
  else if (body) Object.assign(options, { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
  let answer;
  try {
    answer = await fetch(`/control${path}`, options);
  } catch {
    throw new Refusal("unreachable", "");
  }
  const told = await answer.json().catch(() => ({ error: `HTTP ${answer.status}` }));
  if (!answer.ok) throw new Refusal(told.error ?? `HTTP ${answer.status}`, told.detail ?? "");
  return told;
}

/**
 * Does something as the acting person and says so when it is refused.
 * @param {string} path
 * @param {Record<string, any>} body
 * @returns {Promise<any>} the answer, or null when it was refused
 */
export async function act(path, body) {
  return told(() => control("POST", path, { user: store.me, ...body }));
}

/**
 * Runs a request and turns a refusal, also one by the app, into a toast.
 * @param {() => Promise<any>} request
 * @returns {Promise<any>}
 */
export async function told(request) {
  try {
    const answer = await request();
    if (answer.error) toast(sentence(answer.error));
    return answer;
  } catch (problem) {
    if (!(problem instanceof Refusal)) throw problem;
    toast(sentence(problem.error, problem.detail));
    return null;
  }
}
