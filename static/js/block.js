/** One result in the scroll: a command, its output as it streams, how it ended, and what can be done with it. */

import { copyText } from "./clipboard.js";
import { element, notice } from "./dialog.js";
import { Output } from "./output.js";

const INPUT_MILLISECONDS = 1000; // most commands are over by then, and need no field for input

const SIGNALS = /** @type {Record<string, string>} */ ({ INT: "interrupted", TERM: "stopped", HUP: "stopped", KILL: "killed", SEGV: "crashed" });
const CODES = /** @type {Record<number, string>} */ ({ 0: "done", 126: "exit 126 (not a program)", 127: "exit 127 (not found)" });

/**
 * @typedef {Object} Actions
 * @property {() => void} [stop]
 * @property {() => void} [rerun]
 * @property {(line: string) => void} [input]
 * @property {() => void} [eof]
 * @property {() => void} [ongrow] a field for input has appeared
 */

export class Block {
  element;
  running = true;
  started;

  #output = new Output();
  #dropped = element("div", { className: "dropped", hidden: true });
  #result = element("span", { className: "result" }, "running");
  #stop = element("button", { type: "button", className: "act" }, "Stop");
  #input = element("form", { className: "act" });
  /** @type {Record<number, TextDecoder>} */
  #decoders = { 1: new TextDecoder(), 2: new TextDecoder() };
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #clock;

  /**
   * @param {string} prompt
   * @param {string} command
   * @param {number} started seconds since 1970
   * @param {Actions} actions
   */
  constructor(prompt, command, started, { stop, rerun, input, eof, ongrow } = {}) {
    this.command = command;
    this.started = started;
    const tools = element("span", { className: "tools" });
    const copy = element("button", { type: "button" }, "Copy");
    copy.addEventListener("click", () => void this.#copy());
    if (stop) {
      this.#stop.addEventListener("click", stop);
      tools.append(this.#stop);
    }
    if (rerun) {
      const again = element("button", { type: "button", className: "act" }, "Rerun");
      again.addEventListener("click", rerun);
      tools.append(again);
    }
    tools.append(copy);
    const shown = element("p", { className: "command" }, element("span", { className: "prompt" }, prompt), element("span", {}, command));
    this.element = element(
      "article",
      { className: "block running", "aria-label": `${prompt} ${command}` },
      element("header", {}, shown, this.#result, tools),
      this.#dropped,
      this.#output.element,
    );
    if (input) {
      this.#offerInput(input, eof, ongrow);
    }
    this.#clock = setInterval(() => this.#tick(), 1000);
  }

  /**
   * @param {number} stream 1 or 2
   * @param {Uint8Array} bytes
   */
  write(stream, bytes) {
    this.text(this.#decoders[stream]?.decode(bytes, { stream: true }) ?? "", stream === 2);
  }

  /**
   * @param {string} text
   * @param {boolean} [stderr]
   */
  text(text, stderr = false) {
    this.#output.write(text, stderr);
    if (this.#output.dropped) {
      this.#dropped.hidden = false;
      this.#dropped.textContent = `${this.#output.dropped.toLocaleString()} lines above are not shown`;
    }
  }

  /** @param {number} bytes that the server did not keep */
  gap(bytes) {
    this.text(`\x1b[2m[${bytes.toLocaleString()} bytes are not kept any more]\x1b[m\n`);
  }

  /**
   * @param {boolean} good
   * @param {string} words
   * @param {number | null} seconds
   */
  finish(good, words, seconds) {
    clearInterval(this.#clock);
    this.running = false;
    this.element.classList.remove("running");
    this.element.classList.add(good ? "good" : "bad");
    this.#result.textContent = seconds === null ? words : `${words} · ${lasted(seconds)}`;
    this.#stop.remove();
    this.#input.remove();
  }

  /** What it has said, as text. */
  get said() {
    return this.#output.text;
  }

  /**
   * @param {(line: string) => void} send
   * @param {(() => void) | undefined} eof
   * @param {(() => void) | undefined} ongrow
   */
  #offerInput(send, eof, ongrow) {
    const field = /** @type {HTMLInputElement} */ (
      element("input", { type: "text", autocomplete: "off", "aria-label": "Input for this command", placeholder: "input for this command" })
    );
    this.#input.append(field);
    if (eof) {
      const end = element("button", { type: "button", title: "End of input (Ctrl+D)" }, "End");
      end.addEventListener("click", eof);
      this.#input.append(end);
      field.addEventListener("keydown", (event) => {
        if (event.ctrlKey && event.key === "d" && !field.value) {
          event.preventDefault();
          eof();
        }
      });
    }
    this.#input.addEventListener("submit", (event) => {
      event.preventDefault();
      send(field.value);
      field.value = "";
    });
    setTimeout(() => {
      if (this.running) {
        this.element.append(this.#input);
        ongrow?.();
      }
    }, INPUT_MILLISECONDS);
  }

  async #copy() {
    if (await copyText(this.said)) {
      notice("Copied.");
    } else {
      getSelection()?.selectAllChildren(this.#output.element);
      notice("The browser does not let this page copy; the text is selected.");
    }
  }

  #tick() {
    this.#result.textContent = `running · ${lasted(Date.now() / 1000 - this.started)}`;
  }
}

/** @param {number} seconds */
function lasted(seconds) {
  if (seconds < 60) {
    return `${seconds < 10 ? seconds.toFixed(2) : seconds.toFixed(1)} s`;
  }
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${Math.floor(seconds % 60)} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/**
 * How a process ended, in words.
 *
 * @param {{exit_code: number | null, signal: string | null, survivors?: number[]}} result
 */
export function epitaph({ exit_code, signal, survivors = [] }) {
  const end = signal !== null ? (SIGNALS[signal] ?? `ended by ${signal}`) : (CODES[exit_code ?? 0] ?? `exit ${exit_code}`);
  return survivors.length ? `${end}, ${survivors.length} left running` : end;
}
