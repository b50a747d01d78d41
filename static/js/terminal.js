/** One terminal: xterm.js for one process of a client. It draws output, marks input, and acknowledges what it has drawn. */

import { Answers } from "./answers.js";
import { clipboardText, copyText } from "./clipboard.js";
import { KIND } from "./frames.js";
import { Links } from "./links.js";
import { needsConfirmation, preparePaste } from "./paste.js";
import { FitAddon, SearchAddon, Terminal, UnicodeGraphemesAddon, WebLinksAddon } from "./vendor.js";

/** @typedef {import("./types.js").Message} Message */
/** @typedef {import("./types.js").ProcessRecord} ProcessRecord */

const ACKNOWLEDGED_BYTES = 48 << 10; // a step: of the 256 kB window, so the server never waits for one
const SCROLLBACK_LINES = 10000;
const TITLE_CHARACTERS = 256;
const SETTLE_MILLISECONDS = 50; // a window being dragged resizes many times
const NOTICE_MILLISECONDS = 3000; // the same notice is not repeated sooner: a held key fails thirty times a second

// what could hide or reorder the title: controls, bidirectional marks, zero-width characters
const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
const RESET = "\x18\x1bc"; // ends a sequence cut in the middle, then RIS; written, so that it keeps its place in the stream

/**
 * @typedef {Object} Options
 * @property {import("./vendor.js").Theme} [theme]
 * @property {number} [fontSize]
 * @property {string} [fontFamily]
 * @property {boolean} [screenReader]
 * @property {boolean} [mayType]
 * @property {(text: string) => Promise<boolean>} [confirmPaste]
 * @property {(title: string) => void} [onTitle]
 * @property {() => void} [onBell]
 * @property {(text: string, action?: () => void) => void} [onNotice]
 */

export class TerminalView {
  element = document.createElement("div");
  record;

  #client;
  #options;
  #term;
  #answers;
  #fit = new FitAddon();
  #search = new SearchAddon();
  #encoder = new TextEncoder();
  #observer = new ResizeObserver(() => this.#settle());
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #settling;
  #visible = false;
  #mayType;
  #received; // offset of the next byte to come
  #drawn; // … to be drawn
  #acknowledged;
  #old; // below this offset output is history: what it asks has been answered long ago
  /** @type {ProcessRecord | null} it had exited when we attached: said when its history is drawn */
  #over = null;
  #notice = { text: "", at: 0 };

