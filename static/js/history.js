/** What was entered before, for the arrow keys; kept in localStorage, one list for each mode. */

import { BROWSER, recall, remember } from "./memory.js";

const LONGEST = 500;

export class History {
  #key;
  /** @type {string[]} */
  #entries;
  #place;
  #draft = "";

  /** @param {string} name */
  constructor(name) {
    this.#key = `history.${name}`;
    const entries = recall(BROWSER, this.#key);
    this.#entries = Array.isArray(entries) ? entries.filter((entry) => typeof entry === "string") : [];
    this.#place = this.#entries.length;
  }

  /** @param {string} entry */
  add(entry) {
    if (entry !== this.#entries.at(-1)) {
      this.#entries.push(entry);
      this.#entries = this.#entries.slice(-LONGEST);
      remember(BROWSER, this.#key, this.#entries);
    }
    this.#place = this.#entries.length;
  }

  /**
   * @param {-1 | 1} step
   * @param {string} current what stands in the box now
   * @returns {string | null} what shall stand there; null: there is nothing further
   */
  move(step, current) {
    const place = this.#place + step;
    if (place < 0 || place > this.#entries.length) {
      return null;
    }
    if (this.#place === this.#entries.length) {
      this.#draft = current;
    }
    this.#place = place;
    return this.#entries[place] ?? this.#draft;
  }
}
