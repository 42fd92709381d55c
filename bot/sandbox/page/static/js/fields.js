/** What a view's inputs hold, kept over redraws, as the control API's `values`. */

/**
 * @typedef {{element: HTMLElement, value: () => any, restore?: (value: any) => void, focus?: () => void,
 *   problem?: () => string}} Control `problem`: what is wrong with a value that is there, or nothing
 */

export class Fields {
  constructor() {
    /** @type {Map<string, {block: string, action: string, control: Control}>} */
    this.controls = new Map();
    /** @type {Map<string, any>} values from before the redraw */
    this.kept = new Map();
  }

  /** Before a redraw: remember everything. */
  keep() {
    for (const [key, one] of this.controls) this.kept.set(key, one.control.value());
    this.controls.clear();
  }

  /**
   * An input that was drawn. As on Slack, what was typed stays while block_id and action_id stay.
   * @param {string} block @param {string} action @param {Control} control
   */
  add(block, action, control) {
    const key = `${block}\n${action}`;
    if (this.kept.has(key)) control.restore?.(this.kept.get(key));
    this.controls.set(key, { block, action, control });
  }

  /** @returns {Record<string, Record<string, any>>} `{block_id: {action_id: value}}` */
  values() {
    /** @type {Record<string, Record<string, any>>} */
    const values = {};
    for (const { block, action, control } of this.controls.values()) (values[block] ??= {})[action] = control.value();
    return values;
  }
}