  /**
   * @param {import("./client.js").Client} client
   * @param {ProcessRecord} record
   * @param {Options} [options]
   */
  constructor(client, record, options = {}) {
    this.#client = client;
    this.record = record;
    this.#options = options;
    this.#mayType = options.mayType ?? true;
    this.#received = this.#drawn = this.#acknowledged = record.offset;
    this.#old = record.end;
    this.element.className = "terminal";
    this.element.dataset.process = String(record.process);
    const links = new Links(this.element);
    this.#term = new Terminal({
      allowProposedApi: true, // for the unicode addon
      cols: record.cols,
      rows: record.rows,
      cursorBlink: true,
      fontFamily: options.fontFamily ?? "monospace",
      fontSize: options.fontSize ?? 14,
      linkHandler: links,
      macOptionIsMeta: true,
      screenReaderMode: options.screenReader ?? false,
      scrollback: SCROLLBACK_LINES,
      theme: options.theme,
    });
    this.#answers = new Answers(this.#term.parser);
    this.#term.loadAddon(this.#fit);
    this.#term.loadAddon(this.#search);
    this.#term.loadAddon(new UnicodeGraphemesAddon());
    this.#term.loadAddon(new WebLinksAddon(links.activate, links));
    this.#listen();
    this.#allowInput();
    this.#mourn(record);
  }

  // ---- what a tab does

  /** Mounted and visible. */
  show() {
    this.#visible = true;
    if (!this.#term.element) {
      this.#term.open(this.element);
    }
    this.#observer.observe(this.element);
    this.fit();
  }

  hide() {
    this.#visible = false;
    this.#observer.disconnect();
    clearTimeout(this.#settling);
  }

  focus() {
    this.#term.focus();
  }

  /** Take the element's size, and give it to the process; who may only watch takes the process's size. */
  fit() {
    if (!this.#visible || !this.element.isConnected) {
      return;
    }
    const { process, rows, cols } = this.record;
    if (!this.#mayType) {
      this.#term.resize(cols, rows);
      return;
    }
    this.#fit.fit();
    const differs = this.#term.rows !== rows || this.#term.cols !== cols;
    if (differs && this.record.state === "running") {
      this.#client.resize(process, this.#term.rows, this.#term.cols);
    }
  }

  /** @param {{theme?: import("./vendor.js").Theme, fontSize?: number, fontFamily?: string, screenReader?: boolean, mayType?: boolean}} options */
  setOptions({ theme, fontSize, fontFamily, screenReader, mayType }) {
    const options = this.#term.options;
    options.theme = theme ?? options.theme;
    options.fontSize = fontSize ?? options.fontSize;
    options.fontFamily = fontFamily ?? options.fontFamily;
    options.screenReaderMode = screenReader ?? options.screenReaderMode;
    this.#mayType = mayType ?? this.#mayType;
    this.#allowInput();
    this.fit();
  }

  /**
   * @param {string} text
   * @param {{direction?: "next" | "previous"}} [options]
   * @returns {boolean} whether it was found
   */
  search(text, { direction = "next" } = {}) {
    if (!text) {
      this.#search.clearDecorations();
      return false;
    }
    return direction === "previous" ? this.#search.findPrevious(text) : this.#search.findNext(text);
  }

  /** Copy the selection. */
  async copy() {
    const text = this.#term.getSelection();
    if (text && !(await copyText(text))) {
      this.#say("The browser did not allow copying");
    }
  }

  /** @param {string} text */
  async paste(text) {
    if (!text || this.#term.options.disableStdin) {
      return;
    }
    const asks = needsConfirmation(text, this.#term.modes.bracketedPasteMode);
    if (asks && this.#options.confirmPaste && !(await this.#options.confirmPaste(text))) {
      return;
    }
    this.#term.scrollToBottom();
    this.#input(KIND.pasted, this.#encoder.encode(preparePaste(text, this.#term.modes.bracketedPasteMode)));
  }

  /** @param {string} text as typed; arrows as `ESC [ A`, whatever the program's cursor key mode */
  type(text) {
    const application = this.#term.modes.applicationCursorKeysMode;
    this.#term.input(application ? text.replace(/^\x1b\[([A-DHF])$/, "\x1bO$1") : text, true);
  }

  /** What is to be seen. */
  text() {
    const { active } = this.#term.buffer;
    const lines = Array.from({ length: this.#term.rows }, (_, row) => active.getLine(active.viewportY + row));
    return lines.map((line) => line?.translateToString(true) ?? "").join("\n").trimEnd();
  }

  dispose() {
    this.hide();
    this.#term.dispose();
    this.element.remove();
  }

  // ---- what the client tells

  /**
   * @param {Uint8Array} bytes
   * @param {number} end the offset after them
   */
  output(bytes, end) {
    const history = this.#old - (end - bytes.length);
    if (history > 0 && history < bytes.length) {
      this.#write(bytes.subarray(0, history), this.#old); // apart: only what follows may be answered
      this.#write(bytes.subarray(history), end);
    } else {
      this.#write(bytes, end);
    }
  }

  /** @param {Message} event */
  gap(event) {
    this.#write(RESET + event.restore, event.offset);
  }

  /** @param {Message} event */
  exited(event) {
    this.#allowInput();
    this.#whenDrawn(() => this.#epitaph(event));
  }

  /** Somebody else has changed the size. */
  resized(/** @type {number} */ rows, /** @type {number} */ cols) {
    this.#term.resize(cols, rows);
  }

  /**
   * The session is attached again.
   *
   * @param {ProcessRecord} record
   * @param {boolean} resumed the output goes on where it was cut
   */
  attached(record, resumed) {
    this.record = record;
    this.#old = record.end;
    if (!resumed) {
      this.#drawn = this.#acknowledged = record.offset;
      this.#write(RESET, record.offset);
      this.#mourn(record);
    }
    this.#allowInput();
    this.fit();
  }

  // ---- inside

  #listen() {
    const term = this.#term;
    const { onTitle, onBell } = this.#options;
    term.onData((data) => this.#said(data));
    term.onBinary((data) => this.#input(KIND.typed, Uint8Array.from(data, (character) => character.charCodeAt(0))));
    term.onTitleChange((title) => onTitle?.(title.replace(INVISIBLE, "").slice(0, TITLE_CHARACTERS)));
    term.onBell(() => this.#isHistory() || onBell?.());
    term.parser.registerOscHandler(52, (data) => this.#copied(data));
    term.attachCustomKeyEventHandler((event) => this.#isForTerminal(event));
    // before xterm sees it: it would type what is pasted
    this.element.addEventListener("paste", (event) => this.#pasted(event), { capture: true });
  }

  /** @param {string} data */
  #said(data) {
    if (!this.#answers.includes(data)) {
      this.#input(KIND.typed, this.#encoder.encode(data));
    } else if (!this.#isHistory()) {
      this.#input(KIND.answer, this.#encoder.encode(data));
    }
  }

  /**
   * @param {number} kind
   * @param {Uint8Array} bytes
   */
  #input(kind, bytes) {
    try {
      this.#client.input(this.record.process, kind, bytes);
    } catch (error) {
      this.#say(/** @type {Error} */ (error).message);
    }
  }

  /** @param {ClipboardEvent} event */
  #pasted(event) {
    event.preventDefault();
    event.stopPropagation();
    void this.paste(event.clipboardData?.getData("text/plain") ?? "");
  }

  /** @param {string} data */
  #copied(data) {
    const text = this.#isHistory() || !this.#mayType ? null : clipboardText(data);
    if (text !== null) {
      void copyText(text).then((done) => {
        if (!done) {
          this.#say("A program wants to copy text", () => void copyText(text));
        }
      });
    }
    return true;
  }

  /** @param {KeyboardEvent} event */
  #isForTerminal(event) {
    const shifted = event.ctrlKey && event.shiftKey && !event.altKey;
    if (shifted && event.code === "KeyC") {
      event.preventDefault(); // some browsers open their tools
      if (event.type === "keydown") {
        void this.copy();
      }
      return false;
    }
    return !(shifted && event.code === "KeyV"); // the browser pastes
  }

  /** Whether what is being drawn was old when we attached. */
  #isHistory() {
    return this.#drawn < this.#old;
  }

  /**
   * @param {Uint8Array | string} data
   * @param {number} end
   */
  #write(data, end) {
    this.#received = end;
    this.#term.write(data, () => this.#wasDrawn(end));
  }

  /** @param {number} end */
  #wasDrawn(end) {
    const caughtUp = this.#drawn < this.#old && end >= this.#old;
    this.#drawn = end;
    if (caughtUp || end === this.#received || end - this.#acknowledged >= ACKNOWLEDGED_BYTES) {
      this.#acknowledged = end;
      this.#client.acknowledge(this.record.process, end);
    }
    if (this.#over && !this.#isHistory()) {
      this.#epitaph(this.#over);
      this.#over = null;
    }
  }

  /** @param {ProcessRecord} record which may have exited before we came */
  #mourn(record) {
    this.#over = record.state === "exited" ? record : null;
    if (!this.#isHistory()) {
      this.#write("", this.#received);
    }
  }

  /** @param {() => void} callback when everything that was received until now is drawn */
  #whenDrawn(callback) {
    this.#term.write("", callback);
  }

  /** @param {ProcessRecord | Message} end how it ended */
  #epitaph({ exit_code, signal, duration }) {
    const how = signal ? `signal ${signal}` : `exit ${exit_code}`;
    const seconds = typeof duration === "number" ? `, ${duration.toFixed(1)} s` : "";
    const back = this.#term.buffer.active.type === "alternate" ? "\x1b[?1049l" : "";
    const fresh = this.#term.buffer.active.cursorX > 0 || back ? "\r\n" : "";
    this.#term.write(`${back}\x1b[!p\x1b[?1000l\x1b[?1002l\x1b[?1003l${fresh}\x1b[2m[${how}${seconds}]\x1b[0m\x1b[?25l`);
  }

  #allowInput() {
    this.#term.options.disableStdin = !this.#mayType || this.record.state !== "running";
  }

  #settle() {
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => this.fit(), SETTLE_MILLISECONDS);
  }

  /**
   * @param {string} text
   * @param {() => void} [action]
   */
  #say(text, action) {
    const now = Date.now();
    if (text !== this.#notice.text || now - this.#notice.at > NOTICE_MILLISECONDS) {
      this.#notice = { text, at: now };
      this.#options.onNotice?.(text, action);
    }
  }
}
