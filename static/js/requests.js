/** Requests on their way: held until they may be sent, then waiting for the reply with their id. */

/** @typedef {import("./types.js").Message} Message */

/**
 * @typedef {Object} Request
 * @property {string} type
 * @property {{[name: string]: any}} members
 * @property {(event: Message) => void} resolve
 * @property {(error: import("./types.js").CodedError) => void} reject
 */

export class Requests {
  #ids = 0; // one row for all connections: a late reply never meets another request
  /** @type {Request[]} bounded by what a page asks in one round trip */
  #held = [];
  /** @type {Map<number, Request>} */
  #waiting = new Map();

  /** @param {Request} request cannot be sent now */
  hold(request) {
    this.#held.push(request);
  }

  /** What was held, and is to be sent now. */
  release() {
    return this.#held.splice(0);
  }

  /**
   * @param {Request} request
   * @returns {Message} what to send
   */
  ask(request) {
    this.#ids += 1;
    this.#waiting.set(this.#ids, request);
    return { type: request.type, id: this.#ids, ...request.members };
  }

  /**
   * @param {Message} event
   * @returns {Request | undefined} what it is the reply to
   */
  answered(event) {
    const id = /** @type {number} */ (event.id);
    const request = this.#waiting.get(id);
    this.#waiting.delete(id);
    return request;
  }

  /** @param {import("./types.js").CodedError} error what became of them all */
  fail(error) {
    const requests = [...this.#waiting.values(), ...this.release()];
    this.#waiting.clear();
    requests.forEach((request) => request.reject(error));
  }
}
