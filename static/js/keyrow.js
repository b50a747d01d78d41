/** Keys that a touch screen lacks: a row of buttons; Ctrl and Alt stick until the next key. */

import { element } from "./dialog.js";

const KEYS = /** @type {const} */ ([
  ["Esc", "\x1b"], ["Tab", "\t"], ["Ctrl", "ctrl"], ["Alt", "alt"], ["←", "\x1b[D"], ["↓", "\x1b[B"], ["↑", "\x1b[A"], ["→", "\x1b[C"], ["Paste", "paste"],
  ["|", "|"], ["/", "/"], ["-", "-"], ["~", "~"], ["Home", "\x1b[H"], ["End", "\x1b[F"], ["PgUp", "\x1b[5~"], ["PgDn", "\x1b[6~"],
]);

export class KeyRow {
  #held = { ctrl: false, alt: false };
  /** @type {Record<string, HTMLElement>} */
  #sticky = {};
  #type;

  /**
   * @param {HTMLElement} row
   * @param {(text: string) => void} type
   * @param {() => void} paste
   */
  constructor(row, type, paste) {
    this.#type = type;
    for (const [label, value] of KEYS) {
      const button = element("button", { type: "button", tabIndex: -1 }, label);
      button.addEventListener("pointerdown", (event) => event.preventDefault()); // the terminal keeps the focus, and the keyboard stays
      if (value === "ctrl" || value === "alt") {
        this.#sticky[value] = button;
        button.setAttribute("aria-pressed", "false");
        button.addEventListener("click", () => this.#hold(value, !this.#held[value]));
      } else if (value === "paste") {
        button.addEventListener("click", paste);
      } else {
        button.addEventListener("click", () => type(this.#applied(value)));
      }
      row.append(button);
    }
  }

  /**
   * What is held applies to what is typed there, too.
   *
   * @param {HTMLElement} place
   */
  watch(place) {
    place.addEventListener("keydown", (event) => !event.isComposing && this.#catch(event, event.key), { capture: true });
    // a touch keyboard tells no keys, only what it would insert
    place.addEventListener("beforeinput", (event) => this.#catch(event, event.data ?? ""), { capture: true });
  }

  /**
   * @param {Event} event
   * @param {string} text that it would type
   */
  #catch(event, text) {
    if ((this.#held.ctrl || this.#held.alt) && [...text].length === 1) {
      event.preventDefault();
      event.stopPropagation();
      this.#type(this.#applied(text));
    }
  }

  /**
   * What a key means with what is held; lets go of it.
   *
   * @param {string} text
   */
  #applied(text) {
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
