/** The dialog in which files are found and saved: the folder where the shell is, and from there wherever one goes. */

import { element } from "./dialog.js";
import { sized } from "./sending.js";
import { addressOf, read } from "./transfer.js";

/** @typedef {{name: string, kind: "file" | "folder" | "other", size: number, modified: number}} Entry */

export class Shelf {
  #session;
  #field = /** @type {HTMLInputElement} */ (element("input", { type: "text", "aria-label": "Folder", spellcheck: false, autocapitalize: "off" }));
  #list = element("ul", { className: "shelf" });
  #whole = element("p", { className: "whole" });
  #form = element(
    "form",
    { method: "dialog" },
    element("h2", { id: "shelf-title" }, "Get files"),
    this.#field,
    this.#list,
    this.#whole,
    element("div", { className: "actions" }, element("button", { type: "submit", className: "primary" }, "Close")),
  );
  #dialog = /** @type {HTMLDialogElement} */ (element("dialog", { "aria-labelledby": "shelf-title", className: "files" }, this.#form));

  /** @param {string} session */
  constructor(session) {
    this.#session = session;
    this.#dialog.addEventListener("close", () => this.#dialog.remove());
    this.#dialog.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && event.target === this.#field) {
        event.preventDefault(); // it would close the dialog
        void this.#go({ folder: this.#field.value });
      }
    });
  }

  /** @param {{[name: string]: string | number}} place where to begin */
  async show(place) {
    document.body.append(this.#dialog);
    this.#dialog.showModal();
    await this.#go(place);
  }

  /** @param {{[name: string]: string | number}} place */
  async #go(place) {
    try {
      const { folder, entries, more } = await read(await fetch(addressOf(this.#session, "", place)));
      this.#draw(folder, entries, more);
    } catch (error) {
      this.#list.replaceChildren(element("li", { className: "failed", role: "alert" }, `${/** @type {Error} */ (error).message}.`));
      this.#whole.replaceChildren();
    }
  }

  /**
   * @param {string} folder
   * @param {Entry[]} entries
   * @param {boolean} more
   */
  #draw(folder, entries, more) {
    this.#field.value = folder;
    const order = (/** @type {Entry} */ { kind, name }) => `${kind === "folder" ? 0 : 1}${name}`;
    const sorted = entries.map((entry) => ({ entry, key: order(entry) })).sort((a, b) => a.key.localeCompare(b.key));
    const lines = sorted.map(({ entry }) => element("li", {}, ...this.#line(folder, entry)));
    const up = element("button", { type: "button" }, "↑ up");
    up.addEventListener("click", () => void this.#go({ folder: folder.replace(/\/[^/]*$/, "") || "/" }));
    const end = more ? [element("li", {}, "and more, which are not shown")] : [];
    this.#list.replaceChildren(...(folder === "/" ? [] : [element("li", {}, up)]), ...lines, ...end);
    this.#list.scrollTop = 0;
    const kinds = ["zip", "tar"].map((kind) => saving(addressOf(this.#session, "", { folder, as: kind }), kind));
    this.#whole.replaceChildren("This folder as ", ...kinds.flatMap((link, number) => (number ? [" or ", link] : [link])));
  }

  /**
   * @param {string} folder
   * @param {Entry} entry
   * @returns {(Node | string)[]}
   */
  #line(folder, { name, kind, size }) {
    if (kind === "folder") {
      const open = element("button", { type: "button" }, `${name}/`);
      open.addEventListener("click", () => void this.#go({ folder: `${folder === "/" ? "" : folder}/${name}` }));
      return [open];
    }
    if (kind === "other") {
      return [element("span", {}, name)];
    }
    return [saving(addressOf(this.#session, name, { folder }), name), element("span", { className: "size" }, sized(size))];
  }
}

/**
 * @param {string} address
 * @param {string} text
 */
function saving(address, text) {
  return element("a", { href: address, download: "" }, text);
}
