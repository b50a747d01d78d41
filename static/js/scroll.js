/** The scroll: results in order, and under them the input box with its modes, Shell and Python. */

import { Block, epitaph } from "./block.js";
import { element, notice } from "./dialog.js";
import { KIND } from "./frames.js";
import { History } from "./history.js";
import { PYTHON, Python } from "./python.js";

/** @typedef {import("./types.js").ProcessRecord} ProcessRecord */
/** @typedef {"shell" | "python"} Mode */

const FRAME_MILLISECONDS = 16; // a window of 256 kB in each makes 16 MB/s
const NEAR_BOTTOM_PIXELS = 60;
const JUST_CD = /^\s*cd(\s+[^;&|<>`$()]*)?$/;
const PROMPTS = { shell: "$", python: ">>>" };

export class Scroll {
  panel = element("section", { className: "scroll" });

  #client;
  #python;
  /** @type {Map<number, Block>} */
  #blocks = new Map();
  /** @type {{process: number, stream: number, pieces: Uint8Array[], end: number}[]} not drawn yet; bounded by the window */
  #arrived = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #drawing;
  #encoder = new TextEncoder();
  /** @type {Mode} */
  #mode = "shell";
  #histories = { shell: new History("shell"), python: new History("python") };

  #results = element("div", { className: "results", role: "log", "aria-label": "Results", tabIndex: 0 });
  #empty = element("p", { className: "empty" }, "Commands that you enter below and what they say appear here. They go on when you close this page, and are here again when you come back.");
  #prompt = element("span", { className: "prompt", "aria-hidden": "true" });
  #field = /** @type {HTMLTextAreaElement} */ (element("textarea", { rows: 1, spellcheck: false, autocapitalize: "off", "aria-label": "Command" }));
  #run = /** @type {HTMLButtonElement} */ (element("button", { type: "submit", className: "run" }, "Run"));
  #modes = /** @type {Record<Mode, HTMLButtonElement>} */ ({ shell: modeButton("Shell"), python: modeButton("Python") });

  /** @param {import("./client.js").Client} client */
  constructor(client) {
    this.#client = client;
    this.#python = new Python(client, (block) => this.#place(block), (source) => this.#enter("python", source));
    const modes = element("div", { className: "modes", role: "radiogroup", "aria-label": "Mode" }, this.#modes.shell, this.#modes.python);
    const field = element("div", { className: "field" }, this.#prompt, this.#field);
    const entry = element("form", { className: "entry" }, modes, field, this.#run);
    this.#results.append(this.#empty);
    this.panel.append(this.#results, entry);
    entry.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#field.addEventListener("keydown", (event) => this.#key(event));
    this.#field.addEventListener("input", () => this.#grow());
    this.#modes.shell.addEventListener("click", () => this.#choose("shell"));
    this.#modes.python.addEventListener("click", () => this.#choose("python"));
    this.#choose("shell");
  }

  focus() {
    this.#field.focus();
  }

  /** @param {boolean} may whether commands may be run */
  allow(may) {
    for (const control of [this.#field, this.#run, this.#modes.shell, this.#modes.python]) {
      control.disabled = !may;
    }
    this.#field.placeholder = may ? "Enter runs, Shift+Enter begins a new line" : "You may only watch.";
  }

  /** Forget everything: another session is shown. */
  reset() {
    this.#blocks.clear();
    this.#arrived = [];
    this.#python.reset();
    this.#results.replaceChildren(this.#empty);
    this.#empty.hidden = false;
    this.#choose(this.#mode);
  }

  // ---- what happens to processes without a terminal

  /** @param {number} process */
  has(process) {
    return this.#blocks.has(process) || this.#python.owns(process);
  }

  /** @param {ProcessRecord} record it was started, or was there */
  found(record) {
    this.#draw(); // what another Python has said is still that one's
    if (record.name === PYTHON) {
      this.#python.found(record);
      return;
    }
    const { process } = record;
    const line = record.name;
    const running = record.state === "running";
    const block = new Block("$", line, record.started, {
      stop: () => void this.#client.request("stop", { process }).catch(complain),
      rerun: () => this.#enter("shell", line),
      input: running ? (text) => this.#input(process, text + "\n") : undefined,
      eof: () => void this.#client.request("eof", { process }).catch(complain),
    });
    this.#blocks.set(process, block);
    this.#place(block);
    if (!running) {
      block.finish(record.exit_code === 0, epitaph(record), record.duration);
    }
  }

  /**
   * @param {number} process
   * @param {number} stream
   * @param {Uint8Array} bytes
   * @param {number} end
   */
  output(process, stream, bytes, end) {
    if (!this.#arrived.length) {
      this.#drawing = setTimeout(() => this.#draw(), FRAME_MILLISECONDS);
    }
    const last = this.#arrived.at(-1);
    if (last && last.process === process && last.stream === stream) {
      last.pieces.push(bytes);
      last.end = end;
    } else {
      this.#arrived.push({ process, stream, pieces: [bytes], end });
    }
  }

  /** @param {{process: number, lost: number}} gap */
  gap({ process, lost }) {
    this.#draw();
    if (this.#python.owns(process)) {
      this.#python.gap(lost);
    } else {
      this.#blocks.get(process)?.gap(lost);
    }
  }

  /** @param {import("./types.js").Message} event */
  exited(event) {
    const result = /** @type {any} */ (event);
    this.#draw();
    if (this.#python.owns(event.process)) {
      this.#python.exited(result);
      return;
    }
    const block = this.#blocks.get(event.process);
    if (block) {
      block.finish(event.exit_code === 0, epitaph(result), event.duration);
      if (JUST_CD.test(block.command) && event.exit_code === 0) {
        this.#directory = block.said.trim().split("\n").at(-1) ?? "";
        this.#choose(this.#mode);
      }
    }
  }

  // ---- what a person does

  #submit() {
    const line = this.#field.value;
    if (!line.trim() && !this.#python.busy) {
      return;
    }
    this.#field.value = "";
    this.#grow();
    this.#histories[this.#mode].add(line);
    this.#enter(this.#mode, line);
  }

  /**
   * @param {Mode} mode
   * @param {string} line
   */
  #enter(mode, line) {
    this.#toBottom();
    const starting =
      mode === "python"
        ? this.#python.run(line)
        : this.#client.start({ runner: "sh", line: JUST_CD.test(line) ? `${line} && pwd` : line, name: line, cwd: this.#directory });
    starting.catch((error) => {
      complain(error);
      if (!this.#field.value) {
        this.#field.value = line; // nothing entered is lost
        this.#grow();
      }
    });
  }

  /**
   * @param {number} process
   * @param {string} text
   */
  #input(process, text) {
    try {
      this.#client.input(process, KIND.typed, this.#encoder.encode(text));
      this.#blocks.get(process)?.text(text);
    } catch (error) {
      complain(/** @type {Error} */ (error));
    }
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const { selectionStart, selectionEnd, value } = this.#field;
    const first = !value.slice(0, selectionStart).includes("\n");
    const last = !value.slice(selectionEnd).includes("\n");
    if (event.isComposing) {
      return; // an input method is at work; its Enter is not ours
    }
    if (event.key === "Enter" && !event.shiftKey) {
      this.#submit();
    } else if (event.key === "ArrowUp" && first && !event.altKey) {
      this.#recall(-1);
    } else if (event.key === "ArrowDown" && last && !event.altKey) {
      this.#recall(1);
    } else if (event.ctrlKey && event.key === "c" && selectionStart === selectionEnd && !getSelection()?.toString()) {
      this.#interrupt();
    } else if (event.ctrlKey && event.key === "l") {
      this.#clear();
    } else {
      return;
    }
    event.preventDefault();
  }

  /** @param {-1 | 1} step */
  #recall(step) {
    const text = this.#histories[this.#mode].move(step, this.#field.value);
    if (text !== null) {
      this.#field.value = text;
      this.#field.setSelectionRange(text.length, text.length);
      this.#grow();
    }
  }

  #interrupt() {
    if (this.#mode === "python" && this.#python.busy) {
      this.#python.stop();
      return;
    }
    const running = [...this.#blocks].filter(([, block]) => block.running).at(-1);
    if (running) {
      this.#client.request("signal", { process: running[0], signal: "INT" }).catch(complain);
    } else {
      this.#field.value = "";
      this.#grow();
    }
  }

  #clear() {
    for (const [process, block] of this.#blocks) {
      if (!block.running) {
        this.#client.request("remove", { process }).catch(() => {});
        this.#blocks.delete(process);
      }
    }
    this.#results.querySelectorAll(".block:not(.running)").forEach((block) => block.remove());
    this.#empty.hidden = this.#results.childElementCount > 1;
  }

  // ---- inside

  /** @param {Block} block */
  #place(block) {
    this.#empty.hidden = true;
    block.element.dataset.started = String(block.started);
    const later = [...this.#results.children].find((other) => Number(/** @type {HTMLElement} */ (other).dataset.started) > block.started);
    this.#results.insertBefore(block.element, later ?? null);
    this.#toBottom();
  }

  /** What has arrived since the last frame, at once: a layout for each message would be slow. */
  #draw() {
    clearTimeout(this.#drawing);
    const arrived = this.#arrived.splice(0);
    const bottom = arrived.length > 0 && this.#atBottom;
    for (const { process, stream, pieces, end } of arrived) {
      const bytes = joined(pieces);
      if (this.#python.owns(process)) {
        this.#python.output(stream, bytes);
      } else {
        this.#blocks.get(process)?.write(stream, bytes);
      }
      this.#client.acknowledge(process, end);
    }
    if (bottom) {
      this.#toBottom();
    }
  }

  /** @param {Mode} mode */
  #choose(mode) {
    this.#mode = mode;
    for (const [name, button] of Object.entries(this.#modes)) {
      button.setAttribute("aria-checked", String(name === mode));
    }
    const directory = this.#directory;
    this.#prompt.textContent = mode === "shell" ? `${directory || "~"} ${PROMPTS.shell}` : PROMPTS.python;
    this.#prompt.title = directory;
    this.#field.setAttribute("aria-label", mode === "shell" ? "Shell command" : "Python");
  }

  #grow() {
    this.#field.rows = Math.min(12, this.#field.value.split("\n").length);
  }

  get #atBottom() {
    const { scrollTop, scrollHeight, clientHeight } = this.#results;
    return scrollHeight - scrollTop - clientHeight < NEAR_BOTTOM_PIXELS;
  }

  #toBottom() {
    this.#results.scrollTop = this.#results.scrollHeight;
  }

  get #directory() {
    return sessionStorage.getItem(`webshell.directory.${this.#client.session?.id}`) ?? "";
  }

  set #directory(directory) {
    sessionStorage.setItem(`webshell.directory.${this.#client.session?.id}`, directory);
  }
}

/** @param {Uint8Array[]} pieces */
function joined(pieces) {
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** @param {string} text */
function modeButton(text) {
  return /** @type {HTMLButtonElement} */ (element("button", { type: "button", role: "radio" }, text));
}

/** @param {Error} error */
export function complain(error) {
  notice(error.message);
}
