/** The first WebSocket: opened by a script of its own, while the rest of the page is on its way, and kept until `Socket` takes it. */

/** @typedef {import("./types.js").Message} Message */

export const PROTOCOL = "webshell.v1";

/**
 * Where the WebSocket is.
 *
 * @param {string} page the page's address
 */
export function socketAddress(page) {
  const url = new URL("ws", page);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.search = url.hash = "";
  return url;
}

export class Early {
  /** Whether it was handed over, alive. */
  taken = false;

  /** @type {WebSocket | null} */
  #socket;
  /** @type {MessageEvent[]} what has arrived; bounded by the window of output that nobody has acknowledged */
  #heard = [];
  /** @type {Map<string, (message: Message) => void>} by the type that is waited for */
  #waiting = new Map();

  /** @param {WebSocket} socket */
  constructor(socket) {
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onmessage = (message) => {
      this.#heard.push(message);
      this.#tell();
    };
  }

  /**
   * Wait for a message, as long as nobody has taken the socket.
   *
   * @param {string} type
   * @returns {Promise<Message>}
   */
  heard(type) {
    return new Promise((resolve) => {
      this.#waiting.set(type, resolve);
      this.#tell();
    });
  }

  /** @param {Message} message is not sent when the socket is gone or taken */
  say(message) {
    this.#socket?.send(JSON.stringify(message));
  }

  /**
   * Hand it over, once. Its handlers are to be set before anything else happens: they are told what they have missed.
   *
   * @returns {WebSocket | null} null: it is gone, or was taken
   */
  take() {
    const socket = this.#socket;
    this.#socket = null;
    this.#waiting.clear();
    if (!socket || socket.readyState > socket.OPEN) {
      return null;
    }
    this.taken = true;
    socket.onmessage = null;
    if (socket.readyState === socket.OPEN) {
      queueMicrotask(() => {
        socket.onopen?.(new Event("open"));
        this.#heard.forEach((message) => socket.onmessage?.(message));
      });
    }
    return socket;
  }

  /** Who waits for something that has come is told. */
  #tell() {
    for (const { data } of this.#waiting.size ? this.#heard : []) {
      const message = typeof data === "string" ? JSON.parse(data) : {};
      this.#waiting.get(message.type)?.(message);
      this.#waiting.delete(message.type);
    }
  }
}

export const early = globalThis.document ? new Early(new WebSocket(socketAddress(document.baseURI), PROTOCOL)) : null;
