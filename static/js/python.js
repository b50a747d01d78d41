/** The scroll's Python: one interpreter of the session, fed block by block; its output is cut at the marks between them. */

import { Block, epitaph } from "./block.js";
import { KIND } from "./frames.js";

export const PYTHON = "scroll: python";
const SOURCES = 200; // remembered of each interpreter, so that its blocks have their sources again after a reload

/** @typedef {import("./types.js").ProcessRecord} ProcessRecord */
/** @typedef {{source: string, at: number}} Entry */

export class Python {
  #client;
  #place;
  #again;
  #process = 0;
  #key = "";
  /** @type {Block[]} those whose end has not come, in order */
  #blocks = [];
  #encoder = new TextEncoder();
  /** @type {Promise<unknown> | null} an interpreter is being started */
  #starting = null;

  /**
   * @param {import("./client.js").Client} client
   * @param {(block: Block) => void} place puts a block into the scroll
   * @param {(source: string) => void} again runs a source once more
   */
  constructor(client, place, again) {
    this.#client = client;
    this.#place = place;
    this.#again = again;
  }

  /** @param {number} process */
  owns(process) {
    return process === this.#process;
  }

  get busy() {
    return this.#blocks.length > 0;
  }

  /** Forget the interpreter: another session is shown. */
  reset() {
    this.#process = 0;
    this.#blocks = [];
  }

  /** @param {ProcessRecord} record the interpreter is there, new or found again */
  found(record) {
    this.#process = record.process;
    this.#key = `webshell.python.${this.#client.session?.id}.${record.process}`;
    if (record.state === "running" || record.end > record.offset) {
      for (const { source, at } of this.#entries()) {
        this.#add(source, at);
      }
    }
    if (record.state === "exited") {
      this.exited(record);
    }
  }

  /** @param {string} source a block to run; while one runs, a line for its input() */
  async run(source) {
    if (this.busy && this.#process) {
      this.#blocks[0]?.text(source + "\n");
      this.#send(source);
      return;
    }
    if (!this.#process) {
      this.#starting ??= this.#client
        .start({ runner: "python3", argv: ["--blocks"], name: PYTHON })
        .finally(() => (this.#starting = null));
      await this.#starting; // found() has been here
    }
    const at = Date.now() / 1000;
    this.#add(source, at);
    this.#remember({ source, at });
    this.#send(JSON.stringify(source));
  }

  stop() {
    this.#client.request("signal", { process: this.#process, signal: "INT" }).catch(() => {});
  }

  /**
   * @param {number} stream
   * @param {Uint8Array} bytes
   */
  output(stream, bytes) {
    if (!this.#blocks.length) {
      this.#add("(not entered here)", Date.now() / 1000);
    }
    this.#blocks[0]?.write(stream, bytes);
  }

  /** @param {number} bytes */
  gap(bytes) {
    this.#blocks[0]?.gap(bytes);
  }

  /** @param {{exit_code: number | null, signal: string | null}} result */
  exited(result) {
    this.#blocks.forEach((block) => block.finish(result.exit_code === 0, `Python has ended: ${epitaph(result)}`, null));
    this.#blocks = [];
    this.#process = 0;
  }

  /**
   * @param {string} source
   * @param {number} at
   */
  #add(source, at) {
    const block = new Block(">>>", source, at, {
      stop: () => this.stop(),
      rerun: () => this.#again(source),
      mark: (parameters) => this.#marked(block, parameters),
    });
    this.#blocks.push(block);
    this.#place(block);
  }

  /**
   * @param {Block} block the one in whose output the mark came; what follows belongs to the next
   * @param {string} parameters
   */
  #marked(block, parameters) {
    const [letter, status] = parameters.split(";");
    if (letter === "D" && block === this.#blocks[0]) {
      this.#blocks.shift();
      const seconds = Date.now() / 1000 - block.started;
      block.finish(status === "0", status === "0" ? "done" : "raised", seconds < 86400 ? seconds : null);
    }
  }

  /** @param {string} line */
  #send(line) {
    this.#client.input(this.#process, KIND.typed, this.#encoder.encode(line + "\n"));
  }

  /** @returns {Entry[]} */
  #entries() {
    try {
      return JSON.parse(localStorage.getItem(this.#key) ?? "[]");
    } catch {
      return [];
    }
  }

  /** @param {Entry} entry */
  #remember(entry) {
    try {
      localStorage.setItem(this.#key, JSON.stringify([...this.#entries(), entry].slice(-SOURCES)));
    } catch {
      // without it a reload shows the output without its sources
    }
  }
}
