/** One terminal: a screen for one process of a client. It draws output, marks input, and acknowledges what it has drawn. */

import { copyText } from "./clipboard.js";
import { Credit } from "./credit.js";
import { KIND } from "./frames.js";
import { Notices } from "./notices.js";
import { needsConfirmation, preparePaste } from "./paste.js";
import { Screen } from "./screen.js";

/** @typedef {import("./types.js").Message} Message */
/** @typedef {import("./types.js").ProcessRecord} ProcessRecord */

const SETTLE_MILLISECONDS = 50; // a window being dragged resizes many times

/**
 * @typedef {Object} More
 * @property {boolean} [mayType]
 * @property {(text: string) => Promise<boolean>} [confirmPaste]
 * @property {(title: string) => void} [onTitle]
 * @property {() => void} [onBell]
 * @property {(text: string, action?: () => void) => void} [onNotice]
 * @property {string} [epilogue] said when the process has ended: what can be done now
 * @property {Screen | null} [screen] one that was made in advance
 *
 * @typedef {import("./screen.js").Looks & More} Options
 */

export class TerminalView {
  element;
  record;

  #client;
  #options;
  #screen;
  #credit;
  #notices;
  #encoder = new TextEncoder();
  #observer = new ResizeObserver(() => this.#settle());
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #settling;
  #visible = false;
  #mayType;
  #received; // offset of the next byte to come
  /** @type {ProcessRecord | null} it had exited when we attached: said when its history is drawn */
  #over = null;

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
    this.#notices = new Notices(options.onNotice);
    this.#received = record.offset;
    this.#credit = new Credit((offset) => client.acknowledge(record.process, offset), record, { window: () => client.window });
    this.#screen = options.screen ?? new Screen(document.createElement("div"), record, options);
    this.#screen.setLooks(options); // they may be others by now
    this.#screen.resize(record);
    this.element = this.#screen.element;
    this.element.className = "terminal";
    this.element.dataset.process = String(record.process);
    this.#screen.listen({
      onsaid: (bytes, answer) => this.#said(bytes, answer),
      onpaste: (text) => void this.paste(text),
      oncopy: () => void this.copy(),
      onclipboard: (text) => this.#offered(text),
      ontitle: (title) => options.onTitle?.(title),
      onbell: () => this.#credit.isHistory || options.onBell?.(),
    });
    this.#allowInput();
    this.#mourn(record);
  }

  // ---- what a tab does

  /** Mounted and visible. */
  show() {
    this.#visible = true;
    this.#screen.open();
    this.#observer.observe(this.element);
    this.fit();
  }

  hide() {
    this.#visible = false;
    this.#observer.disconnect();
    clearTimeout(this.#settling);
  }

  focus() {
    this.#screen.focus();
  }

  /** Take the element's size, and give it to the process; who may only watch takes the process's size. */
  fit() {
    if (!this.#visible || !this.element.isConnected) {
      return;
    }
    if (!this.#mayType) {
      this.#screen.resize(this.record);
      return;
    }
    this.#screen.fit();
    const { rows, cols } = this.#screen;
    const differs = rows !== this.record.rows || cols !== this.record.cols;
    if (differs && this.record.state === "running") {
      this.#client.resize(this.record.process, rows, cols);
    }
  }

  /** @param {import("./screen.js").Looks & {mayType?: boolean}} options */
  setOptions({ mayType, ...looks }) {
    this.#screen.setLooks(looks);
    this.#mayType = mayType ?? this.#mayType;
    this.#allowInput();
    this.fit();
  }

  /**
   * @param {string} text empty: nothing is marked any more
   * @param {"next" | "previous" | "last"} [direction]
   */
  search(text, direction = "last") {
    return this.#screen.search(text, direction);
  }

  /** Copy the selection. */
  async copy() {
    const text = this.#screen.selection;
    if (text && !(await copyText(text))) {
      this.#notices.say("The browser did not allow copying");
    }
  }

  /** @param {string} text */
  async paste(text) {
    const screen = this.#screen;
    if (!text || !screen.mayType) {
      return;
    }
    const asks = needsConfirmation(text, screen.bracketed);
    if (asks && this.#options.confirmPaste && !(await this.#options.confirmPaste(text))) {
      return;
    }
    screen.toBottom();
    this.#input(KIND.pasted, this.#encoder.encode(preparePaste(text, screen.bracketed)));
  }

  /** @param {string} text as typed; arrows as `ESC [ A`, whatever the program's cursor key mode */
  type(text) {
    this.#screen.type(text);
  }

  dispose() {
    this.hide();
    this.#credit.close();
    this.#screen.dispose();
    this.element.remove();
  }

  // ---- what the client tells

  /**
   * @param {Uint8Array} bytes
   * @param {number} end the offset after them
   */
  output(bytes, end) {
    const { old } = this.#credit;
    const history = old - (end - bytes.length);
    if (history > 0 && history < bytes.length) {
      this.#write(bytes.subarray(0, history), old); // apart: only what follows may be answered
      this.#write(bytes.subarray(history), end);
    } else {
      this.#write(bytes, end);
    }
  }

  /** @param {Message} event */
  gap(event) {
    this.#reset(event.restore, event.offset);
  }

  /** @param {Message} event */
  exited(event) {
    this.#allowInput();
    this.#screen.write("", () => this.#screen.epitaph(event, this.#options.epilogue)); // when everything that has come is drawn
  }

  /**
   * Somebody else has changed the size.
   *
   * @param {number} rows
   * @param {number} cols
   */
  resized(rows, cols) {
    this.#screen.resize({ rows, cols });
  }

  /**
   * The session is attached again.
   *
   * @param {ProcessRecord} record
   * @param {boolean} resumed the output goes on where it was cut
   */
  attached(record, resumed) {
    this.record = record;
    this.#credit.attached(record, resumed);
    if (!resumed) {
      this.#reset("", record.offset);
      this.#mourn(record);
    }
    this.#allowInput();
    this.fit();
  }

  // ---- inside

  /**
   * @param {Uint8Array} bytes
   * @param {boolean} answer
   */
  #said(bytes, answer) {
    if (!answer) {
      this.#input(KIND.typed, bytes);
    } else if (!this.#credit.isHistory) {
      this.#input(KIND.answer, bytes);
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
      this.#notices.say(/** @type {Error} */ (error).message);
    }
  }

  /** @param {string} text that a program wants copied */
  #offered(text) {
    if (this.#credit.isHistory || !this.#mayType) {
      return;
    }
    void copyText(text).then((done) => {
      if (!done) {
        this.#notices.say("A program wants to copy text", () => void copyText(text));
      }
    });
  }

  /**
   * @param {Uint8Array} data
   * @param {number} end
   */
  #write(data, end) {
    this.#received = end;
    this.#screen.write(data, () => this.#wasDrawn(end));
  }

  /**
   * @param {string} restore
   * @param {number} offset from which on output follows
   */
  #reset(restore, offset) {
    this.#received = offset;
    this.#screen.reset(restore, () => this.#wasDrawn(offset));
  }

  /** @param {number} end */
  #wasDrawn(end) {
    this.#credit.advance(end);
    if (this.#over && !this.#credit.isHistory) {
      this.#screen.epitaph(this.#over, this.#options.epilogue);
      this.#over = null;
    }
  }

  /** @param {ProcessRecord} record which may have exited before we came */
  #mourn(record) {
    this.#over = record.state === "exited" ? record : null;
    if (!this.#credit.isHistory) {
      const offset = this.#received;
      this.#screen.write("", () => this.#wasDrawn(offset));
    }
  }

  #allowInput() {
    this.#screen.mayType = this.#mayType && this.record.state === "running";
  }

  #settle() {
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => this.fit(), SETTLE_MILLISECONDS);
  }
}
