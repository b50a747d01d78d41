/** What a client knows of one process: its record, how far its output has come, and the input on its way to it. */

import { coded } from "./errors.js";
import { Outbox } from "./outbox.js";

/** @typedef {import("./types.js").Message} Message */
/** @typedef {import("./types.js").ProcessRecord} ProcessRecord */

export class Process {
  record;
  outbox;
  offset; // the next byte to come
  acknowledged; // as the server knows it
  /** @type {import("./requests.js").Request | null} waits for the input that was written before it */
  eof = null;
  #skip = 0; // bytes that come once more
  /** @type {Record<string, {come: number, seen: number}>} messages of side channels since we attached */
  #sides = {};
  /** @type {Message | null} how it ended while we were away; told when its output has come */
  #ended = null;

  /** @param {ProcessRecord} record is kept current */
  constructor(record) {
    this.record = record;
    this.offset = this.acknowledged = record.offset;
    this.outbox = new Outbox(record.taken);
  }

  get running() {
    return this.record.state === "running";
  }

  /** @param {ProcessRecord} record we are attached again */
  resumed(record) {
    if (this.running && record.state === "exited") {
      const { process, exit_code, signal, survivors, duration } = record;
      this.#ended = { type: "exited", process, exit_code, signal, survivors, duration };
    }
    this.outbox.accepted(record.taken);
    this.#sides = {};
    this.#skip = Math.max(0, this.offset - record.offset); // it came after we had asked
    this.offset = Math.max(this.offset, record.offset);
    this.acknowledged = record.offset;
    Object.assign(this.record, record);
  }

  /**
   * @param {Uint8Array} bytes
   * @returns {Uint8Array} those that are new
   */
  received(bytes) {
    const skipped = Math.min(this.#skip, bytes.length);
    this.#skip -= skipped;
    this.offset += bytes.length - skipped;
    this.record.end = Math.max(this.record.end, this.offset);
    return bytes.subarray(skipped);
  }

  /** @param {string} channel a message of it has come */
  came(channel) {
    this.#sides[channel] ??= { come: 0, seen: 0 };
    this.#sides[channel].come += 1;
  }

  /**
   * One more message is done with; those of an earlier attachment do not count.
   *
   * @param {string} channel
   * @returns {number} how many are
   */
  seen(channel) {
    const side = this.#sides[channel] ?? { come: 0, seen: 0 };
    side.seen = Math.min(side.seen + 1, side.come);
    return side.seen;
  }

  /** @param {number} offset of the next byte: what was before is not kept any more */
  gap(offset) {
    this.#skip = 0;
    this.offset = this.acknowledged = offset;
  }

  /** @param {Message} event */
  exited({ process, exit_code, signal, survivors, duration }) {
    Object.assign(this.record, { state: "exited", exit_code, signal, survivors, duration });
    this.outbox = new Outbox(0); // nobody reads it any more
    this.eof?.reject(coded("wrong-state", `process ${process} has exited`));
    this.eof = null;
  }

  /** How it ended while we were away, once, when all its output has come. */
  epilogue() {
    const ended = this.offset >= this.record.end ? this.#ended : null;
    this.#ended = ended ? null : this.#ended;
    return ended;
  }
}
