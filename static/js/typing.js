/** A client's input on its way to processes: what waits for room at the server, or a little while for the connection. */

import { coded } from "./errors.js";
import { KIND, encodeInput, HEADER_BYTES } from "./frames.js";

/** @typedef {import("./process.js").Process} Process */
/** @typedef {import("./requests.js").Request} Request */

const TYPED_AHEAD_BYTES = 4096; // typed without a connection, for all processes: some lines, no more surprise than that

export class Typing {
  /** The server accepts no more input until we attach again. */
  refused = false;

  #states;
  #line;
  #kept;
  #ahead = 0; // bytes typed without a connection

  /**
   * @param {Map<number, Process>} states of the session's processes
   * @param {import("./line.js").Line} line
   * @param {(process: number, bytes: number) => void} kept so much waits for the connection
   */
  constructor(states, line, kept) {
    this.#states = states;
    this.#line = line;
    this.#kept = kept;
  }

  /**
   * @param {number} process
   * @param {number} kind one of KIND
   * @param {Uint8Array} bytes
   * @throws {import("./types.js").CodedError} it was refused: no-process, wrong-state, input-full, disconnected
   */
  input(process, kind, bytes) {
    const state = this.#states.get(process);
    if (kind === KIND.answer) {
      if (this.#line.ready && state && this.#line.rights.has("type") && bytes.length) {
        this.#line.send(encodeInput(kind, process, bytes));
      }
      return;
    }
    if (!state) {
      throw coded("no-process", `there is no process ${process}`);
    }
    if (!state.running) {
      throw coded("wrong-state", `process ${process} has exited`);
    }
    const ahead = !this.#line.ready && kind === KIND.typed ? bytes.length : 0;
    if (this.#ahead + ahead > TYPED_AHEAD_BYTES) {
      throw coded("disconnected", "there is no connection; what was typed just now is not kept");
    }
    state.outbox.add(kind, bytes);
    this.#ahead += ahead;
    if (ahead) {
      this.#kept(process, bytes.length);
    }
    this.#pump(process, state);
  }

  /**
   * @param {Request} request
   * @returns {boolean} whether it is to come after what was typed before it, and will be asked then
   */
  delays(request) {
    const state = request.type === "eof" ? this.#states.get(request.members.process) : undefined;
    if (!state?.outbox.unsent) {
      return false;
    }
    state.eof = request;
    return true;
  }

  /** We may send: what waited goes out. */
  release() {
    this.#ahead = 0;
    this.#states.forEach((state, process) => this.#pump(process, state));
  }

  /** @param {Record<string, number>} counts bytes that the server has taken, by process */
  taken(counts) {
    for (const [process, count] of Object.entries(counts ?? {})) {
      const state = this.#states.get(Number(process));
      if (state) {
        state.outbox.taken(count);
        this.#pump(Number(process), state);
      }
    }
  }

  /** @param {Error & {code: string}} error what became of the requests that wait for input */
  fail(error) {
    for (const state of this.#states.values()) {
      state.eof?.reject(error);
      state.eof = null;
    }
  }

  /**
   * @param {number} process
   * @param {Process} state
   */
  #pump(process, state) {
    if (!this.#line.ready || this.refused) {
      return;
    }
    const { outbox } = state;
    const { input, frame } = this.#line.limits;
    const most = frame - HEADER_BYTES;
    for (let piece = outbox.take(input, most); piece; piece = outbox.take(input, most)) {
      this.#line.send(encodeInput(piece.kind, process, piece.bytes));
    }
    if (state.eof && !outbox.unsent) {
      this.#line.ask(state.eof);
      state.eof = null;
    }
  }
}
