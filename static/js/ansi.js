/**
 * Output of commands as lines of styled text: colours, overwriting within the line, nothing else of a terminal. Pure.
 *
 * Input is cut anywhere; a sequence that is not finished waits for its rest. What is printed twice at one place is kept once.
 */

import { PLAIN, restyled } from "./sgr.js";

/** @typedef {import("./sgr.js").Style} Style */
/** @typedef {{text: string, style: Style, stderr: boolean}} Run neighbouring characters that look the same */

const LINE_CHARACTERS = 16 << 10; // then a new one begins: a browser lays out a longer one only slowly
const CARRY_CHARACTERS = 4096; // a longer control string is passed over to its end, unread
const TAB = 8;

const TOKEN = new RegExp(
  [
    String.raw`\x1b\[([0-?]*)[ -/]*([@-~])`, // CSI: parameters, final
    String.raw`\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)`, // OSC
    String.raw`\x1b[PX^_][^\x1b]*\x1b\\`, // DCS, SOS, PM, APC
    String.raw`\x1b[ -/]*[0-OQ-WYZ\\\x60-~]`, // other escape sequences
    String.raw`[\r\n\b\t]`,
    String.raw`[^\x00-\x1f\x7f]+`,
  ].join("|"),
  "g",
);
const UNFINISHED = /\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]*\x1b?|[PX^_][^\x1b]*\x1b?|[ -/]*)$/;
const STRING_END = /[\x07\x1b\x18\x1a]/;

/** One stream's place in its control sequences: standard output and error do not mix theirs. */
class Reader {
  style = PLAIN;
  carry = "";
  /** Within a control string that is too long to be kept. */
  skipping = false;

  /**
   * @param {string} text
   * @returns {IterableIterator<RegExpMatchArray>} what is complete
   */
  read(text) {
    let ready = this.carry + text;
    this.carry = "";
    if (this.skipping) {
      const end = ready.search(STRING_END);
      this.skipping = end < 0;
      ready = end < 0 ? "" : ready.slice(ready[end] === "\x1b" ? end : end + 1);
    }
    const cut = UNFINISHED.exec(ready);
    if (cut) {
      ready = ready.slice(0, cut.index);
      this.skipping = cut[0].length > CARRY_CHARACTERS;
      this.carry = this.skipping ? "" : cut[0];
    }
    return ready.matchAll(TOKEN);
  }
}

export class AnsiLines {
  #readers = [new Reader(), new Reader()];
  /** @type {Run[][]} ended, and not taken yet */
  #ended = [];
  /** @type {Run[]} the line that the cursor is in */
  #runs = [];
  #length = 0; // of it, in characters
  #column = 0;

  /**
   * @param {string} text
   * @param {boolean} [stderr]
   */
  write(text, stderr = false) {
    const reader = /** @type {Reader} */ (this.#readers[Number(stderr)]);
    for (const [whole, parameters = "", final] of reader.read(text)) {
      if (whole === "\n") {
        this.#endLine();
      } else if (whole === "\r") {
        this.#column = 0;
      } else if (whole === "\b") {
        this.#column = Math.max(0, this.#column - 1);
      } else if (whole === "\t") {
        this.#print({ text: " ".repeat(TAB - (this.#column % TAB)), style: reader.style, stderr });
      } else if (final === "m") {
        reader.style = restyled(reader.style, parameters);
      } else if (final === "K") {
        this.#erase(parameters);
      } else if (!whole.startsWith("\x1b")) {
        this.#print({ text: whole, style: reader.style, stderr });
      }
    }
  }

  /** @returns {{ended: Run[][], current: Run[]}} the lines that have ended since the last time, and the one that has not */
  take() {
    const ended = this.#ended;
    this.#ended = [];
    return { ended, current: this.#runs };
  }

  /** @param {Run} run */
  #print(run) {
    if (this.#column !== this.#length) {
      this.#overwrite(run);
      return;
    }
    for (let rest = run.text; rest; ) {
      const piece = rest.slice(0, Math.max(1, LINE_CHARACTERS - this.#length));
      rest = rest.slice(piece.length);
      append(this.#runs, { ...run, text: piece });
      this.#length += width(piece);
      this.#column = this.#length;
      if (this.#length >= LINE_CHARACTERS) {
        this.#endLine();
      }
    }
  }

  /** @param {Run} run somewhere else than at the end */
  #overwrite(run) {
    const cells = this.#runs.flatMap((old) => Array.from(old.text, (text) => ({ ...old, text })));
    while (cells.length < this.#column) {
      cells.push({ text: " ", style: PLAIN, stderr: false });
    }
    const fresh = Array.from(run.text, (text) => ({ ...run, text })).slice(0, LINE_CHARACTERS - this.#column);
    cells.splice(this.#column, fresh.length, ...fresh);
    this.#column += fresh.length;
    this.#relay(cells);
  }

  /** @param {string} how ECMA-48 EL: 0 to the end, 1 from the beginning, 2 all */
  #erase(how) {
    const cells = this.#runs.flatMap((old) => Array.from(old.text, (text) => ({ ...old, text })));
    if (how === "1") {
      const blank = { text: " ", style: PLAIN, stderr: false };
      cells.fill(blank, 0, this.#column);
    } else {
      cells.length = how === "2" ? 0 : Math.min(cells.length, this.#column);
    }
    this.#relay(cells);
  }

  /** @param {Run[]} cells of one character each */
  #relay(cells) {
    this.#runs = [];
    cells.forEach((cell) => append(this.#runs, cell));
    this.#length = cells.length;
  }

  #endLine() {
    this.#ended.push(this.#runs);
    this.#runs = [];
    this.#length = this.#column = 0;
  }
}

/**
 * @param {Run[]} runs
 * @param {Run} run
 */
function append(runs, run) {
  const last = runs.at(-1);
  if (last && last.style === run.style && last.stderr === run.stderr) {
    last.text += run.text;
  } else {
    runs.push({ ...run });
  }
}

/** @param {string} text */
function width(text) {
  return /[\ud800-\udbff]/.test(text) ? Array.from(text).length : text.length;
}
