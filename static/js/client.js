/** The client's end of `webshell.v1`, without DOM, WebSocket or timers: frames come in, frames and calls go out. */

import { coded } from "./errors.js";
import { decodeFrame } from "./frames.js";
import { Requests } from "./requests.js";
import { Roster } from "./roster.js";
import { Typing } from "./typing.js";

/** @typedef {import("./types.js").Message} Message */
/** @typedef {import("./types.js").Listener} Listener */
/** @typedef {import("./requests.js").Request} Request */

const WINDOW_BYTES = 256 << 10; // until hello says otherwise; the server's own default

export class Client {
  /** @type {import("./types.js").Session | null} */
  session = null;
  /** @type {Message | null} */
  hello = null;
  /** @type {Set<string>} */
  rights = new Set();

  #listener;
  /** @type {((frame: string | Uint8Array<ArrayBuffer>) => void) | null} */
  #send = null;
  #ready = false; // hello has come, and the session that we knew is attached again
  #requests = new Requests();
  #roster;
  #typing;

  /**
   * @param {Listener} listener
   * @param {{name?: string}} [options] name: under which the server counts our input
   */
  constructor(listener, { name = randomName() } = {}) {
    this.#listener = listener;
    this.#roster = new Roster(listener);
    this.#typing = new Typing(this.#roster.states, this.#line());
    this.name = name;
  }

  /** The records of the session's processes, kept current. */
  get processes() {
    return this.#roster.records;
  }

  /** Whether a request or a key would be sent at once. */
  get ready() {
    return this.#ready;
  }

  /** Bytes of a process's output that may be on their way unacknowledged. */
  get window() {
    return this.hello?.limits?.window ?? WINDOW_BYTES;
  }

  // ---- what the transport does

  /** @param {(frame: string | Uint8Array<ArrayBuffer>) => void} send a connection is up */
  connected(send) {
    this.#send = send;
  }

  /** The connection is gone. */
  disconnected() {
    this.#send = null;
    this.#ready = false;
    const error = coded("disconnected", "the connection was lost");
    this.#requests.fail(error);
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
    return new Promise((resolve, reject) => {
      const request = { type, members, resolve, reject };
      if (!this.#send) {
        reject(coded("disconnected", "there is no connection to the server"));
      } else if (this.#ready) {
        this.#ask(request);
      } else {
        this.#requests.hold(request);
      }
    });
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
    if (!this.#ready || !record) {
      return false;
    }
    Object.assign(record, { rows, cols });
    this.#tell({ type: "resize", process, rows, cols });
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
    if (this.#ready && state && offset > state.acknowledged) {
      state.acknowledged = offset;
      this.#tell({ type: "ack", process, offset });
    }
  }

  /**
   * Say *text* to a process on a side channel; it is lost without a connection.
   *
   * @param {number} process
   * @param {string} channel
   * @param {string} text
   */
  tell(process, channel, text) {
    if (this.#ready && this.rights.has("type")) {
      this.#tell({ type: "tell", process, channel, text });
    }
  }

  /**
   * We have done with one more message of a side channel.
   *
   * @param {number} process
   * @param {string} channel
   */
  seen(process, channel) {
    const state = this.#roster.states.get(process);
    if (this.#ready && state) {
      this.#tell({ type: "seen", process, channel, count: state.seen(channel) });
    }
  }

  /**
   * The next output byte of *process* that we have not received.
   *
   * @param {number} process
   */
  offset(process) {
    return this.#roster.states.get(process)?.offset ?? 0;
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

  // ---- inside: what is sent

  /** @returns {import("./typing.js").Line} */
  #line() {
    const client = this;
    return {
      get ready() {
        return client.#ready;
      },
      get mayType() {
        return client.rights.has("type");
      },
      get limits() {
        return client.hello?.limits;
      },
      send: (frame) => this.#send?.(frame),
      ask: (request) => this.#ask(request),
      kept: (process, bytes) => this.#listener.kept?.(process, bytes),
    };
  }

  /** @param {Request} request */
  #ask(request) {
    if (!this.#typing.delays(request)) {
      this.#tell(this.#requests.ask(request));
    }
  }

  /** @param {object} message */
  #tell(message) {
    this.#send?.(JSON.stringify(message));
  }

  /** @param {Message} event */
  #reply(event) {
    const request = this.#requests.answered(event);
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

  // ---- inside: what the server tells

  /** @type {Record<string, (client: Client, event: Message) => void>} */
  static #events = {
    hello: (client, event) => client.#hello(event),
    attached: (client, event) => client.#attached(event),
    taken: (client, event) => client.#taken({ [event.process]: event.count }),
    pong: (client, event) => client.#taken(event.taken),
    renamed: (client, event) => client.#renamed(event),
    presence: (client, event) => client.#presence(event),
    closed: (client, event) => client.#closed(event),
    sessions: () => {}, // only a reply, as the two below
    done: () => {},
    error: () => {},
  };

  /** @param {Message} event */
  #hello(event) {
    const restarted = this.hello !== null && this.hello.instance !== event.instance;
    this.hello = event;
    this.rights = new Set(event.rights);
    this.#listener.hello?.(event, restarted);
    if (!this.session) {
      this.#release();
      return;
    }
    this.#ask(this.#attachAgain());
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
    this.#ready = true; // the listener may want to resize at once
    this.#listener.attached?.(event, { resumed });
    this.#release();
    this.#roster.finish();
  }

  /** We may send: what waited goes out. */
  #release() {
    this.#ready = true;
    this.#requests.release().forEach((request) => this.#ask(request));
    this.#typing.release();
    if (this.#roster.unsent) {
      this.ping().catch(() => {}); // what was taken while we were away has been reported to nobody
    }
  }

  /** @param {Record<string, number>} counts */
  #taken(counts) {
    this.#typing.taken(counts);
    if (this.#typing.refused && this.#ready && this.session) {
      this.#ready = false; // there is room again, and only attaching makes the server accept
      this.#ask(this.#attachAgain());
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
      this.rights = new Set(we.rights);
    }
    this.#listener.presence?.({ ...event, clients });
  }

  /** @param {Message} event */
  #closed(event) {
    this.#forget();
    this.#listener.closed?.(event.reason);
  }

  #forget() {
    this.session = null;
    this.#roster.clear();
  }
}

function randomName() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_");
}
