/** The counted input of one process: kept until the server has it, sent within the window. No I/O. */

import { coded } from "./errors.js";

const KEPT_BYTES = 64 << 20; // a pasted file of this size still fits in a tab's memory
const PIECE_BYTES = 32 << 10; // a frame; the server reports what was taken in the same step

/** @typedef {{kind: number, start: number, bytes: Uint8Array}} Chunk `start` is where it lies in the count */

export class Outbox {
  /** @type {Chunk[]} what the server may not have, oldest first */
  #chunks = [];
  #next = 0; // the chunk in which the next byte to be sent lies
  #sent; // bytes sent so far, in the server's count
  #reported; // bytes that the process is known to have taken: the window begins here
  #end; // bytes added so far

  /** @param {number} accepted what the server counts already */
  constructor(accepted) {
    this.#sent = this.#reported = this.#end = accepted;
  }

  /** Bytes that were not sent. */
  get unsent() {
    return this.#end - this.#sent;
  }

  /** Bytes that the process is not known to have taken. */
  get size() {
    return this.#end - (this.#chunks[0]?.start ?? this.#end);
  }

  /**
   * @param {number} kind
   * @param {Uint8Array} bytes
   */
  add(kind, bytes) {
    if (!bytes.length) {
      return;
    }
    if (this.size + bytes.length > KEPT_BYTES) {
      throw coded("input-full", "the process does not read its input: too much is waiting already");
    }
    this.#chunks.push({ kind, start: this.#end, bytes });
    this.#end += bytes.length;
  }

  /**
   * The next piece to be sent, or null when everything is sent or the window is full.
   *
   * @param {number} window bytes that may be sent beyond what was reported as taken
   * @param {number} frame bytes that a frame may carry
   * @returns {{kind: number, bytes: Uint8Array} | null}
   */
  take(window, frame) {
    const room = Math.min(this.#reported + window - this.#sent, PIECE_BYTES, frame);
    const chunk = this.#chunks[this.#next];
    if (room <= 0 || !chunk) {
      return null;
    }
    const from = this.#sent - chunk.start;
    const bytes = chunk.bytes.subarray(from, from + room);
    this.#sent += bytes.length;
    if (from + bytes.length === chunk.bytes.length) {
      this.#next += 1;
    }
    return { kind: chunk.kind, bytes };
  }

  /**
   * The process has taken so much: it need not be kept, and the window moves on.
   *
   * @param {number} count
   */
  taken(count) {
    if (count > this.#reported && count <= this.#sent) {
      this.#reported = count;
      this.#drop(count);
    }
  }

  /**
   * We are attached again, and the server has accepted so much: what comes after is to be sent again.
   *
   * @param {number} count
   */
  accepted(count) {
    const oldest = this.#chunks[0]?.start ?? this.#end;
    if (count < oldest || count > this.#end) {
      this.#renumber(count); // the server has forgotten us, or has another count: it begins anew
      return;
    }
    this.#drop(count);
    this.#sent = count;
    this.#next = 0;
  }

  /** @param {number} count */
  #drop(count) {
    let gone = 0;
    for (const chunk of this.#chunks) {
      if (chunk.start + chunk.bytes.length > count) {
        break;
      }
      gone += 1;
    }
    this.#chunks.splice(0, gone);
    this.#next = Math.max(0, this.#next - gone);
    const first = this.#chunks[0];
    if (first && first.start < count) {
      first.bytes = first.bytes.subarray(count - first.start);
      first.start = count;
    }
  }

  /** @param {number} count */
  #renumber(count) {
    this.#sent = this.#reported = this.#end = count;
    this.#next = 0;
    for (const chunk of this.#chunks) {
      chunk.start = this.#end;
      this.#end += chunk.bytes.length;
    }
  }
}
