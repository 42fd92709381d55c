/**
 * Inputs (https://docs.slack.dev/reference/block-kit/block-elements). Each is a `Control`: an element and its value, in
 * the shape in which the control API takes it.
 */

import { told, control as request } from "./control.js";
import { h } from "./dom.js";
import { textObject, wordsOf } from "./mrkdwn.js";
import { store } from "./store.js";

/** @typedef {import("./fields.js").Control} Control */
/** @typedef {{label?: string, id?: string, onchange?: () => void, oninput?: () => void}} Wiring */

let made = 0;

/** @type {Map<string, string>} names of files that went up, by id */
const NAMES = new Map();

/** An `input` block with its label, hint and place for an error. @param {any} block @param {import("./blocks.js").Surface} surface */
export function inputBlock(block, surface) {
  made += 1;
  const id = `input-${made}`;
  const spec = block.element;
  const tell = () => {
    const value = input?.value();
    if (block.dispatch_action && value !== null && value !== "") {
      const chosen = Array.isArray(value) ? value[value.length - 1] : value;
      if (chosen !== undefined) void surface.click({ action_id: spec.action_id, block_id: block.block_id, value: String(chosen) });
    }
  };
  const input = control(spec, { id, label: wordsOf(block.label), onchange: tell });
  if (!input) return h("div", { class: "unknown" }, `An input of the type “${spec.type}”, which this page does not draw.`);
  surface.fields?.add(block.block_id, spec.action_id, input);
  const isGroup = input.element.tagName === "FIELDSET";
  return h(
    "div",
    { class: "input", data: { block: block.block_id, optional: String(block.optional ?? false) } },
    h(isGroup ? "span" : "label", { class: "label", for: isGroup ? undefined : id }, textObject(block.label), block.optional ? h("small", {}, " (optional)") : null),
    input.element,
    h("p", { class: "error", role: "alert", hidden: true }),
    block.hint ? h("p", { class: "hint" }, textObject(block.hint)) : null,
  );
}

/**
 * The input of a kind, or null for a kind that is not drawn here.
 * @param {any} spec
 * @param {Wiring} wiring
 * @returns {Control | null}
 */
export function control(spec, wiring) {
  const kinds = /** @type {Record<string, () => Control>} */ ({
    plain_text_input: () => textInput(spec, wiring, spec.multiline ? "textarea" : "input", "text"),
    email_text_input: () => textInput(spec, wiring, "input", "email"),
    url_text_input: () => textInput(spec, wiring, "input", "url"),
    number_input: () => textInput(spec, wiring, "input", "number"),
    datepicker: () => textInput({ ...spec, initial_value: spec.initial_date }, wiring, "input", "date"),
    timepicker: () => textInput({ ...spec, initial_value: spec.initial_time }, wiring, "input", "time"),
    static_select: () => select(spec, wiring, spec.options ?? [], spec.option_groups ?? [], spec.initial_option?.value),
    multi_static_select: () => choices(spec, wiring, "checkbox", flattened(spec), (spec.initial_options ?? []).map((/** @type {any} */ one) => one.value)),
    radio_buttons: () => choices(spec, wiring, "radio", spec.options, spec.initial_option ? [spec.initial_option.value] : []),
    checkboxes: () => choices(spec, wiring, "checkbox", spec.options, (spec.initial_options ?? []).map((/** @type {any} */ one) => one.value)),
    users_select: () => select(spec, wiring, people(), [], spec.initial_user),
    conversations_select: () => select(spec, wiring, channels(), [], spec.initial_conversation),
    channels_select: () => select(spec, wiring, channels(), [], spec.initial_channel),
    file_input: () => fileInput(spec, wiring),
  });
  return kinds[spec.type]?.() ?? null;
}

/** @param {any} spec @param {Wiring} wiring @param {string} tag @param {string} type @returns {Control} */
function textInput(spec, wiring, tag, type) {
  const element = h(tag, {
    id: wiring.id,
    "aria-label": wiring.id ? undefined : wiring.label,
    type: tag === "input" ? type : undefined,
    rows: tag === "textarea" ? 4 : undefined,
    placeholder: spec.placeholder ? wordsOf(spec.placeholder) : undefined,
    min: spec.min_value,
    max: spec.max_value,
    step: type === "number" ? (spec.is_decimal_allowed ? "any" : "1") : undefined,
    autofocus: spec.focus_on_load,
    value: spec.initial_value ?? "",
    data: { key: spec.action_id ?? "" },
  });
  const on = spec.dispatch_action_config?.trigger_actions_on ?? ["on_enter_pressed"];
  const eager = on.includes("on_character_entered") || type === "date" || type === "time";
  element.addEventListener(eager ? "input" : "change", () => wiring.onchange?.());
  return {
    element,
    value: () => element.value,
    restore: (value) => (element.value = value),
    focus: () => element.focus(),
    problem: () => (element.value ? lengthProblem(spec, element.value) : "") || element.validationMessage,
  };
}

