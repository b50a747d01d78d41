/** The processes of the attached session, kept as the server tells; the listener is told in turn. Nothing is sent here. */

import { Process } from "./process.js";

/** @typedef {import("./types.js").Message} Message */
/** @typedef {import("./types.js").ProcessRecord} ProcessRecord */

export class Roster {
  /** @type {Map<number, ProcessRecord>} what views hold: the objects stay the same as long as the processes do */
  records = new Map();
  /** @type {Map<number, Process>} */
  states = new Map();
  #listener;

  /** @param {import("./types.js").Listener} listener */
  constructor(listener) {
    this.#listener = listener;
  }

  /** First byte wanted of each process. */
  offsets() {
    return Object.fromEntries([...this.states].map(([process, state]) => [process, state.offset]));
  }

  /** Whether input waits for room or for the connection. */
  get unsent() {
    return [...this.states.values()].some((state) => state.outbox.unsent);
  }

  /**
   * These are all that there are.
   *
   * @param {ProcessRecord[]} records
   * @returns {ProcessRecord[]} those that are kept current
   */
  attached(records) {
    const there = new Set(records.map((record) => record.process));
    const gone = [...this.states.keys()].filter((process) => !there.has(process));
    gone.forEach((process) => this.#removed(process));
    return records.map((record) => this.#recorded(record));
  }

  /** After `attached`, when the listener knows what there is. */
  finish() {
    this.states.forEach((state) => this.#finish(state));
  }

  clear() {
    this.states.clear();
    this.records.clear();
  }

  /** @param {{stream: number, process: number, bytes: Uint8Array}} output */
  output({ stream, process, bytes }) {
    const state = this.states.get(process);
    if (!state) {
      return; // removed in the meantime
    }
    const fresh = state.received(bytes);
    if (fresh.length) {
      this.#listener.output?.(process, stream, fresh, state.offset);
    }
    this.#finish(state);
  }

  /** @param {import("./frames.js").Said} said */
  said({ process, channel, bytes }) {
    const state = this.states.get(process);
    if (state) {
      state.came(channel);
      this.#listener.said?.(process, channel, bytes);
    }
  }

  /** @type {Record<string, (roster: Roster, event: Message) => void>} */
  static #events = {
    started: (roster, event) => roster.#started(event.process),
    exited: (roster, event) => roster.#exited(event),
    gap: (roster, event) => roster.#gap(event),
    resized: (roster, event) => roster.#changed("resized", event, { rows: event.rows, cols: event.cols }),
    renamed: (roster, event) => roster.#changed("renamed", event, { name: event.name }),
    removed: (roster, event) => roster.#removed(event.process),
  };

  /**
   * @param {Message} event
   * @returns {boolean} whether it was about processes
   */
  tell(event) {
    const known = Object.hasOwn(Roster.#events, event.type);
    if (known) {
      Roster.#events[event.type](this, event);
    }
    return known;
  }

  /** @param {ProcessRecord} record */
  #recorded(record) {
    const known = this.states.get(record.process);
    if (known) {
      known.resumed(record);
      return known.record;
    }
    this.states.set(record.process, new Process(record));
    this.records.set(record.process, record);
    return record;
  }

  /** @param {ProcessRecord} record */
  #started(record) {
    const known = this.#recorded(record);
    this.#listener.started?.(known);
  }

  /** @param {Message} event */
  #gap(event) {
    const state = this.states.get(event.process);
    if (state) {
      state.gap(event.offset);
      this.#listener.gap?.(event);
    }
  }

  /** @param {Message} event */
  #exited(event) {
    const state = this.states.get(event.process);
    if (state) {
      state.exited(event);
      this.#listener.exited?.(event);
    }
  }

  /**
   * It exited while we were away: tell so when all its output has come.
   *
   * @param {Process} state
   */
  #finish(state) {
    const ended = state.epilogue();
    if (ended) {
      this.#exited(ended);
    }
  }

  /**
   * @param {"resized" | "renamed"} type
   * @param {Message} event
   * @param {object} members
   */
  #changed(type, event, members) {
    const record = this.records.get(event.process);
    if (record) {
      Object.assign(record, members);
      this.#listener[type]?.(event);
    }
  }

  /** @param {number} process */
  #removed(process) {
    this.states.delete(process);
    if (this.records.delete(process)) {
      this.#listener.removed?.(process);
    }
  }
}
