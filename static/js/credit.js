/** When to tell the server what has been drawn: in steps while much comes, a little later when little does. */

const STEP_BYTES = 96 << 10; // a message for each 48 kB takes the page 10 % more time, for each 64 kB the server 8 %
const STEPS_IN_WINDOW = 2.5; // at least: with 61 kB under way the server never waits for one
const LATER_MILLISECONDS = 100; // for what is less than a step: a key's echo costs no message of its own

/**
 * @typedef {Object} World what a test replaces
 * @property {(callback: () => void, milliseconds: number) => any} setTimeout
 * @property {(timer: any) => void} clearTimeout
 */

/** @type {World} */
const browser = {
  setTimeout: (callback, milliseconds) => setTimeout(callback, milliseconds),
  clearTimeout: (timer) => clearTimeout(timer),
};

export class Credit {
  /** The offset below which everything is drawn. */
  drawn;

  #acknowledge;
  #window;
  #world;
  #told; // the server knows that everything below is drawn
  #old; // the same for where new output began: what a terminal answers counts only when the server knows
  /** @type {any} */
  #later = null;

  /**
   * @param {(offset: number) => void} acknowledge tell the server
   * @param {{offset: number, end: number}} record of the process: the first byte that comes, and where new output begins
   * @param {{window?: () => number, world?: World}} [options] window: bytes that may be under way
   */
  constructor(acknowledge, { offset, end }, { window = () => STEP_BYTES * STEPS_IN_WINDOW, world = browser } = {}) {
    this.#acknowledge = acknowledge;
    this.#window = window;
    this.#world = world;
    this.drawn = this.#told = offset;
    this.#old = end;
  }

  /** Whether what is being drawn was old when we attached. */
  get isHistory() {
    return this.drawn < this.#old;
  }

  /** Where new output began. */
  get old() {
    return this.#old;
  }

  /**
   * We are attached again.
   *
   * @param {{offset: number, end: number}} record
   * @param {boolean} resumed the output goes on where it was cut
   */
  attached({ offset, end }, resumed) {
    this.#old = end;
    if (!resumed) {
      this.drawn = offset;
    }
    this.#told = offset;
  }

  /** @param {number} offset everything below has been drawn */
  advance(offset) {
    const caughtUp = this.drawn < this.#old && offset >= this.#old;
    this.drawn = offset;
    if (caughtUp || offset - this.#told >= Math.min(STEP_BYTES, this.#window() / STEPS_IN_WINDOW)) {
      this.#tell();
    } else {
      this.#later ??= this.#world.setTimeout(() => this.#tell(), LATER_MILLISECONDS);
    }
  }

  /** Nothing is told any more. */
  close() {
    this.#world.clearTimeout(this.#later);
    this.#later = null;
  }

  #tell() {
    this.close();
    this.#told = this.drawn;
    this.#acknowledge(this.drawn);
  }
}
