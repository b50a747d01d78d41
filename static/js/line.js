/** A client's connection as its parts see it: what may be sent, and the requests on their way. */

import { coded } from "./errors.js";
import { Requests } from "./requests.js";

/** @typedef {import("./types.js").Message} Message */
/** @typedef {import("./requests.js").Request} Request */
/** @typedef {(frame: string | Uint8Array<ArrayBuffer>) => void} Send */

const WINDOW_BYTES = 256 << 10; // until hello says otherwise; the server's own defaults
const FRAME_BYTES = 1 << 20;

export class Line {
  /** @type {Message | null} what the server said first */
  hello = null;
  /** @type {Set<string>} */
  rights = new Set();
  /** Whether hello has come, and the session that we knew is attached again. */
  ready = false;

  /** @type {Send | null} */
  #send = null;
  #requests = new Requests();
  #delays;

  /** @param {(request: Request) => boolean} delays whether somebody else will ask it later */
  constructor(delays) {
    this.#delays = delays;
  }

  /** Limits of the server, in bytes: output of a process unacknowledged, its input not yet taken, a frame. */
  get limits() {
    const { window = WINDOW_BYTES, input = WINDOW_BYTES, frame = FRAME_BYTES } = this.hello?.limits ?? {};
    return { window, input, frame };
  }

  /** @param {Send} send there is a connection */
  connected(send) {
    this.#send = send;
  }

  /** @param {import("./types.js").CodedError} error why there is none */
  disconnected(error) {
    this.#send = null;
    this.ready = false;
    this.#requests.fail(error);
  }

  /** @param {string | Uint8Array<ArrayBuffer>} frame is lost without a connection */
  send(frame) {
    this.#send?.(frame);
  }

  /** @param {object} message nobody waits for the reply */
  tell(message) {
    this.send(JSON.stringify(message));
  }

  /**
   * @param {string} type
   * @param {{[name: string]: any}} members
   * @returns {Promise<Message>} the reply; rejected with a CodedError
   */
  request(type, members) {
    return new Promise((resolve, reject) => {
      const request = { type, members, resolve, reject };
      if (!this.#send) {
        reject(coded("disconnected", "there is no connection to the server"));
      } else if (this.ready) {
        this.ask(request);
      } else {
        this.#requests.hold(request);
      }
    });
  }

  /** @param {Request} request is sent whether we are ready or not */
  ask(request) {
    if (!this.#delays(request)) {
      this.tell(this.#requests.ask(request));
    }
  }

  /** We are ready: what was held is asked. */
  release() {
    this.ready = true;
    this.#requests.release().forEach((request) => this.ask(request));
  }

  /**
   * @param {Message} event
   * @returns {Request | undefined} what it is the reply to
   */
  answered(event) {
    return this.#requests.answered(event);
  }
}
