/**
 * Gives xterm.js its output as fast as it can parse. It parses for 12 ms at a time, between timers that it sets one from another; browsers
 * hold such chains up by 4 ms each. So it is given a piece only when it has done with the last one, in a task that no timer
 * has begun: 2.3 times as fast (benchmarks/page.py, 2 cores, Chromium 156). Keys and frames get their turn between pieces.
 */

const PIECE_BYTES = 64 << 10; // some 3 ms of parsing

/** @typedef {{data: Uint8Array | string, callback: () => void}} Piece */

export class Feed {
  #write;
  #soon;
  #hidden;
  /** @type {Piece[]} bounded by the server: it sends no more than a window that is not acknowledged */
  #waiting = [];
  #passed = 0; // times that the terminal was given something and has not done with it

  /**
   * @param {(data: Uint8Array | string, callback: () => void) => void} write the terminal's
   * @param {{soon?: (callback: () => void) => void, hidden?: () => boolean}} [world] what a test replaces. soon: in a task of its own;
   *   hidden: timers are rare now, so each has to be used to the full
   */
  constructor(write, { soon = inTask, hidden = () => document.hidden } = {}) {
    this.#write = write;
    this.#soon = soon;
    this.#hidden = hidden;
  }

  /**
   * @param {Uint8Array | string} data
   * @param {() => void} [callback] when it has been parsed
   */
  write(data, callback = () => {}) {
    this.#waiting.push({ data, callback });
    if (!this.#passed || this.#hidden()) {
      this.#pass(); // a key's echo does not wait
    }
  }

  #pass() {
    const pieces = this.#take();
    const last = pieces.pop();
    if (last) {
      this.#passed += 1;
      pieces.forEach(({ data, callback }) => this.#write(data, callback));
      this.#write(last.data, () => {
        last.callback();
        this.#parsed();
      });
    }
  }

  #parsed() {
    this.#passed -= 1;
    if (!this.#passed && this.#waiting.length) {
      this.#soon(() => this.#pass());
    }
  }

  /** @returns {Piece[]} what it is given now */
  #take() {
    const most = this.#hidden() ? Infinity : PIECE_BYTES;
    let [count, size] = [0, 0];
    for (; count < this.#waiting.length && size < most; count += 1) {
      size += this.#waiting[count].data.length;
    }
    return this.#waiting.splice(0, count);
  }
}

/**
 * @param {Uint8Array | string} data
 * @returns {boolean} whether it is nothing but ASCII; 64 kB take 40 µs
 */
export function onlyAscii(data) {
  if (typeof data === "string") {
    return !/[^\0-\x7f]/.test(data);
  }
  let bits = 0;
  for (let index = 0; index < data.length; index += 1) {
    bits |= data[index];
  }
  return bits < 0x80;
}

/** @type {MessageChannel | undefined} */
let channel;
/** @type {(() => void)[]} at most one for each terminal */
const tasks = [];

/** @param {() => void} callback */
function inTask(callback) {
  if (!channel) {
    channel = new MessageChannel();
    channel.port1.onmessage = () => tasks.shift()?.();
  }
  tasks.push(callback);
  channel.port2.postMessage(null);
}
