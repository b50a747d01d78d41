/** The row of tabs and the panels under it: which there are, which is shown. By the ARIA pattern for tabs. */

import { element } from "./dialog.js";

/**
 * @typedef {Object} Tab
 * @property {string} id
 * @property {HTMLElement} panel
 * @property {boolean} [closable]
 * @property {() => void} [onshow]
 * @property {() => void} [onhide]
 */

export class Tabs {
  /** @type {Map<string, Tab & {button: HTMLElement, title: HTMLElement}>} */
  #tabs = new Map();
  #row;
  #panels;
  #onclose;
  #onrename;
  current = "";

  /**
   * @param {HTMLElement} row
   * @param {HTMLElement} panels
   * @param {{onclose: (id: string) => void, onrename: (id: string) => void}} calls
   */
  constructor(row, panels, { onclose, onrename }) {
    this.#row = row;
    this.#panels = panels;
    this.#onclose = onclose;
    this.#onrename = onrename;
    row.addEventListener("keydown", (event) => this.#key(event));
  }

  get ids() {
    return [...this.#tabs.keys()];
  }

  /**
   * @param {Tab} tab
   * @param {string} text
   */
  add(tab, text) {
    const title = element("span", { className: "title" });
    const button = element("div", { id: `tab-${tab.id}`, role: "tab", "aria-controls": `panel-${tab.id}`, tabIndex: -1 }, title);
    button.addEventListener("click", () => this.select(tab.id));
    button.addEventListener("dblclick", () => tab.closable && this.#onrename(tab.id));
    if (tab.closable) {
      const close = element("button", { type: "button", className: "close", tabIndex: -1, title: "Close (Alt+Shift+W)" }, "×");
      close.setAttribute("aria-hidden", "true"); // Delete does it for the keyboard: a tab may not hold another control
      close.addEventListener("click", (event) => {
        event.stopPropagation();
        this.#onclose(tab.id);
      });
      button.append(close);
      button.addEventListener("auxclick", (event) => event.button === 1 && this.#onclose(tab.id));
    }
    Object.assign(tab.panel, { id: `panel-${tab.id}`, hidden: true });
    tab.panel.setAttribute("role", "tabpanel");
    tab.panel.setAttribute("aria-labelledby", button.id);
    this.#row.append(button);
    this.#panels.append(tab.panel);
    this.#tabs.set(tab.id, { ...tab, button, title });
    this.entitle(tab.id, text);
  }

  /** @param {string} id */
  remove(id) {
    const tab = this.#tabs.get(id);
    if (!tab) {
      return;
    }
    const place = this.ids.indexOf(id);
    this.#tabs.delete(id);
    tab.button.remove();
    tab.panel.remove();
    if (this.current === id) {
      this.current = "";
      const next = this.ids[Math.min(place, this.#tabs.size - 1)];
      if (next !== undefined) {
        this.select(next);
      }
    }
  }

  /** @param {string} id */
  select(id) {
    const tab = this.#tabs.get(id);
    if (!tab || this.current === id) {
      tab?.onshow?.();
      return;
    }
    const before = this.#tabs.get(this.current);
    if (before) {
      before.panel.hidden = true;
      before.onhide?.();
    }
    this.current = id;
    for (const [other, { button }] of this.#tabs) {
      button.setAttribute("aria-selected", String(other === id));
      button.tabIndex = other === id ? 0 : -1;
    }
    tab.button.classList.remove("bell");
    tab.button.scrollIntoView({ block: "nearest", inline: "nearest" });
    tab.panel.hidden = false;
    document.title = `${tab.title.textContent} · webshell`;
    tab.onshow?.();
  }

  /**
   * @param {string} id
   * @param {string} text
   */
  entitle(id, text) {
    const tab = this.#tabs.get(id);
    if (tab) {
      tab.title.textContent = text;
      tab.button.title = text;
      if (this.current === id) {
        document.title = `${text} · webshell`;
      }
    }
  }

  /**
   * @param {string} id
   * @param {"bell" | "exited"} mark
   */
  mark(id, mark) {
    if (mark !== "bell" || id !== this.current || document.hidden) {
      this.#tabs.get(id)?.button.classList.add(mark);
    }
  }

  /** @param {number} number from 1 */
  selectNumber(number) {
    const id = this.ids[number - 1];
    if (id !== undefined) {
      this.select(id);
    }
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const ids = this.ids;
    const place = ids.indexOf(this.current);
    const to = { ArrowRight: place + 1, ArrowLeft: place - 1 + ids.length, Home: 0, End: ids.length - 1 }[event.key];
    if (to !== undefined) {
      const id = ids[to % ids.length] ?? "";
      const onshow = this.#tabs.get(id)?.onshow;
      this.select(id);
      onshow?.();
      this.#tabs.get(id)?.button.focus();
    } else if (event.key === "F2") {
      this.#onrename(this.current);
    } else if (event.key === "Delete") {
      this.#onclose(this.current);
    } else {
      return;
    }
    event.preventDefault();
  }
}
