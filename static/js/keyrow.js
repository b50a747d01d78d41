/** Keys that a touch screen lacks: a row of buttons; Ctrl and Alt stick until the next key. */

import { element } from "./dialog.js";

const KEYS = /** @type {const} */ ([
  ["Esc", "\x1b"], ["Tab", "\t"], ["Ctrl", "ctrl"], ["Alt", "alt"], ["←", "\x1b[D"], ["↓", "\x1b[B"], ["↑", "\x1b[A"], ["→", "\x1b[C"],
  ["|", "|"], ["/", "/"], ["-", "-"], ["~", "~"], ["Home", "\x1b[H"], ["End", "\x1b[F"], ["PgUp", "\x1b[5~"], ["PgDn", "\x1b[6~"],
]);

export class KeyRow {
  #held = { ctrl: false, alt: false };
  /** @type {Record<string, HTMLElement>} */
  #sticky = {};

  /**
   * @param {HTMLElement} row
   * @param {(text: string) => void} type
   */
  constructor(row, type) {
    for (const [label, value] of KEYS) {
      const button = element("button", { type: "button", tabIndex: -1 }, label);
      button.addEventListener("pointerdown", (event) => event.preventDefault()); // the terminal keeps the focus, and the keyboard stays
      if (value === "ctrl" || value === "alt") {
        this.#sticky[value] = button;
        button.setAttribute("aria-pressed", "false");
        button.addEventListener("click", () => this.#hold(value, !this.#held[value]));
      } else {
        button.addEventListener("click", () => type(this.apply(value)));
      }
      row.append(button);
    }
  }

  /** Whether Ctrl or Alt waits for a key. */
  get waiting() {
    return this.#held.ctrl || this.#held.alt;
  }

  /**
   * What a key means with what is held; lets go of it.
   *
   * @param {string} text
   */
  apply(text) {
    const { ctrl, alt } = this.#held;
    this.#hold("ctrl", false);
    this.#hold("alt", false);
    const code = text.toUpperCase().charCodeAt(0);
    const controlled = ctrl && text.length === 1 && code >= 63 && code <= 95 ? String.fromCharCode(code === 63 ? 127 : code & 31) : text;
    return alt ? `\x1b${controlled}` : controlled;
  }

  /**
   * @param {"ctrl" | "alt"} key
   * @param {boolean} held
   */
  #hold(key, held) {
    this.#held[key] = held;
    this.#sticky[key]?.setAttribute("aria-pressed", String(held));
  }
}
