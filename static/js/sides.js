/** What a client says on the side channels of processes. */

/** The side channels that the page knows: those of the stage. */
export const CHANNELS = Object.freeze(["keylisten", "keyevent", "video"]);

export class Sides {
  #states;
  #line;

  /**
   * @param {Map<number, import("./process.js").Process>} states of the session's processes
   * @param {import("./line.js").Line} line
   */
  constructor(states, line) {
    this.#states = states;
    this.#line = line;
  }

  /**
   * Say *text* to a process; it is lost without a connection.
   *
   * @param {number} process
   * @param {string} channel
   * @param {string} text
   */
  tell(process, channel, text) {
    if (this.#line.ready && this.#line.rights.has("type")) {
      this.#line.tell({ type: "tell", process, channel, text });
    }
  }

  /**
   * We have done with one more message.
   *
   * @param {number} process
   * @param {string} channel
   */
  seen(process, channel) {
    const state = this.#states.get(process);
    if (this.#line.ready && state) {
      this.#line.tell({ type: "seen", process, channel, count: state.seen(channel) });
    }
  }
}