/**
 * What is wrong with a text's length. The browser would check only what was typed, and cut what is pasted; Slack takes
 * both, also an initial value, and says under the input what is wrong.
 * @param {any} spec @param {string} text
 */
function lengthProblem(spec, text) {
  const length = [...text].length;
  const { min_length: least = 0, max_length: most = Infinity } = spec;
  if (length < least) return `Please write at least ${least} characters; there ${length === 1 ? "is 1" : `are ${length}`}.`;
  return length > most ? `Please write at most ${most} characters; there are ${length}.` : "";
}

/** @param {any} spec */
function flattened(spec) {
  return [...(spec.options ?? []), ...(spec.option_groups ?? []).flatMap((/** @type {any} */ group) => group.options)];
}

/** @param {any} spec @param {Wiring} wiring @param {any[]} options @param {any[]} groups @param {string | undefined} initial @returns {Control} */
function select(spec, wiring, options, groups, initial) {
  const option = (/** @type {any} */ one) => h("option", { value: one.value }, wordsOf(one.text));
  const element = h(
    "select",
    { id: wiring.id, "aria-label": wiring.id ? undefined : wiring.label, autofocus: spec.focus_on_load, data: { key: spec.action_id ?? "", action: spec.action_id ?? "" }, onchange: () => wiring.onchange?.() },
    initial === undefined || wiring.id ? h("option", { value: "" }, spec.placeholder ? wordsOf(spec.placeholder) : "Choose…") : null,
    options.map(option),
    groups.map((group) => h("optgroup", { label: wordsOf(group.label) }, group.options.map(option))),
  );
  element.value = initial ?? "";
  return { element, value: () => element.value, restore: (value) => (element.value = value), focus: () => element.focus() };
}

/** @param {any} spec @param {Wiring} wiring @param {"radio" | "checkbox"} type @param {any[]} options @param {string[]} initial @returns {Control} */
function choices(spec, wiring, type, options, initial) {
  made += 1;
  const name = `choice-${made}`;
  const boxes = options.map((option) => h("input", { type, name, value: option.value, checked: initial.includes(option.value), onchange: () => wiring.onchange?.() }));
  const element = h(
    "fieldset",
    { class: "choices", "aria-label": wiring.label },
    options.map((option, index) =>
      h("label", {}, boxes[index], h("span", {}, textObject(option.text), option.description ? h("small", {}, textObject(option.description)) : null)),
    ),
  );
  const chosen = () => boxes.filter((box) => box.checked).map((box) => box.value);
  return {
    element,
    value: () => (type === "radio" ? chosen()[0] ?? "" : chosen()),
    restore: (value) => boxes.forEach((box) => (box.checked = [value].flat().includes(box.value))),
    focus: () => boxes[0]?.focus(),
  };
}

/** Files go up at once; the value is their ids. @param {any} spec @param {Wiring} wiring @returns {Control} */
function fileInput(spec, wiring) {
  /** @type {string[]} ids */
  let files = [];
  const list = h("ul", { class: "attached" });
  const show = () => list.replaceChildren(...files.map((id) => h("li", {}, NAMES.get(id) ?? id, h("button", { type: "button", class: "link", onclick: () => remove(id) }, "Remove"))));
  const remove = (/** @type {string} */ id) => {
    files = files.filter((one) => one !== id);
    show();
  };
  const types = (spec.filetypes ?? []).map((/** @type {string} */ type) => `.${type}`).join(",");
  const picker = h("input", { type: "file", id: wiring.id, accept: types || undefined, multiple: (spec.max_files ?? 10) > 1 });
  picker.addEventListener("change", async () => {
    const chosen = [...picker.files];
    const form = new FormData();
    form.append("user", store.me);
    for (const file of chosen) form.append("files", file, file.name);
    const answer = await told(() => request("POST", "/upload", form));
    picker.value = "";
    if (!answer) return;
    answer.files.forEach((/** @type {string} */ id, /** @type {number} */ at) => NAMES.set(id, chosen[at].name));
    files = [...files, ...answer.files].slice(0, spec.max_files ?? 10);
    show();
    wiring.onchange?.();
  });
  return {
    element: h("div", { class: "file-input" }, picker, list),
    value: () => files,
    restore: (value) => {
      files = value;
      show();
    },
    focus: () => picker.focus(),
  };
}

/** @returns {any[]} people as options */
function people() {
  return [...store.users.values()].filter((one) => !one.deleted).map((one) => ({ value: one.id, text: { text: one.real_name } }));
}

/** @returns {any[]} channels as options */
function channels() {
  return [...store.channels.values()]
    .filter((one) => one.kind !== "im" && !one.is_archived && store.isMember(one))
    .map((one) => ({ value: one.id, text: { text: `#${one.name}` } }));
}
