/** The client's end of `webshell.v1`, without DOM, WebSocket or timers: frames come in, frames and calls go out. */

import { coded } from "./errors.js";
import { decodeFrame } from "./frames.js";
import { Line } from "./line.js";
import { randomName } from "./names.js";
import { Roster } from "./roster.js";
import { Sides } from "./sides.js";
import { Typing } from "./typing.js";

/** @typedef {import("./types.js").Message} Message */
/** @typedef {import("./types.js").Listener} Listener */
/** @typedef {import("./requests.js").Request} Request */

export class Client {
  /** @type {import("./types.js").Session | null} */
  session = null;

  #listener;
  /** @type {Line} */
  #line = new Line((request) => this.#typing.delays(request));
  #roster;
  /** @type {Typing} */
  #typing;

  /**
   * @param {Listener} listener
   * @param {{name?: string}} [options] name: under which the server counts our input
   */
  constructor(listener, { name = randomName() } = {}) {
    this.#listener = listener;
    this.#roster = new Roster(listener);
    this.#typing = new Typing(this.#roster.states, this.#line, (process, bytes) => listener.kept?.(process, bytes));
    this.sides = new Sides(this.#roster.states, this.#line);
    this.name = name;
  }

  /** The records of the session's processes, kept current. */
  get processes() {
    return this.#roster.records;
  }

  /** @returns {Message | null} what the server said first */
  get hello() {
    return this.#line.hello;
  }

  /** What we may do. */
  get rights() {
    return this.#line.rights;
  }

  /** Whether a request or a key would be sent at once. */
  get ready() {
    return this.#line.ready;
  }

  /** Bytes of a process's output that may be on their way unacknowledged. */
  get window() {
    return this.#line.limits.window;
  }

  // ---- what the transport does

  /** @param {(frame: string | Uint8Array<ArrayBuffer>) => void} send a connection is up */
  connected(send) {
    this.#line.connected(send);
  }

  /** The connection is gone. */
  disconnected() {
    const error = coded("disconnected", "the connection was lost");
    this.#line.disconnected(error);
    this.#typing.fail(error);
  }

  /** @param {string | ArrayBuffer} data a frame arrived */
  receive(data) {
    const frame = decodeFrame(data);
    if (frame.output) {
      this.#roster.output(frame.output);
    } else if (frame.said) {
      this.#roster.said(frame.said);
    } else {
      const event = frame.event;
      if (Object.hasOwn(Client.#events, event.type)) {
        Client.#events[event.type](this, event);
      } else if (!this.#roster.tell(event)) {
        this.#listener.other?.(event);
      }
      this.#reply(event);
    }
  }

  // ---- requests

  /** @param {{name?: string, linger?: number}} [options] */
  open(options = {}) {
    return this.request("open", { ...options, client: this.name });
  }

  /** @param {string} session */
  attach(session) {
    const offsets = session === this.session?.id && this.#roster.states.size ? { offsets: this.#roster.offsets() } : {};
    return this.request("attach", { session, ...offsets, client: this.name });
  }

  list() {
    return this.request("list");
  }

  /** @param {{runner: string, [member: string]: any}} options */
  start(options) {
    return this.request("start", options);
  }

  ping() {
    return this.request("ping");
  }

  /**
   * @param {string} type
   * @param {{[name: string]: any}} [members]
   * @returns {Promise<Message>} the reply; rejected with a CodedError
   */
  request(type, members = {}) {
    return this.#line.request(type, members);
  }

  /**
   * Nobody waits for the reply; failing is told to `listener.failed`. Without a connection nothing is sent.
   *
   * @param {number} process
   * @param {number} rows
   * @param {number} cols
   * @returns {boolean} whether it was sent
   */
  resize(process, rows, cols) {
    const record = this.processes.get(process);
    if (!this.#line.ready || !record) {
      return false;
    }
    Object.assign(record, { rows, cols });
    this.#line.tell({ type: "resize", process, rows, cols });
    return true;
  }

  /**
   * Everything below *offset* has been consumed.
   *
   * @param {number} process
   * @param {number} offset
   */
  acknowledge(process, offset) {
    const state = this.#roster.states.get(process);
    if (this.#line.ready && state && offset > state.acknowledged) {
      state.acknowledged = offset;
      this.#line.tell({ type: "ack", process, offset });
    }
  }

  // ---- input

  /**
   * @param {number} process
   * @param {number} kind one of KIND
   * @param {Uint8Array} bytes
   * @throws {import("./types.js").CodedError} it was refused: no-process, wrong-state, input-full, disconnected
   */
  input(process, kind, bytes) {
    this.#typing.input(process, kind, bytes);
  }

  // ---- inside: what the server tells

  /** @param {Message} event */
  #reply(event) {
    const request = this.#line.answered(event);
    if (request) {
      if (event.type === "error") {
        request.reject(coded(event.code, event.message));
        return;
      }
      if (request.type === "detach") {
        this.#forget();
      }
      request.resolve(event);
    } else if (event.type === "error") {
      this.#typing.refused ||= event.code === "input-full";
      this.#listener.failed?.(event);
    }
  }

  /** @type {Record<string, (client: Client, event: Message) => void>} */
  static #events = {
    hello: (client, event) => client.#hello(event),
    attached: (client, event) => client.#attached(event),
    taken: (client, event) => client.#taken({ [event.process]: event.count }),
    pong: (client, event) => client.#taken(event.taken),
    renamed: (client, event) => client.#renamed(event),
    presence: (client, event) => client.#presence(event),
    closed: (client, event) => {
      client.#forget();
      client.#listener.closed?.(event.reason);
    },
    sessions: () => {}, // only a reply, as the two below
    done: () => {},
    error: () => {},
  };

