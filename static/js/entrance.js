/** The way into a session: which one the page goes to, and asking for it before the rest of the page is here. No DOM here. */

import { randomName } from "./names.js";
import { CHANNELS } from "./sides.js";

/** @typedef {{session: string, name: string, owner: string}} Listed */

const FIRST = "Terminal 1"; // of a session

/** Names of sessions that programs made for themselves: the page goes there only if it is told to. */
const UNATTENDED = new Set(["plain", "popen"]);

/**
 * The session that the page goes to.
 *
 * @param {Listed[]} sessions
 * @param {{wanted: string, last: string | null, identity: string, mayRun: boolean}} options wanted: by the address; last: where it was before
 * @returns {Listed | undefined}
 */
export function chosen(sessions, { wanted, last, identity, mayRun }) {
  const own = sessions.filter(({ owner }) => owner === identity || !mayRun);
  return (
    sessions.find(({ session }) => session === wanted) ??
    own.find(({ session }) => session === last) ??
    own.filter(({ name }) => !UNATTENDED.has(name)).at(-1)
  );
}

export class Entrance {
  #early;
  /** @type {"" | "attach" | "start"} */
  #asked = "";

  /**
   * @param {import("./early.js").Early} waiting
   * @param {string} [name] under which the server will count our input
   */
  constructor(waiting, name = randomName()) {
    this.#early = waiting;
    this.name = name;
  }

  /**
   * Ask for a session, and in a new one for its first terminal. Whoever takes the socket hears the answers. Nothing is asked when it was
   * taken before, or when there is something to tell.
   *
   * @param {{wanted: string, last: string | null, size: () => {rows: number, cols: number}}} options
   */
  async enter({ wanted, last, size }) {
    const waiting = this.#early;
    const { identity, rights } = await waiting.heard("hello");
    this.#ask("list");
    const { sessions } = await waiting.heard("sessions");
    const mayRun = rights.includes("run");
    const found = chosen(sessions, { wanted, last, identity, mayRun });
    if (waiting.taken || (wanted && found?.session !== wanted)) {
      return;
    }
    if (found) {
      this.#asked = "attach";
      this.#ask("attach", { session: found.session, client: this.name });
    } else if (mayRun) {
      this.#asked = "start";
      this.#ask("open", { client: this.name }); // both in one flight
      this.#ask("start", { runner: "shell", ...size(), name: FIRST, channels: CHANNELS });
    }
  }

  /**
   * What was asked for on the socket that was taken; told once.
   *
   * @returns {"" | "attach" | "start"} empty: nothing
   */
  take() {
    const asked = this.#early.taken ? this.#asked : "";
    this.#asked = "";
    return asked;
  }

  /**
   * @param {string} type is its id, too: the page's own are numbers
   * @param {{[name: string]: any}} [members]
   */
  #ask(type, members = {}) {
    this.#early.say({ type, id: type, ...members });
  }
}
