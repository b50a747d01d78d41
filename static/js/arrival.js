/** The page's arrival in a session: what was asked for before, what the address names, or a new one; and what is said when that is refused. */

import { addressOf, named } from "./address.js";
import { notice } from "./dialog.js";
import { chosen } from "./entrance.js";
import { BROWSER, recall, remember } from "./memory.js";

/** @typedef {import("./types.js").Message} Message */
/** @typedef {import("./types.js").CodedError} CodedError */
/** @typedef {{text: string, label: string, action: () => void}} Trouble what is the matter, and what can be done about it */

/** What a refusal means to a person, by the type of what was asked for. */
const REFUSED = new Map(Object.entries({
  list: (/** @type {string} */ why) => `The sessions cannot be seen: ${why}.`,
  open: (/** @type {string} */ why) => `No session was opened: ${why}.`,
  attach: (/** @type {string} */ why) => `The session was not entered: ${why}. The menu leads to others.`,
  start: (/** @type {string} */ why) => `No terminal was started: ${why}.`,
}));

export class Arrival {
  #client;
  #entrance;
  #terminals;
  #tell;
  #restarted = false;
  #over = false; // the session has ended before our eyes
  #wanted = 0; // the process that the address names
  /** @type {"" | "attach" | "start"} what was asked for before we were here, and has not come */
  #asked = "";
  #news = ""; // to be said with what comes of it
  #asking = 0; // requests that are under way
  /** @type {Trouble | null} */
  #trouble = null;

  /**
   * @param {import("./client.js").Client} client
   * @param {import("./entrance.js").Entrance} entrance
   * @param {import("./terminals.js").Terminals} terminals
   * @param {(trouble: Trouble | null) => void} tell the person; null: nothing is the matter any more
   */
  constructor(client, entrance, terminals, tell) {
    this.#client = client;
    this.#entrance = entrance;
    this.#terminals = terminals;
    this.#tell = tell;
  }

  // ---- what a person does

  /** Into the session that the address names, where we were before, the latest of our own, or a new one. */
  async choose() {
    const { session: wanted, process } = named(location);
    this.#wanted = process;
    if (wanted && wanted === this.#client.session?.id) {
      return;
    }
    const listed = await this.#attempt("list", this.#client.list());
    if (!listed) {
      return;
    }
    const found = chosen(listed.sessions, { wanted, last: recall(BROWSER, "session"), identity: this.#client.hello?.identity, mayRun: this.#mayRun });
    this.#news = wanted && found?.session !== wanted ? "The session of this address has ended." : "";
    if (found) {
      if (await this.#attempt("attach", this.#client.attach(found.session))) {
        await this.#furnish();
      }
    } else if (this.#mayRun) {
      await this.open();
    } else {
      this.#advise("There is nothing to watch yet.", "Look again", () => this.choose());
    }
  }

  /** A new session, and a terminal in it. */
  async open() {
    const opened = this.#attempt("open", this.#client.open());
    if (this.#client.session && !(await opened)) {
      return; // what is started would be in that one
    }
    await this.#attempt("start", this.#terminals.start()); // in the same flight
  }

  /** Another terminal; where something is the matter, what can be done about that. */
  async newTerminal() {
    if (this.#trouble) {
      this.#trouble.action();
    } else {
      await this.#terminals.start();
    }
  }

  // ---- what the client tells

  /** @param {boolean} restarted */
  hello(restarted) {
    this.#restarted = restarted;
    this.#asked &&= "attach"; // before a cut: perhaps it came, perhaps not
    if (!this.#client.session && !this.#over) {
      this.#wanted = named(location).process;
      this.#asked = this.#entrance.take();
      if (!this.#asked) {
        void this.choose();
      }
    }
  }

  /**
   * We are in.
   *
   * @param {string} session
   * @returns {number | null} the process that is to be shown first, 0: any; null: the one that will be started
   */
  attached(session) {
    this.#over = false;
    this.#clear();
    history.replaceState(null, "", addressOf(location, session));
    remember(BROWSER, "session", session);
    if (this.#news) {
      notice(this.#withNews(""));
    }
    const wanted = this.#asked === "start" ? null : this.#wanted;
    this.#wanted = 0;
    if (this.#asked === "attach") {
      this.#asked = "";
      void this.#furnish();
    }
    return wanted;
  }

  /** @returns {boolean} whether what was started is what was asked for before we were here */
  started() {
    this.#clear();
    const awaited = this.#asked === "start";
    this.#asked = "";
    return awaited;
  }

  /**
   * @param {Message} event to a request whose answer nobody awaits
   * @returns {boolean} whether that was one of the entrance
   */
  failed({ id, code, message }) {
    const type = String(id);
    if (!REFUSED.has(type)) {
      return false;
    }
    this.#asked = "";
    if (type !== "list") { // nothing came of it: we have asked again
      this.#refused(type, { code, message });
    }
    return true;
  }

  /** @param {string} reason why the session was ended */
  closed(reason) {
    this.#ended(`This session has ended: ${reason}.`);
  }

  /** We came back, and it was not there any more. */
  lost() {
    this.#ended(this.#restarted ? "The server was restarted; its sessions have ended." : "This session has ended.");
  }

  // ---- inside

  get #mayRun() {
    return this.#client.rights.has("run");
  }

  /** A session with nothing in it gets a terminal. */
  async #furnish() {
    if (!this.#client.processes.size && this.#mayRun) {
      await this.#attempt("start", this.#terminals.start());
    }
  }

  /** Into a session, after it did not go well. */
  #again() {
    return this.#over && this.#mayRun ? this.open() : this.choose();
  }

  /** @param {string} text */
  #ended(text) {
    this.#over = true;
    this.#asked = "";
    this.#terminals.ended();
    this.#advise(text, this.#mayRun ? "Start a new session" : "Look for another", () => this.#again());
  }

  /**
   * @template T
   * @param {string} type of the request
   * @param {Promise<T>} request
   * @returns {Promise<T | null>} the reply; null: it was refused, which has been said
   */
  async #attempt(type, request) {
    this.#asking += 1;
    try {
      return await request;
    } catch (error) {
      this.#refused(type, /** @type {CodedError} */ (error));
      return null;
    } finally {
      this.#asking -= 1;
    }
  }

  /**
   * @param {string} type
   * @param {{code: string, message: string}} error
   */
  #refused(type, { code, message }) {
    const inside = this.#client.session !== null;
    if (code === "disconnected" || (type === "start" && !inside)) {
      return; // the status bar tells the one; for the other there was no session: that has been said
    }
    const text = REFUSED.get(type)?.(message) ?? message;
    if (type === "start") {
      this.#advise(text, "Try again", () => this.#furnish());
    } else if (inside) {
      notice(this.#withNews(text)); // we stay where we are
    } else {
      this.#advise(text, "Try again", () => this.#again());
    }
  }

  /**
   * @param {string} text
   * @param {string} label
   * @param {() => Promise<void>} remedy
   */
  #advise(text, label, remedy) {
    const action = () => void (this.#asking || remedy()); // pressed twice, it would be done twice
    this.#trouble = { text: this.#withNews(text), label, action };
    this.#tell(this.#trouble);
  }

  /** @param {string} text */
  #withNews(text) {
    const news = this.#news;
    this.#news = "";
    return `${news} ${text}`.trim();
  }

  #clear() {
    if (this.#trouble) {
      this.#trouble = null;
      this.#tell(null);
    }
  }
}
