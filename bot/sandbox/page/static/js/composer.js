/** Where people type: messages with files, and slash commands. One stands under the channel, one under the thread. */

import { Autocomplete } from "./autocomplete.js";
import { act, control, told } from "./control.js";
import { fill, h, icon, iconButton } from "./dom.js";
import { pickEmoji } from "./picker.js";
import { openMenu } from "./popup.js";
import { attachSample, samplesButton } from "./samples.js";
import { store } from "./store.js";

const TALLEST = 220; // pixels

/** @typedef {{channel: string, thread: string}} Target `thread` is empty in a channel */

/** @type {Map<string, string>} what was typed and not sent, by person and place */
const drafts = new Map();

export class Composer {
  /** @param {{id: string, onsent?: () => void}} options */
  constructor(options) {
    this.options = options;
    /** @type {Target} */
    this.target = { channel: "", thread: "" };
    this.draftKey = "";
    /** @type {globalThis.File[]} */
    this.files = [];
    /** @type {Promise<void>} files that were chosen and are on their way: what is sent waits for them */
    this.coming = Promise.resolve();
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
          samplesButton(
            (file) => this.attachOne(file),
            (coming) => this.wait(coming),
          ),
          iconButton("smile", "Insert an emoji", (event) => pickEmoji(/** @type {HTMLElement} */ (event.currentTarget), (name) => this.insert(`:${name}: `))),
          this.shortcutButton,
          h("span", { class: "grow" }),
          this.sendButton,
        ),
        this.picker,
      ),
    );
  }

  /** @param {Target} target @param {string} placeholder */
  aim(target, placeholder) {
    const key = `${store.me}/${target.channel}/${target.thread}`;
    this.input.placeholder = placeholder;
    this.input.setAttribute("aria-label", placeholder);
    this.shortcutButton.hidden = !store.settings.shortcuts.some((one) => one.type === "global");
    if (key === this.draftKey) return;
    this.draftKey = key;
    this.target = target;
    this.input.value = drafts.get(key) ?? "";
    this.files = [];
    this.showFiles();
    this.typed(false);
  }

  /** @param {boolean} [look] whether to suggest something */
  typed(look = true) {
    drafts.set(this.draftKey, this.input.value);
    this.input.style.height = "auto";
    this.input.style.height = `${Math.min(this.input.scrollHeight, TALLEST)}px`;
    if (look) this.suggestions.look();
    const command = store.settings.commands.find((one) => this.input.value.startsWith(`${one.command} `));
    this.hint.hidden = !command;
    if (command) fill(this.hint, h("strong", {}, command.command), ` ${command.usage_hint || command.description}`);
    this.sendButton.classList.toggle("ready", Boolean(this.input.value.trim()) || this.files.length > 0);
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

  /** @param {globalThis.File[]} files */
  attach(files) {
    this.files.push(...files);
    this.showFiles();
    this.typed(false);
  }

  /** @param {globalThis.File} file chosen by one click: what is typed next goes with it */
  attachOne(file) {
    this.attach([file]);
    this.input.focus();
  }

  /** @param {Promise<void>} coming */
  wait(coming) {
    this.coming = Promise.all([this.coming, coming]).then(() => {});
  }

  /** @param {string} text @param {string} sample the name of a sample file; nothing is sent */
  putWithSample(text, sample) {
    this.put(text);
    if (!this.files.some((file) => file.name === sample)) this.wait(attachSample(sample, (file) => this.attachOne(file)));
  }

  showFiles() {
    this.attached.hidden = this.files.length === 0;
    const remove = (/** @type {globalThis.File} */ file) => {
      this.files = this.files.filter((one) => one !== file);
      this.showFiles();
    };
    fill(this.attached, this.files.map((file) => h("li", {}, icon("file"), h("span", {}, file.name), iconButton("close", `Remove ${file.name}`, () => remove(file)))));
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
    await this.coming;
    const text = this.input.value.trim();
    const { files, target } = this;
    if (!text && files.length === 0) return;
    this.put("");
    this.files = [];
    this.showFiles();
    this.typed(false);
    const isCommand = /^\/[\w-]/.test(text) && files.length === 0;
    const answer = isCommand ? await command(target, text) : await message(target, text, files);
    if (answer) this.options.onsent?.();
    else if (!this.input.value && this.target === target) {
      // Refused: what was typed comes back.
      this.put(text);
      this.attach(files);
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

/** @param {Target} target @param {string} line */
async function command(target, line) {
  const [, name, text] = /^(\S+)\s*([\s\S]*)$/.exec(line) ?? ["", line, ""];
  const place = target.thread ? { channel: target.channel, thread_ts: target.thread } : { channel: target.channel };
  const answer = await act("/slash", { ...place, command: name, text });
  // Of a timeout nobody knows whether the app took it: what was typed is not offered again.
  return answer?.error && answer.error !== "operation_timeout" ? null : answer;
}

/** @param {Target} target @param {string} text @param {globalThis.File[]} files */
async function message(target, text, files) {
  if (files.length === 0) return act("/message", { channel: target.channel, text, ...(target.thread ? { thread_ts: target.thread } : {}) });
  const form = new FormData();
  form.append("user", store.me);
  form.append("channel", target.channel);
  form.append("text", text);
  if (target.thread) form.append("thread_ts", target.thread);
  for (const file of files) form.append("files", file, file.name);
  return told(() => control("POST", "/message", form));
}
