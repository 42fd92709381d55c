/** Where people type: messages with files, and slash commands. One stands under the channel, one under the thread. */

import { Autocomplete } from "./autocomplete.js";
import { act, control, told } from "./control.js";
import { fill, h, icon, iconButton } from "./dom.js";
import { pickEmoji } from "./picker.js";
import { openMenu } from "./popup.js";
import { sampleFile, samplesButton } from "./samples.js";
import { store } from "./store.js";

const TALLEST = 220; // pixels

/** @typedef {{me: string, channel: string, thread: string}} Target who speaks and where; `thread` is empty in a channel */

/**
 * What somebody has not sent yet. Files that were chosen and are on their way are `coming`: what is sent waits for them.
 * @typedef {{target: Target, text: string, files: globalThis.File[], coming: Promise<void>}} Draft
 */

/** @type {Map<string, Draft>} by person and place */
const drafts = new Map();

/** @param {Target} target @returns {Draft} */
function draftFor(target) {
  const key = `${target.me}/${target.channel}/${target.thread}`;
  const draft = drafts.get(key) ?? { target, text: "", files: [], coming: Promise.resolve() };
  drafts.set(key, draft);
  return draft;
}

export class Composer {
  /** @param {{id: string, onsent?: () => void}} options */
  constructor(options) {
    this.options = options;
    this.draft = draftFor({ me: "", channel: "", thread: "" });
    this.input = h("textarea", {
      id: options.id,
      rows: 1,
      role: "combobox",
      "aria-expanded": "false",
      "aria-label": "Message",
      oninput: () => this.typed(),
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.key(event),
      onpaste: (/** @type {ClipboardEvent} */ event) => this.attach([...(event.clipboardData?.files ?? [])]),
    });
    this.suggestions = new Autocomplete(this.input, () => this.typed());
    this.hint = h("p", { class: "command-hint", hidden: true });
    this.attached = h("ul", { class: "attached", hidden: true });
    this.picker = h("input", { type: "file", multiple: true, hidden: true, tabindex: "-1", "aria-label": "Choose files" });
    this.picker.addEventListener("change", () => {
      this.attach([...this.picker.files]);
      this.picker.value = "";
    });
    this.sendButton = iconButton("send", "Send", () => this.send(), { class: "icon-button send" });
    this.shortcutButton = iconButton("bolt", "Shortcuts", (event) => this.shortcuts(/** @type {HTMLElement} */ (event.currentTarget)), { "aria-haspopup": "menu", "aria-expanded": "false" });
    this.root = h(
      "div",
      { class: "composer" },
      this.suggestions.box,
      this.hint,
      h(
        "div",
        { class: "field" },
        this.input,
        this.attached,
        h(
          "div",
          { class: "row" },
          iconButton("plus", "Attach files", () => this.picker.click()),
          samplesButton((coming) => this.expect(coming)),
          iconButton("smile", "Insert an emoji", (event) => pickEmoji(/** @type {HTMLElement} */ (event.currentTarget), (name) => this.insert(`:${name}: `))),
          this.shortcutButton,
          h("span", { class: "grow" }),
          this.sendButton,
        ),
        this.picker,
      ),
    );
  }

  /** @param {{channel: string, thread: string}} place @param {string} placeholder */
  aim(place, placeholder) {
    const draft = draftFor({ me: store.me, ...place });
    this.input.placeholder = placeholder;
    this.input.setAttribute("aria-label", placeholder);
    this.shortcutButton.hidden = !store.settings.shortcuts.some((one) => one.type === "global");
    if (draft === this.draft) return;
    this.draft = draft;
    this.show();
  }

  /** Shows the draft as it is. */
  show() {
    this.input.value = this.draft.text;
    this.showFiles();
    this.typed(false);
  }

  /** @param {boolean} [look] whether to suggest something */
  typed(look = true) {
    this.draft.text = this.input.value;
    this.input.style.height = "auto";
    this.input.style.height = `${Math.min(this.input.scrollHeight, TALLEST)}px`;
    if (look) this.suggestions.look();
    const command = store.settings.commands.find((one) => this.input.value.startsWith(`${one.command} `));
    this.hint.hidden = !command;
    if (command) fill(this.hint, h("strong", {}, command.command), ` ${command.usage_hint || command.description}`);
    this.sendButton.classList.toggle("ready", Boolean(this.input.value.trim()) || this.draft.files.length > 0);
  }

