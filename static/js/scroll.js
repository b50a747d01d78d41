/** The scroll: results in order, and under them the input box with its modes, Shell and Python. */

import { Block, epitaph } from "./block.js";
import { complain, element } from "./dialog.js";
import { Entry } from "./entry.js";
import { KIND } from "./frames.js";
import { PAGE, recall, remember } from "./memory.js";
import { PYTHON, Python } from "./python.js";
import { CHANNELS } from "./sides.js";

/** @typedef {import("./types.js").ProcessRecord} ProcessRecord */

const FRAME_MILLISECONDS = 16; // a window of 256 kB in each makes 16 MB/s
const MOST_BLOCKS = 500; // more than a session keeps processes: only of Python can there be so many
const COLOURS = { COLORTERM: "truecolor" }; // it is no terminal, but programs that are told to colour what they say may
const NEAR_BOTTOM_PIXELS = 60;
const CD_TOLD = /^(\s*cd(?:\s+[^;&|<>`$()]*)?) && pwd$/; // as we start it, to be told where it went
const JUST_CD = /^\s*cd(\s+[^;&|<>`$()]*)?$/;

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

  #results = element("div", { className: "results", role: "log", "aria-label": "Results", tabIndex: 0 });
  #empty = element("p", { className: "empty" }, "Commands that you enter below and what they say appear here. They go on when you close this page, and are here again when you come back.");
  #entry = new Entry({
    onenter: (mode, text) => (text.trim() || (mode === "python" && this.#python.busy)) && this.#enter(mode, text),
    oninterrupt: (mode) => this.#interrupt(mode),
    onclear: () => this.#clear(),
  });

  /** @param {import("./client.js").Client} client */
  constructor(client) {
    this.#client = client;
    this.#python = new Python(client, (block) => this.#place(block), (source) => this.#enter("python", source));
    this.#results.append(this.#empty);
    this.panel.append(this.#results, this.#entry.element);
  }

  focus() {
    this.#entry.focus();
  }

  /** @param {boolean} may whether commands may be run */
  allow(may) {
    this.#entry.allow(may);
  }

  /** Forget everything: another session is shown. */
  reset() {
    this.#blocks.clear();
    this.#arrived = [];
    this.#python.reset();
    this.#results.replaceChildren(this.#empty);
    this.#empty.hidden = false;
    this.#entry.directory = this.#directory;
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
    const { process, runner, name } = record;
    const [shell, running] = [runner === "sh", record.state === "running"];
    const line = shell ? record.line.replace(CD_TOLD, "$1") : name;
    const block = new Block(shell ? "$" : runner, line, record.started, {
      stop: () => void this.#client.request("stop", { process }).catch(complain),
      rerun: shell ? () => this.#enter("shell", line) : undefined,
      input: running ? (text) => this.#input(process, text + "\n") : undefined,
      ongrow: () => this.#stick(),
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

  /**
   * Where what a process shows belongs.
   *
   * @param {number} process
   * @returns {Element | undefined}
   */
  place(process) {
    this.#draw(); // what was said before belongs before
    return this.#python.owns(process) ? (this.#python.place ?? this.#results) : this.#blocks.get(process)?.element;
  }

  /** @param {number} process its block is to be seen, if it has one */
  reveal(process) {
    requestAnimationFrame(() => this.place(process)?.scrollIntoView({ block: "nearest" }));
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
        this.#entry.directory = this.#directory;
      }
    }
  }

  // ---- what a person does

  /**
   * @param {import("./entry.js").Mode} mode
   * @param {string} line
   */
  #enter(mode, line) {
    this.#toBottom();
    const starting =
      mode === "python"
        ? this.#python.run(line)
        : this.#client.start({ runner: "sh", line: JUST_CD.test(line) ? `${line} && pwd` : line, name: line, cwd: this.#directory, env: COLOURS, channels: CHANNELS });
    starting.catch((error) => {
      complain(error);
      this.#entry.giveBack(line);
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

  /**
   * @param {import("./entry.js").Mode} mode
   * @returns {boolean} whether there was something to stop
   */
  #interrupt(mode) {
    if (mode === "python" && this.#python.busy) {
      this.#python.stop();
      return true;
    }
    const running = [...this.#blocks].filter(([, block]) => block.running).at(-1);
    if (running) {
      this.#client.request("signal", { process: running[0], signal: "INT" }).catch(complain);
    }
    return running !== undefined;
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
    this.#forget();
    this.#toBottom();
  }

  /** The oldest go when there are too many. */
  #forget() {
    const over = [...this.#results.querySelectorAll(".block:not(.running)")].slice(0, Math.max(0, this.#results.childElementCount - 1 - MOST_BLOCKS));
    for (const element of over) {
      element.remove();
      const [process] = [...this.#blocks].find(([, block]) => block.element === element) ?? [0];
      this.#blocks.delete(process);
    }
  }

  /** What has arrived since the last frame, at once: a layout for each message would be slow. */
  #draw() {
    clearTimeout(this.#drawing);
    const arrived = this.#arrived.splice(0);
    const bottom = arrived.length > 0 && this.#atBottom; // before it grows
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

  get #atBottom() {
    const { scrollTop, scrollHeight, clientHeight } = this.#results;
    return scrollHeight - scrollTop - clientHeight < NEAR_BOTTOM_PIXELS;
  }

  /** Something has grown at the bottom: it shall be seen if the bottom was. */
  #stick() {
    if (this.#atBottom) {
      this.#toBottom();
    }
  }

  #toBottom() {
    this.#results.scrollTop = this.#results.scrollHeight;
  }

  get #directory() {
    return recall(PAGE, `directory.${this.#client.session?.id}`) ?? "";
  }

  set #directory(directory) {
    remember(PAGE, `directory.${this.#client.session?.id}`, directory);
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
