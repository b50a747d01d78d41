/** The scroll's Python: one interpreter of the session, fed block by block; its output is cut at the marks between them. */

import { Block, epitaph } from "./block.js";
import { KIND } from "./frames.js";
import { CHANNELS } from "./sides.js";

export const PYTHON = "scroll: python";
const MARK = /\x1b\](133|633);([^\x07]*)\x07/;
const UNFINISHED = /\x1b(?:\][^\x07]*)?$/;
const LONGEST_MARK = 2 << 20; // twice the largest message, that a source came in

/** @typedef {import("./types.js").ProcessRecord} ProcessRecord */

export class Python {
  #client;
  #place;
  #again;
  #process = 0;
  /** @type {Block | null} the last one; output that comes late is its own */
  #block = null;
  #started = 0;
  #ended = 0;
  #carry = "";
  #encoder = new TextEncoder();
  /** @type {Record<number, TextDecoder>} */
  #decoders = {};
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
    return this.#block?.running ?? false;
  }

  /** Where what it shows belongs, if anything runs or has run. */
  get place() {
    return this.#block?.element;
  }

  /** Forget the interpreter: another session is shown. */
  reset() {
    this.#process = 0;
    this.#block = null;
  }

  /** @param {ProcessRecord} record the interpreter is there, new or found again */
  found(record) {
    this.#process = record.process;
    this.#carry = "";
    this.#decoders = { 1: new TextDecoder(), 2: new TextDecoder() };
    this.#block = null;
  }

  /** @param {string} source a block to run; while one runs, a line for its input() */
  async run(source) {
    if (this.busy) {
      this.#block?.text(source + "\n");
      this.#send(source);
      return;
    }
    if (!this.#process || this.#client.processes.get(this.#process)?.state !== "running") {
      this.#starting ??= this.#client
        .start({ runner: "python3", argv: ["--blocks"], name: PYTHON, channels: CHANNELS })
        .finally(() => (this.#starting = null));
      await this.#starting; // found() has been here
    }
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
    const text = this.#decoders[stream]?.decode(bytes, { stream: true }) ?? "";
    if (stream === 2) {
      this.#current().text(text, true);
      return;
    }
    let rest = this.#carry + text;
    this.#carry = "";
    for (let mark = MARK.exec(rest); mark; mark = MARK.exec(rest)) {
      this.#said(rest.slice(0, mark.index));
      this.#marked(mark[1] ?? "", mark[2] ?? "");
      rest = rest.slice(mark.index + mark[0].length);
    }
    const cut = UNFINISHED.exec(rest);
    if (cut && cut[0].length < LONGEST_MARK) {
      this.#carry = cut[0];
      rest = rest.slice(0, cut.index);
    }
    this.#said(rest);
  }

  /** @param {number} bytes */
  gap(bytes) {
    this.#carry = "";
    this.#current().gap(bytes);
  }

  /** @param {{exit_code: number | null, signal: string | null}} result */
  exited(result) {
    if (this.busy) {
      this.#block?.finish(result.exit_code === 0, `Python has ended: ${epitaph(result)}`, null);
    } else {
      this.#block?.text("\x1b[2m[Python has ended; the next block starts a new one]\x1b[m\n");
    }
  }

  /** @param {string} text */
  #said(text) {
    if (text) {
      this.#current().text(text);
    }
  }

  #current() {
    return this.#block ?? this.#begin("(what came before is not kept)");
  }

  /** @param {string} source */
  #begin(source) {
    this.#block = new Block(">>>", source, this.#started || Date.now() / 1000, {
      stop: () => this.stop(),
      rerun: () => this.#again(source),
    });
    this.#place(this.#block);
    return this.#block;
  }

  /**
   * @param {string} code 633: VS Code's marks; 133: FinalTerm's
   * @param {string} text
   */
  #marked(code, text) {
    const [letter, value = ""] = [text[0], text.slice(2)];
    if (code === "633" && letter === "P") {
      const [, name, seconds] = /^(Started|Ended)=([\d.]+)$/.exec(value) ?? [];
      this.#started = name === "Started" ? Number(seconds) : this.#started;
      this.#ended = name === "Ended" ? Number(seconds) : this.#ended;
    } else if (code === "633" && letter === "E") {
      this.#begin(unescaped(value));
    } else if (code === "133" && letter === "D") {
      this.#current().finish(value === "0", value === "0" ? "done" : "raised", Math.max(0, this.#ended - this.#started));
    }
  }

  /** @param {string} line */
  #send(line) {
    this.#client.input(this.#process, KIND.typed, this.#encoder.encode(line + "\n"));
  }
}

/** @param {string} text a source as mark E carries it */
export function unescaped(text) {
  return text.replace(/\\(?:x([0-9a-f]{2})|\\)/g, (_, code) => (code ? String.fromCharCode(parseInt(code, 16)) : "\\"));
}
