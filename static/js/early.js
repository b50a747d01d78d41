/** The first WebSocket: opened by a script of its own, while the rest of the page is on its way, and kept until `Socket` takes it. */

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
  /** @type {WebSocket | null} */
  #socket;
  /** @type {MessageEvent[]} what has arrived; until a session is attached that is a greeting and nothing else */
  #heard = [];

  /** @param {WebSocket} socket */
  constructor(socket) {
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onmessage = (message) => this.#heard.push(message);
  }

  /**
   * Hand it over, once. Its handlers are to be set before anything else happens: they are told what they have missed.
   *
   * @returns {WebSocket | null} null: it is gone, or was taken
   */
  take() {
    const socket = this.#socket;
    this.#socket = null;
    if (!socket || socket.readyState > socket.OPEN) {
      return null;
    }
    socket.onmessage = null;
    if (socket.readyState === socket.OPEN) {
      queueMicrotask(() => {
        socket.onopen?.(new Event("open"));
        this.#heard.forEach((message) => socket.onmessage?.(message));
      });
    }
    return socket;
  }
}

export const early = globalThis.document ? new Early(new WebSocket(socketAddress(document.baseURI), PROTOCOL)) : null;
