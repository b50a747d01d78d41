/** xterm.js with its addons, as a terminal needs it. Knows no process and no client. */

import { Answers } from "./answers.js";
import { clipboardText } from "./clipboard.js";
import { Feed, onlyAscii } from "./feed.js";
import { followFinger } from "./finger.js";
import { Links } from "./links.js";
import { FitAddon, SearchAddon, Terminal, UnicodeGraphemesAddon, WebLinksAddon } from "./vendor.js";

const SCROLLBACK_LINES = 10000;
const TITLE_CHARACTERS = 256;
const CONTRAST = 4.5; // of letters to what is behind them, whatever a program chose: WCAG AA
const MOST_MATCHES = 1000; // are marked; more cannot be told apart by eye

// what could hide or reorder the title: controls, bidirectional marks, zero-width characters
const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
const RESET = "\x18\x1bc"; // ends a sequence cut in the middle, then RIS; written, so that it keeps its place in the stream

/**
 * @typedef {Object} Looks
 * @property {import("./vendor.js").Theme} [theme]
 * @property {number} [fontSize]
 * @property {string} [fontFamily]
 * @property {boolean} [screenReader]
 * @property {import("@xterm/addon-search").ISearchDecorationOptions} [matches] how what is searched for is marked
 *
 * @typedef {Object} Calls
 * @property {(bytes: Uint8Array, answer: boolean) => void} onsaid by a person, or in answer to a program
 * @property {(text: string) => void} onpaste
 * @property {() => void} oncopy a person wants the selection copied
 * @property {(text: string) => void} onclipboard a program wants *text* copied
 * @property {(title: string) => void} ontitle
 * @property {() => void} onbell
 *
 * @typedef {{place: number, count: number}} Found the match that is shown, from 1 (0: none, or too many to count), and how many there are
 */

export class Screen {
  #element;
  #term;
  #answers;
  #feed;
  #joins = false; // emoji, and letters with their marks: from the first output on that is not ASCII
  #fit = new FitAddon();
  #search = new SearchAddon({ highlightLimit: MOST_MATCHES });
  #matches;
  /** @type {Found} */
  #found = { place: 0, count: 0 };
  #encoder = new TextEncoder();