  /** @param {string} text replaces everything; nothing is sent */
  put(text) {
    this.input.value = text;
    this.typed(false);
    this.input.focus();
    this.input.setSelectionRange(text.length, text.length);
  }

  /** @param {string} text */
  insert(text) {
    this.input.setRangeText(text, this.input.selectionStart, this.input.selectionEnd, "end");
    this.typed(false);
    this.input.focus();
  }

  /** @param {globalThis.File[]} files @param {Draft} [draft] what they go with */
  attach(files, draft = this.draft) {
    draft.files.push(...files);
    if (draft !== this.draft) return;
    this.showFiles();
    this.typed(false);
  }

  /** @param {Promise<globalThis.File | null>} coming chosen by one click: it goes with what is sent from here, wherever the person is by then */
  expect(coming) {
    const { draft } = this;
    const attached = coming.then((file) => {
      if (!file) return;
      this.attach([file], draft);
      if (draft === this.draft) this.input.focus();
    });
    draft.coming = Promise.all([draft.coming, attached]).then(() => {});
  }

  /** @param {string} text @param {string} sample the name of a sample file; nothing is sent */
  putWithSample(text, sample) {
    this.put(text);
    if (!this.draft.files.some((file) => file.name === sample)) this.expect(sampleFile(sample));
  }

  showFiles() {
    const { draft } = this;
    this.attached.hidden = draft.files.length === 0;
    const remove = (/** @type {globalThis.File} */ file) => {
      draft.files = draft.files.filter((one) => one !== file);
      this.showFiles();
    };
    fill(this.attached, draft.files.map((file) => h("li", {}, icon("file"), h("span", {}, file.name), iconButton("close", `Remove ${file.name}`, () => remove(file)))));
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.isComposing || this.suggestions.key(event)) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      void this.send();
    }
  }

  async send() {
    const { draft } = this;
    await draft.coming;
    const { files, target } = draft;
    const text = draft.text.trim();
    if (!text && files.length === 0) return;
    Object.assign(draft, { text: "", files: [] });
    if (draft === this.draft) {
      this.show();
      this.input.focus();
    }
    const isCommand = /^\/[\w-]/.test(text) && files.length === 0;
    const answer = isCommand ? await command(target, text) : await message(target, text, files);
    if (answer) this.options.onsent?.();
    else if (!draft.text) {
      // Refused: what was typed comes back.
      Object.assign(draft, { text, files: [...files, ...draft.files] });
      if (draft === this.draft) this.show();
    }
  }

  /** @param {HTMLElement} anchor */
  shortcuts(anchor) {
    const choices = store.settings.shortcuts
      .filter((one) => one.type === "global")
      .map((one) => ({ label: one.name, detail: one.description, choose: () => void act("/shortcut", { callback_id: one.callback_id }) }));
    openMenu(anchor, choices, "Shortcuts");
  }
}

/** @param {Target} target @returns {Record<string, string>} how the control API is told of it */
function said({ me, channel, thread }) {
  return thread ? { user: me, channel, thread_ts: thread } : { user: me, channel };
}

/** @param {Target} target @param {string} line */
async function command(target, line) {
  const [, name, text] = /^(\S+)\s*([\s\S]*)$/.exec(line) ?? ["", line, ""];
  const answer = await act("/slash", { ...said(target), command: name, text });
  // Of a timeout nobody knows whether the app took it: what was typed is not offered again.
  return answer?.error && answer.error !== "operation_timeout" ? null : answer;
}

/** @param {Target} target @param {string} text @param {globalThis.File[]} files */
async function message(target, text, files) {
  if (files.length === 0) return act("/message", { ...said(target), text });
  const form = new FormData();
  for (const [field, value] of Object.entries({ ...said(target), text })) form.append(field, value);
  for (const file of files) form.append("files", file, file.name);
  return told(() => control("POST", "/message", form));
}