  /** @param {Message} event */
  #hello(event) {
    const restarted = this.hello !== null && this.hello.instance !== event.instance;
    this.#line.hello = event;
    this.#line.rights = new Set(event.rights);
    this.#listener.hello?.(event, restarted);
    if (!this.session) {
      this.#release();
      return;
    }
    this.#line.ask(this.#attachAgain());
  }

  /** @returns {Request} */
  #attachAgain() {
    const members = { session: this.session?.id, offsets: this.#roster.offsets(), client: this.name };
    return {
      type: "attach",
      members,
      resolve: () => {},
      reject: ({ code }) => {
        if (code !== "disconnected") {
          this.#forget();
          this.#listener.lost?.(code);
          this.#release();
        }
      },
    };
  }

  /** @param {Message} event */
  #attached(event) {
    const resumed = event.session === this.session?.id;
    if (!resumed) {
      this.#forget();
    }
    this.session = { id: event.session, name: event.name, owner: event.owner, linger: event.linger };
    this.#typing.refused = false;
    event.processes = this.#roster.attached(event.processes); // the objects that are kept current
    this.#line.ready = true; // the listener may want to resize at once
    this.#listener.attached?.(event, { resumed });
    this.#release();
    this.#roster.finish();
  }

  /** We may send: what waited goes out. */
  #release() {
    this.#line.release();
    this.#typing.release();
    if (this.#roster.unsent) {
      this.ping().catch(() => {}); // what was taken while we were away has been reported to nobody
    }
  }

  /** @param {Record<string, number>} counts */
  #taken(counts) {
    this.#typing.taken(counts);
    if (this.#typing.refused && this.#line.ready && this.session) {
      this.#line.ready = false; // there is room again, and only attaching makes the server accept
      this.#line.ask(this.#attachAgain());
    }
  }

  /** @param {Message} event */
  #renamed(event) {
    if (event.process !== null) {
      this.#roster.tell(event);
    } else if (this.session) {
      this.session.name = event.name;
      this.#listener.renamed?.(event);
    }
  }

  /** @param {Message} event */
  #presence(event) {
    const clients = Array.isArray(event.clients) ? event.clients : [];
    const we = clients.find((client) => client.you);
    if (we) {
      this.#line.rights = new Set(we.rights);
    }
    this.#listener.presence?.({ ...event, clients });
  }

  #forget() {
    this.session = null;
    this.#roster.clear();
  }
}
