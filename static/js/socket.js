/** The life of the WebSocket under a Client: connecting, noticing that it is dead, connecting again. */

import { PROTOCOL, socketAddress } from "./early.js";

const PING_SECONDS = 15;
const PONG_SECONDS = 10; // of time actually observed
const TICK_SECONDS = 1; // how often a silent socket is looked at while a pong is awaited
const GAP_SECONDS = 3; // a tick so late means that the tab slept: nothing was observed
const FIRST_WAIT_SECONDS = 0.5;
const LONGEST_WAIT_SECONDS = 15;
const CONNECT_SECONDS = 15; // for the handshake

/** @typedef {"connecting" | "connected" | "waiting" | "offline" | "login" | "stopped"} State */
/** @typedef {{state: State, retryAt?: number, detail?: string}} Status retryAt: as Date.now() */

/**
 * What a test replaces.
 *
 * @typedef {Object} World
 * @property {(url: URL, protocol: string) => WebSocket} connect
 * @property {(input: URL, options: RequestInit) => Promise<{status: number}>} fetch
 * @property {() => number} now milliseconds
 * @property {(callback: () => void, milliseconds: number) => any} setTimeout
 * @property {(timer: any) => void} clearTimeout
 * @property {() => number} random
 * @property {() => boolean} online
 * @property {{addEventListener: (type: string, listener: () => void) => void}} window
 * @property {{addEventListener: (type: string, listener: () => void) => void, visibilityState: string, baseURI: string}} document
 */

/** @returns {World} */
function browser() {
  return {
    connect: (url, protocol) => new WebSocket(url, protocol),
    fetch: (input, options) => fetch(input, options),
    now: () => Date.now(),
    setTimeout: (callback, milliseconds) => setTimeout(callback, milliseconds),
    clearTimeout: (timer) => clearTimeout(timer),
    random: () => Math.random(),
    online: () => navigator.onLine,
    window,
    document,
  };
}

export class Socket {
  #client;
  #early;
  #onstate;
  #world;
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {any} the one thing that we wait for: the next attempt, ping or look */
  #timer = null;
  #failures = 0;
  /** @type {{since: number, observed: number, answered: boolean} | null} the ping under way */
  #ping = null;
  /** @type {Status} */
  status = { state: "stopped" };

  /**
   * @param {import("./client.js").Client} client
   * @param {{onstate?: (status: Status) => void, early?: import("./early.js").Early | null, world?: World}} [options]
   *   early: a socket that was opened before there was anybody to use it
   */
  constructor(client, { onstate = () => {}, early = null, world = browser() } = {}) {
    this.#client = client;
    this.#early = early;
    this.#onstate = onstate;
    this.#world = world;
    world.window.addEventListener("online", () => this.#wake());
    world.window.addEventListener("offline", () => this.#sleep());
    world.document.addEventListener("visibilitychange", () => {
      if (world.document.visibilityState === "visible") {
        this.#wake();
      }
    });
  }

  start() {
    if (this.status.state === "stopped") {
      this.#connect();
    }
  }

  /** Leave for good, until `start`. */
  stop() {
    this.#drop(1000);
    this.#cancel();
    this.#tell({ state: "stopped" });
  }

  /** Somebody is impatient, or has logged in. */
  retry() {
    if (this.#socket === null && this.status.state !== "stopped") {
      this.#failures = 0;
      this.#connect();
    }
  }

  // ---- connecting

  #connect() {
    this.#cancel();
    const { document, connect } = this.#world;
    this.#tell({ state: "connecting" });
    const socket = this.#early?.take() ?? connect(socketAddress(document.baseURI), PROTOCOL);
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#ours(socket) && this.#opened(socket);
    socket.onmessage = (message) => this.#ours(socket) && this.#received(message.data);
    socket.onclose = (event) => this.#ours(socket) && this.#closed(event);
    this.#after(CONNECT_SECONDS, () => this.#lost("no answer to the handshake"));
  }

  /** @param {WebSocket} socket an abandoned one may still speak */
  #ours(socket) {
    return socket === this.#socket;
  }

