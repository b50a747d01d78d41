/** What a command says, as DOM: lines in groups; the first ones go when there are too many. */

import { AnsiLines } from "./ansi.js";
import { PLAIN } from "./sgr.js";

const MAX_LINES = 10000; // of one block; a browser lays out more only slowly
const GROUP_LINES = 64; // are laid out together
const MAX_CHARACTERS = 4 << 20; // of one block, in fewer and longer lines

/** @typedef {import("./ansi.js").Run} Run */

export class Output {
  element = document.createElement("pre");
  /** Lines that were dropped at the top. */
  dropped = 0;

  #lines = new AnsiLines();
  /** @type {number[]} characters of each line that is shown and has ended */
  #lengths = [];
  #characters = 0;
  /** @type {HTMLElement | null} the line that has not ended, the last one */
  #current = null;

  constructor() {
    this.element.className = "output";
  }

  /** What is shown, as text. */
  get text() {
    return this.element.textContent ?? "";
  }

  /**
   * @param {string} text
   * @param {boolean} [stderr]
   */
  write(text, stderr = false) {
    this.#lines.write(text, stderr);
    const { ended, current } = this.#lines.take();
    if (ended.length) {
      this.#current?.remove();
      this.#current = null;
      this.#append(ended);
    }
    if (current.length || this.#current) {
      this.#current ??= this.#open().appendChild(document.createElement("span"));
      this.#current.replaceChildren(...current.map(drawn));
    }
  }

  /** @param {Run[][]} ended */
  #append(ended) {
    const skipped = Math.max(0, ended.length - MAX_LINES); // would be dropped at once
    const fresh = ended.slice(skipped);
    for (let begin = 0; begin < fresh.length; ) {
      const group = this.#open();
      const lines = fresh.slice(begin, begin + GROUP_LINES - group.childElementCount);
      group.append(...lines.map((runs) => this.#line(runs)));
      begin += lines.length;
    }
    this.dropped += skipped;
    while (this.#lengths.length > MAX_LINES || (this.#characters > MAX_CHARACTERS && this.#lengths.length > 1)) {
      this.#drop();
    }
  }

  /** @returns {Element} where the next line goes: what is complete need not be laid out again */
  #open() {
    const last = this.element.lastElementChild;
    return last && last.childElementCount < GROUP_LINES ? last : this.element.appendChild(document.createElement("div"));
  }

  /** @param {Run[]} runs */
  #line(runs) {
    const line = document.createElement("span");
    line.append(...runs.map(drawn), "\n");
    const length = runs.reduce((sum, run) => sum + run.text.length, 1);
    this.#lengths.push(length);
    this.#characters += length;
    return line;
  }

  /** The first line goes. */
  #drop() {
    const first = this.element.firstElementChild;
    first?.firstElementChild?.remove();
    if (!first?.childElementCount) {
      first?.remove();
    }
    this.#characters -= this.#lengths.shift() ?? 0;
    this.dropped += 1;
  }
}

/**
 * @param {Run} run
 * @returns {Node}
 */
function drawn({ text, style, stderr }) {
  if (style === PLAIN && !stderr) {
    return document.createTextNode(text);
  }
  const span = document.createElement("span");
  span.textContent = text;
  span.className = style.flags.filter((flag) => flag !== "inverse").join(" ");
  const inverse = style.flags.includes("inverse");
  const [fg, bg] = inverse ? [style.bg || "inverse", style.fg || "inverse"] : [style.fg, style.bg];
  span.classList.toggle("stderr", stderr);
  paint(span, "color", fg, "fg");
  paint(span, "backgroundColor", bg, "bg");
  return span;
}

/**
 * @param {HTMLElement} span
 * @param {"color" | "backgroundColor"} property
 * @param {string} colour
 * @param {string} prefix
 */
function paint(span, property, colour, prefix) {
  if (colour.startsWith("#")) {
    span.style[property] = colour;
  } else if (colour) {
    span.classList.add(prefix + colour);
  }
}