  /**
   * @param {HTMLElement} element where it is drawn, from `open` on
   * @param {{rows: number, cols: number}} size
   * @param {Looks} looks
   */
  constructor(element, { rows, cols }, looks) {
    this.#element = element;
    this.#matches = looks.matches;
    const links = new Links(element);
    this.#term = new Terminal({
      allowProposedApi: true, // for the unicode addon
      cols,
      rows,
      // it would be an animation: 60 frames a second for ever, 4 % of a core, and a key drawn 20 ms later (benchmarks/page.py)
      cursorBlink: false,
      fontFamily: looks.fontFamily ?? "monospace",
      fontSize: looks.fontSize ?? 14,
      linkHandler: links,
      macOptionIsMeta: true,
      minimumContrastRatio: CONTRAST,
      screenReaderMode: looks.screenReader ?? false,
      scrollback: SCROLLBACK_LINES,
      theme: looks.theme,
    });
    this.#feed = new Feed((data, callback) => {
      if (!this.#joins && !onlyAscii(data)) {
        this.#joins = true;
        this.#term.loadAddon(new UnicodeGraphemesAddon()); // a tenth of the time that text takes, also where there is nothing to join
      }
      this.#term.write(data, callback);
    });
    this.#answers = new Answers(this.#term.parser);
    this.#term.loadAddon(this.#fit);
    this.#term.loadAddon(this.#search);
    this.#term.loadAddon(new WebLinksAddon(links.activate, links));
  }

  get element() {
    return this.#element;
  }

  get rows() {
    return this.#term.rows;
  }

  get cols() {
    return this.#term.cols;
  }

  get selection() {
    return this.#term.getSelection();
  }

  get mayType() {
    return !this.#term.options.disableStdin;
  }

  set mayType(may) {
    this.#term.options.disableStdin = !may;
  }

  /** Whether a program has asked for marks around what is pasted. */
  get bracketed() {
    return this.#term.modes.bracketedPasteMode;
  }

  // ---- what a tab does

  /** @param {Calls} calls who it is for, from now on */
  listen({ onsaid, onpaste, oncopy, onclipboard, ontitle, onbell }) {
    const term = this.#term;
    term.onData((data) => onsaid(this.#encoder.encode(data), this.#answers.includes(data)));
    term.onBinary((data) => onsaid(Uint8Array.from(data, (character) => character.charCodeAt(0)), false));
    term.onTitleChange((title) => ontitle(title.replace(INVISIBLE, "").slice(0, TITLE_CHARACTERS)));
    term.onBell(onbell);
    this.#search.onDidChangeResults(({ resultIndex, resultCount }) => {
      this.#found = { place: resultIndex + 1, count: resultCount };
    });
    term.parser.registerOscHandler(52, (data) => {
      const text = clipboardText(data);
      if (text !== null) {
        onclipboard(text);
      }
      return true;
    });
    term.attachCustomKeyEventHandler((event) => isForTerminal(event, oncopy));
    const pasted = (/** @type {ClipboardEvent} */ event) => {
      event.preventDefault();
      event.stopPropagation();
      onpaste(event.clipboardData?.getData("text/plain") ?? "");
    };
    followFinger(this.#element, () => this.#element.clientHeight / term.rows, (lines, event) => this.#scroll(lines, event));
    this.#element.addEventListener("paste", pasted, { capture: true }); // before xterm sees it: it would type it
  }

  /** The element is mounted and visible. */
  open() {
    if (!this.#term.element) {
      this.#term.open(this.#element);
    }
  }

  focus() {
    this.#term.focus();
  }

  /** Take the element's size. */
  fit() {
    this.#fit.fit();
  }

  /** @param {{rows: number, cols: number}} size */
  resize({ rows, cols }) {
    this.#term.resize(cols, rows);
  }

  /** @param {Looks} looks */
  setLooks({ theme, fontSize, fontFamily, screenReader, matches }) {
    const options = this.#term.options;
    options.theme = theme ?? options.theme;
    options.fontSize = fontSize ?? options.fontSize;
    options.fontFamily = fontFamily ?? options.fontFamily;
    options.screenReaderMode = screenReader ?? options.screenReaderMode;
    this.#matches = matches ?? this.#matches;
  }

  /**
   * @param {string} text empty: nothing is marked any more
   * @param {"next" | "previous" | "last"} direction from the match that is selected, or the last one of all
   * @returns {Found}
   */
  search(text, direction) {
    this.#found = { place: 0, count: 0 };
    if (!text) {
      this.#search.clearDecorations();
      return this.#found;
    }
    if (direction === "last") {
      this.#term.clearSelection();
    }
    const options = { decorations: this.#matches };
    const found = direction === "next" ? this.#search.findNext(text, options) : this.#search.findPrevious(text, options);
    return found ? this.#found : { place: 0, count: 0 };
  }

  /** @param {string} text as typed; arrows as `ESC [ A`, whatever the program's cursor key mode */
  type(text) {
    const application = this.#term.modes.applicationCursorKeysMode;
    this.#term.input(application ? text.replace(/^\x1b\[([A-DHF])$/, "\x1bO$1") : text, true);
  }

  toBottom() {
    this.#term.scrollToBottom();
  }

  dispose() {
    this.#term.dispose();
  }

  // ---- what is drawn

  /**
   * @param {Uint8Array | string} data
   * @param {() => void} [callback] when it has been drawn
   */
  write(data, callback) {
    this.#feed.write(data, callback);
  }

  /**
   * Begin anew, when what was written before has been drawn.
   *
   * @param {string} restore the modes that a terminal would be in
   * @param {() => void} callback when that has been done
   */
  reset(restore, callback) {
    this.#feed.write(RESET + restore, callback);
  }

  /**
   * @param {{[member: string]: any}} end how the process ended: exit_code, signal, duration
   * @param {string} [epilogue] what can be done now
   */
  epitaph({ exit_code, signal, duration }, epilogue = "") {
    const how = signal ? `signal ${signal}` : `exit ${exit_code}`;
    const seconds = typeof duration === "number" ? `, ${duration.toFixed(1)} s` : "";
    const back = this.#term.buffer.active.type === "alternate" ? "\x1b[?1049l" : "";
    const fresh = this.#term.buffer.active.cursorX > 0 || back ? "\r\n" : "";
    this.#feed.write(`${back}\x1b[!p\x1b[?1000l\x1b[?1002l\x1b[?1003l${fresh}\x1b[90m[${how}${seconds}]${epilogue && ` ${epilogue}`}\x1b[0m\x1b[?25l`);
  }

  // ---- inside

  /**
   * As a wheel does: through what came before; where a program has the whole screen, in the program.
   *
   * @param {number} lines below 0: upwards
   * @param {{clientX: number, clientY: number}} place
   */
  #scroll(lines, { clientX, clientY }) {
    const { modes, buffer } = this.#term;
    if (modes.mouseTrackingMode !== "none") {
      const wheel = { deltaY: Math.sign(lines), deltaMode: WheelEvent.DOM_DELTA_LINE, clientX, clientY, bubbles: true, cancelable: true };
      for (let left = Math.abs(lines); left > 0; left -= 1) {
        this.#term.element?.dispatchEvent(new WheelEvent("wheel", wheel));
      }
    } else if (buffer.active.type === "alternate") {
      for (let left = Math.abs(lines); left > 0; left -= 1) {
        this.type(lines < 0 ? "\x1b[A" : "\x1b[B");
      }
    } else {
      this.#term.scrollLines(lines);
    }
  }
}

/**
 * @param {KeyboardEvent} event
 * @param {() => void} oncopy
 */
function isForTerminal(event, oncopy) {
  const shifted = event.ctrlKey && event.shiftKey && !event.altKey;
  if (shifted && event.code === "KeyC") {
    event.preventDefault(); // some browsers open their tools
    if (event.type === "keydown") {
      oncopy();
    }
    return false;
  }
  return !(shifted && event.code === "KeyV"); // the browser pastes
}