  /** @param {WebSocket} socket */
  #opened(socket) {
    this.#ping = null;
    this.#tell({ state: "connected" });
    this.#client.connected((frame) => {
      if (socket.readyState === socket.OPEN) {
        socket.send(frame);
      }
    });
    this.#after(PING_SECONDS, () => this.#sendPing());
  }

  /** @param {string | ArrayBuffer} data */
  #received(data) {
    this.#failures = 0; // a server that speaks is well; one that only accepts may not be
    if (this.#ping) {
      this.#ping.observed = 0; // whatever arrives shows that it lives
    }
    this.#client.receive(data);
  }

  /** @param {CloseEvent} event */
  #closed(event) {
    this.#socket = null;
    this.#client.disconnected();
    this.#cancel();
    void this.#diagnose(event.reason || `the connection was closed (${event.code})`);
  }

  /** @param {string} detail the connection is as good as gone */
  #lost(detail) {
    this.#drop(4000);
    void this.#diagnose(detail);
  }

  /** @param {number} code */
  #drop(code) {
    const socket = this.#socket;
    this.#socket = null; // first: what it still says is not ours
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close(code);
      this.#client.disconnected();
    }
  }

  // ---- waiting for the next attempt

  /** @param {string} detail */
  async #diagnose(detail) {
    const { now, random, online } = this.#world;
    const longest = Math.min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** this.#failures);
    const seconds = longest * (0.5 + random() / 2); // jitter: not all pages at once after a restart
    this.#failures += 1;
    this.#after(seconds, () => this.#connect());
    this.#tell({ state: online() ? "waiting" : "offline", retryAt: now() + seconds * 1000, detail });
    const status = await this.#whoami();
    if (this.#socket !== null || (this.status.state !== "waiting" && this.status.state !== "offline")) {
      return; // it went on without the answer
    }
    if (status === 401) {
      this.#cancel();
      this.#tell({ state: "login", detail: "log in again" });
    } else if (status !== 0) {
      this.#tell({ ...this.status, detail: status === 200 ? detail : `the server answers ${status}` });
    } else {
      this.#tell({ ...this.status, detail: "the server cannot be reached" });
    }
  }

  /** @returns {Promise<number>} the status; 0: unreachable */
  async #whoami() {
    const { fetch, document } = this.#world;
    const url = new URL("whoami", document.baseURI);
    try {
      const answer = await fetch(url, { credentials: "same-origin", cache: "no-store", redirect: "manual" });
      return answer.status;
    } catch {
      return 0;
    }
  }

  /** The network or the tab is back. */
  #wake() {
    if (this.status.state === "waiting" || this.status.state === "offline") {
      this.retry();
    } else if (this.status.state === "connected") {
      this.#sendPing(); // it may have died while nobody looked
    }
  }

  /** There is no network: say so at once, not when a try has failed. */
  #sleep() {
    if (this.status.state === "waiting") {
      this.#tell({ ...this.status, state: "offline" });
    } else if (this.status.state === "connected") {
      this.#sendPing(); // the server may be this machine
    }
  }

  // ---- is it alive?

  #sendPing() {
    this.#cancel();
    const ping = { since: this.#world.now(), observed: 0, answered: false };
    this.#ping = ping;
    this.#client.ping().then(
      () => (ping.answered = true),
      () => {}, // disconnected: #closed or #lost has been here
    );
    this.#after(TICK_SECONDS, () => this.#look(ping));
  }

  /** @param {{since: number, observed: number, answered: boolean}} ping */
  #look(ping) {
    const now = this.#world.now();
    const passed = (now - ping.since) / 1000;
    ping.since = now;
    if (ping.answered) {
      this.#ping = null;
      this.#after(PING_SECONDS - TICK_SECONDS, () => this.#sendPing());
    } else if (passed > GAP_SECONDS) {
      this.#sendPing(); // we slept: the answer may be here and not read, or never have been sent
    } else {
      ping.observed += passed;
      if (ping.observed >= PONG_SECONDS) {
        this.#lost("the server does not answer");
      } else {
        this.#after(TICK_SECONDS, () => this.#look(ping));
      }
    }
  }

  // ---- inside

  /** @param {Status} status */
  #tell(status) {
    this.status = status;
    this.#onstate(status);
  }

  /**
   * @param {number} seconds
   * @param {() => void} callback
   */
  #after(seconds, callback) {
    this.#cancel();
    this.#timer = this.#world.setTimeout(callback, seconds * 1000);
  }

  #cancel() {
    this.#world.clearTimeout(this.#timer);
    this.#timer = null;
  }
}
