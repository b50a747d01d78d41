/** What was entered before, for the arrow keys; kept in localStorage, one list for each mode. */

const LONGEST = 500;

export class History {
  #key;
  /** @type {string[]} */
  #entries;
  #place;
  #draft = "";

  /** @param {string} name */
  constructor(name) {
    this.#key = `webshell.history.${name}`;
    this.#entries = stored(this.#key);
    this.#place = this.#entries.length;
  }

  /** @param {string} entry */
  add(entry) {
    if (entry !== this.#entries.at(-1)) {
      this.#entries.push(entry);
      this.#entries = this.#entries.slice(-LONGEST);
      try {
        localStorage.setItem(this.#key, JSON.stringify(this.#entries));
      } catch {
        // full, or private browsing: it is remembered for this page
      }
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

/** @param {string} key */
function stored(key) {
  try {
    const value = JSON.parse(localStorage.getItem(key) ?? "[]");
    return Array.isArray(value) ? value.filter((entry) => typeof entry === "string") : [];
  } catch {
    return [];
  }
}
