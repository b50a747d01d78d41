/** The menu under the button at the right: opened, walked through and closed as menus are. */

import { element } from "./dialog.js";

/** @typedef {{text: string, key?: string, checked?: boolean, action: () => void} | {heading: string}} Item */

export class Menu {
  #button;
  #list;
  #items;
  /** @type {Element | null} what had the focus before */
  #before = null;

  /**
   * @param {HTMLElement} button
   * @param {HTMLElement} list
   * @param {() => Promise<Item[]>} items what stands in it, asked when it is opened
   */
  constructor(button, list, items) {
    this.#button = button;
    this.#list = list;
    this.#items = items;
    button.addEventListener("pointerdown", () => (this.#before = list.hidden ? document.activeElement : this.#before)); // it will have it
    button.addEventListener("click", () => (list.hidden ? void this.#show() : this.close()));
    list.addEventListener("keydown", (event) => this.#key(event));
    document.addEventListener("pointerdown", (event) => {
      const target = /** @type {Node} */ (event.target);
      if (!list.contains(target) && !button.contains(target)) {
        this.close();
      }
    });
  }

  /** From wherever the keyboard is, which goes back there afterwards. */
  async open() {
    if (this.#list.hidden) {
      this.#before = document.activeElement;
      await this.#show();
    }
  }

  close() {
    this.#list.hidden = true;
    this.#button.setAttribute("aria-expanded", "false");
  }

  /** The focus goes where it was: whoever types shall go on typing. */
  #leave() {
    this.close();
    const before = /** @type {HTMLElement | null} */ (this.#before);
    this.#before = null;
    (before?.isConnected && before !== document.body ? before : this.#button).focus();
  }

  async #show() {
    const items = await this.#items();
    this.#list.replaceChildren(...items.map((item) => this.#made(item)));
    this.#list.hidden = false;
    this.#button.setAttribute("aria-expanded", "true");
    this.#buttons()[0]?.focus();
  }

  /** @param {Item} item */
  #made(item) {
    if ("heading" in item) {
      return element("h2", { role: "presentation" }, item.heading);
    }
    const role = item.checked === undefined ? "menuitem" : "menuitemradio";
    const made = element("button", { type: "button", role, tabIndex: -1 }, item.text);
    if (item.checked !== undefined) {
      made.setAttribute("aria-checked", String(item.checked));
    }
    if (item.key) {
      made.append(element("span", { className: "key" }, item.key));
    }
    made.addEventListener("click", () => {
      this.#leave();
      item.action();
    });
    return made;
  }

  #buttons() {
    return [...this.#list.querySelectorAll("button")];
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const buttons = this.#buttons();
    const place = buttons.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    const to = { ArrowDown: place + 1, ArrowUp: place - 1 + buttons.length, Home: 0, End: buttons.length - 1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      buttons[to % buttons.length]?.focus();
    } else if (event.key === "Escape" || event.key === "Tab") {
      event.preventDefault();
      this.#leave();
    }
  }
}
